"""Errors that a user can act on."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["InputError", "did_you_mean", "nearest"]


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names the field and the limit; it is shown as it is. The command line
    exits with code 2, HTTP answers 4xx, a batch writes it into the item's result row.

    field: the request field (or file) at fault, where one is known; `located` fills it in later.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def located(self, field: str) -> InputError:
        """The same error, said of `field`, unless it names one already."""
        if self.field is not None:
            return self
        return InputError(f"{field}: {self.message}", field=field)

    def __str__(self) -> str:
        return self.message


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one resembles most, without regard to case; None where none is near."""
    by_spelling = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), by_spelling, n=1)
    return by_spelling[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about a mistyped name: "; did you mean 'heart'?", or nothing where no known name is near."""
    near = nearest(word, known)
    return f"; did you mean {near!r}?" if near else ""
