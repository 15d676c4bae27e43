"""Progress lines of long loops, at most one every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def ticker(name: str, every_seconds: float = 5.0) -> Callable[[int, int], None]:
    """A callback (done, total) that writes `name: done/total (eta)` to standard error.

    The time before the first call is no measure of the rest: a model may have been loaded in it.
    """
    last = time.monotonic()
    first: tuple[float, int] | None = None

    def tick(done: int, total: int) -> None:
        nonlocal first, last
        now = time.monotonic()
        first = first or (now, done)
        if now - last >= every_seconds or done == total:
            began, count = first
            eta = f", {(now - began) / (done - count) * (total - done):.0f} s left" if done > count else ""
            print(f"{name}: {done}/{total}{eta}", file=sys.stderr, flush=True)
            last = now

    return tick
