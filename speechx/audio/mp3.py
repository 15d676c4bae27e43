"""Adds the missing length to an mp3 file with a variable bitrate, such as a saved stream.

libsndfile estimates the length from the first bitrate and drops the audio after it, without an error. Here the frames are
counted, and a Xing tag with their number is put in front.
"""

from __future__ import annotations

__all__ = ["with_length"]

_KBPS = {  # layer III, by bitrate index
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG 1
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits


def with_length(data: bytes) -> bytes:
    """`data` with a Xing tag in front, if it is an mp3 with a variable bitrate and without a tag; else `data` itself."""
    start = _after_id3(data)
    size = _frame_size(data, start)
    if not size or any(tag in data[start : start + size] for tag in (b"Xing", b"Info", b"VBRI")):
        return data
    position, count, sizes = start, 0, set()
    while step := _frame_size(data, position):
        sizes.add(step - (data[position + 2] >> 1 & 1))  # less the padding byte
        position += step
        count += 1
    if len(sizes) < 2 or count < 3:
        return data
    return _tag(data[start : start + 4], count, len(data) - start) + data[start:]


def _after_id3(data: bytes) -> int:
    """Offset of the first frame, after an ID3v2 tag (whose size is in four 7-bit bytes)."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    a, b, c, d = data[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d)


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
    mpeg1, mono = header[1] >> 3 & 3 == 3, header[3] >> 6 == 3
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    for index in range(1, 15):
        head = bytes([header[0], header[1] | 1, index << 4 | (header[2] & 0x0D), header[3]])
        room = _frame_size(head, 0)
        if room >= 4 + side + 16:
            break
    body = (
        head
        + bytes(side)
        + b"Xing"
        + (3).to_bytes(4, "big")
        + count.to_bytes(4, "big")
        + size.to_bytes(4, "big")
    )
    return body + bytes(room - len(body))
