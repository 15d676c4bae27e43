"""Splits text into sentences, and sentences that are too long into parts."""

from __future__ import annotations

import re
from itertools import pairwise

from speechx.text import locales
from speechx.text.addresses import is_street
from speechx.text.context import TokenContext
from speechx.text.digits import is_german_ordinal
from speechx.text.joins import spaced_abbreviations
from speechx.text.languages import check_language, is_language_code
from speechx.text.lines import part_lines
from speechx.text.markup import strip_markup
from speechx.text.numbers import month_of
from speechx.text.ranges import say_range

MAX_SENTENCE_CHARS = 200

_CLOSERS = "\"'”’»)]}"
# The end of a sentence: its mark(s), closing quotes and brackets, then a space. A line break ends one too.
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_END = re.compile(
    rf"(?:[.!?…。？！]+[{re.escape(_CLOSERS)}]*(?:</[\w:]+\s*>)*(?:\s+[»”])?)(?=\s|<[a-z])"
    r"|</(?:p|div|li|h[1-6]|s|sentence|paragraph|tr)\s*>|\n\s*\n|\n(?=\s*[-•*\d])"
)
_SOFT = (re.compile(r"[;:](?=\s)"), re.compile(r",(?=\s)|\s[–—-](?=\s)|—"), re.compile(r"\s"))
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t][^\n]*\n", re.MULTILINE)


def split_sentences(text: str, language: str, max_chars: int = MAX_SENTENCE_CHARS) -> list[str]:
    """Pieces of at most max_chars characters, in order. Only the spaces between them are dropped.

    Cuts fall after sentences; a sentence that is too long is cut at the last ; or : that fits, else at a comma or dash,
    else at a space, else (one endless word) anywhere. Pieces without a letter or digit join the piece before them.
    A language without tables has no abbreviations. Raises InputError for what is no language, ValueError for max_chars < 1.
    """
    if not is_language_code(language):
        check_language(language)
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}; it must be at least 1")
    pieces: list[str] = []
    for sentence in _sentences(text, language):
        pieces += _short_enough(sentence, max_chars)
    return pieces


def _sentences(text: str, language: str) -> list[str]:
    found: list[str] = []
    for block in _blocks(part_lines(text)):
        start = 0
        for match in _END.finditer(block):
            mark = match.group().strip()
            if mark and not _ends_here(block, start, match, language):
                continue
            found.append(block[start : match.end()].strip())
            start = match.end()
        found.append(block[start:].strip())
    joined: list[str] = []
    silent = ""  # marks or markup before the first piece that says something
    for sentence in filter(None, found):
        if any(char.isalnum() for char in (strip_markup(sentence) if "<" in sentence else sentence)):
            joined.append(f"{silent} {sentence}".strip())
            silent = ""
        elif joined:
            joined[-1] += f" {sentence}"
        else:
            silent = f"{silent} {sentence}".strip()
    return [*joined, silent] if silent else joined


