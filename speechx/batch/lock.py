"""One job per folder of results: a lock that a dead job does not keep and that no other machine can pass.

Two locks, since neither suffices. A kernel lock (flock) on a local folder ends with its process, at once and without a race,
but some network disks and all object stores have none. There a lease counts: a small file that its owner rewrites every
few seconds. A lease of this machine whose kernel lock is free is of a dead job. Any other lease is watched: it is
stale if nobody rewrites it for `LEASE_SECONDS`. Clocks of machines are never compared.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from speechx.errors import InputError
from speechx.files import Storage

__all__ = ["LEASE_SECONDS", "OutputLock", "locked"]

logger = logging.getLogger(__name__)

LEASE_FILE = ".lease.json"
LEASE_SECONDS = 20.0
BEAT_SECONDS = 4.0


def this_machine() -> str:
    """Equal for processes that share a kernel, containers included; another one after a restart."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return socket.gethostname()


class OutputLock:
    """Held by one job. `lost` is set when another job has taken the folder over: stop writing.

    file: the file that the kernel lock is on, open for appending; None on storage that is not local.
    """

    file: FileIO | None = None

    def __init__(self, store: Storage) -> None:
        self.store, self.lost = store, threading.Event()
        self.about = {"owner": uuid.uuid4().hex, "machine": this_machine(), "host": socket.gethostname()}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="speechx-lease", daemon=True)
        self._beats = 0

    def take(self) -> None:
        """Raises InputError, field "output", where another job holds the folder."""
        known = self.lease()
        ours = known is not None and self.store.is_local and known.get("machine") == self.about["machine"]
        if known is not None and not ours:
            self._watch(known)
        if known is not None:
            with contextlib.suppress(FileNotFoundError):
                self.store.remove(LEASE_FILE)
        try:
            self.store.create(LEASE_FILE, self._lease())
        except FileExistsError:  # another job was faster
            raise in_use(self.store, self.lease()) from None
        self._thread.start()

    def release(self) -> None:
        self._closed.set()
        self._thread.join()
        if not self.lost.is_set():
            with contextlib.suppress(OSError):
                self.store.remove(LEASE_FILE)

    def check(self) -> None:
        """Raises InputError where the lock was lost."""
        if self.lost.is_set():
            raise in_use(self.store, self.lease())

    def _watch(self, known: dict[str, object]) -> None:
        """Returns if nobody rewrites the lease for long enough."""
        host = known.get("host", "another machine")
        logger.warning("output: waiting %.0f s to see whether the job on %s still runs", LEASE_SECONDS, host)
        until = time.monotonic() + LEASE_SECONDS
        while time.monotonic() < until:
            time.sleep(min(1.0, LEASE_SECONDS / 4))
            if (now := self.lease()) is None:
                return
            if now != known:
                raise in_use(self.store, now)

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_SECONDS):
            with contextlib.suppress(OSError, InputError):  # a full disk, a storage that fails: next time
                known = self.lease()
                if known is not None and known.get("owner") != self.about["owner"]:
                    self.lost.set()
                    return
                self._beats += 1
                self.store.write(LEASE_FILE, self._lease())

    def _lease(self) -> bytes:
        return json.dumps({**self.about, "pid": os.getpid(), "beat": self._beats}).encode()

    def lease(self) -> dict[str, object] | None:
        """The lease in the folder: None without one, {} for one that is damaged."""
        try:
            value = json.loads(self.store.read(LEASE_FILE))
        except FileNotFoundError:
            return None
        except ValueError:
            value = None
        return value if isinstance(value, dict) else {}


def in_use(store: Storage, lease: dict[str, object] | None) -> InputError:
    lease = lease or {}
    who = f" (process {lease['pid']} on {lease.get('host')})" if "pid" in lease else ""
    return InputError(
        f"output: another batch job{who} is writing to {store.root}: wait for its end, or choose another folder",
        field="output",
    )


@contextlib.contextmanager
def locked(store: Storage, name: str) -> Iterator[OutputLock]:
    """The lock on a folder of results, which must exist. name: its file that the kernel lock is on.

    Raises InputError, field "output", where another job holds it.
    """
    with contextlib.ExitStack() as stack:
        lock = OutputLock(store)
        if store.is_local:
            lock.file = stack.enter_context((Path(store.path) / name).open("ab", buffering=0))
            try:
                fcntl.flock(lock.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise in_use(store, lock.lease()) from None
            except OSError:  # a disk without such locks: the lease has to do
                lock.about["machine"] = lock.about["owner"]
        lock.take()
        stack.callback(lock.release)
        yield lock
