"""Texts to phone sequences, and texts that cannot be used."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.errors import InputError
from speechx.text import (
    LANGUAGES,
    PHONES,
    PhoneSequence,
    TextFrontend,
)

FRONTEND = TextFrontend()

HELLO = {
    "en": "Hello there, how are you?",
    "es": "Hola, ¿cómo estás?",
    "fr": "Bonjour, comment allez-vous ?",
    "de": "Guten Tag, wie geht es Ihnen?",
    "it": "Buongiorno, come stai?",
    "pt": "Olá, como você está?",
}


def phones(word: str, language: str) -> str:
    return "".join(FRONTEND(word, language).phones).strip("_")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_gives_words_pauses_and_silence_at_both_ends(language: str) -> None:
    result = FRONTEND(HELLO[language], language)
    assert result.phones[0] == result.phones[-1] == "_"
    assert "<unk>" not in result.phones
    assert "," in result.phones and result.phones[-2] == "?"
    assert result.ids.dtype == np.int64 and [PHONES[i] for i in result.ids] == list(result.phones)
    check_spans(result)


def check_spans(result: PhoneSequence) -> None:
    """Words are in order, not empty, and hold every phone that is no pause."""
    stop = 1
    for word in result.words:
        assert word.start >= stop and word.stop > word.start
        assert all(phone in ",.?!_" for phone in result.phones[stop : word.start])
        stop = word.stop
    assert all(phone in ",.?!_" for phone in result.phones[stop:])


def test_a_word_keeps_the_way_it_was_written() -> None:
    result = FRONTEND("Dr. Lee paid $3.50 (in cash).", "en")
    assert [word.text for word in result.words] == ["Dr.", "Lee", "paid", "$3.50", "in", "cash"]


def test_capitals_do_not_change_the_phones() -> None:
    small = FRONTEND("this little work was finished in the year eighteen o three", "en")
    assert FRONTEND("THIS LITTLE WORK WAS FINISHED IN THE YEAR EIGHTEEN O THREE", "en").phones == small.phones


def test_acronyms_are_spelled_words_in_capitals_are_read() -> None:
    assert phones("The FBI", "en").endswith("ˈɛfbˈiˈaɪ")
    assert phones("The NASA", "en").endswith("nˈæsə")
    assert phones("I said NO", "en").endswith("nˈoʊ")


@pytest.mark.parametrize(
    ("language", "letter", "expected"),
    [
        ("en", "a", "ˈeɪ"),
        ("en", "A.", "ˈeɪ."),
        ("en", "B", "bˈi"),
        ("en", "I", "ˈaɪ"),
        ("es", "y", "ˈiɣɾjˈeɣa"),
        ("fr", "y", "iɡʁɛk"),
        ("de", "a", "ˈaː"),
        ("pt", "e", "ˈɛ"),
    ],
)
def test_a_letter_alone_is_said_by_its_name(language: str, letter: str, expected: str) -> None:
    assert phones(letter, language) == expected


def test_a_letter_in_a_sentence_is_a_word() -> None:
    assert phones("a dog", "en") == "ədˈɔɡ"
    assert phones("pan y agua", "es").startswith("pˈani")


@pytest.mark.parametrize(
    ("language", "word", "expected"),
    [
        ("en", "read the live record", "ɹˈidðəlˈaɪvɹˈɛkɚd"),
        ("en", "wind it up", "wˈaɪndɪtˈʌp"),
        ("en", "the wind up there", "ðəwˈɪndˈʌpðˈɛɹ"),
        ("en", "a lead pipe", "əlˈɛdpˈaɪp"),
        ("en", "a lead role", "əlˈidɹˈoʊl"),
        ("en", "a minute detail", "əmaɪnˈutdˈiteɪl"),
        ("en", "my brother lives here", "maɪbɹˈʌðɚlˈɪvzhˈɪɹ"),
        ("en", "our lives in danger", "aʊɚlˈaɪvzɪndˈeɪndʒɚ"),
        ("en", "to record it", "təɹɪkˈɔɹdɪt"),
        ("en", "pfft, tsk", "fft,tsk"),
        ("en", "the apple, the pear", "ðiˈæpəl,ðəpˈɛɹ"),
        ("es", "guerra", "ɡˈera"),
        ("es", "pingüino", "piŋɡwˈino"),
        ("es", "habló", "aβlˈo"),
        ("es", "hablo", "ˈaβlo"),
        ("fr", "les enfants", "lezɑ̃fɑ̃"),
        ("fr", "les héros", "leeʁo"),
        ("fr", "six amis", "sizami"),
        ("fr", "dit-il", "ditil"),
        ("de", "Straßenbahn", "ʃtʁˈaːsənbaːn"),
        ("de", "ich auch", "ɪçaʊx"),
        ("de", "verstehen", "fɛɐʃtˈeːən"),
        ("de", "Universität", "univɛɐzitˈɛːt"),
        ("it", "gli gnocchi", "ʎiɲˈɔkki"),
        ("it", "città", "tʃittˈa"),
        ("it", "tavolo", "tˈavolo"),
        ("it", "farmacia", "farmatʃˈia"),
        ("pt", "coração", "koɾasˈɐ̃w̃"),
        ("pt", "gente", "ʒˈẽtʃi"),
        ("pt", "os amigos", "uzamˈiɡus"),
        ("pt", "trabalho", "tɾabˈaʎu"),
    ],
)
def test_pronunciations(language: str, word: str, expected: str) -> None:
    assert phones(word, language) == unicodedata.normalize("NFD", expected)


@pytest.mark.parametrize(
    ("text", "language", "field", "message"),
    [
        ("", "en", "text", "text is empty"),
        ("   \n", "en", "text", "text is empty"),
        ("😀 👍", "en", "text", "nothing that can be said"),
        ("?!... —", "en", "text", "nothing that can be said"),
        ("你好", "en", "text", "nothing that can be said"),
        ("a" * 10_001, "en", "text", "10,001 characters; at most 10,000"),
        ("Hello", "xx", "language", "choose one of en, es, fr, de, it, pt"),
    ],
)
def test_bad_text_gets_a_sentence(text: str, language: str, field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        FRONTEND(text, language)
    assert caught.value.field == field


def test_the_limit_and_the_field_can_be_named() -> None:
    with pytest.raises(InputError, match="transcript has 6 characters; at most 5") as caught:
        TextFrontend(max_chars=5)("abcdef", "en", field="transcript")
    assert caught.value.field == "transcript"


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60), language=st.sampled_from(LANGUAGES))
def test_any_text_gives_phones_or_an_input_error(text: str, language: str) -> None:
    try:
        result = FRONTEND(text, language)
    except InputError:
        return
    assert result.words
    check_spans(result)


def test_importing_the_front_end_is_light() -> None:
    code = "import sys, speechx.text; print(sorted({'torch', 'pycrfsuite', 'sqlite3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
