"""Written words with digits in them: telephone numbers, ordinals, fractions, ranges, units; numbers of all other forms."""

from __future__ import annotations

import re
import unicodedata

from speechx.text.context import TokenContext
from speechx.text.locales.base import JOIN, Locale
from speechx.text.money import say_money
from speechx.text.numbers import agree, counted_noun, dotted, is_million, month_of, number, year_or_number
from speechx.text.times import german_case, is_case_word, say_date_or_time

PHONE = "\x1e"  # in front of a word that is a telephone number
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_PHONE = re.compile(
    r"^(?:\+?\d{1,4}(?:-\d{2,4}){2,}|\d{3}-\d{4}|(?:\+?1\.)?\d{3}\.\d{3}\.\d{4}|0\d(?:\.\d{2}){4}|\+\d{7,15})$"
)
_BRAZILIAN_CODE = re.compile(
    r"^(?:\d{5}-\d{3}|\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2})$"
)  # post, tax
_GROUPED = {
    ",": re.compile(r"^[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?$"),
    ".": re.compile(r"^[-+]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?$"),
}
_THOUSANDS = re.compile(r"^[1-9]\d{0,2}(?:\.\d{3}){2,}$")
_DOTTED = re.compile(r"^\d+(?:\.\d+){2,}$")
_RANGE = re.compile(r"^([-+]?\d+(?:[.,]\d+)?)([^\d\W]{0,3}|%|°)[-–](\d[\d.,]*?)(\D*)$")
_FRACTION = re.compile(r"^(?:(\d+)[\x1f-])?(\d+)/(\d+)(?:th|rd|nd|st|º|ª|[eè]m?e?)?s?$")
_MEASURED = re.compile(r"^(.*\d/\d+)([^\d/.]+)$")
_VULGAR = re.compile(r"(\d?)\x1f?([¼-¾⅐-⅞])")
_DECADE = re.compile(r"^'?(\d{1,3})0'?s$")
_NUMBER = re.compile(rf"^[-+±]?(?:\d+(?:[.,{JOIN}]\d+|'\d{{3}})*|[.,]\d+)$")
_PREFIXED = re.compile(rf"^([¥#§≈~<>≤≥±√×$+-]){JOIN}?([\d.,{JOIN}]*\d)(\D*)$", re.I)
_SUFFIXED = re.compile(
    rf"^([-+±]?[\d.,'{JOIN}]*\d){JOIN}?([^\d{JOIN}.,'-][^{JOIN}\d]{{0,7}}|l/100{JOIN}?km|[a-zµ]{{1,2}}[²³23]|′)$",
    re.I,
)
_FEET = re.compile(r"^(\d+)′(\d+)″?$")
_SIDES = re.compile(r"^(\d+(?:[.,]\d+)?)[x×*](\d+(?:[.,]\d+)?)(?:[x×*](\d+(?:[.,]\d+)?))?(\D*)$")
_FIXED = {"24/7", "9/11", "50/50", "7/11"}
_POWER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def say_digits(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """Spoken words of a written word that has a digit in it; None if it is no form that is known (B2B)."""
    if locale.language == "pt" and _BRAZILIAN_CODE.match(core):
        return locale.spell(core)
    if core.startswith(PHONE) or (_PHONE.match(core) and say_date_or_time(core, locale, context) is None):
        return say_phone(core, locale)
    core = _VULGAR.sub(lambda match: f"{match[1]}{JOIN if match[1] else ''}{_plain_fraction(match[2])}", core)
    if _GROUPED["," if locale.decimal_mark == "." else "."].match(core):
        return number(core, locale, counted_noun(context, locale))
    for say in (say_date_or_time, _ordinal, _fraction, say_money, _range, _sides, _with_sign, _suffixed):
        if (said := say(core, locale, context)) is not None:
            return said
    if _DOTTED.match(core) and not _THOUSANDS.match(core):
        return dotted(core, locale)
    if _NUMBER.match(core):
        return year_or_number(core, locale, context)
    return None


def _plain_fraction(char: str) -> str:
    return unicodedata.normalize("NFKC", char).replace("\u2044", "/")


def say_phone(core: str, locale: Locale) -> list[str]:
    """A telephone number digit by digit; the pairs of a French one as numbers."""
    words: list[str] = []
    for group in re.findall(r"\+|\d+", core):
        if group == "+":
            words += locale.symbols["+"].split()
        elif locale.language == "fr" and len(group) == 2:
            words += number(group, locale)
        else:
            words += locale.spell(group)
    return words


def _ordinal(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """1st, 2º, 3ème, 2ª; decades: the 1990s, 90er Jahre."""
    marks = locale.ordinal_marks or "(?!)"
    match = re.match(rf"^(\d[\d.,{JOIN}]*?)\.?({marks})$", core, re.I)
    value = int(re.sub(r"\D", "", match[1])) if match else 0
    if match and 0 < value < 10**9:
        return _in_gender(locale.ordinal(value), match[2].lower(), locale, context)
    if locale.language == "de" and (match := re.match(r"^'?(\d{1,4})er$", core)):
        return f"{locale.year(int(match[1]))}er".split()
    if locale.language == "en" and (match := _DECADE.match(core)):
        tens = int(match[1] + "0")
        decade = locale.year(tens) if len(match[1]) == 3 else locale.cardinal(tens, False)
        return (decade[:-1] + "ies" if decade.endswith("y") else decade + "s").split()
    return None


def _in_gender(ordinal: str, mark: str, locale: Locale, context: TokenContext) -> list[str]:
    """An ordinal in the gender and the form that its mark and its noun ask for: primera, primer, première, ersten."""
    words = ordinal.split()
    language = locale.language
    if language in ("es", "it", "pt"):
        if mark.endswith(("ª", "a")) or (mark == "°" and locale.is_feminine(counted_noun(context, locale))):
            return [re.sub("o$", "a", word) for word in words]
        noun = counted_noun(context, locale)
        if language == "es" and (mark == "er" or (mark == "º" and noun and not locale.is_feminine(noun))):
            words[-1] = re.sub("(primer|tercer)o$", r"\1", words[-1])
    elif language == "fr":
        if mark.startswith(("re", "ère", "ere")) and words == ["premier"]:
            words = ["première"]
        elif mark.startswith("nd"):
            words = ["seconde" if mark.startswith("nde") else "second"]
        if mark.endswith("s"):
            words[-1] += "s"
    elif language == "de":
        words[-1] = words[-1][:-1] + mark.removeprefix("s").removeprefix("t")
    return words


def _fraction(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """3/4, 1 1/2, 1/5th, 3/4″; two days before a month; both numbers of 24/7; the ratio 3:2."""
    if (measured := _MEASURED.match(core)) and (names := locale.units.find(measured[2])):
        said = _fraction(measured[1], locale, context)
        of = [locale.of] if locale.of and not measured[1].endswith("1/2") else []
        return said and [*said, *of, *names[0 if of else 1].split()]
    if ratio := re.match(r"^(\d+):(\d+)$", core):
        return [*number(ratio[1], locale), *locale.to.split(), *number(ratio[2], locale)]
    match = _FRACTION.match(core)
    if not match:
        return None
    if (
        re.fullmatch(r"(1[89]|20)\d\d", match[2]) and len(match[3]) == 2 and not match[1]
    ):  # the season 2020/21
        return [*locale.year(int(match[2])).split(), *number(match[3], locale)]
    top, bottom = int(match[2]), int(match[3])
    noun = counted_noun(context, locale)
    if not match[1] and any(month_of(word, locale) for word in (context.before, context.after)):
        return [word for part in (match[2], match[3]) for word in year_or_number(part, locale, context)]
    if not 0 < top < bottom or core in _FIXED or bottom > 1000 or match[3].startswith("0"):
        if context.maths:
            return [*number(match[2], locale), *locale.symbols["÷"].split(), *number(match[3], locale)]
        return [*number(match[2], locale), *number(match[3], locale)]
    if bottom > 20 and bottom % 10 and bottom != 32:
        said = [*number(match[2], locale), *locale.over.split(), *number(match[3], locale)]
    else:
        said = locale.fraction(top, bottom).split()
    if not match[1]:
        return _half_of(said, noun, locale) if (top, bottom) == (1, 2) and noun else said
    whole = number(match[1], locale, "-" if locale.language == "de" else noun or "-")
    if locale.language == "de":
        return [*whole, *said]
    if (top, bottom) == (1, 2) and locale.language != "en":
        half = said[-1]
        if locale.language == "it" and noun.endswith("e"):
            half = "mezza"
        if noun and locale.is_feminine(noun):
            half = re.sub("o$", "a", half) if locale.language != "fr" else "demie"
        said = ["meia" if half == "meia" or (half == "meio" and locale.is_feminine(noun)) else half]
    return [*whole, locale.joined, *said]


def _half_of(said: list[str], noun: str, locale: Locale) -> list[str]:
    """Half of a noun, in its gender: media hora, mezzo chilo, une demi heure, eine halbe Stunde."""
    if locale.language in ("es", "it", "pt"):
        feminine = locale.is_feminine(noun)
        return [re.sub("o$", "a", said[-1]) if feminine else said[-1]]
    if locale.is_feminine(noun) and locale.language == "de":
        return ["eine", "halbe"]
    return agree(said[:1], noun, locale) + said[1:] if locale.language == "fr" else said


def _range(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """10-20, 5-10%, 1914-1918, 3-4km."""
    match = _RANGE.match(core)
    if not match or context.maths or (match[2] and match[2].lower() != match[4].strip(JOIN).lower()):
        return None
    noun = counted_noun(context, locale) if not match[4] else ""
    both = [match[1], match[3]]
    words = [year_or_number(part, locale) if not noun else number(part, locale, noun) for part in both]
    if all(re.fullmatch(r"1\d{3}|20\d\d", part) for part in both):
        words = [locale.year(int(part)).split() for part in both]
    tail = match[4].strip(JOIN)
    names = _tail(tail, locale) if tail else []
    return None if names is None else [*words[0], *locale.to.split(), *words[1], *names]


def _sides(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """3x4, 1920x1080, 2x3x4cm; 6'2"."""
    if match := _FEET.match(core):
        feet, inches = locale.units.find("ft"), locale.units.find("in")
        if feet and inches:
            last = inches[0 if match[2] == "1" else 1].split()
            return [*number(match[1], locale), *feet[1].split(), *number(match[2], locale), *last]
    match = _SIDES.match(core)
    if not match:
        return None
    tail = _tail(match[4].strip(JOIN), locale) if match[4] else []
    if tail is None:
        return None
    by = locale.symbols["×"] if context.maths or "*" in core else locale.by
    words = number(match[1], locale)
    for side in filter(None, (match[2], match[3])):
        words += [*by.split(), *number(side, locale)]
    return [*words, *tail]


def _with_sign(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """-5, +3, #4, §5, ~10."""
    match = _PREFIXED.match(core)
    if not match:
        return None
    sign, rest = match[1], core[len(match[1]) :].lstrip(JOIN)
    said = locale.minus if sign == "-" else locale.symbols.get(sign, "")
    if re.fullmatch(r"[1-9]\d{3}", rest):
        return [*said.split(), *number(rest, locale)]
    return [*said.split(), *(say_digits(rest, locale, context) or number(match[2], locale))]


def _suffixed(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """12km, 25 %, 20°C, 2M; None if the suffix is none of these."""
    match = _SUFFIXED.match(core)
    if not match:
        return None
    digits, suffix = match[1], match[2]
    if names := locale.units.find(suffix):
        one, many = names
        return [
            *number(digits, locale, (one if digits == "1" else many).split()[0]),
            *(one if digits == "1" else many).split(),
        ]
    if suffix in locale.symbols:
        said = number(digits, locale)
        return [*said, *locale.symbols[suffix].split()]
    if suffix in locale.scales and _is_scale(suffix, digits, context):
        one, many = locale.scales[suffix]
        said = [*number(digits, locale, one), *(one if digits == "1" else many).split()]
        return agree(said, counted_noun(context, locale), locale) if is_million(said[-1]) else said
    return None


def _is_scale(suffix: str, digits: str, context: TokenContext) -> bool:
    """Whether letters stuck to a number are its scale: 2M users, 10k, 3.5B; not 5G, 4K, 2B."""
    if len(suffix) > 1 or suffix in "Mk":
        return suffix not in ("mm",)
    if suffix == "K":
        return bool(re.search(r"[.,]", digits))
    return suffix == "B" and bool(re.search(r"[.,]", digits) or re.search(r"[a-z]{2}s$", context.after))


def _tail(tail: str, locale: Locale) -> list[str] | None:
    """Letters or a symbol stuck to the end of a range; None if they mean nothing."""
    if names := locale.units.find(tail):
        return names[1].split()
    if tail in locale.symbols:
        return locale.symbols[tail].split()
    if tail in locale.scales:
        return locale.scales[tail][1].split()
    return None


def german_ordinal(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """German "3. Mai", "der 3. Mann", "als 3. ins Ziel": digits and a dot that belong together; dates like 05.11."""
    if locale.language != "de":
        return None
    if re.match(r"^\d{1,2}\.\d{1,2}\.$", core):
        said = say_date_or_time(core, locale, context)
        return said if not context.last or is_case_word(context.before) else None
    if (
        not re.match(r"^\d{1,3}\.$", core)
        or not int(core[:-1])
        or not is_german_ordinal(context.before, context.after, locale)
    ):
        return None
    return (locale.ordinal(int(core[:-1])) + german_case(context)).split()


_BEFORE_ORDINAL = frozenset(
    "am vom zum zur dem den der die das des im beim ein eine einen sein ihr ihre sein mein bis ab als jeder jede jedes jeden "
    "dieser diese dieses seit und dessen deren unser euer seinem ihrem seinen ihren meinem meinen deine dein".split()
)
_AFTER_ORDINAL = frozenset(
    "jahrhundert platz stock etage klasse mal bundesliga weltkrieg geburtstag auflage kapitel reihe quartal halbjahr semester "
    "runde spieltag liga obergeschoss bezirk preis rang kongress".split()
)


def is_german_ordinal(before: str, after: str, locale: Locale) -> bool:
    """Whether German digits with a dot between these words are an ordinal."""
    low = after.lower().removesuffix(".")
    if re.fullmatch(r"\d{1,2}\.", before):  # the month of a date: 3. 5.
        return True
    if not after[:1].isalpha():
        return bool(re.match(r"\d{1,2}\.(?:\d|$)", after) and before.lower() in _BEFORE_ORDINAL)
    if month_of(after, locale) or low in _AFTER_ORDINAL or after[0].islower():
        return True
    return before.lower() in _BEFORE_ORDINAL
