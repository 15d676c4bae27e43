"""A word and its place in sound: what alignment, synthesis and reports pass on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["WordTime"]


@dataclass(frozen=True)
class WordTime:
    """A word and when it is spoken, in seconds from the start of the audio."""

    text: str
    start: float
    end: float

    def shifted(self, seconds: float) -> WordTime:
        """The same word `seconds` later."""
        return WordTime(self.text, self.start + seconds, self.end + seconds)

    def as_dict(self) -> dict[str, Any]:
        return {"text": self.text, "start": round(self.start, 3), "end": round(self.end, 3)}
