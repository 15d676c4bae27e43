"""Ogg: the links of a chained file, and the bytes missing at its end. libsndfile reads the first link only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from speechx.audio.chunks import Recording
from speechx.audio.sources import find, read_at

__all__ = ["MAGIC", "links"]

MAGIC = b"OggS"
HEADERS = 3  # pages of a header, at most
BEGINS = 2  # flag of a page with which a logical stream begins


def links(file: BinaryIO, start: int, size: int) -> Iterator[Recording]:
    """The links in [start, size). A link begins with a page that begins a stream, after one that does not."""
    at, link, headers = start, start, True
    clock = _Clock()
    while at < size:
        page = _page(file, at)
        if page is None:
            at = find(file, MAGIC, at + 1, size)  # a damaged spot
            continue
        length, begins = page
        if begins and not headers:
            yield Recording(link, at, fault=clock.fault())
            link, clock = at, _Clock()
        headers = begins
        clock.note(read_at(file, at, 18))
        if length > size - at:
            yield Recording(link, size, missing=length - (size - at), fault=clock.fault())
            return
        at += length
    yield Recording(link, size, fault=clock.fault())


class _Clock:
    """The time of each stream's pages, in samples. Decoders end where the last page says."""

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._highest: dict[bytes, int] = {}
        self._pages: dict[bytes, int] = {}

    def note(self, page: bytes) -> None:
        """The first 18 bytes of the next page. A time of -1 is none: no packet ends there."""
        time, stream = int.from_bytes(page[6:14], "little", signed=True), page[14:18]
        self._pages[stream] = self._pages.get(stream, 0) + 1
        if time >= 0:
            self._last[stream] = time
            self._highest[stream] = max(time, self._highest.get(stream, 0))

    def fault(self) -> str:
        """What is wrong, if a stream's last time is not its highest, or pages behind those of the header have none."""
        if len(self._last) != 1:  # several streams side by side: FFmpeg reads them, and by its own rules
            return ""
        [(stream, last)] = self._last.items()
        if last == self._highest[stream] and (last or self._pages[stream] <= HEADERS):
            return ""
        return "is damaged: its Ogg pages have wrong times, by which decoders lose sound"


def _page(file: BinaryIO, at: int) -> tuple[int, bool] | None:
    """(length of the page at this offset, whether a stream begins with it); None where there is no page."""
    head = read_at(file, at, 27 + 255)
    if head[:4] != MAGIC or head[4:5] not in (b"", b"\0"):
        return None
    segments = head[26] if len(head) > 26 else 0
    return 27 + segments + sum(head[27 : 27 + segments]), len(head) > 5 and bool(head[5] & BEGINS)
