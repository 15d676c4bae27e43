"""Word differences of two texts, for speech editing."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass

from speechx.text.languages import check_language
from speechx.text.normalize import tokenize
from speechx.text.types import PhoneSequence


@dataclass(frozen=True)
class WordEdit:
    """Words [old_start, old_stop) of the old text are replaced by words [new_start, new_stop) of the new one.

    Indices count the words of `PhoneSequence.words`. An insertion has old_start == old_stop, a deletion
    new_start == new_stop.
    """

    old_start: int
    old_stop: int
    new_start: int
    new_stop: int


def diff_words(old: PhoneSequence | str, new: PhoneSequence | str, language: str) -> list[WordEdit]:
    """The changed spans, in order; [] if both texts have the same spoken words.

    Case, punctuation and the way of writing do not matter: "It's 5 PM." and "it's five pm" are the same.
    """
    check_language(language)
    before, after = _spoken_words(old, language), _spoken_words(new, language)
    matcher = difflib.SequenceMatcher(None, before.keys, after.keys, autojunk=False)
    edits = [(i1, i2, j1, j2) for tag, i1, i2, j1, j2 in matcher.get_opcodes() if tag != "equal"]
    whole: list[tuple[int, int, int, int]] = []
    for edit in edits:
        edit = _whole_words(edit, before, after)
        while whole and (edit[0] <= whole[-1][1] or edit[2] <= whole[-1][3]):
            last = whole.pop()
            edit = _whole_words(
                (last[0], max(edit[1], last[1]), last[2], max(edit[3], last[3])), before, after
            )
        whole.append(edit)
    return [
        WordEdit(before.word_at(i1), before.word_at(i2), after.word_at(j1), after.word_at(j2))
        for i1, i2, j1, j2 in whole
    ]


def _whole_words(
    edit: tuple[int, int, int, int], before: _SpokenWords, after: _SpokenWords
) -> tuple[int, int, int, int]:
    """The edit widened over equal neighbors until it cuts no written word on either side ("25" says two words)."""
    i1, i2, j1, j2 = edit
    while before.inside(i1) or after.inside(j1):
        i1, j1 = max(i1 - 1, 0), max(j1 - 1, 0)
    while before.inside(i2) or after.inside(j2):
        i2, j2 = min(i2 + 1, len(before.keys)), min(j2 + 1, len(after.keys))
    return i1, i2, j1, j2


@dataclass(frozen=True)
class _SpokenWords:
    """Every spoken word of a text and the index of the written word it belongs to."""

    keys: list[str]
    word_of: list[int]
    num_words: int

    def inside(self, at: int) -> bool:
        """Whether a cut before spoken word `at` falls inside a written word."""
        return 0 < at < len(self.keys) and self.word_of[at - 1] == self.word_of[at]

    def word_at(self, at: int) -> int:
        return self.word_of[at] if at < len(self.keys) else self.num_words


def _spoken_words(text: PhoneSequence | str, language: str) -> _SpokenWords:
    written = None if isinstance(text, str) else [word.text for word in text.words]
    tokens = tokenize(text if isinstance(text, str) else " ".join(written or ()), language)
    if written is not None and len(tokens) != len(
        written
    ):  # a word that is verbalized differently next to its neighbors
        spoken = [[_plain(word)] for word in written]
    else:
        spoken = [_plain(" ".join(token.spoken)).split() or [token.text] for token in tokens]
    keys = [(key, i) for i, words in enumerate(spoken) for key in words]
    return _SpokenWords([key for key, _ in keys], [i for _, i in keys], len(spoken))


def _plain(words: str) -> str:
    """The form in which words are compared: no case, no punctuation but apostrophes, hyphens as spaces."""
    text = unicodedata.normalize("NFC", words.casefold()).replace("-", " ")
    return " ".join("".join(c for c in text if c.isalnum() or c in " '").split())
