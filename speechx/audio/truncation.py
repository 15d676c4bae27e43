"""Detects truncated wav and ogg files from their containers: libsndfile shortens them without an error."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from speechx.audio.types import AudioFile

__all__ = ["missing_bytes"]

TAIL = 1 << 17  # longer than an Ogg page can be (65,307 bytes)
UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what writers that cannot seek leave in a wav header


def missing_bytes(source: AudioFile) -> int:
    """Bytes that a wav or ogg container expects after the end of the file; 0 for a whole file and for other formats."""
    if isinstance(source, bytes | bytearray):
        head, tail, size = bytes(source[:4096]), bytes(source[-TAIL:]), len(source)
    else:
        with Path(source).open("rb") as file:
            head = file.read(4096)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            tail = file.read()
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _missing_in_wav(head, size)
    if head[:4] == b"OggS":
        return _missing_in_ogg(tail)
    return 0


def _missing_in_wav(head: bytes, size: int) -> int:
    """From the length of the data chunk. Up to 5 % or 2 kB are tolerated: some writers store wrong lengths."""
    offset = 12
    while offset + 8 <= len(head):
        length = struct.unpack_from("<I", head, offset + 4)[0]
        if head[offset : offset + 4] == b"data":
            if length in UNKNOWN_SIZES or length >= 0xFFFFFF00:
                return 0
            missing = offset + 8 + length - size
            return missing if missing > max(2048, 0.05 * length) else 0
        offset += 8 + length + (length & 1)
    return 0


def _missing_in_ogg(tail: bytes) -> int:
    """The last page's declared length against the file's end."""
    last = tail.rfind(b"OggS")
    if last < 0:
        return 0
    page = tail[last:]
    if len(page) < 27:
        return 27 - len(page)
    segments = page[26]
    if len(page) < 27 + segments:
        return 27 + segments - len(page)
    return max(0, 27 + segments + sum(page[27 : 27 + segments]) - len(page))
