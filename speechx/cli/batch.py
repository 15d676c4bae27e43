"""`speechx batch manifest.jsonl --output DIR`: many requests in the engine's full batch, in this process.

A row is {"id", "task", ...fields}; audio fields are paths relative to the manifest. Each row gives DIR/<id>.<format> and
a line in DIR/results.jsonl: id, task, status (ok | error), output or error and field, seed, model, seconds, rtf. Rows whose
output is there are skipped; rows that failed are tried again, and then their last line counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechx.audio import writing
from speechx.cli.console import Heartbeat, ModelOption, load, say
from speechx.errors import InputError
from speechx.pipeline.job import Job
from speechx.pipeline.manifest import ManifestRow, read_manifest, result_entry

if TYPE_CHECKING:
    from speechx.pipeline.result import Speech


def batch(
    manifest: Annotated[Path, typer.Argument(help="JSON lines of {id, task, fields}")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the results")],
    format: Annotated[str, typer.Option(help="audio format where a row names none")] = "wav",
    slots: Annotated[int, typer.Option(help="requests in the engine at once")] = 8,
    model: ModelOption = None,
) -> None:
    """Run every row of a manifest; start it again to go on where it stopped."""
    writing.check_format(format)
    if slots < 1:
        raise InputError(f"slots is {slots}: at least 1 is needed", field="slots")
    rows = read_manifest(manifest, format)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output: {output} cannot be made: {error.strerror}", field="output") from error
    todo = [row for row in rows if not (output / row.file).exists()]
    if len(todo) < len(rows):
        say(f"{len(rows) - len(todo)} of {len(rows)} rows are done already")
    failed = perform(todo, output, model, slots) if todo else 0
    say(
        f"{len(todo) - failed} of {len(todo)} rows done, {failed} failed, results in {output / 'results.jsonl'}"
    )
    if failed:
        raise typer.Exit(1)


def perform(rows: list[ManifestRow], output: Path, model: Path | None, slots: int) -> int:
    """Runs the rows; returns how many failed. Each result is on disk before its line is written."""
    by_job, failed = dict[str, ManifestRow](), 0

    def jobs() -> Iterator[Job]:
        for row in rows:
            job = Job(row.task, row.request)
            by_job[job.id] = row
            yield job

    with (output / "results.jsonl").open("a", encoding="utf-8") as results, Heartbeat("batch") as beat:
        sx = load(model, slots)
        for done, (job, result) in enumerate(sx.pipeline.speak_many(jobs(), slots), 1):
            row = by_job.pop(job.id)
            entry = result_entry(row, result, partial(_save, output / row.file, row.format))
            if entry["status"] == "error":
                failed += 1
                say(f"{row.id}: {entry['error']}")
            results.write(json.dumps(entry, ensure_ascii=False) + "\n")
            results.flush()
            beat.status = f"{done}/{len(rows)} rows"
    return failed


def _save(path: Path, format: str, speech: Speech) -> None:
    speech.save(path, format)
