"""Numbers in words: marks of thousands and decimals, years, and agreement with the noun that is counted."""

from __future__ import annotations

import re

from speechx.text.context import TokenContext
from speechx.text.locales.base import JOIN, Locale

SCALE_WORDS = frozenset(
    "million millions billion billions trillion trillions thousand hundred millón millones billón billones milliard "
    "milliards milliarden millionen milliarde milione milioni miliardo miliardi milhão milhões bilhão bilhões trilhão "
    "trilhões mil tausend mille mila".split()
)
_MILLIONS = ("mill", "mili", "milh", "bill", "bilh", "bili", "trill", "trilh")
_YEAR = re.compile(r"1[1-9]\d\d|20\d\d")
_YEAR_BEFORE = frozenset(
    "in since of by until year from after before during around circa jahr jahre jahres seit von bis im ab anno um vor nach".split()
)
_NO_PLURAL = frozenset("was is has this its as his us yes".split())
_PLURALS = frozenset("people men women children feet mice users".split())
_LO = re.compile(r"^(?:s[^aeiouàèéìòù]|z|gn|ps|pn|x|y)", re.IGNORECASE)


def number(text: str, locale: Locale, noun: str = "") -> list[str]:
    """Digits with the language's marks (1,234.5 or 1.234,5) in words. noun: the noun that they count, if any."""
    text = text.replace(JOIN, "").replace("'", "")
    words: list[str] = []
    if text[0] in "-+±":
        words += {"-": locale.minus, "+": "plus", "±": "plus minus"}[text[0]].split()
        if text[0] == "+":
            words = locale.symbols["+"].split()
        text = text[1:]
    text = _home_marks(text, locale)
    group = "," if locale.decimal_mark == "." else "."
    if group in text and not re.match(rf"^[1-9]\d{{0,2}}(?:\{group}\d{{3}})+(?!\d)", text):
        # Not groups of three: the other custom (3.5 in German text).
        if text.count(group) > 1:
            return [*words, *dotted(text, locale)]
        text = text.replace(group, locale.decimal_mark)
    if text.count(locale.decimal_mark) > 1:
        groups = text.split(locale.decimal_mark)
        if all(len(part) == 3 for part in groups[1:]):
            text = "".join(groups)
        else:
            return [*words, *dotted(text, locale)]
    whole, mark, fraction = text.replace(group, "").partition(locale.decimal_mark)
    if len(whole) > 15 or (len(whole) > 1 and whole[0] == "0"):
        words += locale.spell(whole)
    else:
        said = locale.cardinal(int(whole or "0"), bool(noun) and not mark).split()
        words += said if mark else agree(said, noun, locale)
    if mark:
        words += [*locale.point.split(), *_decimals(fraction, locale)]
    return words


def _home_marks(text: str, locale: Locale) -> str:
    """1.234,56 in English and 1,234.56 elsewhere with the marks of the language; 1.000.000 without marks."""
    home = locale.decimal_mark
    group = "," if home == "." else "."
    if re.fullmatch(rf"\d{{1,3}}(?:\{home}\d{{3}})+\{group}\d+", text):
        return text.translate(str.maketrans(".,", ",."))
    return text.replace(home, "") if re.fullmatch(rf"[1-9]\d{{0,2}}(?:\{home}\d{{3}}){{2,}}", text) else text


def dotted(text: str, locale: Locale) -> list[str]:
    """Numbers with dots between them, each one said: versions, addresses of computers."""
    words: list[str] = []
    for piece in re.findall(r"\d+|\.", text):
        words += locale.dot.split() if piece == "." else locale.cardinal(int(piece), False).split()
    return words


def _decimals(digits: str, locale: Locale) -> list[str]:
    """Decimals one by one in English and German, as a number elsewhere (3,14: tres coma catorce)."""
    digits = "".join(char for char in digits if char.isdecimal())
    if locale.language in ("en", "de") or len(digits) > 2 or digits.startswith("0"):
        return locale.spell(digits)
    return locale.cardinal(int(digits or "0"), False).split()


