"""Spelling rules of an added language: the longest letters win, and a file that cannot be used names its line and key."""

from __future__ import annotations

import pytest

from speechx.errors import InputError
from speechx.text.g2p.rules import RulesG2P

RULES = """
phones:
  a: a
  aa: aː
  sch: s x
  s: s
  c: k
  h: h
  "(c)[ei]": s
  i: i
  "(e)$": ə
  "^(e)": eː
  e: ɛ
  n: n
  "[ae](s)[ae]": z
  y:
words:
  een: eː n
  "2": t w eː
stress: first
"""


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("scha", "s x ˈa"),  # the longest letters
        ("aas", "ˈaː s"),
        ("asa", "ˈa z a"),  # between vowels
        ("sce", "s s ˈə"),  # the end of the word before the letter alone, and c before e
        ("ca", "k ˈa"),
        ("enes", "ˈeː n ɛ s"),
        ("een", "eː n"),  # a word is read as it is written, without a stress of its own
        ("2", "t w eː"),
        ("NAY", "n ˈa"),  # capitals are no difference, silent letters are none
        ("ne'n-a", "n ˈɛ n a"),
    ],
)
def test_reading(word: str, phones: str) -> None:
    assert " ".join(RulesG2P(RULES)([word])[0]) == phones


def test_letters_without_a_rule_are_named() -> None:
    rules = RulesG2P(RULES)
    assert rules.unread("zaaq3") == ("z", "q", "3") and rules.unread("een") == ()
    assert rules(["zaaq"]) == [("ˈaː",)]


@pytest.mark.parametrize(
    ("stress", "phones"), [("last", "a n ˈa"), ("penultimate", "ˈa n a"), ("none", "a n a")]
)
def test_stress(stress: str, phones: str) -> None:
    assert " ".join(RulesG2P(RULES.replace("first", stress))(["ana"])[0]) == phones


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "phones:\n  a: a\n  b: bb\n",
            "line 3: 'b' writes 'bb', which is none of 123 phones; did you mean 'b'",
        ),
        (
            "phones:\n  a: a\nstres: last\n",
            "line 3: 'stres' is none of phones, words, stress; did you mean 'stress'",
        ),
        ("phones:\n  a: a\nstress: middle\n", "line 3: 'stress' must be one of none, last"),
        ("phones:\n  a: a\n  a: e\n", "line 3: 'a' was given in line 2 already"),
        ("phones:\n  a: [a, b]\n", "line 2: 'a' must have phones with spaces"),
        ("phones: a\n", "line 1: 'phones' must hold lines of KEY: VALUE"),
        ("- a\n", "line 1: 'the file' must hold lines of KEY: VALUE"),
        ("phones:\n  a: a\n  '[ae]s': z\n", "line 3: '[ae]s' has a context without letters in brackets"),
        ("phones:\n  a: a\n  '.(s)': z\n", "line 3: '.(s)' may have letters, [letters], ^ and $"),
        ("phones:\n  a: _\n", "line 2: 'a' writes '_'"),
        ("words:\n  a: a\n", "the rules have no letters"),
        ("phones:\n\ta: a\n", "line 2: this is no YAML"),
        ("", "the rules are empty"),
    ],
)
def test_files_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        RulesG2P(text)
    assert message in str(error.value) and error.value.field == "phones"
