"""Spaces that do not part words: 5 %, R$ 20, 1 000, 3:30 pm, 2 1/2, z. B., telephone numbers."""

from __future__ import annotations

import re
from functools import cache

from speechx.text import locales
from speechx.text.digits import PHONE
from speechx.text.locales.base import JOIN, Locale
from speechx.text.money import symbol_pattern

_PHONE = re.compile(
    r"(?<![\w.,$€£¥/+-])(?P<plus>\+\d{1,3}[ .-]?)?(?P<area>\(\d{1,5}\)[ .-]?)?\d{1,5}(?:[ ./-]\d{1,8}|(?<=[ .-]\d)\d+)*(?![\w]|[.,:]\d|[-/]\d| ?[%€$£°])"
)
_NORTH_AMERICAN = re.compile(r"^(?:1[-. ])?\d{3}[-. ]\d{3}[-. ]\d{4}$")
_EMERGENCY = frozenset("911 112 999 110 190 192 193 061 091 113 115 118 116117".split())
_WORDS_BEFORE = re.compile(r"[^\W\d_]+")
_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?!\d)")
_MIXED = re.compile(r"(?<![\d/.,])(\d{1,4}) (?=(\d{1,2})/(\d{1,3})(?![\d/]))")
_LENGTHS = re.compile(
    r"(?<![\w.,])\d+ ?h ?\d+(?: ?(?:min|mn|m)\b(?: ?\d+ ?s\b)?)?(?!\w)|(?<![\w.,])\d+ ?min ?\d+ ?s\b"
)
_TIMES = re.compile(r"(?<=\d) (?=(?:Uhr|h|hs|hrs?|[ap]\. ?m\.?|[ap]m)(?!\w))", re.IGNORECASE)
_GERMAN_DATE = re.compile(r"(?<![\w.])\d{1,2}\. \d{1,2}\.(?: (?:19|20)\d\d\b)?")
_PER_HUNDRED = re.compile(r"(?<=\d) ?l/100 ?km\b")
_MERIDIEM = re.compile(r"(?<=\d)[ \x1f]?[ap]\. m\.", re.IGNORECASE)
_SIGNS = re.compile(r"(?<=\d) (?=[%‰°¼½¾⅐-⅞])")


def join_words(text: str, language: str) -> str:
    """The text with JOIN for every space inside a written word, and PHONE before every telephone number."""
    locale = locales.load(language)
    text = _PHONE.sub(lambda match: _phone(match, locale), text)
    text = _MIXED.sub(lambda match: f"{match[1]}{JOIN if int(match[2]) < int(match[3]) else ' '}", text)
    if language == "de":
        text = _GERMAN_DATE.sub(lambda match: match.group().replace(" ", JOIN), text)
    for pattern in (
        *_money(),
        _PER_HUNDRED,
        _SIGNS,
        _GROUPS,
        _LENGTHS,
        _TIMES,
        _MERIDIEM,
        spaced_abbreviations(language),
    ):
        text = pattern.sub(lambda match: match.group().replace(" ", JOIN), text)
    return text


@cache
def _money() -> tuple[re.Pattern[str], ...]:
    symbols = symbol_pattern()
    return (
        re.compile(rf"(?<![\w$])(?:{symbols}) (?=[-+]?\d)"),
        re.compile(r"[$€£¥][\d.,]+ (?=[MBKTk]\b)"),
        re.compile(rf"(?<=\d) (?=(?:M|k|Md|Mds)?(?:{symbols})(?![\w$]))"),
    )


def _phone(match: re.Match[str], locale: Locale) -> str:
    text = match.group()
    digits = sum(char.isdigit() for char in text)
    area, plus = match["area"], match["plus"]
    groups = re.findall(r"\d+", text)
    words = [
        word.lower()
        for word in _WORDS_BEFORE.findall(match.string[max(0, match.start() - 60) : match.start()])
    ]
    called = any(word in locale.phone_words for word in words)
    if (
        (plus and digits >= 8)
        or (area and digits >= 7 and len(groups) > 1 and digits - len(groups[0]) >= 5)
        or (called and digits >= 7 and not _is_amount(text, locale))
        or (groups[0][0] == "0" and digits >= 9 and len(groups) > 1)
        or _NORTH_AMERICAN.match(text)
        or (called and text in _EMERGENCY)
    ):
        return PHONE + text.replace(" ", JOIN)
    return text


def _is_amount(text: str, locale: Locale) -> bool:
    """Whether digits are one number with marks of thousands: 1.234.567."""
    mark = r"\." if locale.decimal_mark == "," else ","
    return re.fullmatch(rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+", text) is not None


@cache
def glued_abbreviations(language: str) -> re.Pattern[str]:
    """Abbreviations that stand before a number without a space: No.1, p.12, Abb.3."""
    locale = locales.load(language)
    words = [key for key in locale.abbreviations if re.fullmatch(r"[^\W\d_]{3,}\.", key)]
    known = (re.escape(key) for key in [*locale.before_number, *words] if key.endswith("."))
    return re.compile(rf"(?<![\w.])({'|'.join(sorted(known, key=len, reverse=True))})(?=\d)", re.IGNORECASE)


@cache
def spaced_abbreviations(language: str) -> re.Pattern[str]:
    """Abbreviations of several parts, with and without spaces: z. B., p. ej., EE. UU., av. J.-C."""
    known = locales.load(language).abbreviations
    several = sorted(
        (key for key in known if key.endswith(".") and key.count(".") > 1), key=len, reverse=True
    )
    spaced = [r"\. ?".join(map(re.escape, key[:-1].split("."))) + r"\." for key in several]
    return re.compile(rf"(?<![\w.])(?:{'|'.join(spaced) or '(?!)'})", re.IGNORECASE)
