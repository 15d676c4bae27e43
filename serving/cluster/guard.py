"""Ends the processes of Ray Serve when their raylet, or the server that has started it, has died.

Ray leaves proxies and routers running then: they hold the port and accept requests that nobody answers. Its agents outlive
a killed server by a minute and more, because they report the end of their raylet to a GCS that has died, too.

Run as a script, `guard.py RAYLET`, it is the process that `start_reaper` starts, with the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "EXIT_SECONDS",
    "REAP_SECONDS",
    "RayletProcesses",
    "kill",
    "processes_of",
    "start_reaper",
    "watch_raylet",
]

EXIT_SECONDS = 3.0
"""From the raylet's death to the end of the process: for error responses to the requests in progress."""

CHECK_SECONDS = 0.25
NOTE_SECONDS = 1.0
REAP_SECONDS = EXIT_SECONDS + 1.0
"""From the end of the server to that of its last process."""


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


def start_reaper(raylet: int) -> subprocess.Popen[bytes]:
    """A process that waits for the end of this one, however it comes, and kills what is left of its raylet's processes."""
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-S", "-E", __file__, str(raylet)],
        stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, start_new_session=True,
    )  # fmt: skip


def _reap(raylet: int) -> None:
    processes = RayletProcesses(raylet)
    while not select.select([sys.stdin], [], [], NOTE_SECONDS)[0]:  # it ends with the other process
        processes.note()
    processes.end(REAP_SECONDS)


class RayletProcesses:
    """The processes of a raylet, before and after its death.

    An agent of Ray may overwrite its environment with its title, which hides it from `processes_of`: those are known from
    when the raylet lived.
    """

    def __init__(self, raylet: int) -> None:
        self.raylet = raylet
        self._known: dict[int, str] = {}

    def note(self) -> None:
        """Remember those that live now."""
        for pid in _children().get(self.raylet, ()):
            self._known.setdefault(pid, _started(pid))

    def alive(self) -> set[int]:
        known = {pid for pid, start in self._known.items() if start and _started(pid) == start}
        return known | set(processes_of(self.raylet))

    def end(self, seconds: float) -> None:
        """Wait so long for those of a raylet that has ended, then kill those that are left."""
        until = time.monotonic() + seconds
        while (left := self.alive()) and time.monotonic() < until:
            time.sleep(0.1)
        for pid in left:
            kill(pid)


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; none where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _started(pid: int) -> str:
    """When a process started, in ticks; "" where it has ended. Tells it from another one with its number."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else ""


def _children() -> dict[int, list[int]]:
    """Children of each process."""
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if fields := _stat(int(folder.name)):
            found.setdefault(int(fields[1]), []).append(int(folder.name))
    return found


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


if __name__ == "__main__":
    _reap(int(sys.argv[1]))
