"""A disk that is full, with the voices and all temporary files on it, while eight clients ask.

What must be stored is refused and leaves nothing; all else goes on; with room again everything does. The disk is a real one
of a few megabytes, which only the server sees. tests/serving/test_full_disk.py has the same with a simulated one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.harness import NOISY, Server, SmallDisk, clients, started
from tests.chaos.report import Report

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(600)]
long = pytest.mark.skipif(os.environ.get("SPEECHX_CHAOS") != "long", reason="runs in `make chaos`")


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="sx") as folder:
        made = SmallDisk(Path(folder), megabytes=40)
        if not made.works():
            pytest.skip("this machine allows no disk of one's own (unshare)")
        yield made


@pytest.mark.parametrize("kind", ["in-process", pytest.param("ray", marks=long)])
def test_a_full_disk(kind: str, disk: SmallDisk, tmp_path: Path, report: Report) -> None:
    with started(kind, tmp_path, disk) as server:
        pid = server.process.pid
        before = len(store(server, "before"))
        with clients(server) as outcomes:
            time.sleep(2.5)
            disk.fill(pid)
            filled = time.monotonic()
            done = outcomes.counts["done"]
            for turn in range(5):
                for answer in store(server, f"full-{turn}"):
                    assert answer.status_code == 503, answer.text
                    assert answer.json()["error"]["code"] == "disk_full" and "Retry-After" in answer.headers
                    assert str(disk.path) not in answer.text
            time.sleep(6)
            assert outcomes.counts["done"] > done, "requests that store nothing go on"
            kept = [file for file in (disk.seen_by(pid) / "voices").rglob("*") if file.is_file()]
            assert not [file.name for file in kept if "full-" in file.name or file.name.endswith(".tmp")]
            assert server.ready()
            disk.free(pid)
            assert [answer.status_code for answer in store(server, "after")] == [201, 201]
        assert before == 2 and not outcomes.wrong, outcomes.wrong[:3]
        assert outcomes.counts["unanswered"] == outcomes.counts["broken off"] == outcomes.counts["503"] == 0
        report.add(kind, "disk full", outcomes, f"{outcomes.seconds_to_ready(filled):.1f}")


def store(server: Server, name: str) -> list[httpx.Response]:
    """An enrollment and an upload."""
    return [
        httpx.post(f"{server.address}/v1/{route}", files={"audio": NOISY}, data=fields, timeout=40)
        for route, fields in (("voices", {"name": name, "consent": "true"}), ("uploads", {}))
    ]
