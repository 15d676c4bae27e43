"""Batch jobs on Ray Data, with a model of random weights: actors and drivers that die, rows that kill, wrong weights.

What a job leaves is compared with an undisturbed job in this process, to the byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
from speechx.batch.job import ClusterOptions, Runner, run_batch, run_here
from speechx.batch.manifest import Manifest, read_manifest
from speechx.batch.rows import ManifestRow, ResultRow
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline.loading import load_pipeline, weights_hash
from speechx.pipeline.local_engine import LocalEngine
from speechx.serving.cluster import batch, local  # before ray
from tests.conftest import voice
from tests.helpers.batch_actors import KilledByRows
from tests.helpers.processes import descendants, name_of

import ray  # isort: skip
from ray.cluster_utils import Cluster  # isort: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROWS = 12


@pytest.fixture(scope="module")
def manifest_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import soundfile

    folder = tmp_path_factory.mktemp("batch")
    soundfile.write(folder / "in.wav", voice(3.0), 16000)
    rows: list[dict[str, Any]] = [
        {
            "id": f"r{i}",
            "task": "noise_suppression",
            "audio": {"path": "in.wav", "start": i / 10, "duration": 1.2},
        }
        for i in range(ROWS)
    ]
    rows.append({"id": "lost", "task": "noise_suppression", "audio": "gone.wav"})
    (folder / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "m.jsonl"


@pytest.fixture(scope="module")
def manifest(manifest_file: Path) -> Manifest:
    return read_manifest(manifest_file)


@pytest.fixture(scope="module")
def options(tiny_folder: Path) -> ClusterOptions:
    return ClusterOptions(model=str(tiny_folder), slots=2, cpus=0.5)


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> str:
    return weights_hash(tiny_folder)


def sounds(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest, options: ClusterOptions, model: str
) -> dict[str, bytes]:
    """The sounds of a job in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")

    def runner(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        with LocalEngine(load_pipeline(options.model, slots=options.slots)) as engine:
            yield from run_here(engine, rows, store, model, 4)

    run_batch(manifest, Storage(str(folder)), model, runner)
    made = sounds(folder)
    assert len(made) == ROWS
    return made


def actors() -> list[int]:
    """Process ids of the actors of this process's jobs."""
    found = []
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            if name_of(pid).startswith("ray::MapWorker"):
                found.append(pid)
    return found


def after(count: int, runner: Runner, act: Callable[[], object]) -> Runner:
    """Acts once when `count` results are there."""

    def run(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        for number, row in enumerate(runner(rows, store, model)):
            if number == count:
                act()
            yield row

    return run


def test_an_address_without_a_ray_is_refused(
    manifest: Manifest, options: ClusterOptions, tmp_path: Path
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        for address in ("127.0.0.1:9", "nonsense", f"127.0.0.1:{other.server_port}"):
            with pytest.raises(InputError, match=f"address: no Ray at {address}"):
                run_batch(
                    manifest, Storage(str(tmp_path)), "m", batch.ray_runner(replace(options, address=address))
                )
        other.shutdown()


def test_a_machine_without_gpus_is_not_waited_for(options: ClusterOptions) -> None:
    says = "gpus: this machine has 0 GPUs, the first actors need 1"
    with pytest.raises(InputError, match=says), batch.connection(replace(options, gpus=1.0)):
        pass


def test_a_killed_node_loses_nothing(
    manifest: Manifest, options: ClusterOptions, model: str, undisturbed: dict[str, bytes], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Two nodes with an actor each. The one that is left has no room for a second actor."""
    # A Ray that this process had before has left its token, which Ray remembers.
    monkeypatch.setenv("RAY_AUTH_TOKEN", os.environ.get("RAY_AUTH_TOKEN", "ab" * 16))
    small = {"num_cpus": 1, "object_store_memory": local.OBJECT_STORE}
    nodes = Cluster(initialize_head=True, head_node_args=small)
    try:
        second = nodes.add_node(**small)
        ray.init(address=nodes.address, log_to_driver=False)
        runner = batch.ray_runner(replace(options, actors=(2, 2), cpus=1))
        runner = after(2, runner, lambda: nodes.remove_node(second, allow_graceful=False))
        progress = run_batch(manifest, Storage(str(tmp_path)), model, runner)
        assert (progress.done, progress.failed) == (ROWS, 1)
        assert not second.any_processes_alive()
    finally:
        ray.shutdown()
        nodes.shutdown()
    assert sounds(tmp_path) == undisturbed
    assert sorted(row["id"] for row in results(tmp_path)) == sorted(row.id for row in manifest.rows)


def test_a_killed_actor_loses_nothing(
    cluster: None,
    manifest: Manifest,
    options: ClusterOptions,
    model: str,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "MANY_ROWS", 10)  # blocks of several rows; other tests have one per block
    runner = batch.ray_runner(replace(options, actors=(2, 2)))
    killed = list[int]()

    def kill() -> None:
        killed.append(actors()[0])
        os.kill(killed[0], signal.SIGKILL)

    progress = run_batch(manifest, Storage(str(tmp_path)), model, after(2, runner, kill))
    assert killed and (progress.done, progress.failed) == (ROWS, 1)
    assert sounds(tmp_path) == undisturbed
    rows = results(tmp_path)
    assert sorted(row["id"] for row in rows) == sorted(row.id for row in manifest.rows)
    assert all(row["node"] and row["seed"] and row["model"] == model for row in rows)
    (lost,) = [row for row in rows if row["status"] == "error"]
    assert lost["id"] == "lost" and lost["field"] == "audio"
    assert not list(tmp_path.glob(".*"))


def test_a_row_that_kills_its_actor_costs_itself(
    cluster: None,
    manifest: Manifest,
    options: ClusterOptions,
    model: str,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
) -> None:
    killer = Manifest([replace(row, id="killer") if row.id == "r1" else row for row in manifest.rows[:6]])
    progress = run_batch(killer, Storage(str(tmp_path)), model, batch.ray_runner(options, KilledByRows))
    assert (progress.done, progress.failed) == (5, 1)
    (failed,) = [row for row in results(tmp_path) if row["status"] == "error"]
    assert failed["id"] == "killer" and failed["error"] == "its worker died each time"
    assert sounds(tmp_path) == {name: undisturbed[name] for name in sounds(tmp_path)}


def test_a_node_with_other_weights_ends_the_job(
    cluster: None, manifest: Manifest, options: ClusterOptions, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the job was started with other"):
        run_batch(manifest, Storage(str(tmp_path)), "other", batch.ray_runner(options))
    assert results(tmp_path) == []


def start(manifest_file: Path, out: Path, options: ClusterOptions) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "speechx",
        "batch",
        str(manifest_file),
        "-o",
        str(out),
        "--ray",
        "--json",
    ]
    command += ["--model", str(options.model), "--slots", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_a_killed_driver_loses_nothing(
    manifest_file: Path,
    manifest: Manifest,
    options: ClusterOptions,
    undisturbed: dict[str, bytes],
    tmp_path: Path,
) -> None:
    """The command line, with a Ray of its own."""
    first = start(manifest_file, tmp_path, options)
    assert first.stdout is not None
    deadline = time.monotonic() + 90
    for line in first.stdout:
        assert time.monotonic() < deadline
        if json.loads(line)["event"] == "row":
            break
    first.kill()
    first.wait()
    assert len(sounds(tmp_path)) < ROWS, "the job was too quick to be killed"
    (tmp_path / "r5.wav").write_bytes(undisturbed["r5.wav"])  # a sound whose line was lost
    second = start(manifest_file, tmp_path, options)
    output, _ = second.communicate(timeout=100)
    assert second.returncode == 3, output  # for the row without its file
    assert sounds(tmp_path) == undisturbed
    last = {row["id"]: row["status"] for row in results(tmp_path)}
    assert last == {row.id: "error" if row.id == "lost" else "ok" for row in manifest.rows}
    assert not list(tmp_path.glob(".*"))
