"""`speechx batch` on a Ray cluster: the same rows and results, with several models at once.

    ray job submit -- python -m speechx.serving.cluster.batch /shared/manifest.jsonl --output /shared/results --workers 4
    python -m speechx.serving.cluster.batch manifest.jsonl --output results          # a Ray of its own, on this machine

Workers take chunks of rows. A worker keeps its engine's batch full and writes each audio file atomically before it returns
the result row. Rows whose file exists are skipped, after a restart and where a worker died and another one takes its
chunk. --output is a folder that all nodes share, or an fsspec URL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechx.audio import writing
from speechx.batch.manifest import read_manifest
from speechx.batch.rows import ManifestRow, RowDefaults
from speechx.cli.console import say
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline.job import Job
from speechx.serving.types import JsonObject

if TYPE_CHECKING:
    from speechx.pipeline.pipeline import Pipeline
    from speechx.pipeline.result import Speech

__all__ = ["ClusterWorker", "run"]

ROWS_PER_SLOT = 4  # of a chunk of rows
MAX_ATTEMPTS = 3  # of a chunk whose worker dies


class ClusterWorker:
    """A Ray actor with a model of its own."""

    def __init__(
        self, model: str | None, slots: int, device: str, store: Storage, pipeline: Pipeline | None = None
    ) -> None:
        """pipeline: used instead of a model that is loaded, in tests."""
        if pipeline is None:
            from speechx.pipeline.loading import load_pipeline

            pipeline = load_pipeline(model, device=device, slots=slots)
        self.pipeline, self.slots, self.store = pipeline, slots, store

    def perform(self, rows: list[ManifestRow]) -> list[JsonObject]:
        """A result row per row, in any order. The audio files are written before this returns."""
        existing = _existing_files(self.store)
        results = [
            {"id": row.id, "task": row.task, "status": "ok", "output": row.file}
            for row in rows
            if row.file in existing  # written by a worker that died before it returned
        ]
        by_job: dict[str, ManifestRow] = {}

        def jobs() -> Iterator[Job]:
            for row in rows:
                if row.file not in existing:
                    job = Job(row.task, row.request)
                    by_job[job.id] = row
                    yield job

        for job, result in self.pipeline.speak_many(jobs(), self.slots):
            row = by_job.pop(job.id)
            results.append(result_entry(row, result, partial(self._store, row)))
        return results

    def _store(self, row: ManifestRow, speech: Speech) -> None:
        self.store.write(row.file, speech.encode(row.format))


def run(
    rows: list[ManifestRow], store: Storage, make: Callable[[], Any], workers: int, slots: int
) -> tuple[int, int]:
    """Run the rows without an audio file on Ray actors that `make` creates: (rows done, rows failed). Ray must be up."""
    import ray

    existing = _existing_files(store)
    todo = [row for row in rows if row.file not in existing]
    if len(todo) < len(rows):
        say(f"{len(rows) - len(todo)} of {len(rows)} rows are done already")
    size = max(1, min(ROWS_PER_SLOT * slots, -(-len(todo) // max(1, workers))))
    queue = [(todo[i : i + size], 1) for i in range(0, len(todo), size)]
    idle = [make() for _ in range(min(workers, len(queue)))]
    running: dict[Any, tuple[Any, list[ManifestRow], int]] = {}  # by the reference of the result
    lines = _previous_lines(store)
    done = failed = 0
    while queue or running:
        while queue and idle:
            chunk, attempt = queue.pop(0)
            worker = idle.pop()
            running[worker.perform.remote(chunk)] = worker, chunk, attempt
        ready, _ = ray.wait(list(running), timeout=5)
        for reference in ready:
            worker, chunk, attempt = running.pop(reference)
            try:
                results = ray.get(reference)
                idle.append(worker)
            except ray.exceptions.RayActorError as error:
                say(f"a worker died: {str(error).splitlines()[0]}")
                idle.append(make())
                if attempt < MAX_ATTEMPTS:
                    queue.append((chunk, attempt + 1))
                    continue
                results = [_worker_died(row) for row in chunk]
            failed += sum(result["status"] != "ok" for result in results)
            done += len(results)
            lines += [json.dumps(result, ensure_ascii=False) for result in results]
            store.write("results.jsonl", ("\n".join(lines) + "\n").encode())
            say(f"{done}/{len(todo)} rows")
    return done - failed, failed


def result_entry(
    row: ManifestRow, result: Speech | Exception, write: Callable[[Speech], object]
) -> JsonObject:
    """The row's line of results.jsonl, once `write` has stored the speech."""
    entry: JsonObject = {"id": row.id, "task": row.task}
    try:
        if isinstance(result, Exception):
            raise result
        write(result)
        entry |= {"status": "ok", "output": row.file, **result.info}
        if row.request.timestamps:
            entry["words"] = [word.as_dict() for word in result.words]
    except Exception as error:
        entry |= {"status": "error", "error": str(error) or type(error).__name__}
        entry["field"] = getattr(error, "field", None)
    return entry


def _worker_died(row: ManifestRow) -> JsonObject:
    message = "its worker died each time"
    return {"id": row.id, "task": row.task, "status": "error", "error": message, "field": None}


def _existing_files(store: Storage) -> set[str]:
    """Names of the files in the output folder; makes the folder."""
    store.make()
    return store.names()


def _previous_lines(store: Storage) -> list[str]:
    """The result lines of earlier runs."""
    try:
        return store.read("results.jsonl").decode("utf-8").splitlines()
    except FileNotFoundError:
        return []


def main(
    manifest: Annotated[
        Path, typer.Argument(help="JSON lines of {id, task, fields}; sounds on a shared disk")
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="shared folder or fsspec URL of the results")],
    workers: Annotated[int, typer.Option(min=1, help="models at once")] = 1,
    slots: Annotated[int, typer.Option(min=1, help="requests in each engine at once")] = 8,
    cpus: Annotated[float, typer.Option(help="CPUs that Ray reserves for a worker")] = 1.0,
    gpus: Annotated[float, typer.Option(help="GPUs that Ray reserves for a worker")] = 0.0,
    device: Annotated[str, typer.Option(help="torch device of the language model")] = "cpu",
    model: Annotated[str | None, typer.Option(help="model folder, on every node")] = None,
    format: Annotated[str, typer.Option(help="audio format where a row names none")] = "wav",
) -> None:
    """Run every row of a manifest on a Ray cluster; start it again to go on where it stopped."""
    from speechx.serving.cluster import local  # before ray

    import ray  # isort: skip

    started = time.monotonic()
    writing.check_format(format)
    rows = read_manifest(manifest.resolve(), RowDefaults(format)).rows
    store = Storage(output if "://" in output else str(Path(output).resolve()))
    actor = ray.remote(ClusterWorker).options(num_cpus=cpus, num_gpus=gpus)
    local.start(log_to_driver=False)
    try:
        done, failed = run(rows, store, lambda: actor.remote(model, slots, device, store), workers, slots)
    finally:
        ray.shutdown()
    say(
        f"{done} rows done, {failed} failed, {time.monotonic() - started:.0f} s; results in {store.root}/results.jsonl"
    )
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    import sys

    try:
        typer.run(main)
    except InputError as error:
        print(f"speechx.serving.cluster.batch: {error}", file=sys.stderr)
        sys.exit(2)
