"""Every symbol of the IPA becomes the nearest phones of the table, or is said to have none."""

from __future__ import annotations

import pytest

from speechx.text.g2p.ipa import nearest_phones
from speechx.text.phones import PHONE_IDS


@pytest.mark.parametrize(
    ("symbol", "phones"),
    [
        ("p", "p"),
        ("g", "ɡ"),
        ("ˈaː", "ˈaː"),
        ("ʉ", "y"),
        ("ɞ", "œ"),
        ("q", "k"),
        ("ʈ", "t"),
        ("ɖ", "d"),
        ("ɟ", "ɡ"),
        ("ħ", "h"),
        ("ʕ", "ʁ"),
        ("ʂ", "ʃ"),
        ("ɭ", "l"),
        ("ɓ", "b"),
        ("ɴ", "ŋ"),
        ("ɽ", "ɾ"),
        ("tː", "t t"),
        ("tʲ", "t"),
        ("d͡ʐ", "dʒ"),
        ("ɛɪ", "eɪ"),  # Dutch ij
        ("ˈɛɪ", "ˈeɪ"),
        ("ʌʊ", "oʊ"),
        ("œy", "œ y"),  # no diphthong of the table is like it
        ("ˈœy", "ˈœ y"),
        ("ia", "i a"),  # it opens
        ("eːʊ", "eː ʊ"),
    ],
)
def test_nearest(symbol: str, phones: str) -> None:
    assert nearest_phones(symbol) == tuple(phones.split())
    assert set(phones.split()) <= PHONE_IDS.keys()


@pytest.mark.parametrize("symbol", ["ʘ", "ǃ", "˧", "5"])
def test_clicks_and_tones_have_none(symbol: str) -> None:
    assert nearest_phones(symbol) is None
