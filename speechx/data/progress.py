"""Progress lines of long loops, at most one every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def ticker(name: str, every_seconds: float = 5.0) -> Callable[[int, int], None]:
    """A callback (done, total) that writes `name: done/total (eta)` to standard error."""
    started = last = time.monotonic()

    def tick(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every_seconds or done == total:
            left = (now - started) / max(1, done) * (total - done)
            print(f"{name}: {done}/{total}, {left:.0f} s left", file=sys.stderr, flush=True)
            last = now

    return tick