def agree(words: list[str], noun: str, locale: Locale) -> list[str]:
    """Number words in the gender of their noun: una, veintiuna, doscientas; duas; une; eine. A million takes "de"."""
    if not noun or not words:
        return words
    if locale.of and is_million(words[-1]):
        return [*words, locale.of]
    if not locale.is_feminine(noun):
        return ["uno"] if locale.language == "it" and words == ["un"] and _LO.match(noun) else words
    if locale.language in ("it", "de"):
        return [locale.feminine.get(words[0], words[0])] if len(words) == 1 else words
    if locale.language == "fr":
        return [*words[:-1], locale.feminine.get(words[-1], words[-1])]
    start = max((i + 1 for i, word in enumerate(words) if is_million(word)), default=0)
    ends = [*words[1:], ""]
    kept = ("un", "veintiún")
    return [
        word if i < start or (word in kept and ends[i] == "mil") else locale.feminine.get(word, word)
        for i, word in enumerate(words)
    ]


def is_million(word: str) -> bool:
    """Whether a number word is a noun of its own: million and above."""
    return word.startswith(_MILLIONS) and word not in ("mille", "mila")


def counted_noun(context: TokenContext, locale: Locale) -> str:
    """The noun that a number counts: the next word, unless it is a function word or a mark stands between."""
    after = context.after
    if context.closed or not after[:1].isalpha():
        return ""
    low = after.lower()
    if low.startswith("d'"):
        return ""
    if low == "mil" and len(context.following) > 1:
        return context.following[1]
    if len(after) > 1 and (scale := locale.scales.get(after.removesuffix("."))):
        return scale[0]
    if names := locale.units.find(after):
        return names[1].split()[0] if len(after) < 5 else after
    if low in locale.function_words or low in locale.months:
        return ""
    if locale.language == "de":
        if after[0].isupper():
            return after
        adjective = low.endswith(("e", "er", "es")) and len(context.following) > 1
        return context.following[1] if adjective and context.following[1][:1].isupper() else ""
    return after


def year_or_number(text: str, locale: Locale, context: TokenContext | None = None) -> list[str]:
    """Four digits without marks from 1100 to 2099 are a year; a date's day may be an ordinal."""
    noun = counted_noun(context, locale) if context else ""
    if _YEAR.fullmatch(text) and not (context and _counts(context, noun, locale)):
        said = locale.year(int(text)).split()
        return agree(said, noun, locale) if locale.language in ("es", "pt") else said
    if context and re.fullmatch(r"[1-9]|[12]\d|3[01]", text) and (said := _day(int(text), locale, context)):
        return said
    return number(text, locale, noun)


def _counts(context: TokenContext, noun: str, locale: Locale) -> bool:
    """Whether four digits count a noun (2000 people) and are no year."""
    if not noun or context.before.lower() in _YEAR_BEFORE or context.before.lower() in locale.months:
        return False
    if locale.language == "en":
        plural = re.search(r"[a-z]{2}s$", noun) and noun not in _NO_PLURAL
        return bool(plural and noun.islower()) or noun in _PLURALS
    return locale.language == "de" and noun[0].isupper()


def month_of(word: str, locale: Locale) -> str:
    """The month that a word or its abbreviation names, or an empty string."""
    low = word.lower().removesuffix(".")
    if low in locale.months:
        return low
    full = locale.abbreviations.get(f"{low}.", "") if len(low) > 2 else ""
    return full if full in locale.months else ""


def _day(day: int, locale: Locale, context: TokenContext) -> list[str]:
    """The day beside a month: an ordinal in English, for the first of the month elsewhere; [] for other numbers."""
    if locale.month_first:
        if month_of(context.before, locale) and not context.parted:
            return locale.ordinal(day).split()
        if not month_of(context.after, locale) or context.closed:
            return []
        return [*([] if context.before.lower() == "the" else ["the"]), *locale.ordinal(day).split(), "of"]
    following = context.following[1:] if context.after.lower() == "de" else context.following
    if day != 1 or locale.language == "de" or not following or not month_of(following[0], locale):
        return []
    return locale.date(1, 1, None).split()[:1]
