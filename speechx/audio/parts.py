"""Splits a file into the recordings that it holds: one, or several where files were joined, and mends their headers.

    with parts("joined.mp3") as found:      # [FilePart, FilePart]

What lies in front (ID3 tags, zeros, the head of an HTTP message) is skipped. Files of unknown formats pass as they are.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from speechx.audio import chunks, mp3, ogg
from speechx.audio.sources import FileView, find, opened, read_at
from speechx.audio.types import AudioFile

__all__ = ["FilePart", "foreign_format", "parts", "start_of_text"]

FLAC = rb"fLaC[\x00\x80]\x00\x00\x22"
STARTS = re.compile(b"|".join([*chunks.PATTERNS, FLAC, rb"OggS\x00\x02"]), re.DOTALL)
MP4 = "m4a or mp4"
FOREIGN = (  # pattern of the first bytes -> what a message calls it
    (rb".{4}ftyp", MP4),
    (rb"\x1aE\xdf\xa3", "webm or Matroska"),
    (rb"\xff[\xf0\xf1\xf8\xf9]|ADIF", "aac"),
    (rb"#!AMR", "amr"),
    (rb"0&\xb2u\x8ef\xcf\x11", "wma"),
    (rb"RIFF.{4}AVI ", "avi"),
    (rb"FLV\x01", "flv"),
    (rb"\x0bw", "ac3"),
    (rb"MThd", "midi"),
)


@dataclass(frozen=True)
class FilePart:
    """One recording. data: a path, or an open file that is read from its beginning.

    missing, frames, fault: see `Recording`.
    """

    data: str | BinaryIO
    missing: int = 0
    frames: int | None = None
    fault: str = ""


@contextlib.contextmanager
def parts(source: AudioFile) -> Iterator[list[FilePart]]:
    """The recordings of a file; they are open within the context. Raises InputError: missing, a folder, empty."""
    with opened(source) as file:
        size = file.seek(0, os.SEEK_END)
        recordings = _recordings(file, size)
        if isinstance(recordings, list):
            yield [FilePart(io.BytesIO(data)) for data in recordings]
            return
        whole = file if isinstance(source, bytes | bytearray) else os.fspath(source)
        found = [
            FilePart(whole if _is_whole(it, size) else _view(file, it), it.missing, it.frames, it.fault)
            for it in recordings
        ]
        yield found or [FilePart(whole)]


def foreign_format(part: FilePart) -> str | None:
    """The name of a format that only the extra `m4a` reads; None for any other."""
    return _foreign(_first_bytes(part))


def start_of_text(part: FilePart) -> str | None:
    """The first characters, where the file is a text: an error message saved as sound, or a pointer of Git LFS."""
    data = _first_bytes(part)
    text = data.decode("utf-8", "ignore").strip()
    return text[:40] if data and b"\0" not in data and text.replace("\n", " ").isprintable() else None


def _first_bytes(part: FilePart) -> bytes:
    if not isinstance(part.data, str):
        return read_at(part.data, 0, 64)
    with opened(part.data) as file:
        return file.read(64)


def _recordings(file: BinaryIO, size: int) -> list[bytes] | Iterator[chunks.Recording]:
    """Places of recordings in the file; their bytes for mp3; nothing for an unknown format."""
    after_tags = _after_id3(file)
    head = read_at(file, after_tags, mp3.JUNK)
    if (kind := _foreign(head)) is not None:
        return _mp4s(file, after_tags, size) if kind == MP4 else iter(())
    known, frame = STARTS.search(head), mp3.first_frame(head)
    if frame is not None and (known is None or frame < known.start()):
        return mp3.streams(read_at(file, after_tags, size - after_tags))
    if known is None:
        return iter(())
    start, magic = after_tags + known.start(), known.group()
    if magic.startswith(b"fLaC"):
        return _flacs(file, start, size)
    if magic.startswith(ogg.MAGIC):
        return ogg.links(file, start, size)
    return chunks.recordings(file, start, size)


def _flacs(file: BinaryIO, start: int, size: int) -> Iterator[chunks.Recording]:
    """Joined files. libsndfile ends at the number of samples in the header, which may be too low: it is not shown to it."""
    while start < size:
        stop = find(file, FLAC, start + 1, size)
        low = int.from_bytes(read_at(file, start + 21, 5), "big")  # 4 bits of the depth, 36 of the number
        hidden = (low >> 36 << 36).to_bytes(5, "big")
        yield chunks.Recording(start, stop, {21: hidden}, frames=low & (1 << 36) - 1 or None)
        start = stop


def _mp4s(file: BinaryIO, start: int, size: int) -> Iterator[chunks.Recording]:
    """Joined files: each begins with a box `ftyp`."""
    at = start
    while len(head := read_at(file, at, 16)) == 16:
        length, kind, wide = struct.unpack(">I4sQ", head)
        if kind == b"ftyp" and at > start:
            yield chunks.Recording(start, at)
            start = at
        length = wide if length == 1 else length
        if length < 8:  # 0: to the end of the file
            break
        at += length
    yield chunks.Recording(start, size, missing=max(0, at - size))


def _after_id3(file: BinaryIO) -> int:
    at = 0
    while size := mp3.id3_size(read_at(file, at, 10)):
        at += size
    return at


def _foreign(head: bytes) -> str | None:
    return next((name for pattern, name in FOREIGN if re.match(pattern, head, re.DOTALL)), None)


def _is_whole(recording: chunks.Recording, size: int) -> bool:
    return (recording.start, recording.stop) == (0, size) and not recording.patches


def _view(file: BinaryIO, recording: chunks.Recording) -> BinaryIO:
    return io.BufferedReader(FileView(file, recording.start, recording.stop, recording.patches))
