"""What surrounds a written word while it is expanded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TokenContext:
    """Neighbors of a word (without punctuation) and what the text is like.

    preceding, following: up to four words each, in the order of the text. last: the word ends the text.
    closed: punctuation follows the word at once. parted: punctuation stands between it and the word before. shouting: the text is all in capitals. maths: it has an equals sign.
    """

    preceding: tuple[str, ...] = ()
    following: tuple[str, ...] = ()
    last: bool = False
    closed: bool = False
    parted: bool = False
    shouting: bool = False
    maths: bool = False

    @property
    def before(self) -> str:
        return self.preceding[-1] if self.preceding else ""

    @property
    def after(self) -> str:
        return self.following[0] if self.following else ""
