"""The text front end, by example: what is said, which phones, where sentences end, what an edit changes."""

from __future__ import annotations

import hashlib
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
    PHONE_IDS,
    PHONE_TABLE_VERSION,
    PHONES,
    PhoneSequence,
    TextFrontend,
    WordEdit,
    diff_words,
    merge_edits,
    split_sentences,
    unstressed_ids,
)
from speechx.text.normalize import tokenize
from speechx.text.phones import MAX_PHONES, resolve

FRONTEND = TextFrontend()

HELLO = {
    "en": "Hello there, how are you?",
    "es": "Hola, ¿cómo estás?",
    "fr": "Bonjour, comment allez-vous ?",
    "de": "Guten Tag, wie geht es Ihnen?",
    "it": "Buongiorno, come stai?",
    "pt": "Olá, como você está?",
}


def said(text: str, language: str = "en") -> str:
    """What a text says, pauses included."""
    return " ".join(" ".join(token.spoken) + token.pause for token in tokenize(text, language))


def phones(word: str, language: str) -> str:
    return "".join(FRONTEND(word, language).phones).strip("_")


# The phone table ------------------------------------------------------------------------------------------------------


def test_the_phone_table_is_frozen() -> None:
    """Weights depend on it. Append at the end, raise the version, then change the digest here."""
    digest = hashlib.sha256("\n".join(PHONES[:129]).encode()).hexdigest()
    assert (PHONE_TABLE_VERSION, len(PHONES), digest[:16]) == (1, 129, "2db1b76987bb25c0")
    assert PHONES[:6] == ("<unk>", "_", ",", ".", "?", "!")
    assert len(PHONES) <= MAX_PHONES


def test_foreign_symbols_find_the_nearest_phone() -> None:
    assert resolve("t͡ʃ") == ("tʃ",)
    assert resolve("ˈɜː") == ("ˈɚ",)
    assert resolve("d̪") == ("d",)  # a diacritic falls off
    assert resolve("ɐ̃w̃") == resolve("ɐ̃") + resolve("w̃")
    assert resolve("☃") == ("<unk>",)


def test_stress_can_be_folded_away() -> None:
    plain = unstressed_ids()
    assert PHONES[plain[PHONE_IDS["ˈa"]]] == "a"
    assert plain[PHONE_IDS["t"]] == PHONE_IDS["t"]


# Phone sequences ------------------------------------------------------------------------------------------------------


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
    ("language", "word", "expected"),
    [
        ("en", "read the live record", "ɹˈidðəlˈaɪvɹˈɛkɚd"),
        ("en", "to record it", "təɹɪkˈɔɹdɪt"),
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


# Normalization --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith vs. Mrs. Jones, etc.", "doctor smith versus missus jones, et cetera."),
        ("It costs $1,234.50.", "it costs one thousand two hundred thirty four dollars fifty cents."),
        ("3/14/2024 at 3:30 p.m., room 5", "march fourteenth twenty twenty four at three thirty P M, room five"),
        ("In 1999 and 2005, 25% of 3.5 km", "in nineteen ninety nine and two thousand five, twenty five percent of "
         "three point five kilometers"),
        ("the 21st, the 1990s, No. 5", "the twenty first, the nineteen nineties, number five"),
        ("Louis XIV, World War II", "louis the fourteenth, world war two"),
        ("AT&T & mp3", "A T and T and mp three"),
        ("jo.doe@example.com, https://a.org/x", "jo dot doe at example dot com, A dot org slash X"),
        ("“Yes” — he said… (really!)", "yes, he said. really!"),
        ("Hi 😀👍🏽 there", "hi there"),
        ("word—another; and/or", "word, another, and or"),
        ("$3 million, -5 °C, 10-20", "three million dollars, minus five degrees celsius, ten to twenty"),
        ("call 555-1234", "call five five five one two three four"),
    ],
)  # fmt: skip
def test_english_is_normalized(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("es", "El Sr. García pagó 1.234,50 €.", "el señor garcía pagó mil doscientos treinta y cuatro euros con cincuenta "
         "céntimos."),
        ("es", "21 años, el 25 %, 3,14", "veintiún años, el veinticinco por ciento, tres coma catorce"),
        ("fr", "M. Dupont, 1er mai, 15h30", "monsieur dupont, premier mai, quinze heures trente"),
        ("fr", "71 + 80, 1 000 km", "soixante et onze plus quatre vingts, mille kilomètres"),
        ("de", "Am 3. Mai, z. B. 21 Uhr", "am dritten mai, zum beispiel ein und zwanzig uhr"),
        ("de", "1.234,5 kg bzw. 10 %", "ein tausend zwei hundert vier und dreißig komma fünf kilogramm beziehungsweise zehn "
         "prozent"),
        ("it", "Il Dott. Rossi, 28 euro", "il dottor rossi, ventotto euro"),
        ("pt", "R$ 25,50 para a Sra. Silva", "vinte e cinco reais e cinquenta centavos para a senhora silva"),
    ],
)  # fmt: skip
def test_other_languages_are_normalized(language: str, text: str, expected: str) -> None:
    assert said(text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 10**12))
def test_every_number_has_words(language: str, number: int) -> None:
    words = said(f"{number}", language)
    assert words and not any(char.isdigit() for char in words)


# Bad input ------------------------------------------------------------------------------------------------------------


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


# Sentences ------------------------------------------------------------------------------------------------------------


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


# Edits ----------------------------------------------------------------------------------------------------------------


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


def test_edits_can_be_merged_into_one_span() -> None:
    assert merge_edits(diff_words("a b c d e", "x b c y e", "en")) == WordEdit(0, 4, 0, 4)
    assert merge_edits([]) is None


@settings(max_examples=100, deadline=None)
@given(
    old=st.lists(st.sampled_from("one two 21 twenty cat dog".split()), min_size=1, max_size=8),
    new=st.lists(st.sampled_from("one two 21 twenty cat dog".split()), min_size=1, max_size=8),
)
def test_applying_the_edits_to_the_old_words_says_the_new_text(old: list[str], new: list[str]) -> None:
    words = list(old)
    for edit in reversed(diff_words(" ".join(old), " ".join(new), "en")):
        words[edit.old_start : edit.old_stop] = new[edit.new_start : edit.new_stop]
    assert said(" ".join(words)) == said(" ".join(new))


# Cost -----------------------------------------------------------------------------------------------------------------


def test_importing_the_front_end_is_light() -> None:
    code = "import sys, speechx.text; print(sorted({'torch', 'pycrfsuite', 'sqlite3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
