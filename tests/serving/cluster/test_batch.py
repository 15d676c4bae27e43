"""The batch job: rows of a manifest on workers, going on where it stopped, workers that die. Without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import ray

from speechx.audio import reading
from speechx.batch.manifest import read_manifest
from speechx.batch.rows import ManifestRow
from speechx.serving.cluster import batch
from speechx.serving.cluster.batch import ClusterWorker, Storage, run


class Reference:
    """What an actor's method gives."""

    def __init__(self, act: Any) -> None:
        self.act = act


class Actor:
    """A worker in this process; dies on its first handful where told so."""

    def __init__(self, worker: ClusterWorker, dies: bool) -> None:
        self.worker, self.dies, self.perform = worker, dies, self

    def remote(self, rows: list[ManifestRow]) -> Reference:
        return Reference(lambda: self.fail(rows) if self.dies else self.worker.perform(rows))

    def fail(self, rows: list[ManifestRow]) -> None:
        self.worker.perform(rows[:1])  # one sound is written and nobody hears of it
        raise ray.exceptions.RayActorError


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "wait", lambda references, timeout: (references[:1], references[1:]))
    monkeypatch.setattr(ray, "get", lambda reference: reference.act())


@pytest.fixture
def rows(tmp_path: Path, wav_file: Path) -> list[ManifestRow]:
    lines = [
        {"id": f"n{i}", "task": "noise_suppression", "audio": wav_file.name, "seed": i} for i in range(5)
    ]
    lines.append({"id": "bad", "task": "noise_suppression", "audio": "missing.wav"})
    lines.append(
        {"id": "mp3", "task": "tts", "text": "Hello.", "voice": "heart", "format": "mp3", "timestamps": True}
    )
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read_manifest(tmp_path / "rows.jsonl").rows


def results(root: Path) -> dict[str, dict[str, Any]]:
    """The last line of each row."""
    lines = (root / "results.jsonl").read_text().splitlines()
    return {about["id"]: about for about in map(json.loads, lines)}


def test_runs_and_goes_on(tmp_path: Path, rows: list[ManifestRow], pipeline: Any) -> None:
    store = Storage(str(tmp_path / "out"))

    def make() -> Actor:
        return Actor(ClusterWorker(None, 2, "cpu", store, pipeline), False)

    assert run(rows[:3], store, make, workers=2, slots=2) == (3, 0)
    assert run(rows, store, make, workers=2, slots=2) == (3, 1)
    told = results(tmp_path / "out")
    assert len(told) == 7 and told["bad"]["status"] == "error" and told["bad"]["field"] == "audio"
    assert told["mp3"]["output"] == "mp3.mp3" and told["mp3"]["words"]
    assert told["n0"]["seed"] == 0 and told["n0"]["model"] == "echo"
    assert len(reading.read(tmp_path / "out" / "n0.wav")) == 3 * 16000
    assert not list((tmp_path / "out").glob(".*"))
    before = (tmp_path / "out" / "n0.wav").stat().st_mtime_ns
    assert run(rows[:5], store, make, workers=2, slots=2) == (0, 0)
    assert (tmp_path / "out" / "n0.wav").stat().st_mtime_ns == before


def test_a_dead_worker_loses_nothing(tmp_path: Path, rows: list[ManifestRow], pipeline: Any) -> None:
    store, dying = Storage(str(tmp_path / "out")), [True, False]

    def make() -> Actor:
        return Actor(ClusterWorker(None, 2, "cpu", store, pipeline), dying.pop(0))

    assert run(rows[:5], store, make, workers=1, slots=2) == (5, 0)
    assert {about["status"] for about in results(tmp_path / "out").values()} == {"ok"}


def test_a_handful_that_kills_is_given_up(tmp_path: Path, rows: list[ManifestRow], pipeline: Any) -> None:
    store = Storage(str(tmp_path / "out"))
    done, failed = run(
        rows[1:3],
        store,
        lambda: Actor(ClusterWorker(None, 2, "cpu", store, pipeline), True),
        workers=1,
        slots=2,
    )
    assert (done, failed) == (0, 2) and results(tmp_path / "out")["n1"]["error"]


def test_results_behind_a_url(rows: list[ManifestRow], pipeline: Any) -> None:
    store = Storage("memory://speechx-batch")
    worker = ClusterWorker(None, 2, "cpu", store, pipeline)
    assert run(rows[:2], store, lambda: Actor(worker, False), workers=1, slots=2) == (2, 0)
    assert {"n0.wav", "n1.wav", "results.jsonl"} <= store.names()
    assert batch._previous_lines(store)[0].startswith("{")
