"""How many processors other programs leave to this one, measured while it runs.

Threads that wait for each other lose more to a busy machine than they gain: where a processor is taken, every product waits
until its thread gets it back. docs/log.md has the figures.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

__all__ = ["Processors", "busy_seconds"]

INTERVAL = 0.25
"""Seconds between readings: the kernel counts in hundredths of a second."""

ENOUGH = 0.65
"""A processor that is free for this part of the time counts as free."""


def busy_seconds(path: str = "/proc/stat") -> float | None:
    """Seconds for which the processors that this process may use were busy since the machine started.

    With all programs, the kernel, and other work of a virtual machine's host. None where the system does not tell.
    """
    total = 0.0
    try:
        usable = {f"cpu{index}" for index in os.sched_getaffinity(0)}
        with open(path, encoding="ascii") as stat:
            for line in stat:
                name, *ticks = line.split()
                if name in usable:
                    user, nice, system, _idle, _wait, interrupts, soft, stolen, *_ = map(int, ticks)
                    total += user + nice + system + interrupts + soft + stolen
    except (AttributeError, OSError, ValueError):  # Linux alone has both
        return None
    return total / os.sysconf("SC_CLK_TCK")


class Processors:
    """Counts the processors that are free for this process. Not thread-safe.

    count: processors there are; busy: seconds that all of them were busy; own: of these, for this process; clock: seconds.
    """

    def __init__(
        self,
        count: int,
        busy: Callable[[], float | None] = busy_seconds,
        own: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count, self._busy, self._own, self._clock = count, busy, own, clock
        self._free, self._at, self._others = count, clock(), self._used_by_others()

    def free(self) -> int:
        """1 to `count`, over the time since the last call, a quarter of a second at least."""
        now = self._clock()
        if now - self._at >= INTERVAL:
            others = self._used_by_others()
            self._free = self._whole(max(0.0, others - self._others) / (now - self._at))
            self._at, self._others = now, others
        return self._free

    def _whole(self, used: float) -> int:
        return max(1, min(self._count, int(self._count - used + 1 - ENOUGH)))

    def _used_by_others(self) -> float:
        busy = self._busy()
        return 0.0 if busy is None else busy - self._own()
