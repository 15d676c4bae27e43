"""Opens what the caller named: a file, the bytes of one, or a pipe. Parts of a file are files again.

with opened("a.wav") as file: ...
source = materialized("/dev/fd/63")     # its bytes: a pipe can be read once only
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from speechx.audio.types import AudioFile, AudioSource
from speechx.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["MAX_PIPE_BYTES", "FileView", "find", "materialized", "opened", "read_at", "source_name"]

MAX_PIPE_BYTES = 1 << 30
"""Of a pipe, which is held in memory: an hour at 48 kHz in stereo with 24 bits."""

SCANNED = 1 << 20  # bytes at once


def source_name(source: AudioSource) -> str:
    """How a message names the source."""
    if isinstance(source, tuple):
        return "the array"
    return "the audio" if isinstance(source, bytes | bytearray) else f"the file {os.fspath(source)}"


@overload
def materialized(source: AudioFile) -> AudioFile: ...
@overload
def materialized(source: tuple[NDArray[np.generic], int]) -> tuple[NDArray[np.generic], int]: ...
def materialized(source: AudioSource) -> AudioSource:
    """The bytes of a pipe or device, read to its end; any other source as it is. "-" is standard input.

    Raises InputError: empty, over `MAX_PIPE_BYTES`, or standard input is a terminal.
    """
    if isinstance(source, bytes | bytearray | tuple):
        return source
    if os.fspath(source) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("standard input is a terminal: pipe a sound file into it")
        return _whole(sys.stdin.buffer, "standard input")
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return source
        with Path(source).open("rb") as pipe:
            return _whole(pipe, f"the pipe {os.fspath(source)}")
    except OSError:
        return source  # `opened` says what is wrong with it


def _whole(pipe: BinaryIO, name: str) -> bytes:
    data = pipe.read(MAX_PIPE_BYTES + 1)
    if not data:
        raise InputError(f"{name} is empty (0 bytes)")
    if len(data) > MAX_PIPE_BYTES:
        raise InputError(f"{name} holds more than {MAX_PIPE_BYTES:,} bytes: save it to a file")
    return data


@contextlib.contextmanager
def opened(source: AudioFile) -> Iterator[BinaryIO]:
    """The source open for reading. Raises InputError: missing, a folder, unreadable, empty."""
    name = source_name(source)
    if isinstance(source, bytes | bytearray):
        if not source:
            raise InputError(f"{name} is empty (0 bytes)")
        yield io.BytesIO(source)
        return
    path = Path(source)
    if path.is_dir():
        raise InputError(f"{name} is a folder")
    if not path.exists():
        raise InputError(f"{name} does not exist")
    if not os.access(path, os.R_OK):
        raise InputError(f"{name} cannot be read: permission denied")
    if not path.stat().st_size:
        raise InputError(f"{name} is empty (0 bytes)")
    with path.open("rb") as file:
        yield file


def read_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Up to `count` bytes from the offset on."""
    file.seek(at)
    return file.read(count)


def find(file: BinaryIO, pattern: bytes, at: int, stop: int) -> int:
    """The offset of the first match in [at, stop), `stop` where there is none. Matches are at most 64 bytes long."""
    file.seek(at)
    held = b""
    while at < stop and (block := file.read(SCANNED)):
        if match := re.search(pattern, held + block, re.DOTALL):
            return min(stop, at - len(held) + match.start())
        at += len(block)
        held = (held + block)[-63:]
    return stop


class FileView(io.RawIOBase):
    """The bytes [start, stop) of an open file as a file, some of them replaced. patches: by their offset in the view."""

    def __init__(
        self, file: BinaryIO, start: int, stop: int, patches: Mapping[int, bytes] | None = None
    ) -> None:
        self._file, self._start, self._size = file, start, stop - start
        self._patches = dict(patches or {})
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        into = memoryview(buffer).cast("B")
        wanted = max(0, min(len(into), self._size - self._position))
        self._file.seek(self._start + self._position)
        data = bytearray(self._file.read(wanted))
        for offset, patch in self._patches.items():
            at = offset - self._position
            begin, end = max(0, at), min(len(data), at + len(patch))
            if begin < end:
                data[begin:end] = patch[begin - at : end - at]
        into[: len(data)] = data
        self._position += len(data)
        return len(data)
