"""Word and character error rates, hallucinations and loops against values by hand."""

from __future__ import annotations

import pytest

from speechx.eval.metrics import words
from speechx.eval.scores import Unmeasurable


@pytest.mark.parametrize(
    ("reference", "heard", "wer"),
    [
        ("The cat sat.", "the cat sat", 0),
        ("the cat sat on the mat", "the cat sat on mat", 1 / 6),
        ("the cat sat on the mat", "a cat sat on the big mat", 2 / 6),
        ("twenty one colours", "21 colors", 0),
        ("hello", "", 1),
        ("big cat", "big cat sat on a mat", 4 / 2),
    ],
)
def test_wer(reference: str, heard: str, wer: float) -> None:
    errors = words.wer_counts(reference, heard, "en")
    assert errors.wer.value == pytest.approx(wer) and errors.wer.weight == errors.words


def test_wer_of_other_languages_keeps_accents() -> None:
    assert words.wer_counts("él está aquí", "el esta aqui", "es").wer.value > 0
    assert words.wer_counts("¿Dónde está?", "dónde está", "es").wer.value == 0
    with pytest.raises(Unmeasurable):
        words.wer_counts("...", "hello", "en")


def test_cer() -> None:
    assert words.cer("abcd efgh", "abcd efgx", "en").value == pytest.approx(1 / 8)
    assert words.cer("abcd", "", "en").value == 1


def test_hallucination_is_three_words_in_a_row() -> None:
    assert words.wer_counts("the cat sat", "the cat sat and then it slept", "en").hallucinated
    assert not words.wer_counts("the cat sat on the mat", "a cat stood on a mat", "en").hallucinated
    assert not words.wer_counts("the cat sat on the mat", "", "en").hallucinated


def test_loops() -> None:
    assert words.has_loop("the cat sat", "the cat the cat the cat sat", "en")
    assert not words.has_loop("no no no stop", "no no no stop", "en")
    assert not words.has_loop("the cat sat", "the the cat sat", "en")


def test_errors_of_a_span() -> None:
    errors = words.wer_counts("a b c d e f g h i j", "a b c x y f g h i j", "fr")
    assert errors.part(0.3, 0.5).value == 1 and errors.part(0.3, 0.5).weight == 2
    assert errors.part(0.6, 1.0).value == 0


def test_words_of_another_recording() -> None:
    prompt = "Once upon a time."
    assert words.leaks("the cat sat", "the cat sat once upon a", prompt, "en")
    assert not words.leaks("the cat sat", "the cat sat upon once a", prompt, "en")
    assert not words.leaks("the time once", "a time upon once", prompt, "en")
    misheard = "Mister Quilters is the"  # of a voice that is the beginning of the same sentence
    assert not words.leaks("Mr. Quilter is the apostle", f"{misheard} apostle", misheard, "en")
    assert not words.leaks("once upon a time there was a cat", "once upon a time there was", prompt, "en")
