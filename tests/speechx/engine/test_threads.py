"""A step has the threads that make it faster, and no others."""

import pytest
import torch

from speechx.engine import threads


@pytest.mark.parametrize(
    ("seconds", "most", "useful"),
    [
        ({1: 0.008, 2: 0.004, 4: 0.002}, 4, 4),
        ({1: 0.008, 2: 0.004, 4: 0.0039}, 4, 2),  # less than a fifth is not worth two cores
        ({1: 0.008, 2: 0.004, 4: 0.002}, 3, 2),
        ({1: 0.002, 2: 0.030}, 2, 1),  # another process has the second core
        ({1: 0.0002, 2: 0.0001}, 2, 1),
        ({1: 0.008}, 1, 1),
    ],
)
def test_threads_that_save_a_fifth(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], most: int, useful: int
) -> None:
    now, count = [0.0], [1]

    def clock() -> float:
        now[0] += 1e-5
        return now[0]

    def step() -> None:
        now[0] += seconds[count[0]]

    monkeypatch.setattr(threads.time, "perf_counter", clock)
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: count.__setitem__(0, n))
    assert threads.useful_threads(step, most) == useful
    assert count == [1], "the number of threads is what it was"
