"""Values that other layers pass on: the phones of a text, its words, and the time of a word in sound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from speechx.text.phones import PAUSES, PHONE_IDS

__all__ = ["PhoneSequence", "Word", "WordTime"]


@dataclass(frozen=True)
class Word:
    """A written word and the half-open range [start, stop) of its phones."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class PhoneSequence:
    """Phones of a text: "_" at both ends, pauses as phones of their own, word borders only as spans.

    ids: (N,) int64, indices into the frozen phone table.
    """

    language: str
    phones: tuple[str, ...]
    ids: np.ndarray
    words: tuple[Word, ...]

    def closed(self) -> PhoneSequence:
        """The same with a full stop at its end, unless it ends with a pause: what is said then also comes to an end."""
        if self.phones[-2] in PAUSES:
            return self
        ids = np.insert(self.ids, len(self.ids) - 1, PHONE_IDS["."])
        return replace(self, phones=(*self.phones[:-1], ".", self.phones[-1]), ids=ids)


@dataclass(frozen=True)
class WordTime:
    """A word and when it is spoken, in seconds from the start of the audio."""

    text: str
    start: float
    end: float

    def shifted(self, seconds: float) -> WordTime:
        """The same word `seconds` later."""
        return WordTime(self.text, self.start + seconds, self.end + seconds)

    def as_dict(self) -> dict[str, str | float]:
        return {"text": self.text, "start": round(self.start, 3), "end": round(self.end, 3)}
