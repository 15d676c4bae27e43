"""A batch job on Ray whose workers are killed again and again: every row has one result and one sound.

tests/serving/cluster/test_batch.py kills one worker of a smaller job in `make test`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.chaos.harness import ROOT
from tests.conftest import voice
from tests.helpers.processes import descendants

pytest.importorskip("pyarrow")
pytestmark = [
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("SPEECHX_CHAOS") != "long", reason="runs in `make chaos`"),
]

ROWS, KILLS = 60, 3


def test_workers_that_are_killed_cost_no_row(tiny_folder: Path, tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.jsonl", tmp_path / "out"
    soundfile.write(tmp_path / "in.wav", voice(3.0), 16000)
    rows = [
        {
            "id": f"r{i}",
            "task": "noise_suppression",
            "audio": {"path": "in.wav", "start": i / 100, "duration": 1.2},
        }
        for i in range(ROWS)
    ]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "speechx", "batch", str(manifest), "-o", str(out), "--ray", "--json"]
    command += ["--actors", "2:2", "--model", str(tiny_folder), "--slots", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    killed = set[int]()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as job:
        assert job.stdout is not None
        done = 0
        for line in job.stdout:
            done += json.loads(line)["event"] == "row"
            if len(killed) < KILLS and done >= 10 * (len(killed) + 1):
                left = [pid for pid in workers(job.pid) if pid not in killed]
                if left:
                    os.kill(left[0], signal.SIGKILL)
                    killed.add(left[0])
    assert job.returncode == 0 and len(killed) == KILLS
    results: list[dict[str, Any]] = [json.loads(line) for line in (out / "results.jsonl").open()]
    assert Counter(row["id"] for row in results) == Counter(row["id"] for row in rows), "each id exactly once"
    assert all(row["status"] == "ok" for row in results)
    assert {path.name for path in out.glob("*.wav")} == {row["output"] for row in results}
    assert not list(out.glob(".*")), "nothing half-written"


def workers(pid: int) -> list[int]:
    """The processes of a job that hold a model."""
    found = []
    for child in descendants(pid):
        with contextlib.suppress(OSError):
            if b"ray::MapWorker" in (Path("/proc") / str(child) / "cmdline").read_bytes():
                found.append(child)
    return found
