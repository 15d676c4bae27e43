"""Manifests: one request per row, on disk or behind an fsspec URL: JSON lines, and the formats of `tables`.

    {"id": "a1", "task": "tts", "text": "Good morning.", "voice": "heart"}

Audio fields are paths relative to the manifest, or URLs. `speechx.data.corpus_tables` reads corpora with `json_rows` alone.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from speechx.batch.rows import BadRow, ManifestRow, RowDefaults, fingerprint, id_key, parse_row
from speechx.batch.tables import (
    NumberedRow,
    csv_rows,
    folder_rows,
    is_cut_set,
    lhotse_rows,
    parquet_rows,
    uncompressed,
)
from speechx.errors import InputError
from speechx.files import Storage, not_utf8

__all__ = ["Manifest", "json_rows", "read_manifest"]


@dataclass
class Manifest:
    """rows: those that can run, in order. bad: the others."""

    rows: list[ManifestRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows) + len(self.bad)


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


def read_manifest(source: str | Path, defaults: RowDefaults | None = None) -> Manifest:
    """All rows, validated. A bad row is reported in `Manifest.bad`.

    Raises InputError, field "manifest": it cannot be read, is broken as a whole (a line that is no JSON), or has no rows.
    """
    defaults = defaults or RowDefaults()
    source = str(source).removesuffix("/") or "/"
    is_folder = _is_folder(source)
    base = source if is_folder else _parent(source)
    if "://" not in base:
        base = str(Path(base).absolute())  # actors have a working folder of their own
    numbered = folder_rows(source, defaults.task) if is_folder else _table(source, defaults.task)
    rows = [_row(number, fields, base, defaults) for number, fields in numbered]
    if not rows:
        raise InputError(f"manifest: {source} has no rows", field="manifest")
    return _with_unique_ids(rows)


def _with_unique_ids(rows: Iterable[ManifestRow | BadRow]) -> Manifest:
    """The first good row of an id keeps it, else the first bad one."""
    manifest, lines = Manifest(), dict[str, int]()
    for row in (ordered := list(rows)):
        if isinstance(row, ManifestRow):
            first = lines.setdefault(id_key(row.id), row.line)
            if first != row.line:
                error = f"id {row.id!r} is also on line {first}"
                manifest.bad.append(BadRow(row.line, None, row.task, error, "id", row.fingerprint))
            else:
                manifest.rows.append(row)
    for row in ordered:
        if isinstance(row, BadRow):
            if row.id is not None and lines.setdefault(id_key(row.id), row.line) != row.line:
                row = replace(row, id=None)
            manifest.bad.append(row)
    return manifest


def _row(number: int, fields: object, base: str, defaults: RowDefaults) -> ManifestRow | BadRow:
    def bad(error: InputError, row_id: str | None, task: str | None) -> BadRow:
        return BadRow(number, row_id, task, str(error), error.field, fingerprint(str(fields)))

    if isinstance(fields, InputError):
        return bad(fields, None, None)
    if not isinstance(fields, dict):
        return bad(InputError("a row must be a JSON object"), None, None)
    try:
        return parse_row(number, fields, base, defaults)
    except InputError as error:
        task = fields.get("task")
        row_id = None if error.field == "id" else str(fields["id"])
        return bad(error, row_id, None if task is None else str(task))


def _parent(source: str) -> str:
    return source.rpartition("/")[0] if "://" in source else str(Path(source).parent)


def _is_folder(source: str) -> bool:
    if "://" not in source:
        return Path(source).is_dir()
    return not Path(source).suffix and Storage(source, "manifest").is_folder()


def _table(source: str, task: str | None) -> Iterator[NumberedRow]:
    """(line, fields) of a file, by its suffix."""
    data = read_file(source)
    suffixes = Path(source.lower()).suffixes
    if ".parquet" in suffixes:
        return parquet_rows(data)
    text = _text(source, data)
    if ".csv" in suffixes or ".tsv" in suffixes:
        return csv_rows(text, "\t" if ".tsv" in suffixes else None)
    rows = _json_lines(source, text)
    return lhotse_rows(rows, task) if is_cut_set(text) else rows


def _json_lines(source: str, text: str) -> Iterator[tuple[int, Any]]:
    def not_json(number: int, error: json.JSONDecodeError) -> InputError:
        reason = f"broken JSON at column {error.colno}: {error.msg}; a manifest has one JSON object per line"
        return InputError(f"manifest: {source} line {number}: {reason}", field="manifest")

    return json_rows(text.split("\n"), not_json)  # splitlines() would cut at U+2028 in a text


def _text(source: str, data: bytes) -> str:
    """The manifest without its byte order mark."""
    try:
        return uncompressed(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"manifest: {source} {not_utf8(error)}", field="manifest") from error
    except (EOFError, OSError, zlib.error) as error:
        reason = f"it is no gzip file: {error}"
        raise InputError(f"manifest: {source} cannot be read: {reason}", field="manifest") from error


def read_file(source: str) -> bytes:
    """Raises InputError, field "manifest"."""
    try:
        if "://" not in source:
            return Path(source).read_bytes()
        folder, _, name = source.rpartition("/")
        return Storage(folder, "manifest").read(name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"manifest: {source} cannot be read: {reason}", field="manifest") from error
