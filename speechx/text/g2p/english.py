"""English (General American): lexicon, then rules for endings, then letter to sound; heteronyms by part of speech."""

from __future__ import annotations

import string
from collections.abc import Sequence

from speechx.text.g2p.base import Phones, plain_letters
from speechx.text.g2p.heteronyms import reading_by_neighbors
from speechx.text.g2p.lexicon import Lexicon, SequenceTagger, coded
from speechx.text.phones import VOWELS, strip_stress

# Roles in the lexicon that a tagger gets wrong more often than the common reading is wrong.
_ONE_READING = frozenset(
    "a an the to me thou re de dos nemo minute minutely number marked polish supply apply multiply outside bustier "
    "cussed irony pussy platy impune tarry tarrier windy pasty aged chi bathed bowman bowmen house".split()
)
_FIXED: dict[str, Phones] = {
    "an": ("ə", "n"),
    "of": ("ə", "v"),
    "gonna": ("ɡ", "ˈɑ", "n", "ə"),
}
# Words that carry no stress in running speech: full vowels, unstressed entries.
_UNSTRESSED = frozenset(
    "and in on at it is am are was were be been as or if by from with that he she we they you i his her him them my "
    "your our their its has have had do does did will would can could shall should may must but than us me for "
    "i'm i've i'll i'd it's he's she's we're they're you're that's there's".split()
)
_SIBILANTS = frozenset(("s", "z", "ʃ", "ʒ", "tʃ", "dʒ"))
_VOICELESS = frozenset(("p", "t", "k", "f", "θ"))


class EnglishG2P:
    """Phones of American English; a capital letter as a word is the name of the letter."""

    def __init__(self) -> None:
        self._lexicon = Lexicon("en")
        self._tagger = SequenceTagger(self._lexicon.folder / "pos" / "model.crf")

    def knows(self, word: str) -> bool:
        return self._lexicon.find(word) is not None

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        tags: list[str] | None = None
        out: list[Phones] = []
        for i, word in enumerate(words):
            if word in _FIXED:
                out.append(_FIXED[word])
                continue
            if word[0].isupper() and word[1:] in ("", "'s"):  # the name of a letter, and its plural
                letter = self._letter(word[0].lower())
                out.append(_with_s(letter) if word[1:] else letter)
                continue
            told = reading_by_neighbors(words, i, lambda: self._tag(words))
            if told is not None:
                out.append(told)
                continue
            variants = self._lexicon.variants(word)
            if word not in _ONE_READING and len({role for _, role in variants if role}) > 1:
                tags = self._tag(words) if tags is None else tags
                out.append(_by_role(variants, tags[i]))
            else:
                out.append(variants[0][0] if variants else self._unknown(word))
            if word == "used" and words[i + 1 : i + 2] != ["to"]:
                out[-1] = ("j", "ˈu", "z", "d")
        for i, word in enumerate(words):
            if word in _UNSTRESSED:
                out[i] = tuple(strip_stress(phone) for phone in out[i])
        return _weak_forms(words, out)

    def _letter(self, letter: str) -> Phones:
        if letter == "a":
            return ("ˈeɪ",)
        return self._lexicon.find(letter) or self._lexicon.guess(letter)

    def _unknown(self, word: str) -> Phones:
        """A possessive of a known word, a part of a known contraction, or a guess from the letters."""
        if word.endswith(("'s", "s'")):
            stem = self._lexicon.find(word[:-2] if word.endswith("'s") else word[:-1])
            if word.endswith("s'") and stem:
                return stem
            if stem:
                return _with_s(stem)
        plain = plain_letters(word, "").replace("'", "")
        return self._lexicon.find(plain) or self._lexicon.guess(plain)

    def _tag(self, words: Sequence[str]) -> list[str]:
        """Penn part-of-speech tags of a phrase, by the pack's CRF."""
        cased = ["I" + word[1:] if word == "i" or word.startswith("i'") else word for word in words]
        return self._tagger.tag([_word_features(cased, i) for i in range(len(cased))])


def _with_s(stem: Phones) -> Phones:
    """The stem with the ending of a plural or possessive."""
    if stem[-1] in _SIBILANTS:
        return (*stem, "ɪ", "z")
    return (*stem, "s" if stem[-1] in _VOICELESS else "z")


def _by_role(variants: tuple[tuple[Phones, str], ...], tag: str) -> Phones:
    """The variant whose role fits the tag: exactly, as a participle of a past tense, or by its first two letters."""
    roles = {role.removeprefix("gruut:"): phones for phones, role in reversed(variants)}
    for wanted in (tag, "VBD" if tag == "VBN" else tag, tag[:2]):
        if wanted in roles:
            return roles[wanted]
    return variants[0][0]


def _weak_forms(words: Sequence[str], phones: list[Phones]) -> list[Phones]:
    """the and to change before a vowel."""
    for i, word in enumerate(words):
        if word not in ("the", "to"):
            continue
        following = phones[i + 1] if i + 1 < len(phones) else ()
        vowel = bool(following) and strip_stress(following[0]) in VOWELS
        consonant = "ð" if word == "the" else "t"
        phones[i] = (consonant, ("i" if word == "the" else "u") if vowel else "ə")
    return phones


def _word_features(words: list[str], i: int) -> dict[str, str | float | bool | int]:
    """The features that the pack's tagger was trained on: the word and two on each side (names are the model's)."""
    features: dict[str, str | float | bool | int] = {}
    for offset in (0, -1, -2, 1, 2):
        if not 0 <= i + offset < len(words):
            continue
        prefix = f"{offset:+d}:" if offset else ""
        word = words[i + offset]
        features |= {
            f"{prefix}bias": 1.0,
            f"{prefix}word": coded(word),
            f"{prefix}len(word)": len(word),
            f"{prefix}word.ispunctuation": word in string.punctuation,
            f"{prefix}word.isdigit()": word.isdigit(),
        }
        for size in (2, 3):
            features[f"{prefix}word[:{size}]"] = word[:size]
            features[f"{prefix}word[-{size}:]"] = word[-size:]
    if i == 0:
        features["BOS"] = True
    if i == len(words) - 1:
        features["EOS"] = True
    return features
