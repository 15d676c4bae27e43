"""Ogg: the links of a chained file, and the bytes missing at its end. libsndfile reads the first link only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from speechx.audio.chunks import Recording
from speechx.audio.sources import find, read_at

__all__ = ["MAGIC", "links"]

MAGIC = b"OggS"
BEGINS = 2  # flag of a page with which a logical stream begins


def links(file: BinaryIO, start: int, size: int) -> Iterator[Recording]:
    """The links in [start, size). A link begins with a page that begins a stream, after one that does not."""
    at, link, headers = start, start, True
    while at < size:
        page = _page(file, at)
        if page is None:
            at = find(file, MAGIC, at + 1, size)  # a damaged spot
            continue
        length, begins = page
        if begins and not headers:
            yield Recording(link, at)
            link = at
        headers = begins
        if length > size - at:
            yield Recording(link, size, missing=length - (size - at))
            return
        at += length
    yield Recording(link, size)


def _page(file: BinaryIO, at: int) -> tuple[int, bool] | None:
    """(length of the page at this offset, whether a stream begins with it); None where there is no page."""
    head = read_at(file, at, 27 + 255)
    if head[:4] != MAGIC or head[4:5] not in (b"", b"\0"):
        return None
    segments = head[26] if len(head) > 26 else 0
    return 27 + segments + sum(head[27 : 27 + segments]), len(head) > 5 and bool(head[5] & BEGINS)
