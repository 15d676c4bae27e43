"""Grapheme to phone: one back end per language, loaded at its first use; those of added languages read by espeak-ng or rules."""

from __future__ import annotations

from functools import cache

from speechx.text.g2p.base import G2P, Phones
from speechx.text.g2p.rules import AddedG2P, RulesG2P
from speechx.text.languages import AddedLanguage, added_language

__all__ = ["G2P", "AddedG2P", "Phones", "load", "load_added", "read_by"]


def load(language: str) -> G2P:
    """The back end of a known language; the same object each time (its cache is shared). Raises InputError where the
    espeak-ng of an added language is missing."""
    return load_added(language) or _load(language)


def load_added(language: str) -> AddedG2P | None:
    """The back end of a language that was added; None for one with rules of its own."""
    added = added_language(language)
    return None if added is None else read_by(added)


@cache
def read_by(language: AddedLanguage) -> AddedG2P:
    """What reads an added language. Raises InputError for rules that cannot be used, and without espeak-ng."""
    if language.rules:
        return RulesG2P(language.rules)
    from speechx.text.g2p.espeak import EspeakG2P

    return EspeakG2P(language.espeak, language.code)


@cache
def _load(language: str) -> G2P:
    if language == "en":
        from speechx.text.g2p.english import EnglishG2P

        return EnglishG2P()
    if language == "fr":
        from speechx.text.g2p.french import FrenchG2P

        return FrenchG2P()
    if language == "es":
        from speechx.text.g2p.spanish import SpanishG2P

        return SpanishG2P()
    if language == "it":
        from speechx.text.g2p.italian import ItalianG2P

        return ItalianG2P()
    if language == "pt":
        from speechx.text.g2p.portuguese import PortugueseG2P

        return PortugueseG2P()
    assert language == "de", language
    from speechx.text.g2p.german import GermanG2P

    return GermanG2P()
