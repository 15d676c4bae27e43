"""Sentences of a text in pieces are those of the whole text, each as soon as the word after it is complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechx.errors import InputError
from speechx.text.sentence_buffer import SentenceBuffer
from speechx.text.sentences import split_sentences

TEXT = (
    "Dr. Smith arrived at 3 p.m. on Monday. He had 2.5 kg of tea! \"Really?\" she asked. It's No. 5... "
    "Then, after a very long time in which nothing at all happened, and during which everybody had looked at the clock "
    "more than once, the door of the house was opened; a man came in, sat down, and said nothing. Bye.\n\n- One\n- Two"
)  # fmt: skip


def sentences(pieces: list[str], language: str = "en") -> list[str]:
    buffer = SentenceBuffer(language)
    return [s for piece in pieces for s in buffer.push(piece)] + buffer.flush()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 500])
def test_as_of_the_whole(size: int) -> None:
    pieces = [TEXT[i : i + size] for i in range(0, len(TEXT), size)]
    assert sentences(pieces) == split_sentences(TEXT, "en")


def test_each_is_early() -> None:
    buffer = SentenceBuffer("en")
    assert buffer.push("Hello there. ") == [] and buffer.has_ended
    assert buffer.push("How") == []
    assert buffer.push(" are") == ["Hello there."]
    assert not buffer.has_ended
    assert buffer.push(" you?") == [] and buffer.has_ended
    assert buffer.flush() == ["How are you?"] and buffer.flush() == []


def test_marks_alone_are_not_said() -> None:
    assert sentences(["...", " ", "!"]) == []
    assert sentences([]) == []


def test_cleared() -> None:
    buffer = SentenceBuffer("es")
    buffer.push("Hola a to")
    buffer.clear()
    assert buffer.flush() == []


def test_unknown_language() -> None:
    with pytest.raises(InputError, match="xx"):
        SentenceBuffer("xx")


@given(st.lists(st.text(alphabet="aB.?!,; \n\"'<>#-1", max_size=12), max_size=20))
def test_no_letter_is_lost(pieces: list[str]) -> None:
    def letters(text: str) -> str:
        return "".join(char for char in text if char.isalnum())

    assert letters("".join(sentences(pieces))) == letters("".join(pieces))
