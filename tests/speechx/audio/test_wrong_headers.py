"""Headers that say less than the file holds: times of Ogg pages, numbers of samples of flac."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from speechx.audio import reading
from speechx.errors import InputError
from tests.speechx.audio.test_odd_files import file_of, tone
from tests.speechx.audio.test_reading import ogg_crc


@pytest.mark.parametrize("name", ["opus", "vorbis"])
def test_wrong_times_of_ogg_pages(name: str) -> None:
    """Decoders end where the last page says: whole pages of sound are lost without an error."""
    whole_T = tone(30.0)
    pages = ogg_pages(file_of(name, whole_T))
    sound = [page for page in pages if page_time(page) > 0]
    head = pages[: -len(sound)]
    early = [with_page(sound[0], time=page_time(sound[0]) - 8), *sound[1:]]
    two_ends = [*sound[:-2], with_page(sound[-2], flags=4), sound[-1]]
    no_end = [*sound[:-1], with_page(sound[-1], flags=0)]
    for kept in (early, two_ends, no_end):
        assert len(reading.read(b"".join(head + kept))) == pytest.approx(len(whole_T), abs=700)
    no_times = [with_page(page, time=0) for page in sound]
    falling = [*sound[:-1], with_page(sound[-1], time=page_time(sound[0]))]
    for lost in (no_times, falling):
        with pytest.raises(InputError, match="wrong times"):
            reading.read(b"".join(head + lost))
        assert len(reading.read(b"".join(head + falling), whole=False)) > 8000


def ogg_pages(data: bytes) -> list[bytes]:
    pages = []
    while data:
        size = 27 + data[26] + sum(data[27 : 27 + data[26]])
        pages.append(data[:size])
        data = data[size:]
    return pages


def page_time(page: bytes) -> int:
    return int(struct.unpack_from("<q", page, 6)[0])


def with_page(page: bytes, *, time: int | None = None, flags: int | None = None) -> bytes:
    """The page with another time or other flags."""
    time, flags = page_time(page) if time is None else time, page[5] if flags is None else flags
    page = page[:5] + bytes([flags]) + struct.pack("<q", time) + page[14:22] + bytes(4) + page[26:]
    return page[:22] + struct.pack("<I", ogg_crc(page)) + page[26:]


def test_flac_whose_header_has_too_few_samples() -> None:
    data = bytearray(file_of("flac", tone(4.0)))
    for count in (32000, 0):
        data[22:26] = count.to_bytes(4, "big")
        for behind in (b"", b"TAG" + bytes(125)):
            assert np.allclose(reading.read(bytes(data) + behind), tone(4.0), atol=1e-3)
