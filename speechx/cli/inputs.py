"""What a command is given: texts from files and standard input, and checks that need no model."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from speechx.audio import reading
from speechx.audio.sources import materialized
from speechx.audio.types import AudioFile
from speechx.cli.console import say
from speechx.errors import InputError
from speechx.files import not_utf8
from speechx.task.fields import MAX_TEXT
from speechx.task.voices import VoiceStore, known_voice, unknown_voice

__all__ = [
    "check_output",
    "file_option",
    "given_audio",
    "given_text",
    "given_voice",
    "read_text",
    "read_texts",
]

MAX_BYTES = 4 * MAX_TEXT  # of UTF-8: a longer text has too many characters, too


def file_option(field: str) -> Any:
    """The option that names a file with the text of a field: --text-file for `text`."""
    help = f"file to read the {field.replace('_', ' ')} from (UTF-8; - is standard input)"
    return typer.Option(f"--{field.replace('_', '-')}-file", metavar="FILE", help=help)


def check_one_pipe(fields: Mapping[str, Any]) -> None:
    """Raises InputError where two fields are to be read from standard input."""
    from_pipe = [name for name, value in fields.items() if value == "-"]
    if len(from_pipe) > 1:
        first, second, *_ = from_pipe
        raise InputError(
            f"{second}: standard input is already the {first}; give one of them as a file", field=second
        )


def read_texts(fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The fields, those of these names with their texts: `-` is read from standard input, NAME_file from a file."""
    fields = dict(fields)
    for name in names:
        text = read_text(fields.get(name), fields.pop(f"{name}_file", None), name)
        if text is not None:
            fields[name] = text
    return fields


def read_text(text: str | None, file: str | None, field: str = "text") -> str | None:
    """The text itself, that of standard input where `text` is `-`, or that of a file; None where neither is given.

    Raises InputError: both given, unreadable, not UTF-8, too long.
    """
    if file is None:
        return _standard_input(field) if text == "-" else text
    name = f"{field}_file"
    if text is not None:
        raise InputError(f"{name}: {field} is given already; give one of the two", field=name)
    if file == "-":
        return _standard_input(name)
    try:
        with Path(file).open("rb") as source:
            data = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{name}: {file} cannot be read: {error.strerror}", field=name) from error
    return _decoded(data, name, file)


def given_text(text: str | None, file: str | None) -> str:
    """As `read_text`, for a command that cannot do without. Raises InputError where neither is given."""
    read = read_text(text, file)
    if read is None:
        raise InputError("text is missing: give it, or a file by --text-file", field="text")
    return read


def _standard_input(field: str) -> str:
    if sys.stdin is None or sys.stdin.closed:
        raise InputError(f"{field}: there is no standard input to read", field=field)
    if sys.stdin.isatty():
        say(f"type the {field.replace('_', ' ')}, then Ctrl-D")
    return _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), field, "standard input")


def _decoded(data: bytes, field: str, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise InputError(
            f"{field}: {name} has more than {MAX_TEXT:,} characters, which is the limit", field=field
        )
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{field}: {name} {not_utf8(error)}", field=field) from None
    if not text:
        raise InputError(f"{field}: {name} is empty", field=field)
    return text


def given_audio(source: str, field: str = "audio") -> AudioFile:
    """The file, or the bytes of a pipe or of standard input (`-`). Raises InputError: missing, no audio by its header."""
    try:
        given = materialized(source)
        reading.probe(given)
    except InputError as error:
        raise error.located(field) from error
    return given


def given_voice(source: str, field: str = "voice") -> AudioFile:
    """A known voice as it is, else as `given_audio`. Raises InputError for what is neither."""
    ids = VoiceStore().ids()
    if known_voice(source, ids) is not None:
        return source
    if source != "-" and not Path(source).suffix and not Path(source).exists():
        raise unknown_voice(source, ids, field)
    return given_audio(source, field)


def check_output(output: str | Path, field: str = "output") -> Path:
    """The file to write. Raises InputError before the work where it is a folder, or its folder is missing."""
    path = Path(output)
    if path.is_dir():
        raise InputError(f"{field}: {output} is a folder; name a file in it", field=field)
    if not path.absolute().parent.is_dir():
        raise InputError(f"{field}: the folder {path.parent} does not exist", field=field)
    return path
