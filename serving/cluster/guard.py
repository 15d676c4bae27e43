"""Ends a process of Ray Serve when its raylet has died.

Ray leaves proxies and routers running then: they hold the port and accept requests that nobody answers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

__all__ = ["EXIT_SECONDS", "watch_raylet"]

EXIT_SECONDS = 3.0
"""From the raylet's death to the end of the process: for error responses to the requests in progress."""

CHECK_SECONDS = 0.25


def watch_raylet(on_lost: Callable[[], None] | None = None) -> None:
    """Watch the raylet that started this process, in a thread; nothing where none did.

    on_lost: called in that thread, EXIT_SECONDS before the process ends.
    """
    raylet = os.getppid()
    if os.environ.get("RAY_RAYLET_PID") == str(raylet):
        threading.Thread(target=_watch, args=(raylet, on_lost), name="speechx-guard", daemon=True).start()


def _watch(raylet: int, on_lost: Callable[[], None] | None) -> None:
    while os.getppid() == raylet:
        time.sleep(CHECK_SECONDS)
    try:
        if on_lost is not None:
            on_lost()
        time.sleep(EXIT_SECONDS)
    finally:
        os._exit(1)  # an orderly exit waits for the raylet
