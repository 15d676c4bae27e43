"""Text normalization, by example."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.text import (
    LANGUAGES,
)
from speechx.text.normalize import tokenize


def spoken(text: str, language: str = "en") -> str:
    """The spoken words of a text, with pauses."""
    return " ".join(" ".join(token.spoken) + token.pause for token in tokenize(text, language))


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
    assert spoken(text) == expected


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
    assert spoken(text, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 10**12))
def test_every_number_has_words(language: str, number: int) -> None:
    words = spoken(f"{number}", language)
    assert words and not any(char.isdigit() for char in words)
