"""Ends a process of Ray Serve when its raylet has died.

Ray leaves proxies and routers running then: they hold the port and accept requests that nobody answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["EXIT_SECONDS", "kill", "processes_of", "watch_raylet"]

EXIT_SECONDS = 3.0
"""From the raylet's death to the end of the process: for error responses to the requests in progress."""

CHECK_SECONDS = 0.25


def watch_raylet(on_lost: Callable[[], None] | None = None) -> None:
    """Watch the raylet that started this process, in a thread; nothing where none did.

    on_lost: called in that thread, EXIT_SECONDS before the process ends, and all others of that raylet with it.
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
        for pid in processes_of(raylet):
            if pid != os.getpid():
                kill(pid)
    finally:
        os._exit(1)  # an orderly exit waits for the raylet


def processes_of(raylet: int) -> list[int]:
    """The processes that a raylet has started, and theirs, whether it lives or not: their environment names it."""
    mark, found = f"RAY_RAYLET_PID={raylet}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def kill(pid: int) -> None:
    """Kill a process, if it still lives."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
