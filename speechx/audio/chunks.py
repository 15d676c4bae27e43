"""Containers of uncompressed samples: wav (RIFF, RIFX, RF64, BW64), W64, AIFF, CAF and AU.

libsndfile shortens a cut file silently, reads nothing where a length was never filled in, and stops
at the seam of joined files. Here the chunks are walked by seeking, to find the samples, the bytes that are missing, and
the length that belongs into the header.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from speechx.audio.sources import find, read_at

__all__ = ["PATTERNS", "Recording", "is_chunked", "recordings"]

LIMITS = {"I": 0x7FFF0000, "q": 1 << 40}
"""By struct code. No cut file has lost so much: a longer length is a placeholder of a writer that could not seek back."""


@dataclass(frozen=True)
class ChunkFormat:
    """Layout of a container. inside: bytes of its own header that a length counts. skip: bytes of the data chunk before the
    samples."""

    magic: bytes  # pattern of the first bytes
    data: bytes
    order: str = "<"
    length: str = "I"
    first: int = 12
    pad: int = 2
    inside: int = 0
    skip: int = 0


_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
FORMATS = (
    ChunkFormat(rb"(?:RIFF|RF64|BW64).{4}WAVE", b"data"),
    ChunkFormat(rb"RIFX.{4}WAVE", b"data", order=">"),
    ChunkFormat(rb"FORM.{4}AIF[FC]", b"SSND", order=">", skip=8),
    ChunkFormat(rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00.{8}wave", b"data" + _W64_TAIL,
                length="q", first=40, pad=8, inside=24),
    ChunkFormat(rb"caff\x00\x01", b"data", order=">", length="q", first=8, pad=1, skip=4),
    ChunkFormat(rb"\.snd\x00\x00", b"", order=">"),
)  # fmt: skip
PATTERNS = tuple(form.magic for form in FORMATS)
"""How a file of each format begins, as regular expressions."""


@dataclass(frozen=True)
class Recording:
    """A file within the file: bytes [start, stop). patches: header bytes to replace, by offset from `start`.
    missing: bytes that its header promises after the end. frames: samples per channel that it promises, where a patch hides
    them from the decoder. fault: what is wrong with it, as the end of a sentence."""

    start: int
    stop: int
    patches: dict[int, bytes] = field(default_factory=dict)
    missing: int = 0
    frames: int | None = None
    fault: str = ""


@dataclass(frozen=True)
class _Samples:
    """Where samples begin, how many bytes the header promises, and the offset and struct format of that length.
    form_at: of the chunk `fmt ` in a wav file whose chunks of odd length lack their padding byte."""

    start: int
    declared: int
    field: int
    code: str
    form_at: int = 0


def is_chunked(head: bytes) -> bool:
    """Whether a file begins with one of these containers."""
    return _format_of(head) is not None


def recordings(file: BinaryIO, start: int, size: int) -> Iterator[Recording]:
    """The recordings in [start, size): one, or several where files were joined. Each begins where the last one ends."""
    while (form := _format_of(read_at(file, start, 64))) is not None:
        found = _samples(file, start, size, form)
        if found is None:
            yield Recording(start, size)
            return
        if found.form_at:
            header, stop = _short_header(file, found), _end(file, found, size, form)
            yield Recording(found.start - len(header), stop, {0: header})
        elif _is_placeholder(file, found, size, form):
            stop = find(file, form.magic, found.start, size)
            length = stop - found.start + form.inside + form.skip
            packed = struct.pack(
                form.order + found.code, min(length, 2 ** (8 * struct.calcsize(found.code)) - 1)
            )
            yield Recording(start, stop, {found.field - start: packed})
        else:
            stop = _end(file, found, size, form)
            missing = found.start + found.declared - size
            tolerated = max(2048, 0.05 * found.declared)  # some writers store wrong lengths
            yield Recording(start, stop, missing=missing if missing > tolerated else 0)
        start = stop


def _format_of(head: bytes) -> ChunkFormat | None:
    return next((form for form in FORMATS if re.match(form.magic, head, re.DOTALL)), None)


def _samples(file: BinaryIO, start: int, size: int, form: ChunkFormat) -> _Samples | None:
    """Finds the data chunk; None where there is none."""
    if not form.data:  # AU has a header of fixed layout
        offset, length = struct.unpack(">II", read_at(file, start + 4, 8).ljust(8, b"\0"))
        return _Samples(start + offset, length, start + 8, "I")
    at, sizes_64, form_at, unpadded = start + form.first, None, 0, False
    while (chunk := _chunk(file, at, form)) is not None:
        name, length = chunk
        payload = at + len(name) + struct.calcsize(form.length)
        if name == form.data:
            if length == 0xFFFFFFFF and sizes_64 is not None:
                at_64 = sizes_64 + 8
                length = struct.unpack("<q", read_at(file, at_64, 8))[0]
                return _Samples(payload, length, at_64, "q")
            declared = length - form.inside - form.skip
            place = at + len(name)
            return _Samples(payload + form.skip, declared, place, form.length, form_at if unpadded else 0)
        if name == b"ds64":
            sizes_64 = payload
        if name == b"fmt ":
            form_at = at
        if not 0 <= length < size:
            return None
        at = payload + _padded(length - form.inside, form)
        if length % 2 and form.magic == FORMATS[0].magic and read_at(file, at - 1, 4) in (b"fmt ", b"data"):
            at, unpadded = at - 1, True
    return None


def _short_header(file: BinaryIO, found: _Samples) -> bytes:
    """A wav header with nothing but the format and the length: libsndfile reads no unpadded chunks."""
    size = struct.unpack("<I", read_at(file, found.form_at + 4, 4))[0] & ~1
    form = b"fmt " + struct.pack("<I", size) + read_at(file, found.form_at + 8, size)
    lengths = [struct.pack("<I", n) for n in (12 + len(form) + found.declared, found.declared)]
    return b"RIFF" + lengths[0] + b"WAVE" + form + b"data" + lengths[1]


def _is_placeholder(file: BinaryIO, found: _Samples, size: int, form: ChunkFormat) -> bool:
    """A length that cannot be meant: beyond any limit, or none although bytes follow that are no chunk."""
    body = size - found.start
    if found.declared > body and found.declared >= LIMITS[found.code]:
        return True
    return found.declared <= 0 < body and not _chunks_to_the_end(file, found.start, size, form)


def _chunks_to_the_end(file: BinaryIO, at: int, size: int, form: ChunkFormat) -> bool:
    """Whether nothing but chunks follows: samples may begin like a chunk, too."""
    while _is_chunk(file, at, size, form):
        name, length = _chunk(file, at, form) or (b"", 0)
        at += len(name) + struct.calcsize(form.length) + _padded(length - form.inside, form)
    return at >= size or _format_of(read_at(file, at, 64)) == form


def _is_chunk(file: BinaryIO, at: int, size: int, form: ChunkFormat) -> bool:
    """Whether a chunk begins here that ends within the file."""
    if not form.data or (chunk := _chunk(file, at, form)) is None:
        return False
    name, length = chunk
    whole = at + len(name) + struct.calcsize(form.length) + length - form.inside <= size
    return whole and length >= form.inside and bool(re.match(rb"[ -~\xa9]{4}", name))


def _end(file: BinaryIO, found: _Samples, size: int, form: ChunkFormat) -> int:
    """Where the container ends that holds these samples: at the next file's beginning, else at the end of the file."""
    plain = found.start + found.declared
    for at in (plain, found.start + _padded(found.declared, form)):
        while at < size:
            if _format_of(read_at(file, at, 64)) == form:
                return at
            if not _is_chunk(file, at, size, form):
                break
            name, length = _chunk(file, at, form) or (b"", 0)
            at += len(name) + struct.calcsize(form.length) + _padded(length - form.inside, form)
    return size


def _chunk(file: BinaryIO, at: int, form: ChunkFormat) -> tuple[bytes, int] | None:
    """(name, length) of the chunk at this offset; None at the end of the file."""
    wide = 16 if form.inside else 4
    head = read_at(file, at, wide + struct.calcsize(form.length))
    if len(head) < wide + struct.calcsize(form.length):
        return None
    return head[:wide], struct.unpack(form.order + form.length, head[wide:])[0]


def _padded(length: int, form: ChunkFormat) -> int:
    return -(-length // form.pad) * form.pad
