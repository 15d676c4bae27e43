"""`speechx batch MANIFEST --output FOLDER`: many requests, in this process or on a cluster: docs/batch.md."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from speechx.audio import writing
from speechx.batch.job import Runner, missing_inputs, run_batch, run_here
from speechx.batch.manifest import Manifest, read_manifest
from speechx.batch.progress import BatchProgress
from speechx.batch.results import Changed
from speechx.batch.rows import BadRow, ManifestRow, ResultRow, RowDefaults
from speechx.cli.console import Heartbeat, JsonOption, ModelOption, load, put_json, say
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline import loading
from speechx.pipeline.local_engine import LocalEngine

SOME_FAILED = 3
JSON_SECONDS = 5.0
SHOWN = 20


def batch(
    manifest: Annotated[
        str, typer.Argument(help="a request per row: JSON lines of {id, task, fields}; a path or URL")
    ],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="folder or fsspec URL of the results")
    ] = None,
    format: Annotated[str, typer.Option(help="audio format where a row names none")] = "wav",
    seed: Annotated[
        int, typer.Option(min=0, help="of rows that name none: their seeds are derived from it")
    ] = 0,
    slots: Annotated[int, typer.Option(min=1, help="requests in the engine at once")] = 8,
    check: Annotated[
        bool, typer.Option("--check", help="validate all rows, run none, load no model")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="run rows again that failed in an earlier job")
    ] = False,
    changed: Annotated[
        Changed, typer.Option(help="what to do with finished rows whose fields, format or model changed")
    ] = "refuse",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Run every row of a manifest; start it again to continue where it stopped.

    Exit code 0: all rows are done. 3: some failed; results.jsonl has the reasons.
    """
    writing.check_format(format)
    rows = read_manifest(manifest, RowDefaults(format, seed))
    if check:
        _check(rows, json)
        return
    if output is None:
        raise InputError("output is missing: name a folder with --output", field="output")
    store = Storage(output)
    model_hash = loading.weights_hash(loading.model_folder(model))
    with Heartbeat("batch") as beat:
        report = JobReport(beat, json)
        progress = run_batch(
            rows,
            store,
            model_hash,
            local_runner(model, slots),
            changed=changed,
            retry_failed=retry_failed,
            report=report,
        )
    report.end(progress, f"{store.root}/results.jsonl")
    if progress.failed:
        raise typer.Exit(SOME_FAILED)


def local_runner(folder: Path | None, slots: int) -> Runner:
    """Runs rows in this process."""

    def run(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        with LocalEngine(load(folder, slots).pipeline) as engine:
            # Two more than slots, so that the next ones are ready when slots get free.
            yield from run_here(engine, rows, store, model, slots + 2)

    return run


class JobReport:
    """Progress: a line for people every few seconds, and JSON lines if asked for."""

    def __init__(self, beat: Heartbeat, as_json: bool) -> None:
        self.beat, self.as_json = beat, as_json
        self._last = time.monotonic()

    def __call__(self, progress: BatchProgress, row: ResultRow | None) -> None:
        self.beat.status = progress.text()
        if row is None and progress.done + progress.failed:
            say(f"{progress.done} of {progress.rows} rows are done already, {progress.failed} have failed")
        if row is not None and row["status"] == "error":
            say(f"{row['id']}: {row['error']}")
        if not self.as_json:
            return
        if row is not None:
            put_json({"event": "row", **row})
        if row is None or time.monotonic() - self._last > JSON_SECONDS:
            self._last = time.monotonic()
            put_json({"event": "progress", **progress.figures()})

    def end(self, progress: BatchProgress, where: str) -> None:
        if self.as_json:
            put_json({"event": "end", **progress.figures()})
        text = (
            f"{progress.done} of {progress.rows} rows are done, {progress.failed} failed; results in {where}"
        )
        if progress.failed:
            text += "; --retry-failed runs failed rows again"
        say(text)


def _check(manifest: Manifest, as_json: bool) -> None:
    """Raises typer.Exit where a row does not fit."""
    bad = sorted([*manifest.bad, *missing_inputs(manifest)], key=lambda row: row.line)
    if as_json:
        put_json({"rows": len(manifest), "bad": [_described(row) for row in bad]})
    for row in bad[:SHOWN]:
        say(f"line {row.line}: {row.error}")
    if len(bad) > SHOWN:
        say(f"and {len(bad) - SHOWN} more")
    say(f"{len(manifest) - len(bad)} of {len(manifest)} rows fit")
    if bad:
        raise typer.Exit(SOME_FAILED)


def _described(row: BadRow) -> dict[str, str | int | None]:
    return {"line": row.line, "id": row.id, "error": row.error, "field": row.field}
