"""Sentences of a text that arrives in pieces, as a language model writes it."""

from __future__ import annotations

import re

from speechx.text.sentences import split_sentences

__all__ = ["SentenceBuffer"]

_ENDED = re.compile(r"[.!?…。？！:;][\"'”’»)\]}]*\s*$")


class SentenceBuffer:
    """Holds a text until its sentences are complete: one is when the first word after it is.

    The pieces together give the sentences that `split_sentences` finds in the whole text.
    """

    def __init__(self, language: str) -> None:
        """Raises InputError for an unknown language."""
        split_sentences("", language)
        self.language = language
        self.text = ""

    @property
    def has_ended(self) -> bool:
        """Whether the text so far ends as a sentence does. More of it may still follow: "Dr." is the end of none."""
        return _ENDED.search(self.text) is not None

    def push(self, text: str) -> list[str]:
        """Takes the next piece of the text. Returns the sentences that are complete now."""
        self.text += text
        # The word being written may change where a sentence ends, and so may the spaces before it.
        words = re.match(r".*\S\s", self.text, re.DOTALL)
        pieces = split_sentences(words.group(), self.language) if words else []
        while len(pieces) > 1 and not _says(pieces[-1]):
            pieces.pop()
        return self._taken(pieces[:-1])

    def flush(self) -> list[str]:
        """The rest, whole sentences or not."""
        rest, self.text = split_sentences(self.text, self.language), ""
        return [sentence for sentence in rest if _says(sentence)]

    def clear(self) -> None:
        self.text = ""

    def _taken(self, sentences: list[str]) -> list[str]:
        """These sentences, which the buffer begins with; it keeps the rest."""
        for sentence in sentences:
            # Only spaces between sentences are dropped, and any may be another one within.
            letters = re.compile(r"\s*" + r"\s*".join(map(re.escape, sentence.split())))
            found = letters.match(self.text)
            assert found is not None, (sentence, self.text)
            self.text = self.text[found.end() :]
        return [sentence for sentence in sentences if _says(sentence)]


def _says(text: str) -> bool:
    return any(char.isalnum() for char in text)
