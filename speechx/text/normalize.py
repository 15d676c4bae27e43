"""Text normalization: numbers, dates, money, abbreviations, symbols, addresses and punctuation to spoken words.

`tokenize` gives a TextToken per written word, with its spoken words and the pause after it. All that differs between
languages is in the tables of `speechx.text.locales`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from speechx.text import locales
from speechx.text.digits import TokenContext
from speechx.text.expand import expand
from speechx.text.locales.base import JOIN, Locale

_PAUSE_OF = {**dict.fromkeys(".…。", "."), **dict.fromkeys("?？", "?"), **dict.fromkeys("!！", "!")}
_PAUSE_OF |= dict.fromkeys(",;:()[]{}—–", ",")
_STRENGTH = {"": 0, ",": 1, ".": 2, "!": 3, "?": 4}

_SAME = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ`´＇", "'"),
        **dict.fromkeys("“”„‟«»‹›″", '"'),
        **dict.fromkeys("‐‑‒−", "-"),
        **dict.fromkeys("\u00a0\u202f\u2009\u2007\t\r\n\x0b\x0c\u2028\u2029", " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", None),
        "ﬁ": "fi",
        "ﬂ": "fl",
    }
)
_EDGE_PUNCTUATION = "\"'.,;:!?…()[]{}<>*_~|—–-¿¡。？！"
# Spaces that do not part words: R$ 20, 5 %, 1 000 000, 3:30 pm.
_MERGES = (
    re.compile(r"(?<![\w$])((?:R\$|US\$|[$€£¥])) (?=\d)"),
    re.compile(r"(?<=\d) (?=(?:[€£$¥%‰°]|EUR\b|USD\b|R\$))"),
    re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d])"),
    re.compile(r"(?<=\d) (?=(?:Uhr|h|hrs?|[ap]\.?m\.?)(?!\w))", re.IGNORECASE),
)
# A dash or dots between words without spaces part two words; so does a slash between words.
_SPLIT = re.compile(r"(?<=[^\W\d_])(--+|[—–…]|\.{2,}|/(?=[^\W\d_]{2,}))|([—–…]|--+|\.{3,})(?=[^\W\d_\"'])")


_LONG_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class TextToken:
    """One written word. text: without punctuation. spoken: its words, in lower case but for acronyms. pause: the phone after it."""

    text: str
    spoken: tuple[str, ...]
    pause: str = ""


def clean(text: str) -> str:
    """One form for quotes, dashes and spaces; emoji, pictures and control characters become spaces."""
    text = unicodedata.normalize("NFC", text).translate(_SAME)
    return "".join(" " if _is_picture(char) else _ascii_digit(char) for char in text)


def _ascii_digit(char: str) -> str:
    """Digits of other scripts and in circles as 0-9; ² and ³ stay, for units."""
    if char.isascii() or char in "²³" or not char.isdigit():
        return char
    return str(unicodedata.digit(char))


def _is_picture(char: str) -> bool:
    if char in "°©™®§€£$¥¢+=<>|~^`÷×±µ²³½¼¾¬":
        return False
    return (
        unicodedata.category(char) in ("So", "Sk", "Cc", "Cn", "Co", "Cs", "Me")
        or "\ufe00" <= char <= "\ufe0f"
    )


def tokenize(text: str, language: str) -> list[TextToken]:
    """The written words that have spoken words, in order."""
    locale = locales.load(language)
    all_caps = not any(char.islower() for char in text) and len(_LONG_WORD.findall(text)) > 1
    raw = _split(clean(text), language)
    cores = [piece.strip(_EDGE_PUNCTUATION) for piece in raw]
    tokens: list[TextToken] = []
    for i, piece in enumerate(raw):
        before = cores[i - 1] if i else ""
        after = next((core for core in cores[i + 1 : i + 2]), "")
        context = TokenContext(before, after, last=not any(cores[i + 1 :]), all_caps=all_caps)
        spoken, consumed_dot = _verbalize(piece, locale, context)
        pause = _pause_after(piece, consumed_dot and not context.last)
        if spoken:
            opening = "," if piece[0] in "([{—–" else ""
            if opening and tokens:
                tokens[-1] = _paused(tokens[-1], opening)
            written = piece.strip(_EDGE_PUNCTUATION) or piece
            written = (written + "." if consumed_dot else written).replace(JOIN, " ")
            tokens.append(TextToken(written, tuple(spoken), pause))
        elif pause and tokens:
            tokens[-1] = _paused(tokens[-1], pause)
        elif tokens and piece.strip('"') == "-":
            tokens[-1] = _paused(tokens[-1], ",")
    return tokens


def _paused(token: TextToken, pause: str) -> TextToken:
    """The token with the longer of two pauses after it."""
    return TextToken(token.text, token.spoken, max(token.pause, pause, key=_STRENGTH.__getitem__))


def _split(text: str, language: str) -> list[str]:
    """Written words: split at spaces, and at dashes and dots between words; a number keeps its unit."""
    text = " ".join(text.split())
    text = re.sub(r"(?<=\d)(\s?)º(?=[CF]\b)", r"\1°", text)
    for merge in (*_MERGES, _spaced_abbreviations(language)):
        text = merge.sub(lambda match: match.group().replace(" ", JOIN), text)
    pieces: list[str] = []
    for piece in text.split(" "):
        if "://" in piece or piece.startswith("www.") or "@" in piece[1:]:
            pieces.append(piece)
        else:
            pieces += _SPLIT.sub(lambda match: match.group() + " ", piece).split(" ")
    return [piece for piece in pieces if piece]


@cache
def _spaced_abbreviations(language: str) -> re.Pattern[str]:
    """Abbreviations of several parts as they are printed: z. B., p. ej., EE. UU."""
    parts = [abbreviation.split(".")[:-1] for abbreviation in locales.load(language).abbreviations]
    spaced = [r"\. ".join(map(re.escape, names)) + r"\." for names in parts if len(names) > 1 and all(names)]
    return re.compile(rf"(?<!\w)(?:{'|'.join(spaced) or '(?!)'})", re.IGNORECASE)


def _verbalize(piece: str, locale: Locale, context: TokenContext) -> tuple[list[str], bool]:
    """The spoken words of a written word, and whether its final dot belongs to it (Mr., 3., e.g.)."""
    left = piece.lstrip("\"'([{<¿¡*_—–-…" if not re.match(r"-[\d.]", piece) else "")
    if re.match(r"['’]\d0s", piece):
        left = piece
    core = left.rstrip(_EDGE_PUNCTUATION)
    tail = left[len(core) :]
    if tail.startswith("."):
        words = expand(core.replace(f".{JOIN}", ".") + ".", locale, context)
        if words is not None:
            return words, True
    if not core:
        return expand(piece, locale, context, final=True) or [] if piece in ("<", ">") else [], False
    return expand(core, locale, context, final=True) or [], False


def _pause_after(piece: str, consumed_dot: bool) -> str:
    """The strongest pause in the punctuation that ends a written word."""
    tail = piece[len(piece.rstrip(_EDGE_PUNCTUATION)) :]
    if consumed_dot:
        tail = tail[1:]
    pauses = [_PAUSE_OF[char] for char in tail if char in _PAUSE_OF]
    return max(pauses, key=_STRENGTH.__getitem__, default="")
