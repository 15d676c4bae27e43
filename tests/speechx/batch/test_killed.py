"""A job in one process that is killed, with a model of random weights: nothing is lost, nothing is torn."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import soundfile

from tests.conftest import voice


def start(manifest: Path, out: Path, model: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "speechx", "batch", str(manifest), "-o", str(out), "--json"]
    command += ["--model", str(model), "--slots", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sounds(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


def test_a_killed_job_goes_on(tmp_path: Path, tiny_folder: Path) -> None:
    soundfile.write(tmp_path / "in.wav", voice(3.0), 16000)
    part = {"path": "in.wav", "duration": 2}
    rows = [{"id": f"r{i}", "task": "noise_suppression", "audio": part} for i in range(12)]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest, out = tmp_path / "m.jsonl", tmp_path / "out"

    first = start(manifest, out, tiny_folder)
    assert first.stdout is not None
    next(line for line in first.stdout if '"event": "row"' in line)
    first.send_signal(signal.SIGSTOP)  # it stays in mid-job
    second = start(manifest, out, tiny_folder)
    _, says = second.communicate(timeout=60)
    assert second.returncode == 2 and f"another batch job (process {first.pid} on" in says
    first.kill()
    first.wait()
    before = len(sounds(out))

    third = start(manifest, out, tiny_folder)
    _, says = third.communicate(timeout=100)
    assert third.returncode == 0, says
    undisturbed = tmp_path / "undisturbed"
    fourth = start(manifest, undisturbed, tiny_folder)
    fourth.communicate(timeout=100)
    assert fourth.returncode == 0
    assert sounds(out) == sounds(undisturbed) and len(sounds(out)) == 12 and before < 12
    done = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert sorted(row["id"] for row in done) == sorted(row["id"] for row in rows)
    assert not list(out.glob(".*"))
