"""The tables that the normalizer needs of a language: number words, names of symbols, abbreviations, formats."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from speechx.text.locales.measures import UnitNames

DASH = "\x1d"  # stands for a long dash inside one written word: "Oct–Dec"
JOIN = "\x1f"  # stands for a space inside one written word: "5 %", "R$ 20", "1 000"


@dataclass(frozen=True)
class Currency:
    """Names of a currency and of its hundredth: singular, plural. `minor` is empty where there is none."""

    one: str
    many: str
    minor_one: str = ""
    minor_many: str = ""


@dataclass(frozen=True)
class Locale:
    """Tables and functions of one language. All words are lower case and ready for grapheme to phone.

    cardinal(n, noun): n >= 0 in words; with noun, the form that stands before a noun (un, veintiún, une...).
    ordinal(n): n >= 1. year(n): a year as it is read. date(day, month, year or None). time(hour, minute).
    fraction(top, bottom): 2/3. monarch(n, feminine): what follows the name of a king or a queen.
    """

    language: str
    cardinal: Callable[[int, bool], str]
    ordinal: Callable[[int], str]
    year: Callable[[int], str]
    date: Callable[[int, int, int | None], str]
    time: Callable[[int, int], str]
    fraction: Callable[[int, int], str]
    monarch: Callable[[int, bool], str]
    decimal_mark: str
    point: str  # the decimal mark in words
    minus: str
    to: str  # between the ends of a range
    over: str  # between numerator and denominator
    dot: str  # in addresses
    at: str
    months: tuple[str, ...]
    symbols: dict[str, str]
    currencies: dict[str, Currency]
    units: UnitNames
    abbreviations: dict[str, str]  # lower case, with the dots that are written
    letters: dict[str, str]  # names of letters; a capital stands for its own name
    spelled: frozenset[str] = frozenset()  # acronyms that look like words: US, IT
    ordinal_marks: str = ""  # regex of what makes digits an ordinal: 1st, 2º
    month_first: bool = False
    scales: dict[str, tuple[str, str]] = field(default_factory=dict)  # M=million/millions, stuck to a number
    joined: str = ""  # "and" in "two hours and five minutes" and in "two and one half"
    of: str = ""  # between a million and its noun: millones de euros
    by: str = ""  # between the sides of 3 x 4
    before_number: dict[str, str] = field(
        default_factory=dict
    )  # abbreviations that need a number after them: S. 12
    feminine: dict[str, str] = field(default_factory=dict)  # number words: masculine to feminine
    feminine_endings: str = "(?!)"  # regex of the ending of a feminine noun
    feminine_nouns: frozenset[str] = frozenset()
    masculine_nouns: frozenset[str] = frozenset()
    function_words: frozenset[str] = frozenset()  # no noun: what follows a number without agreeing with it
    phone_words: frozenset[str] = frozenset()  # a telephone number follows
    clock_words: frozenset[str] = frozenset()  # a time of day follows: alle 7.40
    counted: frozenset[str] = frozenset()  # nouns that a Roman number counts: chapter IV
    regnal_names: frozenset[str] = frozenset()  # names after which a Roman one may be an English pronoun
    address_marks: dict[str, str] = field(default_factory=dict)  # names of marks in web and mail addresses

    def is_feminine(self, noun: str) -> bool:
        """Whether a noun is feminine, by lists and by its ending."""
        low = noun.lower()
        if low in self.masculine_nouns:
            return False
        return low in self.feminine_nouns or re.search(self.feminine_endings, low) is not None

    def spell(self, text: str) -> list[str]:
        """The names of letters (digits by their numbers), one word each."""
        words: list[str] = []
        for char in text.lower():
            if char.isdecimal():
                words += self.cardinal(int(char), False).split()
            elif char in self.letters:
                words += self.letters[char].split()
            elif char.isalpha():
                plain = unicodedata.normalize("NFD", char)[0]
                words += self.letters.get(plain, plain).split()
        return words


def letter_names(names: str) -> dict[str, str]:
    """{'a': first name, ...} from 26 names separated by commas."""
    parts = [part.strip() for part in names.split(",")]
    assert len(parts) == 26, len(parts)
    return dict(zip("abcdefghijklmnopqrstuvwxyz", parts, strict=True))


def self_named() -> dict[str, str]:
    """Letters whose names the back end knows by their capitals."""
    return {letter: letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"}


def table(text: str) -> dict[str, str]:
    """{'mr.': 'mister', ...} from lines or comma-separated 'mr.=mister' items."""
    items = (item.strip().partition("=") for line in text.splitlines() for item in line.split(";"))
    return {key.strip(): value.strip() for key, sep, value in items if sep and key}


def pairs(text: str) -> dict[str, tuple[str, str]]:
    """{'km': ('kilometer', 'kilometers'), ...} from 'km=kilometer/kilometers' items."""
    parsed = {key: value.partition("/") for key, value in table(text).items()}
    return {key: (one, many or one) for key, (one, _, many) in parsed.items()}


def units(language: str, text: str) -> UnitNames:
    """The units of a language: its own entries (as in `pairs`), then those of `measures`."""
    return UnitNames(language, pairs(text))


def by_thousands(
    n: int,
    below_thousand: Callable[[int], str],
    thousand: str,
    scales: list[tuple[str, str]],
    *,
    bare_thousand: bool,
) -> str:
    """A number in words by groups of three digits, for languages that name each group in turn.

    below_thousand(n) gives 1..999; scales are (one, many) for million, billion...; bare_thousand: "mil", not "un mil".
    """
    words: list[str] = []
    groups: list[int] = []
    while n:
        n, rest = divmod(n, 1000)
        groups.append(rest)
    for power in range(len(groups) - 1, -1, -1):
        group = groups[power]
        if not group:
            continue
        if power == 0:
            words.append(below_thousand(group))
        elif power == 1:
            words.append(thousand if group == 1 and bare_thousand else f"{below_thousand(group)} {thousand}")
        else:
            one, many = scales[min(power, len(scales) + 1) - 2]
            words.append(one if group == 1 else f"{below_thousand(group)} {many}")
    return " ".join(words)