def _blocks(text: str) -> list[str]:
    """The text cut after every Markdown heading."""
    ends = [0, *(match.end() for match in _HEADING.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def _ends_here(text: str, start: int, match: re.Match[str], language: str) -> bool:
    """Whether a mark ends a sentence.

    It does not before a small letter ("Really?" she said), nor does a dot after Mr., z.B., an initial or a German ordinal.
    """
    following = _TAG.sub("", text[match.end() : match.end() + 60]).lstrip()
    if not following:
        return True
    if _open_tag(text, start, match.start()):
        return False
    group = _TAG.sub("", match.group())
    mark = group.strip()
    if not mark:  # the end of a paragraph
        return True
    if following[0].islower() and (mark[0] in ".…" or mark[-1] in _CLOSERS):
        # Text without a single capital marks its sentences with dots alone.
        return mark[-1] not in _CLOSERS and not any(char.isupper() for char in text)
    if mark[0] != ".":
        return True
    dots = group.rstrip(_CLOSERS + " ")
    if len(dots) > 1:
        return True
    words = [
        word.lstrip("\"'“‘«([¿¡") for word in text[max(start, match.start() - 60) : match.start()].split()
    ]
    for spaced in spaced_abbreviations(language).finditer(text, max(start, match.start() - 20)):
        if spaced.start() < match.start() < spaced.end() - 1:
            return False
        if match.start() == spaced.end() - 1:
            return spaced.group().lower().replace(" ", "") in _CAN_END
    return not _dot_belongs_to_word(words, following, language)


def _open_tag(text: str, start: int, at: int) -> bool:
    """Whether a place is inside a tag."""
    opening = text.rfind("<", start, at)
    return (
        opening > text.rfind(">", start, at)
        and re.match(r"</?[a-zA-Z]", text[opening : opening + 3]) is not None
    )


def _dot_belongs_to_word(words: list[str], following: str, language: str) -> bool:
    """Whether the dot after the last of these words is part of it: an abbreviation, an initial, an ordinal."""
    word = re.sub(r"^[^\W\d_]{1,5}'(?=[^\W\d_]{2})", "", words[-1]) if words else ""
    before = words[-2] if len(words) > 1 else ""
    ranged = say_range(word, locales.load(language)) is not None
    if ranged and following[:1].isdigit():
        return True
    low = f"{word.lower()}."
    locale = locales.load(language)
    after = following.split()[0].strip(",;:!?)")
    if re.fullmatch(r"[^\W\d_]", word) and re.match(r"[^\W\d_]\.", following):
        return True  # letters of a spelled name: M. A. R. I. A.
    if (
        low in locale.before_number
        or low.removesuffix(".") in locale.units.own
        or low in _CAN_END
        or month_of(word, locale)
    ):
        roman = re.fullmatch(r"[IVXLC]{2,}\W*|[VX]\W*", after) and low not in _TIMES
        if (low in locale.before_number or month_of(word, locale)) and (after[:1].isdigit() or roman):
            return True
    if word and word[0].isupper() and low in ("st.", "mt.", "ft.", "dr.", "ave.", "blvd.", "rd."):
        context = TokenContext(tuple(words[:-1][-4:]), (after,))
        return not (language == "en" and is_street(word + ".", context))
    if low in ("inc.", "co.", "corp.") and after in ("Ltd.", "Inc.", "Ltd", "Inc", "KG"):
        return True
    if low in locale.abbreviations and low not in _CAN_END:
        return True
    if re.fullmatch(r"[^\W\d_]|(?:[^\W\d_]\.-?)+[^\W\d_]", word) and word[0].isupper():
        spelled = re.fullmatch(r"[A-Z]\.", before) is not None
        return spelled or not (low in _TIMES and language == "en")
    if re.fullmatch(r"\d{1,3}", word) and not before:
        return True  # the number of a list: "1. First"
    if language != "de":
        return False
    if re.fullmatch(r"[IVXLC]+", word):
        return after.lower() in ("jahrhundert", *locale.counted) or before.lower() in _ARTICLES
    if re.fullmatch(r"\w{3,}(?:str|pl)", word):
        return after[:1].isdigit()
    ordinal = re.fullmatch(r"\d{1,3}", word) is not None
    return ordinal and is_german_ordinal(before, after, locale)


_ARTICLES = frozenset("der die das dem den des im am zum zur vom".split())
_TIMES = ("i.", "a.m.", "p.m.")
_CAN_END = frozenset(
    "etc. usw. ecc. jr. sr. inc. ltd. co. corp. no. a.m. p.m. st. mar. sat. sun. mon. fri. fig. art. p. ed. est. ee.uu. a.c. "
    "d.c. v.chr. n.chr. av.j.-c. ap.j.-c. s.a. s.p.a. u.s.w. ud. uds. ltda.".split()
) - {"sr."}


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
