"""What one written word says: numbers in all their forms, abbreviations, symbols, acronyms, addresses."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from speechx.text.locales.base import Locale

_ADDRESS = re.compile(r"^(?:https?://|www\.)\S+$|^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$|^(?:[a-z\d-]+\.)+(?:com|org|net|edu|gov|io|de|fr|es|it|br|pt|uk|eu|ai|dev)(?:/\S*)?$", re.I)  # fmt: skip
_TIME = re.compile(r"^(\d{1,2})(?::(\d{2})|[hH](\d{2})?)(?::\d{2})?(?:\x1f?(h|hrs?|uhr|am|pm|a\.m\.?|p\.m\.?))?$", re.I)
_HOUR = re.compile(r"^(\d{1,2})\x1f?(uhr|am|pm|a\.m\.?|p\.m\.?)$", re.I)
_DATE = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})?$")
_ISO_DATE = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$")
_RANGE = re.compile(r"^(\d+(?:[.,]\d+)?)[-–](\d+(?:[.,]\d+)?)(\D*)$")
_FRACTION = re.compile(r"^(?:(\d+) )?(\d+)/(\d+)$")
_DECADE = re.compile(r"^'?(\d{1,3})0'?s$")
_NUMBER = re.compile(r"^[-+±]?(?:\d+(?:[.,'\x1f]\d+)*|[.,]\d+)$")
_PREFIXED = re.compile(r"^(R\$|US\$|[$€£¥#§+-])\x1f?([\d.,\x1f]*\d)(\D*)$", re.I)
_SUFFIXED = re.compile(r"^([-+]?[\d.,\x1f]*\d)\x1f?([^\d\x1f.,'-][^\x1f\d]{0,6}|[mk]m?[²³2])$")
_DOTTED = re.compile(r"^(?:[^\W\d_]\.)+[^\W\d_]?\.?$")
_CAPITALS = re.compile(r"^([^\W\d_]{2,}?)('?s)?$")
_ROMAN = re.compile(r"^(?=[IVX])(X{0,3})(IX|IV|V?I{0,3})$")
_PIECES = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['-][^\W\d_]+)*'?|[^\w\s]")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class Context:
    """Neighbors of a word (without punctuation), whether it ends the text, whether the text is all in capitals."""

    before: str = ""
    after: str = ""
    last: bool = False
    shouting: bool = False


def expand(core: str, locale: Locale, context: Context, *, final: bool = False) -> list[str] | None:
    """Spoken words of one written word.

    Without `final` only forms to which a final dot belongs are tried (core ends with it): None for others.
    An acronym candidate stays in capitals, for the front end to spell or to read.
    """
    low = core.lower()
    if len(core) == 1 and core.isalpha() and core.isupper() and not context.shouting and _is_letter_name(core, context):
        return locale.spell(core)
    if low in locale.abbreviations and _is_abbreviation(core, low, locale, context):
        return locale.abbreviations[low].split()
    if _DOTTED.match(core) and (len(core) > 2 or (core[0].isupper() and not context.last)):
        return locale.spell(core)
    if not final:
        return _dotted_ordinal(core, locale, context)
    if any(char.isdigit() for char in core) and not _ADDRESS.match(core):
        return _with_digits(core, locale, context)
    if _ADDRESS.match(core):
        return _address(core, locale)
    if low in locale.currencies and not core.isalpha():
        return locale.currencies[low].many.split()
    if not core.isalpha() and low in locale.units:
        return locale.units[low][1].split()
    if low in locale.units and context.before[-1:].isdigit() and (len(core) > 1 or core.islower()):
        one, many = locale.units[low]
        return (one if context.before == "1" else many).split()
    if (roman := _roman(core, locale, context)) is not None:
        return roman
    return _words(core, locale, context)


def _is_letter_name(core: str, context: Context) -> bool:
    """A lone capital is a letter's name if it cannot be a word (B) or stands in a row of letters (A B C)."""
    if unicodedata.normalize("NFD", core)[0] not in "AEIOUY":
        return True
    return any(len(word) == 1 and word.isalpha() and word.isupper() for word in (context.before, context.after))


def _is_abbreviation(core: str, low: str, locale: Locale, context: Context) -> bool:
    """An abbreviation that is also a word counts only where it can be one."""
    if not low.endswith("."):
        return core[0].isupper() and bool(context.after) if core.isalpha() else True
    word = low[:-1]
    if word in ("no", "fig", "art", "nr", "n", "p", "pp", "vol", "ch", "cap", "pág"):
        return context.after[:1].isdigit()
    if word in ("st", "co", "mar", "sat", "sun", "mon", "fri", "col", "gen", "ed", "ft", "mt", "sen", "hon", "est", "dec"):
        return core[0].isupper() and (not context.last or word in ("co", "st"))
    return True


