"""The languages: their codes, in the order of the model's language tokens. The only list of them in the product."""

from __future__ import annotations

from speechx.errors import InputError

__all__ = ["LANGUAGES", "check_language"]

LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
"""Append only: the index of a language is part of trained weights and of training data on disk."""


def check_language(language: str) -> None:
    """Raise InputError, field "language", for a language without a back end."""
    if language not in LANGUAGES:
        choice = ", ".join(LANGUAGES)
        raise InputError(f"language {language!r} is not supported; choose one of {choice}", field="language")
