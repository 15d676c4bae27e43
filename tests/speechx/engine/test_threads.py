"""A step has the threads that make it faster, and no others."""

from collections.abc import Callable

import pytest
import torch

from speechx.engine import threads
from speechx.engine.engine import Engine
from tests.helpers.engines import GREEDY, make_core, text_prompt


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


@pytest.mark.parametrize("running", [2, 5])
def test_threads_are_chosen_again_while_sequences_run(monkeypatch: pytest.MonkeyPatch, running: int) -> None:
    """A batch is never idle: what it had at its start, beside other programs, would be all that it ever gets."""
    prompts = [text_prompt(seed) for seed in range(running)]

    def codes(more_after: int) -> list[list[list[int]]]:
        engine = Engine(make_core(), slots=6, precision="float32")
        engine._most_threads = 2
        ids = [engine.add(prompt, GREEDY) for prompt in prompts]
        frames: dict[int, list[list[int]]] = {id: [] for id in ids}
        for number in range(100):
            with threads.cpu_threads(1 if number < more_after else 2):
                for output in engine.step():
                    frames[output.id] += output.codes_FK.tolist()
            if number == more_after:
                assert tried == [1, 2][-len(tried) :] and engine._threads == 1
        return list(frames.values())

    tried: list[int] = []

    def measured(step: Callable[[], object], most: int) -> int:
        tried.append(most)
        for _ in range(3):
            step()
        return 1  # as in the run that it is compared with

    monkeypatch.setattr("speechx.engine.engine.useful_threads", measured)
    undisturbed = codes(1000)
    tried.clear()
    assert codes(5) == undisturbed and tried == [1, 2]


def test_what_other_programs_slow_down_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads are a third faster, and most of their rounds are disturbed."""
    now, count, calls = [0.0], [1], [0]

    def clock() -> float:
        now[0] += 1e-5
        return now[0]

    def step() -> None:
        calls[0] += 1
        now[0] += 0.003 if count[0] == 1 else 0.002 if calls[0] % 8 == 0 else 0.005

    monkeypatch.setattr(threads.time, "perf_counter", clock)
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: count.__setitem__(0, n))
    assert threads.useful_threads(step, 2) == 2
