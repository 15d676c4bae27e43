"""Tables of corpora: CSV, TSV and JSONL, each row as {column: value}. Nothing is decoded here.

    for number, row in raw_rows(path)         # the columns as the file names them
    for number, row in known_rows(path)       # under the names of COLUMNS

A column is known by its name in any case, with spaces, hyphens or underscores between words. What is not used is said once.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import itertools
import logging
import math
import zlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

from speechx.batch.manifest import json_rows
from speechx.batch.tables import delimiter_of
from speechx.errors import InputError
from speechx.files import not_utf8

__all__ = ["TABLES", "is_synthetic", "known_rows", "open_text", "part_of_file", "raw_rows", "source_error"]

TABLES = (".csv", ".tsv", ".jsonl", ".json", ".ndjson")
"""Suffixes, with or without .gz. A .json has JSON lines."""

COLUMNS = {
    "audio": ("audio", "path", "audio_path", "audio_file", "audio_filepath", "file", "file_name", "filename", "wav"),
    "text": ("text", "sentence", "transcript", "transcription"),
    "speaker": ("speaker", "speaker_id", "client_id"),
    "language": ("language", "lang", "locale"),
    "split": ("split",),
    "id": ("id",),
    "kind": ("kind",),
    "synthetic": ("synthetic",),
    "corpus": ("corpus",),
    "offset": ("offset",),
    "duration": ("duration",),
}  # fmt: skip
ELSEWHERE = ("phones",)
"""Columns that nobody misses: `speechx data label` reads them."""

TEXTS_ELSEWHERE = ("frase", "oración", "phrase", "satz", "tekst", "testo", "texte", "texto", "wortlaut")
"""What others call the column of texts."""

ALIKE = 0.8
"""Likeness from which a name is taken for a misspelling: txt is like text by 0.86, and text_id by 0.73."""

logger = logging.getLogger(__name__)


def source_error(message: str) -> InputError:
    """The error about a corpus."""
    return InputError(f"source: {message}", field="sources")


def is_table(path: Path) -> bool:
    """Whether a file has the suffix of a table, with or without .gz."""
    return _suffix(path) in TABLES


def known_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, {column of COLUMNS: value}) of each row, where it has one. After the last, unused columns are logged.

    Raises InputError for a row without `audio`, and, after the last, where the column of texts seems to have another name.
    """
    seen, used, speech = dict[str, None](), set[str](), False
    for number, row in raw_rows(path):
        given = {name: value for name, value in row.items() if name and value not in (None, "")}
        names = {_plain(name): name for name in given}
        chosen = {
            column: next(names[n] for n in known if n in names)
            for column, known in COLUMNS.items()
            if not names.keys().isdisjoint(known)
        }
        if "audio" not in chosen:
            columns = ", ".join(given)[:100]
            raise source_error(
                f"{path} line {number} has no column `audio` ({', '.join(COLUMNS['audio'][1:])}); it has {columns}"
            )
        for name in chosen.values():
            if isinstance(given[name], list | dict):
                raise source_error(f"{path} line {number}: `{name}` must be a text or a number")
        seen |= dict.fromkeys(given)
        used.update(chosen.values())
        speech = speech or "kind" not in chosen
        yield number, {column: str(given[name]).strip() for column, name in chosen.items()}
    unused = [name for name in seen if name not in used and _plain(name) not in ELSEWHERE]
    has_texts = any(_plain(name) in COLUMNS["text"] for name in used)
    if unused:
        _tell_unused(path, unused, needs_texts=speech and not has_texts)


def _tell_unused(path: Path, unused: list[str], needs_texts: bool) -> None:
    texts = COLUMNS["text"]
    for name in unused if needs_texts else ():
        plain = _plain(name)
        alike = get_close_matches(plain, texts, n=1, cutoff=ALIKE) and not plain.endswith("_id")
        if plain in TEXTS_ELSEWHERE or alike:
            raise source_error(
                f"{path} has no column `text` ({', '.join(texts[1:])}); if it is `{name}`, rename that one, else take it out"
            )
    named = ", ".join(f"`{name}`" for name in unused)
    logger.warning("source: %s: not used: column %s; the known ones are %s", path, named, ", ".join(COLUMNS))


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _is_audio(name: str) -> bool:
    return _plain(name) in COLUMNS["audio"]


def part_of_file(path: Path, number: int, row: Mapping[str, str]) -> tuple[float, float] | None:
    """[start, stop) in seconds of a row with `offset` and `duration`, as NeMo writes them; None for a whole file.

    `duration` alone is not read. Raises InputError for what is no part.
    """
    if "offset" not in row:
        return None
    start = _seconds(path, number, "offset", row["offset"])
    if "duration" not in row:
        if start == 0:
            return None
        raise source_error(
            f"{path} line {number} has an `offset` and no `duration`: a part of a file needs both"
        )
    duration = _seconds(path, number, "duration", row["duration"])
    if duration == 0:
        raise source_error(f"{path} line {number}: `duration` of a part must be above 0 s")
    return start, start + duration


def is_synthetic(path: Path, number: int, row: Mapping[str, str]) -> bool:
    """Whether a row says that a synthesizer spoke it. Raises InputError for what is neither yes nor no."""
    value = row.get("synthetic", "").casefold()
    if value not in ("", "true", "yes", "1", "false", "no", "0"):
        raise source_error(f"{path} line {number}: `synthetic` must be true or false, not {value[:50]!r}")
    return value in ("true", "yes", "1")


def _seconds(path: Path, number: int, name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise source_error(
            f"{path} line {number}: `{name}` must be a number of seconds from 0, not {value[:50]!r}"
        )
    return seconds


def raw_rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """(line, row) of a table. Raises InputError with the line for one that is broken."""
    with open_text(path) as file:
        if _suffix(path) in (".csv", ".tsv"):
            yield from _cells(path, file)
            return
        for number, row in json_rows(
            file,
            lambda number, error: source_error(
                f"{path} line {number} is not JSON at column {error.colno}: {error.msg}; "
                "a JSONL has one JSON object per line"
            ),
        ):
            if not isinstance(row, dict):
                raise source_error(f"{path} line {number} is no JSON object")
            yield number, row


def _cells(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, object]]]:
    """Rows of a CSV or TSV, whose cells are text. A TSV has no quotation marks around cells."""
    lines = itertools.chain([first := file.readline()], file)
    reader: csv.DictReader[str]
    if _suffix(path) == ".tsv":
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        reader = csv.DictReader(lines, delimiter=delimiter_of(first, _is_audio))
    try:
        named = [name for name in reader.fieldnames or () if name]
        if len(set(named)) < len(named):
            raise source_error(f"{path}: the first line must name each column once")
        for row in reader:
            more: object = row.pop(None, None)
            if isinstance(more, list) and any(more):
                raise source_error(
                    f"{path} line {reader.line_num} has more cells than the first line; a text with "
                    f"{reader.reader.dialect.delimiter!r} needs quotation marks"
                )
            yield reader.line_num, dict(row)
    except csv.Error as error:
        raise source_error(f"{path} line {reader.reader.line_num} is no CSV: {error}") from error


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A file of UTF-8, unpacked where its name ends in .gz. Raises InputError where that is not what it is."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix.lower() == ".gz"
            else path.open(encoding="utf-8-sig")
        ) as file:
            yield file
    except UnicodeDecodeError as error:
        raise source_error(f"{path} {not_utf8(error)}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise source_error(f"{path} is no gzip file, or not a whole one") from error
    except OSError as error:
        raise source_error(f"{path} cannot be read: {error.strerror or error}") from error
