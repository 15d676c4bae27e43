"""One job per folder: a second one is refused, a dead one is not waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from speechx.batch import lock
from speechx.batch.lock import LEASE_FILE, locked
from speechx.batch.results import open_results
from speechx.errors import InputError
from speechx.files import Storage

HOLD = """
import sys, time
from speechx.batch.lock import locked
from speechx.files import Storage
with locked(Storage(sys.argv[1]), "results.jsonl"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def take(store: Storage) -> None:
    with locked(store, "results.jsonl"):
        pass


def test_a_second_job_is_refused_and_a_killed_one_forgotten(tmp_path: Path) -> None:
    store = Storage(str(tmp_path))
    with holder(tmp_path) as other:
        with pytest.raises(InputError, match=f"another batch job .process {other.pid} on .* is writing to"):
            take(store)
        other.send_signal(signal.SIGKILL)
        other.wait()
        started = time.monotonic()
        take(store)  # the lease is still there
        assert time.monotonic() - started < 0.3
    assert [p.name for p in tmp_path.iterdir()] == ["results.jsonl"]


def lease_of_another_machine(store: Storage, beat: int = 0) -> None:
    about = {"owner": "x", "machine": "y", "host": "node7", "pid": 1, "beat": beat}
    store.write(LEASE_FILE, json.dumps(about).encode())


@pytest.mark.parametrize("remote", [False, True])
def test_leases_of_other_machines(tmp_path: Path, remote: bool) -> None:
    """A job that writes its lease is alive, whatever its clock says; one that does not is dead after a while."""
    store = Storage(f"memory://lock-{os.getpid()}" if remote else str(tmp_path))
    store.make()
    lease_of_another_machine(store)
    started = time.monotonic()
    take(store)
    assert 0.3 < time.monotonic() - started < 5

    lease_of_another_machine(store)
    beat = threading.Timer(0.1, lease_of_another_machine, [store, 1])
    beat.start()
    with pytest.raises(InputError, match="on node7"):
        take(store)
    beat.join()
    store.write(LEASE_FILE, b"{")  # a damaged one
    take(store)
    assert not store.exists(LEASE_FILE)


def test_a_job_that_was_taken_over_stops(tmp_path: Path) -> None:
    """Its machine slept for longer than a lease lasts."""
    store = Storage(f"memory://taken-{os.getpid()}")
    store.make()
    with locked(store, "results.jsonl") as held:
        held.check()
        lease_of_another_machine(store)
        assert held.lost.wait(5)
        with pytest.raises(InputError, match="on node7"):
            held.check()
    assert store.exists(LEASE_FILE)  # it is the other job's


def test_of_jobs_that_start_at_once_one_runs(tmp_path: Path) -> None:
    store, results = Storage(f"memory://race-{os.getpid()}"), list[str]()
    store.make()
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        try:
            with locked(store, "results.jsonl"):
                results.append("runs")
                time.sleep(1)
        except InputError:
            results.append("refused")

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused"] * 7 + ["runs"]


def test_a_full_disk_does_not_end_the_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, write = Storage(str(tmp_path)), Storage.write
    failures = list[str]()

    def full(self: Storage, name: str, data: bytes) -> None:
        if len(failures) < 3:
            failures.append(name)
            raise InputError("output: the disk is full", field="output")
        write(self, name, data)

    monkeypatch.setattr(Storage, "write", full)
    with locked(store, "results.jsonl") as held:
        before = held.lease()
        deadline = time.monotonic() + 10
        while held.lease() == before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(failures) == 3 and held.lease() != before


def test_cleaning_leaves_the_lease_of_this_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread may be writing it."""
    monkeypatch.setattr(lock, "BEAT_SECONDS", 60)
    names = [
        f".{LEASE_FILE}.{os.getpid()}.tmp",
        f".{LEASE_FILE}.1.tmp",
        f".{LEASE_FILE}.0a1b",
        ".a.wav.1.tmp",
        "a.wav",
    ]
    with open_results(Storage(str(tmp_path))) as folder:
        for name in names:
            (tmp_path / name).write_bytes(b"")
        folder.clean()
        left = {path.name for path in tmp_path.iterdir()} - {LEASE_FILE, "results.jsonl"}
    assert left == {names[0], "a.wav"}
