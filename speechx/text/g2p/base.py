"""Base of the grapheme-to-phone back ends: the protocol, and ordered rewrite rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from speechx.text.phones import PHONE_IDS, STRESS, VOWELS, add_stress

Phones = tuple[str, ...]


_OTHER_LETTERS = str.maketrans(
    {
        "ł": "l",
        "ø": "ö",
        "æ": "ä",
        "œ": "ö",
        "đ": "d",
        "ð": "d",
        "þ": "t",
        "ı": "i",
        "ħ": "h",
        "ŋ": "ng",
        "ĸ": "k",
    }
)


def plain_letters(word: str, keep: str) -> str:
    """The word in letters a-z and those of `keep`: other diacritics fall off, other characters are dropped."""
    out: list[str] = []
    for char in unicodedata.normalize("NFC", word.lower()):
        if char in keep or char in "abcdefghijklmnopqrstuvwxyz'":
            out.append(char)
            continue
        char = char.translate(_OTHER_LETTERS)
        out += [
            c for c in unicodedata.normalize("NFD", char) if c in "abcdefghijklmnopqrstuvwxyz" or c in keep
        ]
    return "".join(out)


class G2P(Protocol):
    """Words of one phrase (no pause inside) to phones of the frozen table, one tuple per word.

    Words are lower case, letters and apostrophes only. A phrase is passed whole, since liaison, heteronyms and
    some consonants depend on the neighbors.
    """

    def __call__(self, words: Sequence[str]) -> list[Phones]: ...

    def knows(self, word: str) -> bool:
        """Whether the word is read as a word: decides if an all-capitals token is an acronym."""
        ...


class RewriteRules:
    """Ordered rewrite rules: at each position the first pattern that matches gives the phones.

    A pattern may look around itself; '^' and '$' are the ends of the word. Phones are separated by spaces; a rule
    with no phones makes its letters silent. A letter that no rule knows is tried without its diacritics.
    """

    def __init__(self, rules: str) -> None:
        self._by_letter: dict[str, list[tuple[re.Pattern[str], Phones]]] = {}
        for line in filter(None, (line.split("#")[0].strip() for line in rules.splitlines())):
            pattern, _, phones = line.partition("->")
            out = tuple(unicodedata.normalize("NFD", phone) for phone in phones.split())
            unknown = [phone for phone in out if phone not in PHONE_IDS]
            assert not unknown, f"rule {line!r} writes {unknown}, which the phone table does not have"
            compiled = re.compile(pattern.strip())
            for letter in _first_letters(pattern.strip()):
                self._by_letter.setdefault(letter, []).append((compiled, out))

    def __call__(self, word: str) -> list[str]:
        phones: list[str] = []
        at = 0
        while at < len(word):
            for pattern, out in self._by_letter.get(word[at], ()):
                match = pattern.match(word, at)
                if match and match.end() > at:
                    phones += out
                    at = match.end()
                    break
            else:
                bare = unicodedata.normalize("NFD", word[at])[0]
                if bare != word[at] and bare in self._by_letter:
                    word = word[:at] + bare + word[at + 1 :]
                else:
                    at += 1
        return phones


_LOOKAROUND = re.compile(r"\(\?<?[=!](?:[^()]|\([^()]*\))*\)|[\^$]")


def _first_letters(pattern: str) -> str:
    """The letters a pattern can begin with, so that a rule is tried only where it may match."""
    core = _LOOKAROUND.sub("", pattern)
    if core.startswith("["):
        return core[1 : core.index("]")]
    return core[0]


def nuclei(phones: Sequence[str]) -> list[int]:
    """Indices of the vowels of a word."""
    return [i for i, phone in enumerate(phones) if phone.removeprefix(STRESS) in VOWELS]


def stress_from_end(phones: list[str], syllable: int) -> list[str]:
    """The phones with the stress on the syllable counted from the end (1 = last), unless one is marked already."""
    vowels = nuclei(phones)
    if vowels and not any(phone.startswith(STRESS) for phone in phones):
        at = vowels[max(len(vowels) - syllable, 0)]
        phones[at] = add_stress(phones[at])
    return phones


class RuleG2P:
    """Base of the rule back ends: words one by one, cached, with a hook for what crosses word borders."""

    letters = ""  # letters beyond a-z that the rules know

    def __init__(self) -> None:
        self._cached = lru_cache(maxsize=20_000)(self._in_table)

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        return self.join([list(self._cached(word)) for word in words])

    def _in_table(self, word: str) -> Phones:
        plain = plain_letters(word, self.letters).strip("'")
        return tuple(unicodedata.normalize("NFD", phone) for phone in self.word(plain)) if plain else ()

    def word(self, word: str) -> Phones:
        """Phones of one word by itself, stress included; any Unicode form."""
        raise NotImplementedError

    def join(self, phrase: list[list[str]]) -> list[Phones]:
        return [tuple(phones) for phones in phrase]

    def knows(self, word: str) -> bool:
        """A rule back end can read what has a vowel and no impossible run of consonants."""
        return "-" not in word and bool(_VOWEL.search(word)) and not _CLUSTER.search(word) and len(word) > 3


_VOWEL = re.compile(r"[aeiouyáéíóúàèìòùâêîôûãõäöü]")
_CLUSTER = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}|^[bcdfgjkmnpqrtvwxz][bcdfgjkmnpqtvwxz]")
