"""Any symbol of the IPA as phones of the frozen table: the same, an alias, or the nearest by its features.

    nearest_phones("ʉ")  # ("y",)
    nearest_phones("˧")  # None: a tone is not in the table

Features are those of the IPA chart: height, backness and rounding of a vowel; place, manner and voicing of a consonant.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from speechx.text.phones import PHONE_IDS, STRESS, UNKNOWN, add_stress, resolve

__all__ = ["nearest_phones"]

# height (0 close .. 6 open), backness (0 front .. 2 back), rounding
_VOWELS = {
    "i": (0, 0, 0), "y": (0, 0, 1), "ɨ": (0, 1, 0), "ʉ": (0, 1, 1), "ɯ": (0, 2, 0), "u": (0, 2, 1),
    "ɪ": (1, 0.5, 0), "ʏ": (1, 0.5, 1), "ʊ": (1, 1.5, 1),
    "e": (2, 0, 0), "ø": (2, 0, 1), "ɘ": (2, 1, 0), "ɵ": (2, 1, 1), "ɤ": (2, 2, 0), "o": (2, 2, 1),
    "ə": (3, 1, 0),
    "ɛ": (4, 0, 0), "œ": (4, 0, 1), "ɜ": (4, 1, 0), "ɞ": (4, 1, 1), "ʌ": (4, 2, 0), "ɔ": (4, 2, 1),
    "æ": (5, 0, 0), "ɐ": (5, 1, 0),
    "a": (6, 0.5, 0), "ɶ": (6, 0, 1), "ɑ": (6, 2, 0), "ɒ": (6, 2, 1),
}  # fmt: skip

_PLACES = {
    "bilabial": "pbɸβmʙɓ", "labiodental": "fvɱⱱʋ", "dental": "θð", "alveolar": "tdszɬɮnrɾlɹɺɗ", "postalveolar": "ʃʒ" "ʈɖʂʐɳɽɭɻ",
    "palatal": "cɟçʝɲʎjɕʑɥʄ", "velar": "kɡxɣŋʟɰwʍɠɧ", "uvular": "qɢχʁɴʀʛ", "pharyngeal": "ħʕʜʢ",
    "glottal": "ʔhɦʡ",
}  # fmt: skip
_MANNERS = {
    "stop": "pbtdʈɖcɟkɡqɢʔɓɗʄɠʛʡ", "nasal": "mɱnɳɲŋɴ", "trill": "ʙrʀɾɽⱱ", "lateral": "lɭʎʟɺɬɮ",
    "fricative": "ɸβfvθðszʃʒʂʐçʝxɣχʁħʕhɦɕʑɧʜʢʍ", "approximant": "ʋɹɻjɰwɥ",
}  # fmt: skip
_VOICELESS = frozenset("pɸfθtsɬʃʈʂcçɕkxqχħʔhʍɧʜʡ")
_OTHER_MANNER, _OTHER_VOICING = 6, 3

_DIPHTHONGS = ("aɪ", "eɪ", "oʊ", "aʊ", "ɔɪ")
_LIKE_FIRST, _LIKE_SECOND = 4.0, 2.0

_MARKS = re.compile(r"[ˈˌ\u0361\u035c]")


@cache
def nearest_phones(symbol: str) -> tuple[str, ...] | None:
    """The table's phones for one IPA symbol or a row of them; None where it has a part that no feature describes.

    A long consonant is the same phone twice. Marks of stress are kept, other diacritics fall off where the table has no such phone.
    """
    symbol = unicodedata.normalize("NFD", symbol.replace("g", "ɡ"))
    plain = _MARKS.sub("", symbol)
    if not plain:
        return ()
    if plain.endswith("ː") and len(plain) == 2 and _consonant(plain[0]):
        one = nearest_phones(plain[0])
        return None if one is None else one * 2
    known = resolve(plain)
    found = list(known) if len(known) == 1 and UNKNOWN not in known else _parts(plain)
    if found is None:
        return None
    if STRESS in symbol:
        first = next((n for n, phone in enumerate(found) if add_stress(phone) != phone), None)
        if first is not None:
            found[first] = add_stress(found[first])
    return tuple(found)


def _parts(plain: str) -> list[str] | None:
    """The phones of a symbol of several characters, as one diphthong or affricate where the table has one like it."""
    parts = list[str]()
    for char in plain:
        if parts and unicodedata.category(char) in ("Mn", "Lm"):  # diacritics, length and raised letters
            parts[-1] += char
        else:
            parts.append(char)
    if len(parts) == 2 and (diphthong := _diphthong(parts[0], parts[1])):
        return [diphthong]
    found: list[str] = []
    for part in parts:
        phones = resolve(part)
        if UNKNOWN in phones:
            near = _nearest(part[0])
            if near is None:
                return None
            phones = (near,)
        found += phones
    return ["".join(found)] if "".join(found) in PHONE_IDS else found


def _diphthong(first: str, second: str) -> str | None:
    """The nearest of the table's diphthongs, where both halves are like those of the symbol."""
    if first not in _VOWELS or second not in _VOWELS or _VOWELS[second][0] >= _VOWELS[first][0]:
        return None  # those of the table close
    near = [
        (begin + end, diphthong)
        for diphthong in _DIPHTHONGS
        if (begin := _vowel_distance(first, diphthong[0])) <= _LIKE_FIRST
        and (end := _vowel_distance(second, diphthong[1])) <= _LIKE_SECOND
    ]
    return min(near)[1] if near else None


def _vowel_distance(a: str, b: str) -> float:
    (high, back, rounded), (high_b, back_b, rounded_b) = _VOWELS[a], _VOWELS[b]
    return abs(high - high_b) + 2 * abs(back - back_b) + 2 * abs(rounded - rounded_b)


def _nearest(char: str) -> str | None:
    if char in _VOWELS:
        return min((p for p in _VOWELS if p in PHONE_IDS), key=lambda phone: _vowel_distance(phone, char))
    features = _consonant(char)
    if features is None:
        return None
    place, manner, voiced = features
    near = [(found, phone) for phone in PHONE_IDS if (found := _consonant(phone)) is not None]
    return min(
        near,
        key=lambda item: (
            abs(item[0][0] - place)
            + _OTHER_MANNER * (item[0][1] != manner)
            + _OTHER_VOICING * (item[0][2] != voiced)
        ),
    )[1]


def _consonant(char: str) -> tuple[int, str, bool] | None:
    """Place from front to back, manner, voicing; None for anything but a plain consonant."""
    place = next((n for n, chars in enumerate(_PLACES.values()) if len(char) == 1 and char in chars), None)
    manner = next((name for name, chars in _MANNERS.items() if char in chars), None)
    return None if place is None or manner is None else (place, manner, char not in _VOICELESS)
