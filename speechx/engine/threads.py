"""How many of a CPU's threads a decoding step runs on."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

SMALL_STEP = 1e-3  # seconds; below it there is nothing to share
SAVES = 0.2  # of the time: what twice the threads must save
ROUNDS, PAUSE = 8, 4e-3  # seconds


_forked = False


def _after_fork() -> None:
    """The threads of OpenMP do not survive a fork, and waiting for one of them lasts for ever: a child has one thread."""
    global _forked
    _forked = True
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=_after_fork)


def usable_threads() -> int:
    """As many as torch has, and one in a child of a fork."""
    return 1 if _forked else torch.get_num_threads()


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Run torch's CPU work on this many threads."""
    before = torch.get_num_threads()
    if _forked:
        count = 1
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def useful_threads(step: Callable[[], object], most: int) -> int:
    """The number of threads, at most `most`, up to which doubling them makes `step` a fifth faster at least.

    This depends on the machine, not on the model alone: products of a few rows take some 20 microseconds each where the
    weights come from a cache, and waiting for a second thread costs more than it gives; where they come from memory, and
    that is slow, two threads get them in half the time. So it is measured, with pauses as there are between steps, in
    which other tenants of the machine may have emptied the cache.
    """
    chosen = 1
    while 2 * chosen <= most:
        times: dict[int, list[float]] = {chosen: [], 2 * chosen: []}
        for number in range(ROUNDS + 1):
            for count, seconds in times.items():
                with cpu_threads(count):
                    started = time.perf_counter()
                    step()
                    ended = time.perf_counter()
                if number:  # the first is to warm up
                    seconds.append(ended - started)
                if number == 1 and seconds[0] < SMALL_STEP:
                    return chosen
                while time.perf_counter() < ended + PAUSE:
                    pass
        # The fastest of each: what other programs do meanwhile makes some slower, and none faster.
        if min(times[2 * chosen]) > (1 - SAVES) * min(times[chosen]):
            break
        chosen *= 2
    return chosen
