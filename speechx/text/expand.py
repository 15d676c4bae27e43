"""Spoken words of one written word: abbreviations, symbols, acronyms, addresses, and numbers by `digits`."""

from __future__ import annotations

import re
import unicodedata

from speechx.text.digits import SCALE_WORDS, TokenContext, number, verbalize_digits
from speechx.text.locales.base import Locale

_ADDRESS = re.compile(
    r"^(?:https?://|www\.)\S+$"
    r"|^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$"
    r"|^(?:[a-z\d-]+\.)+(?:com|org|net|edu|gov|io|de|fr|es|it|br|pt|uk|eu|ai|dev)(?:/\S*)?$",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"^(?:[^\W\d_]\.)+[^\W\d_]?\.?$")
_CAPITALS = re.compile(r"^([^\W\d_]{2,}?)('?s)?$")
_ROMAN = re.compile(r"^(?=[IVX])(X{0,3})(IX|IV|V?I{0,3})(e|ème)?$")
_PIECES = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_²³]+(?:['-][^\W\d_²³]+)*'?|[^\w\s]|[²³]")
_LETTER = re.compile(r"[^\W\d_]")
_UNITS = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}
_CENTURIES = ("siglo", "siglos", "siècle", "siècles", "secolo", "secoli", "século", "séculos", "jahrhundert")
# What a Roman number counts in English; after other names it is a king's: Louis the fourteenth.
_COUNTED = frozenset(
    "Chapter Part War Book Volume Act Section Figure Table Type Class Phase Stage Level Vol Scene Article World "
    "Division Title Appendix Unit Mark Apollo".split()
)
# Abbreviations that are words too: these need a number after them, those a capital at the front.
_BEFORE_NUMBER = frozenset("no fig art nr n p pp vol ch cap pág".split())
_CAPITAL = frozenset("st co mar sat sun mon fri col gen ed ft mt sen hon est dec".split())
_CAPITAL_WITHOUT_DOT = frozenset("dr me pr mr mrs sr jr".split())
_GERMAN_BEFORE_ORDINAL = frozenset("am vom zum dem den des der die das im beim ein eine sein ihr".split())


def expand(core: str, locale: Locale, context: TokenContext, *, final: bool = False) -> list[str] | None:
    """Spoken words of one written word.

    Without `final` only forms to which a final dot belongs are tried (core ends with it): None for others.
    An acronym candidate stays in capitals, for the front end to spell or to read.
    """
    low = core.lower()
    if _is_letter_name(core, context):
        return locale.spell(core)
    if low in locale.abbreviations and _is_abbreviation(core, low, context):
        return locale.abbreviations[low].split()
    if _DOTTED.match(core) and (len(core) > 2 or (core[0].isupper() and not context.last)):
        return locale.spell(core)
    if not final and re.match(r"\d.*[ap]\.m\.$", low):
        return verbalize_digits(core, locale, context)
    if not final:
        return _dotted_ordinal(core, locale, context)
    if _ADDRESS.match(core):
        return _address(core, locale)
    if any(char.isdecimal() for char in core):
        words = verbalize_digits(core, locale, context)
        return _pieces(core, locale, context) if words is None else words
    if low in locale.currencies and not core.isalpha():
        return locale.currencies[low].many.split()
    if low in SCALE_WORDS and context.before and context.before[0] in locale.currencies:
        return [low, *locale.currencies[context.before[0]].many.split()]
    if low in locale.units:
        one, many = locale.units[low]
        if not core.isalpha() or (context.before[-1:].isdigit() and (len(core) > 1 or core.islower())):
            return (one if context.before == "1" else many).split()
    roman = _roman(core, locale, context)
    return _words(core, locale, context) if roman is None else roman


def _is_letter_name(core: str, context: TokenContext) -> bool:
    """A lone capital is a letter's name if it cannot be a word (B) or stands in a row of letters (A B C)."""
    if context.all_caps or len(core) != 1 or not (core.isalpha() and core.isupper()):
        return False
    if unicodedata.normalize("NFD", core)[0] not in "AEIOUY":
        return True
    return any(
        len(word) == 1 and word.isalpha() and word.isupper() for word in (context.before, context.after)
    )


def _is_abbreviation(core: str, low: str, context: TokenContext) -> bool:
    """An abbreviation that is also a word counts only where it can be one."""
    word = low.removesuffix(".")
    if not low.endswith("."):
        return word not in _CAPITAL_WITHOUT_DOT or (core[0].isupper() and bool(context.after))
    if word in _BEFORE_NUMBER:
        return context.after[:1].isdigit()
    if word in _CAPITAL:
        return core[0].isupper() and (not context.last or word in ("co", "st"))
    return True


def _dotted_ordinal(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """German "3. Mai": digits and a dot before a month, or between an article and a noun, are an ordinal."""
    if locale.language != "de" or not re.match(r"^\d{1,3}\.$", core) or not _LETTER.match(context.after):
        return None
    before = context.before.lower()
    if context.after.lower() not in locale.months and before not in _GERMAN_BEFORE_ORDINAL:
        return None
    words = locale.ordinal(int(core[:-1]) or 1)
    if before in ("am", "vom", "zum", "dem", "den", "des", "im", "beim", "bis"):
        words += "n"
    return words.split()


def _roman(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """Kings, popes and centuries: Louis XIV, siglo XIX, XXe siècle, World War II. Single letters are not read."""
    match = _ROMAN.match(core)
    if context.all_caps or len(core) < 2 or not match:
        return None
    value = 10 * len(match[1]) + _UNITS[match[2]]
    century = any(word.lower() in _CENTURIES for word in (context.before, context.after))
    if match[3] or (century and context.after.lower() in _CENTURIES):
        return locale.ordinal(value).split() if locale.language in ("fr", "it") else None
    if not century and not context.before[:1].isupper():
        return None
    if locale.language == "en" and context.before not in _COUNTED:
        return ["the", *locale.ordinal(value).split()]
    return locale.cardinal(value, False).split()


def _words(core: str, locale: Locale, context: TokenContext) -> list[str]:
    """A written word without digits: itself in lower case, its symbols by name, an acronym in capitals."""
    match = _CAPITALS.match(core)
    if match and match[1].isupper() and not context.all_caps:
        if not match[2]:
            return [core]
        *head, last = locale.spell(match[1])
        return [*head, f"{last}'s" if locale.language == "en" else last]
    if context.all_caps and core in locale.spelled and not re.search("[AEIOU]", core):
        return locale.spell(core)
    return _pieces(core, locale, context)


def _pieces(core: str, locale: Locale, context: TokenContext) -> list[str]:
    """Letters, digits and symbols of a mixed word one run after the other: mp3, AT&T, A4, COVID-19, he/she."""
    words: list[str] = []
    mixed = any(char.isdigit() or char == "&" for char in core)
    for piece in _PIECES.findall(core):
        if piece[0].isdecimal():
            words += number(piece, locale)
        elif _LETTER.match(piece):
            capitals = piece.isupper() and not context.all_caps
            if piece != core and (
                (capitals and (len(piece) == 1 or (mixed and len(piece) < 4))) or (mixed and len(piece) == 1)
            ):
                words += locale.spell(piece)
            elif piece != core and mixed and capitals:
                words.append(piece)
            else:
                words.append(unicodedata.normalize("NFC", piece.lower()))
        elif piece in locale.symbols and piece not in "-/":
            words += locale.symbols[piece].split()
    return words


def _address(core: str, locale: Locale) -> list[str]:
    """A web or mail address: words as they are, marks by name, the scheme left out."""
    core = re.sub(r"^https?://", "", core.lower()).rstrip("/")
    words: list[str] = []
    for piece in re.findall(r"[^\W\d_]+|\d+|\S", core):
        if piece == ".":
            words += locale.dot.split()
        elif piece == "@":
            words += locale.at.split()
        elif piece.isdigit():
            words += number(piece, locale)
        elif _LETTER.match(piece):
            words += locale.spell(piece) if piece == "www" or len(piece) == 1 else [piece]
        else:
            words += locale.symbols.get(piece, "").split()
    return words
