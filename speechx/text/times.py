"""Dates, times of day and durations in words."""

from __future__ import annotations

import re

from speechx.text.context import TokenContext
from speechx.text.locales.base import JOIN, Locale
from speechx.text.numbers import agree, number

_SUFFIX = r"h|hs|hrs?|uhr|am|pm|a\.m\.?|p\.m\.?"
_CLOCK = re.compile(
    rf"^(\d{{1,2}})(?::(\d{{2}})|\.(\d{{2}})|[hH](\d{{2}})?)(?::(\d{{2}})(?:[.,]\d+)?)?(?:{JOIN}?({_SUFFIX}))?$",
    re.I,
)
_HOUR = re.compile(rf"^(\d{{1,2}}){JOIN}?(uhr|am|pm|a\.m\.?|p\.m\.?)$", re.I)
_LENGTH = re.compile(
    rf"^(?:(\d+)(?:h|std|hr|hrs){JOIN}?)?(?:(\d+)(?:min|mn|mins|m){JOIN}?)?(?:(\d+)(?:s|sec|sek|seg)?)?$",
    re.I,
)
_RANGE = re.compile(r"^(\d[\d:.hH]*(?:[ap]m)?)[-–](\d.*)$", re.I)
_DATE = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})?$")
_DAY_AND_MONTH = re.compile(r"^(\d{1,2})/(0[1-9])$")
_ISO_DATE = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$")
_GERMAN_N = frozenset(
    "am vom zum dem den des im beim bis ab seit zur der diesem jedem letzten ersten jeden einen seinen ihren meinen deinen unseren seinem ihrem meinem diesen welchen".split()
) - {"der"}
_GERMAN_PLAIN = frozenset("der die das dieser diese dieses jeder jede jedes zur".split()) - {"zur"}


