"""Threads are as many as other programs leave processors."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from speechx.engine.processors import Processors, busy_seconds


@pytest.mark.parametrize(
    ("others", "free"),
    [
        (0.0, 4),
        (0.2, 4),  # what every system does besides
        (0.9, 3),  # one busy program
        (2.0, 2),
        (3.7, 1),
        (4.0, 1),  # all are taken: it still has to work
    ],
)
def test_free_processors(others: float, free: int) -> None:
    now = [100.0]
    # This process has two of the four busy all the time: they don't count as taken.
    processors = Processors(4, lambda: (2 + others) * now[0], lambda: 2 * now[0], lambda: now[0])
    now[0] += 0.1
    assert processors.free() == 4, "too short a time to tell"
    now[0] += 0.3
    assert processors.free() == free


def test_a_program_that_ends_gives_its_processor_back() -> None:
    now, busy = [0.0], [0.0]
    processors = Processors(2, lambda: busy[0], lambda: 0.0, lambda: now[0])
    now[0], busy[0] = 1.0, 1.0
    assert processors.free() == 1
    now[0] = 1.3
    assert processors.free() == 2


def test_where_the_system_does_not_tell_all_count_as_free() -> None:
    now = [0.0]
    processors = Processors(2, lambda: None, lambda: now[0], lambda: now[0])
    now[0] = 1.0
    assert processors.free() == 2
    assert busy_seconds("/no/such/file") is None


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="Linux alone tells the time of all processors")
def test_this_machine_tells() -> None:
    before, at = busy_seconds(), time.process_time()
    while time.process_time() - at < 0.1:
        pass
    after = busy_seconds()
    assert before is not None and after is not None
    assert after - before >= 0.05, f"of {os.cpu_count()} processors one was busy for 0.1 s at least"
