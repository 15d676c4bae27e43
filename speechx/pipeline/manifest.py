"""Manifests: a JSON object per line. Rows of `speechx batch`, on one machine or a Ray cluster, and of corpora.

    {"id": "a1", "task": "tts", "text": "Good morning.", "voice": "heart"}

Audio fields are paths relative to the manifest. `speechx.data.sources` reads corpora with `json_rows` alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechx.errors import InputError
from speechx.task import registry
from speechx.task.fields import TaskRequest

if TYPE_CHECKING:
    from speechx.pipeline.result import Speech

__all__ = ["ManifestRow", "json_rows", "read_manifest", "result_entry"]

SAFE_ID = re.compile(r"[\w][\w.-]{0,199}")


@dataclass(frozen=True)
class ManifestRow:
    """A validated row. file: name of its output in the folder of results."""

    id: str
    task: str
    request: TaskRequest
    format: str

    @property
    def file(self) -> str:
        return f"{self.id}.{self.format}"


def json_rows(
    lines: Iterable[str], not_json: Callable[[int, json.JSONDecodeError], InputError]
) -> Iterator[tuple[int, Any]]:
    """(line number from 1, value) of each line that is not blank. Raises `not_json(number, error)`."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise not_json(number, error) from None
        yield number, value


def read_manifest(path: Path, format: str = "wav") -> list[ManifestRow]:
    """All rows, validated. format: audio format of rows that name none.

    Raises InputError with the line number: broken JSON, id missing, unfit or repeated, invalid request.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"manifest: {path} cannot be read: {reason}", field="manifest") from error

    def at(number: int, reason: object) -> InputError:
        return InputError(f"manifest: {path} line {number}: {reason}", field="manifest")

    def not_json(number: int, error: json.JSONDecodeError) -> InputError:
        return at(number, f"broken JSON at column {error.colno}: {error.msg}")

    rows: list[ManifestRow] = []
    seen: dict[str, int] = {}
    for number, fields in json_rows(lines, not_json):
        try:
            row = _manifest_row(fields, path.parent, format)
        except InputError as error:
            raise at(number, error) from error
        if row.id in seen:
            raise at(number, f"id {row.id!r} is also on line {seen[row.id]}")
        seen[row.id] = number
        rows.append(row)
    if not rows:
        raise InputError(f"manifest: {path} has no rows", field="manifest")
    return rows


def _manifest_row(fields: Any, folder: Path, format: str) -> ManifestRow:
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
    return ManifestRow(row_id, task.name, request, request.format or format)


def result_entry(
    row: ManifestRow, result: Speech | Exception, write: Callable[[Speech], object]
) -> dict[str, Any]:
    """The row's line of results.jsonl, once `write` has stored the speech. Whatever fails is in the line, not raised."""
    entry: dict[str, Any] = {"id": row.id, "task": row.task}
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
