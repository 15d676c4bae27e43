"""A manifest on a Ray cluster: the rows of `speechx batch`, the same results, as many models as there is room for.

    ray job submit -- python -m speechx.serving.cluster.batch /shared/manifest.jsonl --output /shared/results --workers 4
    python -m speechx.serving.cluster.batch manifest.jsonl --output results          # a Ray of its own, on this machine

Rows go to workers in handfuls; a worker keeps its engine's batch full, writes each sound (whole or not at all), and
then tells of it. Started again, rows whose sound is there are skipped; so they are when a worker dies and its handful
goes to another one. --output is a folder that all nodes share, or an fsspec URL.
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
from speechx.cli.console import say
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline.job import Job
from speechx.pipeline.manifest import ManifestRow, read_manifest, result_entry

if TYPE_CHECKING:
    from speechx.pipeline.result import Speech

__all__ = ["BatchWorker", "run"]

HANDFUL = 4  # rows given to a worker at once, times its slots
TRIES = 3  # of a handful whose worker died


class BatchWorker:
    """A Ray actor with a model of its own."""

    def __init__(
        self, model: str | None, slots: int, device: str, store: Storage, pipeline: Any = None
    ) -> None:
        """pipeline: instead of loading the model, for tests."""
        if pipeline is None:
            from speechx.pipeline.loading import load_pipeline

            pipeline = load_pipeline(model, device=device, slots=slots)
        self.pipeline, self.slots, self.store = pipeline, slots, store

    def perform(self, rows: list[ManifestRow]) -> list[dict[str, Any]]:
        """A result row for each of the rows, in any order; their sounds are written before this returns."""
        there = _finished(self.store)
        told = [
            {"id": row.id, "task": row.task, "status": "ok", "output": row.file}
            for row in rows
            if row.file in there  # by a worker that died before it could tell
        ]
        by_job: dict[str, ManifestRow] = {}

        def jobs() -> Iterator[Job]:
            for row in rows:
                if row.file not in there:
                    job = Job(row.task, row.request)
                    by_job[job.id] = row
                    yield job

        for job, result in self.pipeline.speak_many(jobs(), self.slots):
            row = by_job.pop(job.id)
            told.append(result_entry(row, result, partial(self._store, row)))
        return told

    def _store(self, row: ManifestRow, speech: Speech) -> None:
        self.store.write(row.file, speech.encode(row.format))


def run(
    rows: list[ManifestRow], store: Storage, make: Callable[[], Any], workers: int, slots: int
) -> tuple[int, int]:
    """Runs what is not there yet on actors that `make` gives: (rows done, rows failed). Ray must be up."""
    import ray

    there = _finished(store)
    todo = [row for row in rows if row.file not in there]
    if len(todo) < len(rows):
        say(f"{len(rows) - len(todo)} of {len(rows)} rows are done already")
    size = max(1, min(HANDFUL * slots, -(-len(todo) // max(1, workers))))
    line = [(todo[i : i + size], 0) for i in range(0, len(todo), size)]
    idle = [make() for _ in range(min(workers, len(line)))]
    busy: dict[Any, tuple[Any, list[ManifestRow], int]] = {}
    results, name = _previous(store), "results.jsonl"
    done = failed = 0
    while line or busy:
        while line and idle:
            handful, tries = line.pop(0)
            worker = idle.pop()
            busy[worker.perform.remote(handful)] = worker, handful, tries
        finished, _ = ray.wait(list(busy), timeout=5)
        for reference in finished:
            worker, handful, tries = busy.pop(reference)
            try:
                told = ray.get(reference)
                idle.append(worker)
            except ray.exceptions.RayActorError as error:
                say(f"a worker died: {str(error).splitlines()[0]}")
                idle.append(make())
                if tries + 1 < TRIES:
                    line.append((handful, tries + 1))
                    continue
                said = "its worker died each time"
                told = [
                    {"id": r.id, "task": r.task, "status": "error", "error": said, "field": None}
                    for r in handful
                ]
            failed += sum(about["status"] != "ok" for about in told)
            done += len(told)
            results += [json.dumps(about, ensure_ascii=False) for about in told]
            store.write(name, ("\n".join(results) + "\n").encode())
            say(f"{done}/{len(todo)} rows")
    return done - failed, failed


def _finished(store: Storage) -> set[str]:
    """Names of the results that are there; makes the folder."""
    store.make()
    return store.names()


def _previous(store: Storage) -> list[str]:
    """The lines of earlier runs."""
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
    if format not in writing.FORMATS:
        raise InputError(f"format: {format!r} is not one of {', '.join(writing.FORMATS)}", field="format")
    rows = read_manifest(manifest.resolve(), format)
    store = Storage(output if "://" in output else str(Path(output).resolve()))
    actor = ray.remote(BatchWorker).options(num_cpus=cpus, num_gpus=gpus)
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
