"""mp3: finds the frames, whatever lies in front of and between them, and gives each stream its length.

libsndfile estimates the length of a file without a Xing tag from the first bitrate, and believes the first tag of joined
files. It drops all audio beyond that, without an error. Here the frames are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["JUNK", "first_frame", "id3_size", "streams"]

JUNK = 1 << 18
"""Frames must begin within so many bytes of the start, or behind ID3 tags."""

_KBPS = {  # layer III, by bitrate index
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits
_HEADER = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")


@dataclass
class _Stream:
    """Frames of one rate and channel count: (start, stop) of each. tagged: the first holds a Xing or Info tag."""

    frames: list[tuple[int, int]] = field(default_factory=list)
    tagged: bool = False


def first_frame(data: bytes) -> int | None:
    """The offset of the first frame in `data`, the first bytes of a file; None where there is none."""
    return _synced(data, 0, JUNK)


def streams(data: bytes) -> list[bytes]:
    """One mp3 file with a true length for each stream in `data`: several, where files were joined; none in other data."""
    found: list[bytes] = []
    for stream in _walk(data):
        found.extend(_files(data, stream))
    return found


def _walk(data: bytes) -> Iterator[_Stream]:
    """Follows the frames from one to the next. A new tag, rate or channel count begins a stream; junk is skipped."""
    at, stream, key = _synced(data, 0, JUNK), _Stream(), b""
    while at is not None:
        size, own = _frame_size(data, at), _key(data, at)
        if not size or (own != key and not _followed(data, at)):
            at = _synced(data, at + 1)
            continue
        tagged = _tag_at(data, at) > 0
        if stream.frames and (tagged or own != key):
            yield stream
            stream = _Stream()
        if not stream.frames:
            stream.tagged = tagged
        stream.frames.append((at, min(at + size, len(data))))
        at, key = at + size, own
        if at >= len(data):
            break
    if stream.frames:
        yield stream


def _files(data: bytes, stream: _Stream) -> Iterator[bytes]:
    """The stream as a file, with its own tag or a new one. Frames beyond the count of a tag are a file of their own."""
    frames = stream.frames
    if stream.tagged:
        count = _tag_count(data[slice(*frames[0])])
        if count and count >= len(frames) - 2:  # more, where the file was cut
            yield _joined(data, frames)
            return
        if count:
            yield _joined(data, frames[: count + 1])
            frames = frames[count + 1 :]
        else:
            frames = frames[1:]
    if frames:
        body = _joined(data, frames)
        yield _tag(body[:4], len(frames), len(body)) + body


def _tag_at(data: bytes, at: int) -> int:
    """The offset of a Xing, Info or VBRI tag in the frame at `at`; 0 where it has none."""
    begins = at + 4 + _side_info(data, at)
    for place, names in (
        (begins, (b"Xing", b"Info")),
        (begins + 2, (b"Xing", b"Info")),
        (at + 36, (b"VBRI",)),
    ):
        if data[place : place + 4] in names:
            return place
    return 0


def _tag_count(frame: bytes) -> int:
    """The number of frames in a Xing or Info tag; 0 where it has none, and for VBRI."""
    at = _tag_at(frame, 0)
    if frame[at : at + 4] == b"VBRI" or not frame[at + 7] & 1:
        return 0
    return int.from_bytes(frame[at + 8 : at + 12], "big")


def _side_info(data: bytes, at: int) -> int:
    """Bytes between the header and the main data of a frame."""
    mpeg1, mono = data[at + 1] >> 3 & 3 == 3, data[at + 3] >> 6 == 3
    return (17 if mono else 32) if mpeg1 else (9 if mono else 17)


def _joined(data: bytes, frames: list[tuple[int, int]]) -> bytes:
    """The bytes of the frames, without what lies between them."""
    runs: list[list[int]] = []
    for start, stop in frames:
        if runs and runs[-1][1] == start:
            runs[-1][1] = stop
        else:
            runs.append([start, stop])
    return b"".join(data[start:stop] for start, stop in runs)


def _synced(data: bytes, at: int, limit: int | None = None) -> int | None:
    """The offset of the next frame that two others follow, or the end of the file. limit: bytes to search."""
    while size := id3_size(data[at : at + 10]):
        at += size
    stop = len(data) if limit is None else min(len(data), at + limit)
    for match in _HEADER.finditer(data, at, stop):
        if _frame_size(data, match.start()) and _followed(data, match.start(), 2):
            return match.start()
    return None


def _followed(data: bytes, at: int, times: int = 1) -> bool:
    """Whether frames of the same kind follow. The end of the file is as good as a frame, but for the first one's."""
    key, first = _key(data, at), True
    for _ in range(times):
        at += _frame_size(data, at)
        if at >= len(data):
            return not first or at == len(data)
        if not _frame_size(data, at) or _key(data, at) != key:
            return False
        first = False
    return True


def id3_size(head: bytes) -> int:
    """Bytes of the ID3v2 tag that begins with these 10; 0 where it is none. Its own size leaves out header and footer."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    a, b, c, d = head[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 0x10 else 0)


def _key(data: bytes, at: int) -> bytes:
    """What stays the same within a stream: version, layer, rate, and whether it is mono."""
    return bytes([data[at + 1] & 0xFE, data[at + 2] & 0x0C, data[at + 3] >> 6 == 3])


def _frame_size(data: bytes, at: int) -> int:
    """Bytes of the layer III frame whose header is at `at`; 0 where there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return 0
    version, index, rate = data[at + 1] >> 3 & 3, data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or rate == 3 or index in (0, 15):
        return 0
    slots = 144 if version == 3 else 72
    return slots * 1000 * _KBPS[version == 3][index] // _RATES[version][rate] + (data[at + 2] >> 1 & 1)


def _tag(header: bytes, count: int, size: int) -> bytes:
    """A silent frame in the format of the others, without padding or CRC, with a Xing tag of these counts."""
    side = _side_info(header, 0)
    for index in range(1, 15):
        head = bytes([header[0], header[1] | 1, index << 4 | (header[2] & 0x0D), header[3]])
        room = _frame_size(head, 0)
        if room >= 4 + side + 16:
            break
    flags = (3).to_bytes(4, "big")  # both counts are there
    body = head + bytes(side) + b"Xing" + flags + count.to_bytes(4, "big") + size.to_bytes(4, "big")
    return body + bytes(room - len(body))
