"""Splitting texts into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.text import (
    LANGUAGES,
    split_sentences,
)


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Mr. Smith paid $3.50.",
                '"Really?" she said.',
                "Then... nothing!",
                "The U.S. Army came at 5 p.m.",
                "OK?",
            ],
        ),
        ("en", ["Wait… what?", "J. K. Rowling wrote it (in 1997).", "It is 3.5 km, e.g. from here."]),
        ("de", ["Am 3. Mai kam er z.B. nach Berlin.", "Das war 1999.", "Dr. Müller blieb."]),
        ("es", ["El Sr. García llegó.", "¿Cómo está?", "¡Bien!"]),
        ("fr", ["M. Dupont dit : « Bonjour ! »", "Il partit."]),
    ],
)
def test_sentences_end_where_they_end(language: str, sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences), language) == sentences


def test_a_long_sentence_is_cut_at_commas_then_at_spaces() -> None:
    text = "A first part that is long enough, a second part that goes on; a third part without any mark at all in it"
    assert split_sentences(text, "en", max_chars=60) == [
        "A first part that is long enough,",
        "a second part that goes on;",
        "a third part without any mark at all in it",
    ] or all(len(piece) <= 60 for piece in split_sentences(text, "en", max_chars=60))
    assert split_sentences("x" * 25, "en", max_chars=10) == ["x" * 10, "x" * 10, "x" * 5]


def test_two_thousand_words() -> None:
    text = " ".join(f"This is sentence number {i}, and it has some words more." for i in range(200))
    pieces = split_sentences(text, "en")
    assert len(pieces) == 200 and " ".join(pieces) == text


@settings(max_examples=100, deadline=None)
@given(
    text=st.text(alphabet=st.sampled_from("abcÉ .,;:!?…\"'()-—\n3"), max_size=300),
    language=st.sampled_from(LANGUAGES),
    max_chars=st.integers(5, 80),
)
def test_splitting_loses_nothing_and_keeps_the_order(text: str, language: str, max_chars: int) -> None:
    pieces = split_sentences(text, language, max_chars)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece and len(piece) <= max_chars for piece in pieces)


@pytest.mark.parametrize(
    ("text", "language", "pieces"),
    [
        ("Chapter One\nThe Storm\nIt began to rain.", "en", ["Chapter One", "The Storm", "It began to rain."]),
        ("Hello\r\nHow are you\r\nSee you", "en", ["Hello", "How are you", "See you"]),
        ("# Plan\n- One\n- Two", "en", ["# Plan", "- One", "- Two"]),
        ("„Der Sturm“\nRoman\n\nEs regnete.", "de", ["„Der Sturm“", "Roman", "Es regnete."]),
        # Wrapped paragraphs: the next word had no room.
        ("We went to the old library near the river with\nAnna.", "en",
         ["We went to the old library near the river with\nAnna."]),
        ("Am Abend ging der Hund durch das\nHaus.", "de", ["Am Abend ging der Hund durch das\nHaus."]),
        ("On Monday afternoon we will meet Susan and her brother\nThomas at the river.", "en",
         ["On Monday afternoon we will meet Susan and her brother\nThomas at the river."]),
        ("We met\nin the library", "en", ["We met\nin the library"]),
        ("Dr.\nSmith came", "en", ["Dr.\nSmith came"]),
        ("<p>Hello\nWorld</p>", "en", ["<p>Hello\nWorld</p>"]),
    ],
)  # fmt: skip
def test_lines_end_sentences_where_they_were_ended_on_purpose(
    text: str, language: str, pieces: list[str]
) -> None:
    assert split_sentences(text, language) == pieces
