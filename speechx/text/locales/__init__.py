"""One module of tables per language, and empty ones for a language that was added."""

from __future__ import annotations

import importlib
from functools import cache

from speechx.text.languages import LANGUAGES
from speechx.text.locales.base import Locale
from speechx.text.locales.measures import UnitNames


@cache
def load(language: str) -> Locale:
    """The tables of a language."""
    if language not in LANGUAGES:
        return _without_tables(language)
    locale: Locale = importlib.import_module(f"speechx.text.locales.{language}").LOCALE
    return locale


def _without_tables(language: str) -> Locale:
    """What sentences need of a language of which nothing is known: no abbreviation, no name of a month."""

    def unknown(*_: object) -> str:
        raise NotImplementedError(f"language {language!r} has no tables")

    return Locale(
        language, unknown, unknown, unknown, unknown, unknown, unknown, unknown, decimal_mark=",", point="", minus="", to="",
        over="", dot="", at="", months=(), symbols={}, currencies={}, units=UnitNames("en", {}), abbreviations={}, letters={},
    )  # fmt: skip