def _dotted_ordinal(core: str, locale: Locale, context: Context) -> list[str] | None:
    """German "3. Mai": digits and a dot before a word are an ordinal."""
    if locale.language != "de" or not re.match(r"^\d{1,3}\.$", core):
        return None
    if not context.after or not _LETTER.match(context.after):
        return None
    if context.after.lower() not in locale.months and context.before.lower() not in _GERMAN_BEFORE_ORDINAL:
        return None
    words = locale.ordinal(int(core[:-1]))
    if context.before.lower() in ("am", "vom", "zum", "dem", "den", "des", "der", "im", "beim", "bis"):
        words += "n"
    return words.split()


_GERMAN_BEFORE_ORDINAL = frozenset("am vom zum dem den des der die das im beim ein eine sein ihr".split())


def number(text: str, locale: Locale, noun: bool = False) -> list[str]:
    """Digits with the language's marks (1,234.5 or 1.234,5) in words."""
    text = text.replace("\x1f", "").replace("'", "")
    words: list[str] = []
    if text[0] in "-+±":
        words += {"-": locale.minus, "+": "plus", "±": "plus minus"}[text[0]].split()
        text = text[1:]
    group = "," if locale.decimal_mark == "." else "."
    if group in text and not re.match(rf"^[1-9]\d{{0,2}}(?:\{group}\d{{3}})+(?!\d)", text):
        # Not groups of three: the other custom (3.5 in German text), or a list of numbers (1.2.3).
        if text.count(group) == 1:
            text = text.replace(group, locale.decimal_mark)
        else:
            return [*words, *(word for part in text.split(group) for word in number(part, locale))]
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
    digits = "".join(char for char in digits if char.isdigit())
    if locale.language in ("en", "de") or len(digits) > 2 or digits.startswith("0"):
        return [word for digit in digits for word in locale.cardinal(int(digit), False).split()]
    return locale.cardinal(int(digits or "0"), False).split()


def _money(amount: str, symbol: str, locale: Locale) -> list[str]:
    """Money in words: twenty-five dollars fifty cents."""
    currency = locale.currencies[symbol.lower()]
    cents = re.search(r"[.,](\d{2})$", amount)
    whole = amount[: cents.start()] if cents else amount
    words = number(whole, locale, noun=True)
    digits = re.sub(r"\D", "", whole)
    words += (currency.one if digits.lstrip("0") == "1" else currency.many).split()
    if cents and int(cents[1]):
        words += locale.symbols.get("money_and", "").split()
        words += locale.cardinal(int(cents[1]), True).split()
        words += (currency.minor_one if cents[1] == "01" else currency.minor_many).split()
    return words


def _with_digits(core: str, locale: Locale, context: Context) -> list[str]:
    """Spoken words of a written word that has a digit in it."""
    if (said := _date_or_time(core, locale, context)) is not None:
        return said
    if match := re.match(rf"^(\d+)\.?(?:{locale.ordinal_marks or '(?!)'})$", core, re.I):
        suffix = "a" if re.search(r"[ªa]$", core) and locale.language in ("es", "pt", "it") else ""
        words = locale.ordinal(int(match[1])) if len(match[1]) < 10 else locale.cardinal(int(match[1]), False)
        return (" ".join(w[:-1] + "a" if suffix and w.endswith("o") else w for w in words.split())).split()
    if match := _DECADE.match(core):
        decade = locale.year(int(match[1] + "0")) if len(match[1]) == 3 else locale.cardinal(int(match[1] + "0"), False)
        return (decade[:-1] + "ies" if decade.endswith("y") else decade + "s").split()
    if match := _FRACTION.match(core):
        pair = int(match[2]), int(match[3])
        if pair in locale.fractions:
            return locale.fractions[pair].split()
        return [*number(match[2], locale), *locale.over.split(), *number(match[3], locale)]
    if match := _RANGE.match(core):
        tail = _words_of_tail(match[3], locale)
        both = [_year_or_number(part, locale) for part in (match[1], match[2])]
        return [*both[0], *locale.to.split(), *both[1], *tail]
    if match := _PREFIXED.match(core):
        return _prefixed(match[1], match[2], match[3].replace("\x1f", ""), locale, context)
    if (match := _SUFFIXED.match(core)) and (said := _suffixed(match[1], match[2], locale)) is not None:
        return said
    if _NUMBER.match(core):
        return _year_or_number(core, locale, context)
    return _pieces(core, locale, context)


def _date_or_time(core: str, locale: Locale, context: Context) -> list[str] | None:
    if (match := _TIME.match(core)) and int(match[1]) < 25 and int(match[2] or match[3] or 0) < 60:
        words = locale.time(int(match[1]), int(match[2] or match[3] or 0)).split()
        suffix = (match[4] or "").lower().replace(".", "")
        return [*words[: -1 if words[-1] == "o'clock" and suffix else None], *locale.units.get(suffix, ("", ""))[1].split()] \
            if suffix in ("am", "pm") else words  # fmt: skip
    if match := _HOUR.match(core):
        suffix = match[2].lower().replace(".", "")
        if suffix == "uhr":
            return locale.time(int(match[1]), 0).split()
        return [*number(match[1], locale), *locale.units.get(suffix, ("", suffix))[1].split()]
    if match := _ISO_DATE.match(core):
        year, month, day = (int(part) for part in match.groups())
    elif match := _DATE.match(core):
        first, second = int(match[1]), int(match[3])
        day, month = (second, first) if locale.month_first and second > 12 or locale.month_first else (first, second)
        if month > 12:
            day, month = month, day
        year = int(match[4]) if match[4] else 0
    else:
        return None
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return locale.date(day, month, year or None).split()


