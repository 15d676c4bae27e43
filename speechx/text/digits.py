"""Written words with digits in them: numbers, ordinals, years, dates, times, money, units, ranges, fractions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speechx.text.locales.base import JOIN, Locale

_SUFFIX = r"h|hrs?|uhr|am|pm|a\.m\.?|p\.m\.?"
_TIME = re.compile(rf"^(\d{{1,2}})(?::(\d{{2}})|h(\d{{2}})?)(?::\d{{2}})?(?:{JOIN}?({_SUFFIX}))?$", re.I)
_HOUR = re.compile(rf"^(\d{{1,2}}){JOIN}?(uhr|am|pm|a\.m\.?|p\.m\.?)$", re.I)
_DATE = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})?$")
_ISO_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$")
_PHONE = re.compile(r"^(?:\+?\d{1,4}(?:[-.]\d{2,4}){2,}|\d{3}-\d{4})$")
_RANGE = re.compile(r"^(\d+(?:[.,]\d+)?)[-–](\d+(?:[.,]\d+)?)(\D*)$")
_FRACTION = re.compile(r"^(\d+)/(\d+)$")
_DECADE = re.compile(r"^'?(\d{1,3})0'?s$")
_NUMBER = re.compile(rf"^[-+±]?(?:\d+(?:[.,{JOIN}]\d+|'\d{{3}})*|[.,]\d+)$")
_PREFIXED = re.compile(rf"^(R\$|US\$|[$€£¥#§+-]){JOIN}?([\d.,{JOIN}]*\d)(\D*)$", re.I)
_SUFFIXED = re.compile(rf"^([-+]?[\d.,{JOIN}]*\d){JOIN}?([^\d{JOIN}.,'-][^{JOIN}\d]{{0,6}}|[mk]m?[²³2])$")

SCALE_WORDS = frozenset(
    "million millions billion billions trillion thousand millón millones milliard milliards milliarden millionen "
    "milione milioni miliardo miliardi milhão milhões bilhão bilhões mil".split()
)


@dataclass(frozen=True)
class TokenContext:
    """Context of a token. before, after: neighbors without punctuation. last: ends the text. all_caps: of the whole text."""

    before: str = ""
    after: str = ""
    last: bool = False
    all_caps: bool = False


def number(text: str, locale: Locale, noun: bool = False) -> list[str]:
    """Digits with the language's marks (1,234.5 or 1.234,5) in words. noun: the form that stands before a noun."""
    text = text.replace(JOIN, "").replace("'", "")
    words: list[str] = []
    if text[0] in "-+±":
        words += {"-": locale.minus, "+": "plus", "±": "plus minus"}[text[0]].split()
        text = text[1:]
    group = "," if locale.decimal_mark == "." else "."
    if group in text and not re.match(rf"^[1-9]\d{{0,2}}(?:\{group}\d{{3}})+(?!\d)", text):
        # Not groups of three: the other custom (3.5 in German text), or a list of numbers (1.2.3).
        if text.count(group) > 1:
            return [*words, *(word for part in text.split(group) if part for word in number(part, locale))]
        text = text.replace(group, locale.decimal_mark)
    whole, mark, fraction = text.replace(group, "").partition(locale.decimal_mark)
    if len(whole) > 15 or (len(whole) > 1 and whole[0] == "0"):
        words += locale.spell(whole)
    else:
        words += locale.cardinal(int(whole or "0"), noun and not mark).split()
    if mark:
        words += [*locale.point.split(), *_decimals(fraction, locale)]
    return words


def _decimals(digits: str, locale: Locale) -> list[str]:
    """Decimals one by one in English and German, as a number elsewhere (3,14: tres coma catorce)."""
    digits = "".join(char for char in digits if char.isdecimal())
    if locale.language in ("en", "de") or len(digits) > 2 or digits.startswith("0"):
        return locale.spell(digits)
    return locale.cardinal(int(digits or "0"), False).split()


