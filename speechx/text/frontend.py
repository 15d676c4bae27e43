"""Text to phones: normalization, then grapheme to phone per phrase; keeps pauses and word spans."""

from __future__ import annotations

import re

import numpy as np

from speechx.errors import InputError
from speechx.text import g2p, locales
from speechx.text.g2p import Phones
from speechx.text.languages import LANGUAGES, check_language
from speechx.text.normalize import TextToken, tokenize
from speechx.text.phones import PAUSES, PHONE_IDS, SILENCE, UNKNOWN
from speechx.text.sentences import split_sentences
from speechx.text.types import PhoneSequence, Word

MAX_CHARS = 10_000


class TextFrontend:
    """Phones of any text in the known languages. Back ends load when first used; threads may share it.

    max_chars: longest text accepted in one call (split long text with `split_sentences` first for synthesis).
    """

    def __init__(self, max_chars: int = MAX_CHARS) -> None:
        self.max_chars = max_chars

    def split_sentences(self, text: str, language: str, max_chars: int = 200) -> list[str]:
        """The same as `speechx.text.split_sentences`."""
        return split_sentences(text, language, max_chars)

    def __call__(self, text: str, language: str, *, field: str = "text") -> PhoneSequence:
        """Phones and word spans. Raises InputError with `field` for a text without a pronounceable word."""
        check_text(text, language, field=field, max_chars=self.max_chars)
        tokens = tokenize(text, language)
        backend = g2p.load(language)
        _check_signs(tokens, language, field)
        phones: list[str] = [SILENCE]
        words: list[Word] = []
        phrase: list[TextToken] = []
        for i, token in enumerate(tokens):
            phrase.append(token)
            if token.pause or i + 1 == len(tokens):
                for written, word_phones in zip(phrase, _phones_of(phrase, backend, language), strict=True):
                    words.append(Word(written.text, len(phones), len(phones) + len(word_phones)))
                    phones += word_phones
                phones += [token.pause] if token.pause else []
                phrase = []
        if all(phone in (SILENCE, UNKNOWN, *PAUSES) for phone in phones):
            raise InputError(f"{field} has nothing that can be said in language {language!r}", field=field)
        phones.append(SILENCE)
        ids = np.array([PHONE_IDS[phone] for phone in phones], dtype=np.int64)
        return PhoneSequence(language, tuple(phones), ids, tuple(words))


def check_text(text: str, language: str, *, field: str = "text", max_chars: int = MAX_CHARS) -> None:
    """Raise InputError for an unsupported language, an empty or too long text, one without a letter or digit."""
    check_language(language)
    if not text or not text.strip():
        raise InputError(f"{field} is empty; give it at least one word", field=field)
    if len(text) > max_chars:
        raise InputError(
            f"{field} has {len(text):,} characters; at most {max_chars:,} are accepted", field=field
        )
    if not tokenize(text, language):
        raise InputError(f"{field} has nothing that can be said: no word and no number", field=field)


def _phones_of(phrase: list[TextToken], backend: g2p.G2P, language: str) -> list[Phones]:
    """Phones of each token of a phrase. The back end gets the whole phrase, since phones depend on neighbors."""
    spoken = [_readable(token, backend, language) for token in phrase]
    flat = iter(backend([word for words in spoken for word in words]))
    out: list[Phones] = []
    for words in spoken:
        phones = tuple(phone for _ in words for phone in next(flat))
        out.append(phones or (UNKNOWN,))
    return out


def _check_signs(tokens: list[TextToken], language: str, field: str) -> None:
    """Raises InputError for a digit or sign that the rules of an added language cannot read: no other language may."""
    backend = g2p.load_added(language)
    if backend is None or backend.reads_signs:
        return
    for token in tokens:
        if signs := [char for char in backend.unread(token.text) if not char.isalpha()]:
            raise InputError(
                f"{field}: {token.text!r} cannot be read in language {language!r}, whose rules have nothing for {signs[0]!r}: "
                "write it in words, or add it under `words` in the rules",
                field=field,
            )


def _readable(token: TextToken, backend: g2p.G2P, language: str) -> list[str]:
    """The token's words as input of the back end: acronyms spelled or in lower case, hyphens split."""
    if language not in LANGUAGES:
        return list(token.spoken)
    words: list[str] = []
    for word in token.spoken:
        if len(word) > 1 and word.isupper() and word.isalpha():
            words += _acronym(word, backend, language)
        elif _unreadable(word) and not backend.knows(word):
            words += locales.load(language).spell(word)
        elif "-" in word and not backend.knows(word):
            if language == "fr":  # dit-il, a-t-il: the t is pronounced before il, elle, on
                word = re.sub(r"(?:-t)?-(ils?|elles?|on)$", _inversion, word)
            words += [part for part in word.split("-") if part]
        else:
            words.append(word)
    return words


_VOWEL_LETTER = re.compile(r"[aeiouyàâáãäæèéêëìíîïòóôõöœøùúûüÿ]")
_SOUNDS = frozenset(
    "hm hmm mm mmm mhm mhmm sh shh ssh pst psst pff pfft tsk tss brr brrr grr grrr zz zzz".split()
)


def _unreadable(word: str) -> bool:
    """A few letters without a vowel are spelled: mp, pdf, html; hmm and shh are sounds."""
    return 1 < len(word) <= 5 and word.isalpha() and not _VOWEL_LETTER.search(word) and word not in _SOUNDS


def _inversion(match: re.Match[str]) -> str:
    """The t between a French verb and its pronoun, written (a-t-il) or only pronounced (dit-il)."""
    has_t = match.group().startswith("-t-") or match.string[: match.start()].endswith(("t", "d"))
    return f"-{'t' if has_t else ''}{match[1].removesuffix('s') if match[1] != 'on' else 'on'}"


def _acronym(word: str, backend: g2p.G2P, language: str) -> list[str]:
    """FBI is spelled, NASA and an emphasized NO are read."""
    locale = locales.load(language)
    if word in locale.spelled or (len(word) <= 5 and not backend.knows(word.lower())):
        return locale.spell(word)
    return [word.lower()]
