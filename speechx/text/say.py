"""What a text says, in words: `say`, for people who want to see how numbers, dates and abbreviations are read."""

from __future__ import annotations

import unicodedata

from speechx.text import g2p
from speechx.text.normalize import TextToken, tokenize
from speechx.text.sentences import split_sentences


def say(text: str, language: str) -> list[str]:
    """The spoken words of a text, one string per sentence; a sentence without any word is left out.

    Words are in small letters without punctuation; an acronym (FBI) and the name of a letter (B) stay in capitals.
    Raises InputError for an unknown language.
    """
    sentences = (tokenize(sentence, language) for sentence in split_sentences(text, language))
    return [" ".join(word for token in tokens for word in token.spoken) for tokens in sentences if tokens]


def unsaid_words(text: str, language: str) -> list[str]:
    """The written words, each once, that have letters of another script, or sounds like none of the table: these are left out.

    Raises InputError for an unknown language.
    """
    backend = g2p.load_added(language)

    def lacks(token: TextToken) -> bool:
        if backend is not None:
            return bool(backend.unread(token.text))
        return any(_is_other_script(char) for word in token.spoken for char in word)

    if backend is None and not any(map(_is_other_script, text)):
        return []
    found = [
        token.text
        for sentence in split_sentences(text, language)
        for token in tokenize(sentence, language)
        if lacks(token)
    ]
    return list(dict.fromkeys(found))


def text_warning(text: str | None, language: str) -> str | None:
    """A sentence that names the first of `unsaid_words`; None where there are none."""
    words = unsaid_words(text, language) if text else []
    if not words:
        return None
    named = ", ".join(repr(word[:30]) for word in words[:3])
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    return (
        f"the text has letters that cannot be said in language {language!r} and are left out: {named}{more}"
    )


def _is_other_script(char: str) -> bool:
    """Whether a letter is not Latin: Greek, Cyrillic, Chinese. Marks and modifiers are none."""
    if char.isascii() or unicodedata.category(char) not in ("Lu", "Ll", "Lt", "Lo"):
        return False
    return not unicodedata.name(unicodedata.normalize("NFKD", char)[0], "").startswith("LATIN")
