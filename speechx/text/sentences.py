"""Splits text into sentences, and sentences that are too long into parts."""

from __future__ import annotations

import re

from speechx.text import locales
from speechx.text.languages import check_language

MAX_SENTENCE_CHARS = 200

_CLOSERS = "\"'”’»)]}"
# The end of a sentence: its mark(s), closing quotes and brackets, then a space. A line break ends one too.
_END = re.compile(rf"(?:[.!?…。？！]+[{re.escape(_CLOSERS)}]*(?:\s+[»”])?)(?=\s)|\n\s*\n|\n(?=\s*[-•*\d])")
_SOFT = (re.compile(r"[;:](?=\s)"), re.compile(r",(?=\s)|\s[–—-](?=\s)|—"), re.compile(r"\s"))
_LAST_WORD = re.compile(r"(\S+)$")


def split_sentences(text: str, language: str, max_chars: int = MAX_SENTENCE_CHARS) -> list[str]:
    """Pieces of at most max_chars characters, in order. Only the spaces between them are dropped.

    Cuts fall after sentences; a sentence that is too long is cut at the last ; or : that fits, else at a comma or dash,
    else at a space, else (one endless word) anywhere. Pieces without a letter or digit join the piece before them.
    Raises InputError for an unknown language, ValueError for max_chars < 1.
    """
    check_language(language)
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}; it must be at least 1")
    pieces: list[str] = []
    for sentence in _sentences(text, language):
        pieces += _short_enough(sentence, max_chars)
    return pieces


def _sentences(text: str, language: str) -> list[str]:
    found: list[str] = []
    start = 0
    for match in _END.finditer(text):
        mark = match.group().strip()
        if mark and not _ends_here(text, start, match, language):
            continue
        found.append(text[start : match.end()].strip())
        start = match.end()
    found.append(text[start:].strip())
    joined: list[str] = []
    for sentence in filter(None, found):
        if joined and not any(char.isalnum() for char in sentence):
            joined[-1] += f" {sentence}"
        else:
            joined.append(sentence)
    return joined


def _ends_here(text: str, start: int, match: re.Match[str], language: str) -> bool:
    """Whether a mark ends a sentence.

    It does not before a small letter ("Really?" she said), nor does a dot after Mr., z.B., an initial or a German ordinal.
    """
    following = text[match.end() : match.end() + 20].lstrip()
    if not following:
        return True
    mark = match.group().strip()
    if following[0].islower() and (mark[0] in ".…" or mark[-1] in _CLOSERS):
        # Text without a single capital marks its sentences with dots alone.
        return mark[-1] not in _CLOSERS and not any(char.isupper() for char in text)
    if mark[0] != ".":
        return True
    dots = match.group().rstrip(_CLOSERS + " ")
    if len(dots) > 1:
        return True
    last = _LAST_WORD.search(text[start : match.start()])
    word = (last[1] if last else "").lstrip("\"'“‘«([¿¡")
    low = f"{word.lower()}."
    locale = locales.load(language)
    if low in locale.abbreviations and low not in _CAN_END:
        return False
    if re.fullmatch(r"[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]", word) and word[0].isupper():
        return low in ("i.", "a.m.", "p.m.") and language == "en"
    return not (language == "de" and re.fullmatch(r"\d{1,2}", word) and _GERMAN_MONTH.match(following))


_CAN_END = frozenset(
    "etc. usw. ecc. jr. sr. inc. ltd. co. corp. no. a.m. p.m. st. mar. sat. sun. mon. fri. fig. art. p. ed. est. est".split()
) - {"sr."}
_GERMAN_MONTH = re.compile(r"(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez|Jahrhundert)")


def _short_enough(sentence: str, max_chars: int) -> list[str]:
    pieces: list[str] = []
    while len(sentence) > max_chars:
        cut = _cut(sentence, max_chars)
        pieces.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    if sentence:
        if (
            pieces
            and not any(char.isalnum() for char in sentence)
            and len(pieces[-1]) + len(sentence) < max_chars
        ):
            pieces[-1] += f" {sentence}"
        else:
            pieces.append(sentence)
    return [piece for piece in pieces if piece]


def _cut(sentence: str, max_chars: int) -> int:
    """Where to cut a sentence that is longer than max_chars: the last good place in its second half, if any."""
    for pattern in _SOFT:
        places = [
            match.end() for match in pattern.finditer(sentence, 0, max_chars + 1) if match.end() <= max_chars
        ]
        if places and (pattern is _SOFT[-1] or places[-1] >= max_chars // 3):
            return places[-1]
    return max_chars
