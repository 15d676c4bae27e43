"""What a text says, in words: `say`, for people who want to see how numbers, dates and abbreviations are read."""

from __future__ import annotations

from speechx.text.normalize import tokenize
from speechx.text.sentences import split_sentences


def say(text: str, language: str) -> list[str]:
    """The spoken words of a text, one string per sentence; a sentence without any word is left out.

    Words are in small letters without punctuation; an acronym (FBI) and the name of a letter (B) stay in capitals.
    Raises InputError for an unknown language.
    """
    sentences = (tokenize(sentence, language) for sentence in split_sentences(text, language))
    return [" ".join(word for token in tokens for word in token.spoken) for tokens in sentences if tokens]
