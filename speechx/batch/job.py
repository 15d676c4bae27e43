"""A batch job: a manifest and a folder of results, over a runner of rows.

    read_manifest -> ResultsFolder.plan -> runner -> ResultsFolder.add

The runner is this process (`run_here`), or actors on a cluster (`speechx.serving.cluster.batch`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speechx.batch.manifest import Manifest
from speechx.batch.order import fair_order
from speechx.batch.progress import BatchProgress
from speechx.batch.results import Changed, open_results
from speechx.batch.rows import BadRow, ManifestRow, ResultRow
from speechx.batch.worker import BatchWorker
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline.concurrent import run_concurrently
from speechx.pipeline.local_engine import LocalEngine
from speechx.task import registry
from speechx.task.voices import VoiceStore

__all__ = ["ClusterOptions", "Runner", "missing_inputs", "run_batch", "run_here"]


@dataclass(frozen=True)
class ClusterOptions:
    """How rows run on a cluster.

    address: None for a cluster of its own on this machine. actors: fewest and most models at once. slots: requests in each
    engine. cpus, gpus: reserved for an actor. device: of the language model. model: folder on every node. codec: where
    the model does not hold it.
    """

    address: str | None = None
    actors: tuple[int, int] = (1, 1)
    slots: int = 8
    cpus: float = 1.0
    gpus: float = 0.0
    device: str = "cpu"
    model: str | None = None
    codec: str | None = None


class Runner(Protocol):
    def __call__(self, rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        """A result per row, in any order, each after its sound is stored. model: hash that the weights must have."""
        ...


def run_batch(
    manifest: Manifest,
    store: Storage,
    model: str,
    runner: Runner,
    *,
    changed: Changed = "refuse",
    retry_failed: bool = False,
    report: Callable[[BatchProgress, ResultRow | None], None] = lambda progress, row: None,
) -> BatchProgress:
    """Runs what is not done yet. report: called at the start and after each result.

    Raises InputError, field "output": another job, a full disk, finished rows that changed, a folder that nodes do not
    share.
    """
    with open_results(store) as results:
        plan = results.plan(manifest, model, changed, retry_failed)
        bad = [_bad_result(row) for row in plan.bad]
        results.add(bad)
        progress = BatchProgress(len(manifest), plan.done, plan.failed - len(bad))
        report(progress, None)
        for result in bad:
            progress.failed += 1
            report(progress, result)
        seen = set[str]()
        for row in runner(fair_order(plan.todo), store, model) if plan.todo else ():
            if row["status"] == "error" and row["field"] == "output":
                raise InputError(row["error"], field="output")  # it would be the same for every row
            if row["status"] == "ok" and row["node"] not in seen:
                seen.add(row["node"])
                _check_shared(store, row)
            results.add([row])
            progress.add(row)
            report(progress, row)
    return progress


def _check_shared(store: Storage, row: ResultRow) -> None:
    """Raises InputError where this machine does not see what a node has written."""
    if not store.exists(row["output"]):
        raise InputError(
            f"output: {row['node']} has written {row['output']} and this machine does not see it in {store.root}: "
            "name a disk that all nodes share, or a URL",
            field="output",
        )


def run_here(
    engine: LocalEngine, rows: Sequence[ManifestRow], store: Storage, model: str, at_once: int
) -> Iterator[ResultRow]:
    """Results of an engine in this process, with `at_once` rows under way."""
    worker = BatchWorker(engine, store, model)
    for _, result in run_concurrently(worker.perform, rows, at_once):
        if isinstance(result, Exception):
            raise result
        yield result


def missing_inputs(manifest: Manifest) -> list[BadRow]:
    """Rows whose files do not exist, or whose voices are unknown. Opens no file."""
    voices = set(VoiceStore().ids())
    found = []
    for row in manifest.rows:
        for name, kind in registry.audio_fields(registry.task(row.task)).items():
            value = row.fields.get(name)
            if not isinstance(value, str) or (kind == "voice" and value in voices) or _exists(value, name):
                continue
            what = "is neither a file nor a known voice" if kind == "voice" else "does not exist"
            found.append(BadRow(row.line, row.id, row.task, f"{name}: {value} {what}", name, row.fingerprint))
            break
    return found


def _exists(path: str, field: str) -> bool:
    if "://" not in path:
        return Path(path).is_file()
    folder, _, name = path.rpartition("/")
    return Storage(folder, field).exists(name)


def _bad_result(row: BadRow) -> ResultRow:
    about = {"id": row.id, "line": row.line, "task": row.task, "request": row.fingerprint}
    return {**about, "status": "error", "error": row.error, "field": row.field}
