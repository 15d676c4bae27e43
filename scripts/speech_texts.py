"""Generates texts in five languages for synthetic speech, from the small grammars in speech_texts.json.

`make_text(language, rng, corpus)` returns one text. corpus: existing sentences of that language. A grammar is a start
pattern and lists of words. A pattern such as "{who} {does}." is filled at random; an entry of a list may be a pattern too.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

KINDS = ("corpus", "sentence", "question", "number", "name", "short", "letters", "long", "list")
WEIGHTS = (30, 22, 14, 10, 6, 7, 3, 6, 2)
LETTERS = "ABCDEFGHIJLMNOPQRSTUVZ"

WORDS: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
LISTS = {"name": "names", "city": "cities"}
"""Slots whose list has another name."""

TENS_AND_UNITS = {"es": " y ", "it": "", "pt": " e ", "fr": "-", "en": "-"}


def make_number(language: str, rng: random.Random) -> str:
    """A number of 0 to 99 in words, without 20 to 29, whose spelling is irregular."""
    digits, tens = WORDS["digits"][language], WORDS["tens"][language]
    if rng.random() < 0.5:
        return rng.choice(digits)
    ten, unit = rng.choice(tens), rng.choice([0, *range(2, 8), 9])
    if not unit:
        return ten
    last = "tré" if language == "it" and unit == 3 else digits[unit]
    return ten + TENS_AND_UNITS[language] + last


def fill(pattern: str, language: str, rng: random.Random) -> str:
    """A pattern with every {slot} filled, repeatedly until none is left."""

    def slot(match: re.Match[str]) -> str:
        if match[1] in "nm":
            return make_number(language, rng)
        if match[1] == "d":
            return " ".join(rng.choice(WORDS["digits"][language][:10]) for _ in range(rng.randint(3, 6)))
        return rng.choice(WORDS[LISTS.get(match[1], match[1])][language])

    while "{" in pattern:
        pattern = re.sub(r"\{(\w+)\}", slot, pattern)
    return pattern


def make_text(language: str, rng: random.Random, corpus: Sequence[str]) -> str:
    """One text of a random kind."""
    kind = rng.choices(KINDS, WEIGHTS)[0]
    if kind == "corpus" and corpus:
        return rng.choice(corpus)
    if kind in ("question", "number"):
        return fill(rng.choice(WORDS[kind][language]), language, rng)
    if kind == "name":
        patterns = ("{name}.", "{name}, {city}.", "{name}, {name}, {name}.", "{city}!")
        return fill(rng.choice(patterns), language, rng)
    if kind == "short":
        return " ".join(rng.choice(WORDS["short"][language]) for _ in range(rng.choice((1, 1, 2))))
    if kind == "letters":
        return ", ".join(rng.choices(LETTERS, k=rng.choice((1, 1, 3, 4)))) + "."
    if kind == "list":
        return fill("{thing}, {thing}, {thing}.", language, rng).capitalize()
    plain = "{who} {does} {when}" if rng.random() < 0.6 else "{who} {does}"
    if kind == "long":
        plain += ", {link} {name} {does}, {link} {name} {does} {when}"
    elif rng.random() < 0.2:
        plain += ", {link} {name} {does}"
    return fill(plain + rng.choice(("...", "!", ".", ".", ".", ".")), language, rng)
