"""Word differences of two texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.text import (
    TextFrontend,
    WordEdit,
    diff_words,
)
from speechx.text.normalize import tokenize

FRONTEND = TextFrontend()


def spoken(text: str, language: str = "en") -> str:
    """The spoken words of a text, with pauses."""
    return " ".join(" ".join(token.spoken) + token.pause for token in tokenize(text, language))


@pytest.mark.parametrize(
    ("old", "new", "edits"),
    [
        ("The quick brown fox.", "the QUICK, red fox", [WordEdit(2, 3, 2, 3)]),
        ("The brown fox", "The quick brown fox", [WordEdit(1, 1, 1, 2)]),
        ("The quick brown fox", "The fox", [WordEdit(1, 3, 1, 1)]),
        ("It's 5 PM.", "it's five P.M.", []),
        ("I have twenty five cats", "I have 26 cats", [WordEdit(2, 4, 2, 3)]),
        ("a b c d e", "x b c y e", [WordEdit(0, 1, 0, 1), WordEdit(3, 4, 3, 4)]),
    ],
)
def test_changed_words(old: str, new: str, edits: list[WordEdit]) -> None:
    assert diff_words(old, new, "en") == edits
    assert diff_words(FRONTEND(old, "en"), FRONTEND(new, "en"), "en") == edits


@settings(max_examples=100, deadline=None)
@given(
    old=st.lists(st.sampled_from("one two 21 twenty cat dog".split()), min_size=1, max_size=8),
    new=st.lists(st.sampled_from("one two 21 twenty cat dog".split()), min_size=1, max_size=8),
)
def test_applying_the_edits_to_the_old_words_says_the_new_text(old: list[str], new: list[str]) -> None:
    words = list(old)
    for edit in reversed(diff_words(" ".join(old), " ".join(new), "en")):
        words[edit.old_start : edit.old_stop] = new[edit.new_start : edit.new_stop]
    assert spoken(" ".join(words)) == spoken(" ".join(new))
