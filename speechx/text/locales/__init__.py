"""One module of tables per language."""

from __future__ import annotations

import importlib
from functools import cache

from speechx.text.locales.base import Locale


@cache
def load(language: str) -> Locale:
    """The tables of a language of `speechx.text.LANGUAGES`."""
    locale: Locale = importlib.import_module(f"speechx.text.locales.{language}").LOCALE
    return locale
