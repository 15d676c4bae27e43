"""The frozen phone table: all symbols that the text frontend outputs.

Ids are indices into `PHONES`. Weights depend on them, so the table is append-only: new phones go to the end of
the last block and `PHONE_TABLE_VERSION` goes up by one; nothing is ever moved or removed.

Conventions (one table for all languages, IPA):
  * index 0 is "<unk>", index 1 is "_" (silence, the first and the last phone of every sequence);
  * pauses are phones: "," (also ; : dashes and brackets), ".", "?", "!";
  * affricates and the diphthongs of English and German are one entry, since they are one phoneme;
    Romance diphthongs are a vowel and a glide; a geminate is the same phone twice;
  * "ˈ" before a vowel marks the stressed syllable and makes an entry of its own; secondary stress is dropped.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

PHONE_TABLE_VERSION = 1
MAX_PHONES = 384

UNKNOWN = "<unk>"
SILENCE = "_"
PAUSES = (",", ".", "?", "!")
STRESS = "ˈ"

_CONSONANTS = (
    "p b t d k ɡ ʔ m n ŋ ɲ f v θ ð s z ʃ ʒ ç x h β ɣ ɾ r ɹ ʁ l ʎ ʝ j w ɥ j̃ w̃ tʃ dʒ ts dz pf"
).split()
_VOWELS = (
    "a ɐ ɑ æ ʌ ə ɚ e ɛ i ɪ o ɔ u ʊ y ʏ ø œ "  # short
    "aː eː ɛː iː oː uː yː øː "  # long (German)
    "ɐ̃ ẽ ĩ õ ũ ɑ̃ ɛ̃ ɔ̃ œ̃ "  # nasal (Portuguese, French)
    "aɪ eɪ oʊ aʊ ɔɪ"  # diphthongs (English, German)
).split()


def _nfd(symbol: str) -> str:
    """One spelling for each symbol, so that a precomposed ẽ and e + tilde are the same phone."""
    return unicodedata.normalize("NFD", symbol)


VOWELS: frozenset[str] = frozenset(_nfd(vowel) for vowel in _VOWELS)
PHONES: tuple[str, ...] = (
    UNKNOWN,
    SILENCE,
    *PAUSES,
    *(_nfd(c) for c in _CONSONANTS),
    *(_nfd(v) for v in _VOWELS),
    *(STRESS + _nfd(v) for v in _VOWELS),
)
PHONE_IDS: dict[str, int] = {phone: index for index, phone in enumerate(PHONES)}
assert len(PHONE_IDS) == len(PHONES) <= MAX_PHONES

# Symbols of other inventories and of narrower transcriptions to phones of this table ("" drops the symbol).
_ALIASES = {
    _nfd(old): tuple(_nfd(part) for part in new.split())
    for old, new in {
        "g": "ɡ",
        "c": "k",
        "ɱ": "m",
        "ɳ": "n",
        "ʀ": "ʁ",
        "ɫ": "l",
        "ʋ": "v",
        "ɸ": "f",
        "χ": "x",
        "ɦ": "h",
        "ɕ": "ʃ",
        "ʑ": "ʒ",
        "ɰ": "ɣ",
        "ʍ": "w",
        "ɻ": "ɹ",
        "ɬ": "l",
        "ɜ": "ɚ",
        "ɜː": "ɚ",
        "ɝ": "ɚ",
        "ɒ": "ɑ",
        "ɘ": "ə",
        "ɨ": "ɪ",
        "ᵻ": "ɪ",
        "ɵ": "ʊ",
        "ɯ": "u",
        "ɤ": "ʌ",
        "ã": "ɐ̃",
        "aʲ": "a",
        "ɔʏ": "ɔɪ",
        "ɔø": "ɔɪ",
        "ɔy": "ɔɪ",
        "əʊ": "oʊ",
        "tɕ": "tʃ",
        "dʑ": "dʒ",
        "‖": ".",
        "|": ",",
        ";": ",",
        ":": ",",
    }.items()
}
_SEGMENT = re.compile(r"\w[\u0300-\u036f]*[ːˑ]?")  # a base character with its diacritics and length
_TIE_BARS = str.maketrans("", "", "\u0361\u035c\u02cc.")  # t͡ʃ -> tʃ, and secondary stress


@cache
def resolve(symbol: str) -> tuple[str, ...]:
    """The table's phones for one IPA symbol of any library.

    Tried in this order: the symbol itself, an alias, the symbol without diacritics, its characters one by one.
    What is still unknown becomes "<unk>", never an error, so that a new word cannot stop a request.
    """
    if symbol in PHONE_IDS:
        return (symbol,)
    symbol = _nfd(symbol)
    stress = STRESS if STRESS in symbol else ""
    plain = symbol.replace(STRESS, "").translate(_TIE_BARS)
    if not plain:
        return ()
    found = _lookup(plain)
    if found is None:
        bare = "".join(c for c in plain if not unicodedata.combining(c) and c not in "ːˑʰʲʷ")
        found = _lookup(bare)
    if found is None:
        parts = _SEGMENT.findall(plain)
        if len(parts) <= 1:
            return (UNKNOWN,)
        found = tuple(phone for part in parts for phone in resolve(part))
    return tuple(add_stress(phone) for phone in found) if stress else found


def _lookup(plain: str) -> tuple[str, ...] | None:
    return (plain,) if plain in PHONE_IDS else _ALIASES.get(plain)


def add_stress(phone: str) -> str:
    """The stressed entry of a vowel; any other phone unchanged."""
    return STRESS + phone if phone in VOWELS else phone


def strip_stress(phone: str) -> str:
    """The phone without its stress mark: an aligner may share one model between the two."""
    return phone.removeprefix(STRESS)
