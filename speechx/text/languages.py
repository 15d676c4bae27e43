"""The languages: their codes, in the order of the model's language tokens. The only list of them in the product."""

from __future__ import annotations

from speechx.errors import InputError, nearest

__all__ = ["LANGUAGES", "check_language", "unsupported"]

LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
"""Append only: the index of a language is part of trained weights and of training data on disk."""


_NAMES = {
    "en": "english eng", "es": "spanish español castellano spa", "fr": "french français fra fre",
    "de": "german deutsch deu ger", "it": "italian italiano ita", "pt": "portuguese português brazilian por",
}  # fmt: skip
"""What people call the languages: understood in messages, not accepted."""


def check_language(language: str) -> None:
    """Raise InputError, field "language", for a language without a back end."""
    if language not in LANGUAGES:
        raise InputError(f"language {unsupported(language)}", field="language")


def unsupported(language: str) -> str:
    """The message about an unsupported language: the supported ones, and the code that was probably meant."""
    codes = {name: code for code in LANGUAGES for name in (code, *_NAMES[code].split())}
    near = nearest(language.strip(), codes)
    hint = f"; did you mean {codes[near]!r}?" if near else ""
    return f"{language!r} is not supported; choose one of {', '.join(LANGUAGES)}{hint}"
