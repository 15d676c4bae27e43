"""English and French: a gruut language pack (MIT): a pronunciation lexicon on disk and a CRF for unknown words.

Only the packs' data are used, not gruut itself: lexicon.db (SQLite) and g2p/model.crf, read with python-crfsuite.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import sqlite3
import threading
import unicodedata
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from speechx.text.g2p.base import Phones
from speechx.text.phones import resolve


def coded(text: str) -> str:
    """CRF models of gruut hold graphemes and phones in base64, since crfsuite wants plain ASCII."""
    return base64.b64encode(text.encode()).decode("ascii")


_lock = threading.Lock()
"""Of all taggers."""


def _renew_lock() -> None:
    """In a forked child: a lock that no thread of the parent holds."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class SequenceTagger:
    """A CRF of a language pack, opened when it is first used. Threads may share it: crfsuite's own tagger keeps the sequence
    that it was given last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: Any = None

    def tag(self, features: list[Any]) -> list[str]:
        """The tag of each place of a sequence."""
        with _lock:
            if self._opened is None:
                import pycrfsuite

                tagger = pycrfsuite.Tagger()
                tagger.open(str(self._path))
                self._opened = tagger
            return list(self._opened.tag(features))


class Lexicon:
    """Pronunciations of one language pack. Threads may share it. Raises RuntimeError if the pack is missing."""

    def __init__(self, language: str) -> None:
        spec = importlib.util.find_spec(f"gruut_lang_{language}")
        if spec is None or spec.origin is None:
            raise RuntimeError(
                f"the package gruut_lang_{language} is missing; install speechx again with pip"
            )
        folder = Path(spec.origin).parent
        self.folder = folder
        self._guesser = SequenceTagger(folder / "g2p" / "model.crf")
        self._entries = _read(folder / "lexicon.db")
        self.variants = lru_cache(maxsize=50_000)(self._variants)
        self.guess = lru_cache(maxsize=20_000)(self._guess)

    def _variants(self, word: str) -> tuple[tuple[Phones, str], ...]:
        """Every pronunciation of a word with its part-of-speech role ("" for any), commonest first."""
        entry = self._entries.get(word, "")
        parts = (variant.partition("\t") for variant in entry.split("\n") if variant)
        return tuple((to_table(phones.split()), role) for phones, _, role in parts)

    def find(self, word: str) -> Phones | None:
        """The commonest pronunciation, or None for an unknown word."""
        variants = self.variants(word)
        return variants[0][0] if variants else None

    def _guess(self, word: str) -> Phones:
        """A pronunciation for an unknown word, letter by letter with three letters of context on each side."""
        word = unicodedata.normalize("NFC", word)
        if not word:
            return ()
        tags = self._guesser.tag([_letter_features(word, i) for i in range(len(word))])
        symbols = [p for tag in tags for p in base64.b64decode(tag).decode().split("|")]
        return to_table([symbol for symbol in symbols if symbol != "_"])


def _read(path: Path) -> dict[str, str]:
    """word -> its variants, one a line, "phones<tab>role".

    The database has no index on words, so one scan into memory (0.2 s, about 30 MB) is cheaper than a few look-ups.
    """
    entries: dict[str, str] = {}
    # Immutable: no lock files, so an installation on a read-only disk works.
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        for word, phones, role in db.execute(
            "SELECT word, phonemes, role FROM word_phonemes ORDER BY word, pron_order"
        ):
            variant = f"{phones}\t{role}"
            entries[word] = f"{entries[word]}\n{variant}" if word in entries else variant
    return entries


def to_table(symbols: list[str]) -> Phones:
    """A library's IPA symbols as phones of the frozen table."""
    return tuple(phone for symbol in symbols for phone in resolve(symbol))


def _letter_features(word: str, i: int) -> dict[str, str | float | bool]:
    """The features that the packs' letter-to-sound models were trained on (names are part of the model)."""
    features: dict[str, str | float | bool] = {"bias": 1.0, "grapheme": coded(word[i])}
    for distance in (1, 2, 3):
        if i >= distance:
            features[f"grapheme-{distance}"] = coded(word[i - distance])
        if i + distance < len(word):
            features[f"grapheme+{distance}"] = coded(word[i + distance])
    if i == 0:
        features["begin"] = True
    if i == len(word) - 1:
        features["end"] = True
    return features
