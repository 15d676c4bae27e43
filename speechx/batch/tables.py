"""Rows of manifests that are no JSON lines: CSV, Parquet, cut sets of lhotse, folders of files.

Each reader yields (line, fields) as JSON lines have them, or (line, InputError) for a row that has none.
Fields that a cell leaves empty are absent.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from speechx.batch.rows import Fields
from speechx.errors import InputError
from speechx.files import Storage, not_utf8
from speechx.task import registry

if TYPE_CHECKING:
    from lhotse import Recording
    from lhotse.cut import Cut

NumberedRow: TypeAlias = tuple[int, object]
"""A line and what it holds: `Fields`, an InputError, or what else JSON has."""

__all__ = [
    "NumberedRow",
    "csv_rows",
    "delimiter_of",
    "folder_rows",
    "is_cut_set",
    "lhotse_rows",
    "parquet_rows",
    "uncompressed",
]

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a")


def uncompressed(data: bytes) -> bytes:
    """gzip taken off, where it is there."""
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def delimiter_of(header: str, is_known: Callable[[str], bool]) -> str:
    """Delimiter of a CSV, by its first line: the one that gives most known columns, of several the most frequent.

    Spreadsheets of half of Europe write semicolons.
    """

    def known_columns(delimiter: str) -> int:
        try:
            return sum(map(is_known, next(csv.reader([header], delimiter=delimiter))))
        except csv.Error:
            return 0

    return max(",;\t", key=lambda delimiter: (known_columns(delimiter), header.count(delimiter)))


def _is_field(name: str) -> bool:
    """Whether a column is the id, the task, or a field of some task."""
    fields = {field for task in registry.tasks().values() for field in task.Request.model_fields}
    return name.strip().casefold() in {"id", "task", *fields}


def csv_rows(text: str, delimiter: str | None = None) -> Iterator[NumberedRow]:
    """A row per record; the header names the fields. `span` is two numbers with a space between.

    delimiter: None for the one that the header tells. Columns without a name are left out: pandas writes its index so.
    """
    delimiter = delimiter or delimiter_of(text.partition("\n")[0], _is_field)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    if not reader.fieldnames or len(set(reader.fieldnames)) < len(reader.fieldnames):
        raise InputError("manifest: the first line must name each column once", field="manifest")
    try:
        for row in reader:
            if None in row:
                yield reader.line_num, InputError("the row has more cells than the header")
                continue
            fields: Fields = {name: value for name, value in row.items() if name and value}
            if "span" in fields:
                fields["span"] = fields["span"].replace(",", " ").split()
            yield reader.line_num, fields
    except csv.Error as error:
        raise InputError(f"manifest: line {reader.line_num} is no CSV: {error}", field="manifest") from error


def parquet_rows(data: bytes) -> Iterator[NumberedRow]:
    """A row per record. Nested values as in JSON. Raises InputError where pyarrow is not there, or for another file."""
    pyarrow, parquet = _needed("pyarrow", "batch"), _needed("pyarrow.parquet", "batch")
    try:
        table = parquet.ParquetFile(pyarrow.BufferReader(data))
        line = 0
        for batch in table.iter_batches():
            for fields in batch.to_pylist():
                line += 1
                yield (
                    line,
                    {name: _without_nulls(value) for name, value in fields.items() if value is not None},
                )
    except pyarrow.ArrowException as error:
        raise InputError(f"manifest: it is no Parquet file: {error}", field="manifest") from error


def _without_nulls(value: object) -> object:
    """Fields of a nested value that only other rows have come as None."""
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


def is_cut_set(text: str) -> bool:
    """Whether JSON lines are cuts of lhotse."""
    first = text.lstrip().split("\n", 1)[0]
    return '"supervisions"' in first or '"type": "MonoCut"' in first


def lhotse_rows(cuts: Iterable[tuple[int, Fields]], task_name: str | None) -> Iterator[NumberedRow]:
    """A row per cut. The cut is the first audio field that the cut's custom fields do not give; its text is the transcript.

    Custom fields with the name of a field of the task are that field, `task` too.
    """
    cut_set = _needed("lhotse", "train").CutSet
    for line, value in cuts:
        try:
            (cut,) = cut_set.from_dicts([value])
            yield line, _cut_fields(cut, task_name)
        except InputError as error:
            yield line, error
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
            yield line, InputError(f"the row is no cut: {type(error).__name__} {error}")


def _cut_fields(cut: Cut, task_name: str | None) -> Fields:
    custom: Mapping[str, object] = getattr(cut, "custom", None) or {}
    name = custom.get("task", task_name)
    fields: Fields = {"id": cut.id, "task": name}
    if name is None:
        return fields
    try:
        task = registry.task(str(name))
    except InputError:
        return fields  # an unknown task, said of this row
    known = task.Request.model_fields
    fields |= {
        key: _recording_path(value) if hasattr(value, "sources") else value
        for key, value in custom.items()
        if key in known
    }
    spoken = " ".join(s.text for s in cut.supervisions if s.text)
    field = "transcript" if "transcript" in known else "text"
    if spoken:
        fields.setdefault(field, spoken)
    language = next((s.language for s in cut.supervisions if s.language), None)
    if language and "language" in known:
        fields.setdefault("language", language)
    free = next((f for f in registry.audio_fields(task) if f not in fields), None)
    if free is not None:
        fields[free] = _cut_audio(cut)
    return fields


def _cut_audio(cut: Cut) -> Fields | str:
    if (recording := getattr(cut, "recording", None)) is None:
        raise InputError(
            "a cut that is mixed, padded or has no recording cannot be used: save its audio first"
        )
    path = _recording_path(recording)
    whole = cut.start == 0 and abs(cut.duration - recording.duration) < 1e-3
    return path if whole else {"path": path, "start": cut.start, "duration": cut.duration}


def _recording_path(recording: Recording) -> str:
    """Paths of lhotse are relative to the working folder, those of a manifest to the manifest."""
    if len(recording.sources) != 1 or recording.sources[0].type not in ("file", "url"):
        raise InputError("a recording of several sources, or in memory, cannot be used: save its audio first")
    path = str(recording.sources[0].source)
    return str(Path(path).absolute()) if Path(path).exists() else path


def folder_rows(folder: str, task_name: str | None) -> Iterator[NumberedRow]:
    """A row per file in a folder: recordings, or texts (.txt) for tasks whose first field is a text.

    The id is the file's stem.
    """
    if task_name is None:
        raise InputError(
            f"task: {folder} is a folder: say what to do with its files with --task", field="task"
        )
    task = registry.task(task_name)
    first = next(name for name, info in task.Request.model_fields.items() if info.is_required())
    is_audio = first in registry.audio_fields(task)
    suffixes = AUDIO_SUFFIXES if is_audio else (".txt",)
    store = Storage(folder, "manifest")
    names = sorted(n for n in store.names() if n.lower().endswith(suffixes) and not n.startswith("."))
    for line, name in enumerate(names, 1):
        try:
            value = name if is_audio else store.read(name).decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            yield line, InputError(f"{first}: {name} {not_utf8(error)}", field=first)
            continue
        yield line, {"id": Path(name).stem, "task": task.name, first: value}


def _needed(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(
            f"manifest: this needs {package}, which is not installed: pip install 'speechx[{extra}]'",
            field="manifest",
        ) from error