def say_date_or_time(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """A date, a time of day, a range of times or a duration; None for anything else."""
    core = core.replace(JOIN, "")
    if (said := _clock(core, locale, context)) is not None:
        return said
    if (said := _length(core, locale)) is not None:
        return said
    if match := _RANGE.match(core):
        second = _clock(match[2], locale, context)
        suffix = _SUFFIX_END.search(match[2])
        first = _clock(match[1], locale, context)
        if first is None and suffix and "." in match[1]:
            first = _clock(match[1] + suffix.group(), locale, context)
        first = first or (_bare_hour(match[1], locale) if second and match[1].isdigit() else None)
        if locale.language in ("es", "it"):  # from nine to five, not "nine sharp"
            first, second = (
                said and [word for word in said if word not in ("en", "in", "punto")]
                for said in (first, second)
            )
        if first and second and (re.search(r"[:hH]", match[1] + match[2]) or _SUFFIX_END.search(match[2])):
            return [*first, *locale.to.split(), *second]
    return _date(core, locale, context)


_SUFFIX_END = re.compile(rf"(?:{_SUFFIX})$", re.I)


def _bare_hour(hour: str, locale: Locale) -> list[str] | None:
    return locale.cardinal(int(hour), False).split() if int(hour) < 25 else None


def _clock(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """7:45, 7.45 Uhr, 7h45, 10:35:20 pm, 9 pm."""
    if match := _HOUR.match(core):
        suffix = match[2].lower().replace(".", "")
        if suffix == "uhr":
            return locale.time(int(match[1]), 0).split()
        return [*number(match[1], locale), *_half(suffix, locale)]
    match = _CLOCK.match(core)
    if not match:
        return None
    hour, minute = int(match[1]), int(match[2] or match[3] or match[4] or 0)
    suffix = (match[6] or "").lower().replace(".", "")
    clock = suffix or context.before.lower() in locale.clock_words or context.after.lower() in ("uhr", "h")
    clock = clock or _begins_span(context)
    if minute > 59 or (match[3] and (not clock or hour > 24)):
        return None
    written_h = match[2] is None and match[3] is None and (suffix in ("h", "hs", "") or match[4])
    if (
        written_h
        and locale.language not in ("fr", "pt")
        and context.before.lower() not in ("um", *locale.clock_words)
    ):
        return (
            None if not match[4] else _parts(((hour, "h"), (minute, "min")), locale)
        )  # hours, not a time of day
    if match[5]:
        return _with_seconds(hour, minute, int(match[5]), suffix, locale)
    if hour > 24:
        return [*number(match[1], locale), *number(match[2] or "0", locale)] if match[2] else None
    words = locale.time(hour, minute).split()
    if suffix not in ("am", "pm"):
        return words
    return [*(word for word in words if word not in ("o'clock", "punto", "uhr")), *_half(suffix, locale)]


def _begins_span(context: TokenContext) -> bool:
    """Whether the other end of a span of time has the "Uhr": von 8.00 bis 12.30 Uhr, 8.00 - 12.30 Uhr."""
    links = ("bis", "") if context.before.lower() != "zwischen" else ("und",)  # a lone dash is an empty word
    if context.after not in links or len(context.following) < 2:
        return False
    return re.fullmatch(rf"\d{{1,2}}([.:]\d\d)?{JOIN}?uhr", context.following[1], re.I) is not None


def _half(suffix: str, locale: Locale) -> list[str]:
    """The half of the day: a.m. or p.m."""
    names = locale.units.find(suffix)
    return names[1].split() if names else locale.spell(suffix)


def _with_seconds(hour: int, minute: int, second: int, suffix: str, locale: Locale) -> list[str]:
    if suffix in ("am", "pm") and locale.language == "en":
        seconds = locale.units.find("s") or ("", "")
        said = [*locale.time(hour, minute).split(), locale.joined, *locale.cardinal(second, False).split()]
        return [*said, seconds[0 if second == 1 else 1], *_half(suffix, locale)]
    return _parts(((hour, "h"), (minute, "min"), (second, "s")), locale)


def _parts(parts: tuple[tuple[int, str], ...], locale: Locale) -> list[str]:
    """Hours, minutes and seconds with their names, "and" before the last."""
    said: list[list[str]] = []
    for value, unit in parts:
        if value or (unit == "h" and len(parts) == 1):
            one, many = locale.units.find(unit) or (unit, unit)
            name = one if value == 1 else many
            said.append([*agree(locale.cardinal(value, True).split(), name, locale), name])
    words = [word for part in said[:-1] for word in part]
    return [*words, *([locale.joined] if words else []), *(said[-1] if said else ())]


def _length(core: str, locale: Locale) -> list[str] | None:
    """1h30min, 14h30min15s, 90min30s: at least two parts that say their units."""
    match = _LENGTH.match(core)
    if (
        not match
        or not re.search(r"\d\D+\d+\D", core)
        or sum(part is not None for part in match.groups()) < 2
    ):
        return None
    hour, minute, second = (int(part or 0) for part in match.groups())
    return _parts(((hour, "h"), (minute, "min"), (second, "s")), locale)


def _date(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    if match := _ISO_DATE.match(core):
        year, month, day = (int(part) for part in match.groups())
    elif (match := _DATE.match(core)) and (match[4] or match[2] == "."):
        first, second = int(match[1]), int(match[3])
        day, month = (second, first) if locale.month_first else (first, second)
        if month > 12:
            day, month = month, day
        year = int(match[4]) if match[4] else 0
        if match[4] and len(match[4]) == 2:
            year += 2000 if year < 50 else 1900
    elif (match := _DAY_AND_MONTH.match(core)) and locale.language != "en":
        day, month, year = int(match[1]), int(match[2]), 0
    else:
        return None
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = locale.date(day, month, year or None).split()
    return german_ending(words, context) if locale.language == "de" else words


def german_ending(words: list[str], context: TokenContext) -> list[str]:
    """A German ordinal (erster, ending in -er) in the case that the words before it ask for: am ersten, der erste."""
    at = next(
        (i for i, word in enumerate(words) if word.endswith(("ter", "er")) and word[:-1].endswith("te")), None
    )
    if at is None:
        return words
    return [*words[:at], words[at][:-1] + german_case(context), *words[at + 1 :]]


def is_case_word(word: str) -> bool:
    """Whether a German word asks for an ordinal after it: am, der, zum."""
    return word.lower() in _GERMAN_N or word.lower() in _GERMAN_PLAIN


def german_case(context: TokenContext) -> str:
    """The ending after -te of a German ordinal: n, r or nothing. "am 3. und 4. Mai" takes n twice."""
    for word in reversed(context.preceding):
        low = word.lower()
        if low in _GERMAN_N:
            return "n"
        if low in _GERMAN_PLAIN:
            return ""
        if not (low in ("und", "oder", "bis", "auf") or low[:1].isdigit() or low.endswith(("tag", "woch"))):
            break
    return "r"