def verbalize_digits(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """Spoken words of a written word with a digit in it; None for an unknown form (B2B)."""
    if _PHONE.match(core):
        return locale.spell(core)
    if (spoken := _date_or_time(core, locale)) is not None:
        return spoken
    if (spoken := _ordinal(core, locale)) is not None:
        return spoken
    if match := _FRACTION.match(core):
        top, bottom = int(match[1]), int(match[2])
        if (top, bottom) in locale.fractions:
            return locale.fractions[top, bottom].split()
        over = locale.over.split() if top < bottom else []  # 24/7 and 50/50 are no fractions
        return [*number(match[1], locale), *over, *number(match[2], locale)]
    if match := _RANGE.match(core):
        first, second = (year_or_number(part, locale) for part in (match[1], match[2]))
        return [*first, *locale.to.split(), *second, *_tail(match[3], locale)]
    if match := _PREFIXED.match(core):
        return _prefixed(match[1], match[2], match[3].strip(JOIN), locale, context)
    if (match := _SUFFIXED.match(core)) and (spoken := _suffixed(match[1], match[2], locale)) is not None:
        return spoken
    if _NUMBER.match(core):
        return year_or_number(core, locale, context)
    return None


def _ordinal(core: str, locale: Locale) -> list[str] | None:
    """1st, 2º, 3ème, 2ª; decades: the 1990s, 90er Jahre."""
    marks = locale.ordinal_marks or "(?!)"
    if match := re.match(rf"^(\d{{1,9}})\.?(?:{marks})$", core, re.I):
        words = locale.ordinal(int(match[1])) if int(match[1]) else number(match[1], locale)[0]
        if core[-1] in "ªa" and locale.language in ("es", "it", "pt"):
            words = " ".join(re.sub("o$", "a", word) for word in words.split())
        return words.split()
    if locale.language == "de" and (match := re.match(r"^(\d{1,4})er$", core)):
        return f"{locale.year(int(match[1]))}er".split()
    if locale.language == "en" and (match := _DECADE.match(core)):
        tens = int(match[1] + "0")
        decade = locale.year(tens) if len(match[1]) == 3 else locale.cardinal(tens, False)
        return (decade[:-1] + "ies" if decade.endswith("y") else decade + "s").split()
    return None


def _date_or_time(core: str, locale: Locale) -> list[str] | None:
    if (match := _TIME.match(core)) and int(match[1]) < 25 and int(match[2] or match[3] or 0) < 60:
        words = locale.time(int(match[1]), int(match[2] or match[3] or 0)).split()
        half = (match[4] or "").lower().replace(".", "")
        if half not in ("am", "pm"):
            return words
        words = [word for word in words if word != "o'clock"]
        return [*words, *locale.units.get(half, (half, half))[1].split()]
    if match := _HOUR.match(core):
        suffix = match[2].lower().replace(".", "")
        if suffix == "uhr":
            return locale.time(int(match[1]), 0).split()
        return [*number(match[1], locale), *locale.units.get(suffix, ("", suffix))[1].split()]
    if match := _ISO_DATE.match(core):
        year, month, day = (int(part) for part in match.groups())
    elif match := _DATE.match(core):
        first, second = int(match[1]), int(match[3])
        day, month = (second, first) if locale.month_first else (first, second)
        if month > 12:
            day, month = month, day
        year = int(match[4]) if match[4] else 0
    else:
        return None
    if not (1 <= month <= 12 and 1 <= day <= 31) or (not year and match[2] != "."):
        return None
    return locale.date(day, month, year or None).split()


def year_or_number(text: str, locale: Locale, context: TokenContext | None = None) -> list[str]:
    """Four digits without marks from 1100 to 2099 are a year; a date's day may be an ordinal."""
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", text):
        return locale.year(int(text)).split()
    near = (context.before.lower(), context.after.lower()) if context and locale.month_first else ()
    if any(word in locale.months for word in near) and re.fullmatch(r"[1-9]|[12]\d|3[01]", text):
        return locale.ordinal(int(text)).split()
    return number(text, locale, noun=bool(context and context.after[:1].isalpha()))


def _money(amount: str, symbol: str, locale: Locale) -> list[str]:
    """Money in words: twenty-five dollars fifty cents."""
    currency = locale.currencies[symbol.lower()]
    cents = re.search(r"[.,](\d{2})$", amount)
    whole = amount[: cents.start()] if cents else amount
    words = number(whole or "0", locale, noun=True)
    digits = re.sub(r"\D", "", whole)
    words += (currency.one if digits.lstrip("0") == "1" else currency.many).split()
    if cents and int(cents[1]):
        words += locale.symbols.get("money_and", "").split()
        words += locale.cardinal(int(cents[1]), True).split()
        words += (currency.minor_one if cents[1] == "01" else currency.minor_many).split()
    return words


def _prefixed(prefix: str, digits: str, tail: str, locale: Locale, context: TokenContext) -> list[str]:
    if prefix.lower() in locale.currencies:
        scale = locale.units.get(tail.lower(), ("", ""))[1] if tail else ""
        if scale:  # $3bn: the currency comes after the scale
            return [*number(digits, locale), *scale.split(), *locale.currencies[prefix.lower()].many.split()]
        if context.after.lower() in SCALE_WORDS:  # $3 million: the next word says the currency
            return number(digits, locale)
        return [*_money(digits, prefix, locale), *_tail(tail, locale)]
    if prefix in "+-":
        sign = locale.minus if prefix == "-" else locale.symbols["+"]
        return [*sign.split(), *(verbalize_digits(digits + tail, locale, context) or number(digits, locale))]
    return [*locale.symbols.get(prefix, "").split(), *number(digits, locale), *_tail(tail, locale)]


def _suffixed(digits: str, suffix: str, locale: Locale) -> list[str] | None:
    """12km, 25 %, 3 €, 20°C; None if the suffix is none of these."""
    low = suffix.lower()
    if low in locale.currencies:
        return _money(digits, low, locale)
    if low in locale.units:
        one, many = locale.units[low]
        return [*number(digits, locale, noun=True), *(one if digits == "1" else many).split()]
    if suffix in locale.symbols:
        return [*number(digits, locale), *locale.symbols[suffix].split()]
    return None


def _tail(tail: str, locale: Locale) -> list[str]:
    """Letters or a symbol stuck to the end of a number."""
    tail = tail.strip(JOIN + " ")
    low = tail.lower()
    if low in locale.units:
        return locale.units[low][1].split()
    if low in locale.currencies:
        return locale.currencies[low].many.split()
    if tail in locale.symbols:
        return locale.symbols[tail].split()
    return ["".join(char for char in low if char.isalpha())] if any(map(str.isalpha, low)) else []
