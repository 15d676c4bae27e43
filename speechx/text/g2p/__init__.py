"""Grapheme to phone: one back end per language, loaded at its first use."""

from __future__ import annotations

from functools import cache

from speechx.text.g2p.base import G2P, Phones

__all__ = ["G2P", "Phones", "load"]


@cache
def load(language: str) -> G2P:
    """The back end of a language of `speechx.text.LANGUAGES`; the same object each time (its cache is shared)."""
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
