"""Rows of a manifest: what is valid, and what identifies a row and its request."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from speechx.errors import InputError
from speechx.task import registry
from speechx.task.fields import TaskRequest

__all__ = ["BadRow", "Fields", "ManifestRow", "ResultRow", "RowDefaults", "parse_row"]

Fields: TypeAlias = dict[str, Any]
"""A row as its manifest has it: JSON values by name."""

ResultRow: TypeAlias = dict[str, Any]
"""A line of results.jsonl as JSON: see docs/batch.md."""

MAX_ID_BYTES = 200
UNFIT = set('/\\:*?"<>|')
JOINERS = "\u200c\u200d"  # not printable by Unicode, and letters of Persian and Hindi words


@dataclass(frozen=True)
class RowDefaults:
    """For rows that do not say otherwise. format: of the audio. seed: from which seeds of rows are derived."""

    format: str = "wav"
    seed: int = 0
    task: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ManifestRow:
    """A validated row, all of it JSON. line: where its manifest has it.

    fields: of the request; files by path or URL. segments: (start, duration) in seconds of audio fields that are a part of a
    file. seed: the request's, or derived from the id. fingerprint: of all that the output depends on, but for the model.
    """

    line: int
    id: str
    task: str
    fields: Fields
    format: str
    seed: int
    fingerprint: str
    segments: dict[str, tuple[float, float | None]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of the output in the folder of results."""
        return f"{self.id}.{self.format}"

    @property
    def request(self) -> TaskRequest:
        """Made anew at each call: a job of many rows keeps none."""
        return registry.parse_request(self.task, self.fields).model_copy(update={"seed": self.seed})

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ManifestRow:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class BadRow:
    """A row that cannot run. id: None where it has none of its own (missing, unfit, or that of an earlier row)."""

    line: int
    id: str | None
    task: str | None
    error: str
    field: str | None
    fingerprint: str

    @property
    def name(self) -> str:
        return f"line {self.line}" if self.id is None else self.id


def check_id(value: object) -> str:
    """An id that can name a file on every system. Raises InputError."""
    if value is None:
        raise InputError("id is missing", field="id")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"id {value!r} is neither a text nor a number", field="id")
    text = str(value)
    fit = all((c.isprintable() or c in JOINERS) and c not in UNFIT for c in text)
    if not text.strip(" ") or not fit or text[0] in ". " or text[-1] in ". ":
        raise InputError(
            f"id {text!r} cannot name a file: use letters and digits of any script, '.', '-' and '_'",
            field="id",
        )
    if (size := len(text.encode())) > MAX_ID_BYTES:
        raise InputError(f"id {text[:20]!r}... has {size} bytes; the limit is {MAX_ID_BYTES}", field="id")
    return text


def id_key(row_id: str) -> str:
    """Equal for ids that some systems take for the same file name."""
    return unicodedata.normalize("NFC", row_id).casefold()


def parse_row(line: int, fields: Fields, base: str, defaults: RowDefaults) -> ManifestRow:
    """A row of a manifest in folder (or URL) `base`. Raises InputError that names the field."""
    fields = {name: value for name, value in fields.items() if value is not None}
    row_id = check_id(fields.pop("id", None))
    task_name = fields.pop("task", defaults.task)
    if task_name is None:
        raise InputError("task is missing", field="task")
    task = registry.task(str(task_name))
    own = task.Request.model_fields
    for name, default in defaults.fields.items():
        if name in own:
            fields.setdefault(name, default)
    given, segments = dict(fields), dict[str, tuple[float, float | None]]()
    for name, kind in registry.audio_fields(task).items():
        value = fields.get(name)
        if isinstance(value, dict):
            value, segments[name] = _segment(name, value)
        if isinstance(value, str):
            fields[name] = _resolved(value, kind, base)
    request = registry.parse_request(task.name, fields)
    format = request.format or defaults.format
    seed = derived_seed(defaults.seed, row_id) if request.seed is None else request.seed
    used = request.model_dump(exclude_unset=True)
    used |= {name: given[name] for name in registry.audio_fields(task) if name in given}
    identity = fingerprint([task.name, used, format, seed])
    return ManifestRow(line, row_id, task.name, fields, format, seed, identity, segments)


def _segment(name: str, value: Fields) -> tuple[str, tuple[float, float | None]]:
    """(path, (start, duration)) of {"path", "start", "duration"}."""
    start, duration = value.get("start") or 0.0, value.get("duration")
    numbers = all(map(_is_finite, (start, 0.0 if duration is None else duration)))
    if value.keys() - {"path", "start", "duration"} or not isinstance(value.get("path"), str) or not numbers:
        raise InputError(f"{name}: a part of a file is {{path, start, duration}}, in seconds", field=name)
    if start < 0 or (duration is not None and duration <= 0):
        raise InputError(f"{name}: start must not be below 0, and duration must be above 0", field=name)
    return value["path"], (float(start), None if duration is None else float(duration))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _resolved(value: str, kind: str, base: str) -> str:
    """The path or URL of an audio field, which is relative to the manifest; the id of a voice as it is."""
    if "://" in value:
        return value
    if "://" in base:
        is_file = kind == "audio" or "/" in value or bool(Path(value).suffix)
        return f"{base}/{value}" if is_file else value
    path = Path(base) / value
    return str(path) if kind == "audio" or Path(value).suffix or path.exists() else value


def derived_seed(seed: int, row_id: str) -> int:
    """The seed of a row that names none: the same in every run, so that a row done twice gives the same audio."""
    digest = hashlib.sha256(f"{seed} {row_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def fingerprint(value: object) -> str:
    """16 hex digits of a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
