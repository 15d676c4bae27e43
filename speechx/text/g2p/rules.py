"""Spelling rules for a language that was added: a YAML file of letters and phones.

    phones:            # letters to phones of the table; at each place the longest letters win
      sch: s x
      g: x
      "(e)$": ə        # a context around the letters in brackets: ^ begin, $ end, [..] any of these letters
      "[aeiou](s)[aeiou]": z
    words:             # read as a whole, before the letters; a number may be one
      de: d ə
      "2": t w eː
    stress: first      # syllable of a word: first, last, penultimate, none (the default)

Of the same letters, those with a context are tried first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import yaml

from speechx.errors import InputError, did_you_mean
from speechx.text.g2p.base import Phones, nuclei, stress_from_end
from speechx.text.phones import PAUSES, PHONE_IDS, SILENCE, STRESS, UNKNOWN, add_stress

__all__ = ["AddedG2P", "RulesG2P"]

KEYS = ("phones", "words", "stress")
SYLLABLES = {"none": 0, "last": 1, "penultimate": 2, "first": 99}
_GRAPHEME = re.compile(r"(?P<before>[^()]*)\((?P<letters>[^()\[\]^$]+)\)(?P<after>[^()]*)")
_CONTEXT = re.compile(r"(?:\[[^\[\]()^$]+\]|[^\W\d_]|')*")


class AddedG2P(Protocol):
    """A `G2P` of an added language. reads_signs: whether it reads digits and signs in general."""

    reads_signs: bool

    def __call__(self, words: Sequence[str]) -> list[Phones]: ...

    def knows(self, word: str) -> bool: ...

    def unread(self, word: str) -> tuple[str, ...]:
        """The letters or symbols of a word that are left out."""
        ...

    def replaced(self, word: str) -> dict[str, Phones]:
        """The symbols of a word that the table does not have, with the phones that stand for them."""
        ...


@dataclass(frozen=True)
class LetterRule:
    """letters, between what may stand before and after them (regular expressions, "" for anything), to phones."""

    letters: str
    before: str
    after: str
    phones: Phones

    def pattern(self) -> re.Pattern[str]:
        before = f"(?<={self.before})" if self.before not in ("", "^") else self.before
        return re.compile(f"{before}{re.escape(self.letters)}(?={self.after})")


class RulesG2P:
    """The rules of a file's text. Raises InputError, field "phones", that names the line and the key at fault."""

    reads_signs = False

    def __init__(self, text: str) -> None:
        found, self.words, self._syllable = _read(text)
        found.sort(key=lambda rule: (-len(rule.letters), not (rule.before or rule.after)))
        self._rules: dict[str, list[tuple[re.Pattern[str], Phones]]] = {}
        for rule in found:
            self._rules.setdefault(rule.letters[0], []).append((rule.pattern(), rule.phones))
        self._cached = lru_cache(maxsize=20_000)(self._word)

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        return [self._cached(word)[0] for word in words]

    def knows(self, word: str) -> bool:
        return True

    def unread(self, word: str) -> tuple[str, ...]:
        return self._cached(word)[1]

    def replaced(self, word: str) -> dict[str, Phones]:
        """None: rules write phones of the table."""
        return {}

    def _word(self, word: str) -> tuple[Phones, Phones]:
        """Phones of a word, and its characters that no rule reads."""
        word = _letters(word)
        if word in self.words:
            return self.words[word], ()
        phones, unread, at = list[str](), list[str](), 0
        while at < len(word):
            for pattern, out in self._rules.get(word[at], ()):
                if match := pattern.match(word, at):
                    phones += out
                    at = match.end()
                    break
            else:
                if word[at] not in "'-":
                    unread.append(word[at])
                at += 1
        return tuple(self._stressed(phones)), tuple(dict.fromkeys(unread))

    def _stressed(self, phones: list[str]) -> list[str]:
        if self._syllable and self._syllable < SYLLABLES["first"]:
            return stress_from_end(phones, self._syllable)
        vowels = nuclei(phones)
        if self._syllable and vowels and not any(phone.startswith(STRESS) for phone in phones):
            phones[vowels[0]] = add_stress(phones[vowels[0]])
        return phones


def _letters(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def _read(text: str) -> tuple[list[LetterRule], dict[str, Phones], int]:
    """Rules, words, and the syllable with the stress."""
    rules, words, syllable = list[LetterRule](), dict[str, Phones](), 0
    for key, value, line in _entries(_root(text), ""):
        if key not in KEYS:
            raise _wrong(line, key, f"is none of {', '.join(KEYS)}{did_you_mean(key, KEYS)}")
        if key == "stress":
            if not isinstance(value, yaml.ScalarNode) or value.value not in SYLLABLES:
                raise _wrong(line, key, f"must be one of {', '.join(SYLLABLES)}")
            syllable = SYLLABLES[value.value]
        elif key == "words":
            words = {_letters(word): _phones(its, at, word) for word, its, at in _entries(value, key)}
        else:
            rules = [_rule(letters, its, at) for letters, its, at in _entries(value, key)]
    if not rules:
        raise InputError("phones: the rules have no letters: give them under `phones`", field="phones")
    return rules, words, syllable


def _root(text: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(f"phones: {where}this is no YAML: {problem}", field="phones") from None
    if root is None:
        raise InputError("phones: the rules are empty", field="phones")
    return root


def _entries(node: yaml.Node, name: str) -> Iterator[tuple[str, yaml.Node, int]]:
    """(key, value, line) of a mapping, in order. Raises InputError for anything else, and for a key that comes twice."""
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(line, name or "the file", "must hold lines of KEY: VALUE")
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not key.value:
            raise _wrong(line, name or "the file", "has a key that is no text")
        if key.value in seen:
            raise _wrong(line, key.value, f"was given in line {seen[key.value]} already")
        seen[key.value] = line
        yield key.value, value, line


def _rule(key: str, value: yaml.Node, line: int) -> LetterRule:
    match = _GRAPHEME.fullmatch(key)
    before, letters, after = match.group("before", "letters", "after") if match else ("", key, "")
    if not match and re.search(r"[()\[\]^$]", key):
        raise _wrong(line, key, "has a context without letters in brackets, as in [aeiou](s)[aeiou]")
    begin, end = before.startswith("^"), after.endswith("$")
    rest = before.removeprefix("^"), after.removesuffix("$")
    if not all(_CONTEXT.fullmatch(part) for part in rest):
        raise _wrong(line, key, "may have letters, [letters], ^ and $ around its brackets, and nothing else")
    if begin and rest[0]:
        before = rf"\b{_letters(rest[0])}"
    else:
        before = "^" if begin else _letters(rest[0])
    return LetterRule(
        _letters(letters), before, _letters(rest[1]) + ("$" if end else ""), _phones(value, line, key)
    )


def _phones(node: yaml.Node, line: int, key: str) -> Phones:
    """Phones with spaces between them; none for letters that are not pronounced."""
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(line, key, "must have phones with spaces between them")
    silent = node.tag == "tag:yaml.org,2002:null"
    phones = tuple(unicodedata.normalize("NFD", p) for p in ("" if silent else node.value).split())
    said = [phone for phone in PHONE_IDS if phone not in (UNKNOWN, SILENCE, *PAUSES)]
    for phone in phones:
        if phone not in said:
            raise _wrong(
                line, key, f"writes {phone!r}, which is none of {len(said)} phones{did_you_mean(phone, said)}"
            )
    return phones


def _wrong(line: int, key: str, problem: str) -> InputError:
    return InputError(f"phones: line {line}: {key!r} {problem}", field="phones")