def _prefixed(prefix: str, digits: str, tail: str, locale: Locale, context: Context) -> list[str]:
    if prefix.lower() in locale.currencies:
        scale = locale.units.get(tail.lower().strip(), ("", ""))[1] if tail else ""
        if scale or context.after.lower() in _SCALE_WORDS:
            # $3.5 million: the unit comes after the scale.
            return [*number(digits, locale), *scale.split(), *([] if not scale else locale.currencies[prefix.lower()].many.split())]
        return [*_money(digits, prefix, locale), *_words_of_tail(tail, locale)]
    if prefix in "+-":
        return [*(locale.minus if prefix == "-" else locale.symbols.get("+", "plus")).split(), *_with_digits(digits + tail, locale, context)]
    return [*locale.symbols.get(prefix, "").split(), *number(digits, locale), *_words_of_tail(tail, locale)]


_SCALE_WORDS = frozenset(
    "million millions billion billions trillion thousand millón millones milliard milliards milliarden millionen "
    "milione milioni miliardo miliardi milhão milhões bilhão bilhões mil".split()
)


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


def _words_of_tail(tail: str, locale: Locale) -> list[str]:
    tail = tail.strip("\x1f ")
    if not tail:
        return []
    if tail.lower() in locale.units:
        return locale.units[tail.lower()][1].split()
    if tail.lower() in locale.currencies:
        return locale.currencies[tail.lower()].many.split()
    return _words(tail, locale, Context())


def _year_or_number(text: str, locale: Locale, context: Context | None = None) -> list[str]:
    """Four digits without marks from 1100 to 2099 are a year; a date's day may be an ordinal."""
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", text):
        return locale.year(int(text)).split()
    month_near = context and (context.before.lower() in locale.months or context.after.lower() in locale.months)
    if month_near and locale.month_first and re.fullmatch(r"[1-9]|[12]\d|3[01]", text):
        return locale.ordinal(int(text)).split()
    noun = bool(context and context.after[:1].isalpha())
    if len(text) > 6 and text.isdigit() and text.startswith("0"):
        return locale.spell(text)
    return number(text, locale, noun)


def _roman(core: str, locale: Locale, context: Context) -> list[str] | None:
    """Kings, popes and centuries: Louis XIV, siglo XIX, World War II. One letter is read only after a name."""
    if context.shouting or len(core) < 2 or not (match := _ROMAN.match(core)):
        return None
    if not context.before or not (context.before[0].isupper() or context.before.lower() in ("siglo", "secolo", "século")):
        return None
    value = 10 * len(match[1]) + {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}[match[2]]
    king = locale.language == "en" and context.before not in _COUNTED
    if king:
        return ["the", *locale.ordinal(value).split()]
    return locale.cardinal(value, False).split()


_COUNTED = frozenset(
    "Chapter Part War Book Volume Act Section Figure Table Type Class Phase Stage Level Vol Scene Article World "
    "Division Title Appendix Unit Mark Apollo".split()
)


def _words(core: str, locale: Locale, context: Context) -> list[str]:
    """A written word without digits: itself in lower case, its symbols by name, an acronym in capitals."""
    match = _CAPITALS.match(core)
    if match and match[1].isupper() and not context.shouting:
        return _acronym(match[1], bool(match[2]), locale)
    if context.shouting and core in locale.spelled and not re.search("[AEIOU]", core):
        return _acronym(core, False, locale)
    return _pieces(core, locale, context)


def _acronym(capitals: str, plural: bool, locale: Locale) -> list[str]:
    if not plural:
        return [capitals]
    *head, last = locale.spell(capitals)
    return [*head, f"{last}'s" if locale.language == "en" else last]


def _pieces(core: str, locale: Locale, context: Context) -> list[str]:
    """Letters, digits and symbols of a mixed word one run after the other: mp3, AT&T, A4, COVID-19, he/she."""
    words: list[str] = []
    for piece in _PIECES.findall(core):
        if piece[0].isdigit():
            words += number(piece, locale)
        elif _LETTER.match(piece):
            mixed = piece != core and "-" not in piece and piece.isupper() and not context.shouting
            if mixed and (len(piece) == 1 or any(char.isdigit() or char == "&" for char in core)):
                words += locale.spell(piece) if len(piece) < 4 else [piece]
            elif len(piece) == 1 and piece != core and any(char.isdigit() for char in core):
                words += locale.spell(piece)
            else:
                words.append(unicodedata.normalize("NFC", piece.lower()))
        elif piece in locale.symbols and piece not in "-/":
            words += locale.symbols[piece].split()
        elif piece == "/" and len(core) > 1:
            continue
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
