"""Errors that a user can act on."""

from __future__ import annotations

__all__ = ["InputError"]


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
