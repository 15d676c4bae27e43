"""`speechx batch manifest.jsonl --output DIR`: many requests in the engine's full batch, in this process.

A row is {"id", "task", ...fields}; audio fields are paths relative to the manifest. Each row gives DIR/<id>.<format> and
a line in DIR/results.jsonl: id, task, status (ok | error), output or error and field, seed, model, seconds, rtf. Rows whose
output is there are skipped; rows that failed are tried again, and then their last line counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from speechx.audio import writing
from speechx.cli.console import Heartbeat, ModelOption, load, say
from speechx.errors import InputError
from speechx.pipeline.job import Job
from speechx.task import registry
from speechx.task.fields import TaskRequest

SAFE_ID = re.compile(r"[\w][\w.-]{0,199}")


@dataclass(frozen=True)
class Row:
    """One line of a manifest, checked."""

    id: str
    task: str
    request: TaskRequest
    format: str

    @property
    def file(self) -> str:
        return f"{self.id}.{self.format}"


def batch(
    manifest: Annotated[Path, typer.Argument(help="JSON lines of {id, task, fields}")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the results")],
    format: Annotated[str, typer.Option(help="audio format where a row names none")] = "wav",
    slots: Annotated[int, typer.Option(help="requests in the engine at once")] = 8,
    model: ModelOption = None,
) -> None:
    """Run every row of a manifest; start it again to go on where it stopped."""
    if format not in writing.FORMATS:
        raise InputError(f"format: {format!r} is not one of {', '.join(writing.FORMATS)}", field="format")
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
    say(f"{len(todo) - failed} rows done, {failed} failed, results in {output / 'results.jsonl'}")
    if failed:
        raise typer.Exit(1)


def perform(rows: list[Row], output: Path, model: Path | None, slots: int) -> int:
    """Runs the rows; returns how many failed. Each result is on disk before its line is written."""
    by_job, failed = dict[str, Row](), 0

    def jobs() -> Iterator[Job]:
        for row in rows:
            job = Job(row.task, row.request)
            by_job[job.id] = row
            yield job

    with (output / "results.jsonl").open("a", encoding="utf-8") as results, Heartbeat("batch") as beat:
        sx = load(model, slots)
        for done, (job, result) in enumerate(sx.pipeline.speak_many(jobs(), slots), 1):
            row = by_job.pop(job.id)
            about: dict[str, Any] = {"id": row.id, "task": row.task}
            try:
                if isinstance(result, Exception):
                    raise result
                result.save(output / row.file, row.format)
                about |= {"status": "ok", "output": row.file, **result.info}
                if row.request.timestamps:
                    about["words"] = [w.as_dict() for w in result.words]
            except Exception as error:  # a row's failure is a line of its own, whatever it is
                failed += 1
                about |= {"status": "error", "error": str(error) or type(error).__name__}
                about["field"] = getattr(error, "field", None)
                say(f"{row.id}: {about['error']}")
            _put(results, about)
            beat.status = f"{done}/{len(rows)} rows"
    return failed


def _put(results: IO[str], about: dict[str, Any]) -> None:
    results.write(json.dumps(about, ensure_ascii=False) + "\n")
    results.flush()


def read_manifest(path: Path, format: str = "wav") -> list[Row]:
    """All rows, checked. Raises InputError with the line number: broken JSON, id missing, unfit or twice, bad request."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"manifest: {path} cannot be read: {reason}", field="manifest") from error
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _row(line, path.parent, format)
        except InputError as error:
            raise InputError(f"manifest: {path} line {number}: {error}", field="manifest") from error
        if row.id in seen:
            raise InputError(
                f"manifest: {path} line {number}: id {row.id!r} is also on line {seen[row.id]}",
                field="manifest",
            )
        seen[row.id] = number
        rows.append(row)
    if not rows:
        raise InputError(f"manifest: {path} has no rows", field="manifest")
    return rows


def _row(line: str, folder: Path, format: str) -> Row:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"broken JSON at column {error.colno}: {error.msg}") from None
    if not isinstance(fields, dict):
        raise InputError("a row must be a JSON object")
    for name in ("id", "task"):
        if name not in fields:
            raise InputError(f"{name} is missing")
    row_id, task = str(fields.pop("id")), registry.task(str(fields.pop("task")))
    if not SAFE_ID.fullmatch(row_id):
        raise InputError(f"id {row_id!r} cannot name a file: use letters, digits, '.', '-' and '_'")
    for name, kind in registry.audio_fields(task).items():
        value = fields.get(name)
        # The id of a voice stays; everything else is a file beside the manifest.
        if isinstance(value, str) and (kind == "audio" or (folder / value).exists() or Path(value).suffix):
            fields[name] = str(folder / value)
    request = registry.parse_request(task.name, fields)
    return Row(row_id, task.name, request, request.format or format)
