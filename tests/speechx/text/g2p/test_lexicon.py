"""Language packs that several threads use at once, as the workers of a server and of a batch job do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pycrfsuite
import pytest

from speechx.text.g2p.english import EnglishG2P

PHRASES = [
    text.split()
    for text in ("they read the record aloud", "i record the lead singer", "a zorbulated fnordlet")
]


class SlowTagger:
    """crfsuite's tagger, slow to open, which notices when two threads are in it."""

    def __init__(self) -> None:
        self._tagger, self._busy = original(), threading.Lock()

    def open(self, path: str) -> None:
        time.sleep(0.1)
        self._tagger.open(path)

    def tag(self, features: object) -> list[str]:
        assert self._busy.acquire(blocking=False), "two threads at once"
        try:
            time.sleep(0.01)
            return list(self._tagger.tag(features))
        finally:
            self._busy.release()


original = pycrfsuite.Tagger


def test_threads_share_a_language_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = EnglishG2P()
    expected = [alone(words) for words in PHRASES]
    monkeypatch.setattr(pycrfsuite, "Tagger", SlowTagger)
    shared = EnglishG2P()
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(shared, PHRASES * 4)) == expected * 4
