"""Text normalization: numbers, dates, money, abbreviations, symbols, addresses and punctuation to spoken words.

`tokenize` gives a TextToken per written word, with its spoken words and the pause after it. All that differs between
languages is in the tables of `speechx.text.locales`. In a language that was added nothing is expanded: what reads it
(speechx.text.g2p) reads its digits and signs, too, or the text is refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache

from speechx.text import locales
from speechx.text.addresses import is_path
from speechx.text.context import TokenContext
from speechx.text.digits import PHONE, SUPERSCRIPTS
from speechx.text.expand import expand
from speechx.text.joins import glued_abbreviations, join_words
from speechx.text.languages import LANGUAGES
from speechx.text.locales.base import DASH, JOIN, Locale
from speechx.text.markup import strip_markup
from speechx.text.money import symbol_pattern
from speechx.text.ranges import say_range

_PAUSE_OF = {**dict.fromkeys(".…。", "."), **dict.fromkeys("?？", "?"), **dict.fromkeys("!！", "!")}
_PAUSE_OF |= dict.fromkeys(",;:()[]{}—–", ",")
_STRENGTH = {"": 0, ",": 1, ".": 2, "!": 3, "?": 4}

_SAME = str.maketrans(
    {
        **dict.fromkeys("’‘ʼ`´＇", "'"),
        **dict.fromkeys("“”„‟«»‹›", '"'),
        **dict.fromkeys("‐‑‒−", "-"),
        **dict.fromkeys("\u00a0\u202f\u2009\u2007\t\r\n\x0b\x0c\u2028\u2029", " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", None),
        "μ": "µ",
        "\u2126": "Ω",
    }
)
_EDGE_PUNCTUATION = "\"'.,;:!?…()[]{}<>*_~|—–-¿¡。？！"
# A dash or dots between words without spaces part two words; so does a slash between words.
_SPLIT = re.compile(r"(?<=[^\W\d_])(--+|[—–…]|\.{2,}|/(?=[^\W\d_]{2,}))|([—–…]|--+|\.{3,})(?=[^\W\d_\"'])")


# A word that was cut at the end of a line; "vor- und" is none.
_HYPHENATION = re.compile(
    r"(?<=[^\W\d_]{2})[-‐][ \t]*\r?\n[ \t]*(?=[^\W\d_A-Z])(?!(?:and|or|und|oder|bis|et|ou|y|o|e)\b)"
)
_EQUATION = re.compile(r"[\w²³)]\s*=\s*[\w(√-]")
_CLOSING = re.compile(r"[,.;:!?)\]}…][\"')\]}]*$")
_PARTING = re.compile(r"[,;:!?)\]}…][\"')\]}]*$")
_VOWEL = re.compile(r"[aeiouyâàéèêëîïôœùûh]", re.IGNORECASE)
_INCHES = re.compile(r"(?<![\w\"])(\d+(?:[.,/]\d+)?)\"(?!\w)")
_FEET_AND_INCHES = re.compile(r"(?<!\w)(\d{1,2})'(\d{1,2})\"")
_DASH_IN_RANGE = re.compile(r"(?<![\w.,])([$€£¥]?\d[\d.,]*[^\W\d_]{0,3}[%°]?)–(?=[$€£¥]?\d)")
_DASH_OF_WORDS = re.compile(r"(?<![^\W_])([^\W\d_]{2,9}\.?)–([^\W\d_]{2,9})(?![^\W_])")
_AS_WRITTEN = str.maketrans({JOIN: " ", DASH: "–", PHONE: None, "″": '"', "′": "'"})
_LONG_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class TextToken:
    """One written word. text: without punctuation. spoken: its words, in lower case but for acronyms. pause: the phone after it."""

    text: str
    spoken: tuple[str, ...]
    pause: str = ""


def clean(text: str) -> str:
    """One form for quotes, dashes, spaces and letters; emoji, pictures and control characters become spaces."""
    text = _HYPHENATION.sub("", unicodedata.normalize("NFC", text)).translate(_SAME)
    return "".join(" " if _is_picture(char) else _plain(char) for char in text)


_KEPT = frozenset(SUPERSCRIPTS + "ºª°µ½¼¾…™№℃")


def _plain(char: str) -> str:
    """Ligatures, full-width, raised and mathematical letters and digits as plain ones; ² and ³ stay, for units."""
    if char.isascii() or char in _KEPT:
        return char
    if char.isdigit():
        return str(unicodedata.digit(char))
    kind = unicodedata.decomposition(char).partition(">")[0]
    if kind in ("<compat", "<font", "<wide", "<narrow", "<super", "<sub", "<circle", "<square"):
        plain = unicodedata.normalize("NFKC", char)
        if all(part.isalnum() or part in " /.,:;!?()-+=%&@#$'\"" for part in plain):
            return plain
    return char


def _is_picture(char: str) -> bool:
    if char in "°©™®§€£$¥¢+=<>|~^`÷×±µ²³½¼¾¬":
        return False
    return (
        unicodedata.category(char) in ("So", "Sk", "Cc", "Cn", "Co", "Cs", "Me")
        or "\ufe00" <= char <= "\ufe0f"
    )


def tokenize(text: str, language: str) -> list[TextToken]:
    """Every written word that has something to say, in order, with its spoken words and the pause after it."""
    text = strip_markup(text)
    if language not in LANGUAGES:
        return _as_written(text)
    locale = locales.load(language)
    shouting = not any(char.islower() for char in text) and len(_LONG_WORD.findall(text)) > 1
    maths = _EQUATION.search(text) is not None
    raw = _split(clean(text), language)
    cores = [piece.strip(_EDGE_PUNCTUATION) for piece in raw]
    tokens: list[TextToken] = []
    for i, piece in enumerate(raw):
        context = TokenContext(
            tuple(cores[max(0, i - 4) : i]),
            tuple(cores[i + 1 : i + 5]),
            last=not any(cores[i + 1 :]),
            parted=i > 0 and bool(_PARTING.search(raw[i - 1])),
            closed=bool(_CLOSING.search(piece)) or raw[i + 1 : i + 2] == ["-"],
            shouting=shouting,
            maths=maths,
        )
        spoken, consumed_dot = _verbalize(piece, locale, context)
        pause = _pause_after(piece, consumed_dot and not context.last)
        if spoken:
            opening = "," if piece[0] in "([{—–" else ""
            if opening and tokens:
                tokens[-1] = _paused(tokens[-1], opening)
            tokens.append(TextToken(_written(piece, consumed_dot), tuple(spoken), pause))
        elif pause and tokens:
            tokens[-1] = _paused(tokens[-1], pause)
        elif tokens and piece.strip('"') == "-":
            tokens[-1] = _paused(tokens[-1], ",")
    if len(tokens) == 1:
        return [_as_letter(tokens[0], locale)]
    return _elided(tokens) if language == "fr" else tokens


def _as_letter(token: TextToken, locale: Locale) -> TextToken:
    """A text of one letter is that letter's name: a, y in Spanish. In a sentence they are words."""
    letter = token.text.lower()
    return replace(token, spoken=tuple(locale.letters[letter].split())) if letter in locale.letters else token


def _as_written(text: str) -> list[TextToken]:
    """The written words, each of which is its own spoken word."""
    tokens: list[TextToken] = []
    for piece in _SPLIT.sub(lambda match: match.group() + " ", " ".join(clean(text).split())).split(" "):
        core, pause = piece.strip(_EDGE_PUNCTUATION), _pause_after(piece, False)
        if core:
            tokens.append(TextToken(core, (core,), pause))
        elif tokens:
            tokens[-1] = _paused(tokens[-1], "," if piece == "-" else pause)
    return tokens


def _written(piece: str, consumed_dot: bool) -> str:
    """A piece as it was written, without punctuation around it."""
    written = piece.strip(_EDGE_PUNCTUATION) or piece
    if written.endswith("/") and written[:-1].isupper():
        written = written[:-1]
    return (written + "." if consumed_dot else written).translate(_AS_WRITTEN)


def _elided(tokens: list[TextToken]) -> list[TextToken]:
    """French "un million de" before a vowel: the de of a number becomes the d' of the noun."""
    out: list[TextToken] = []
    for token in tokens:
        last = out[-1] if out else None
        if (
            last
            and not last.pause
            and last.text[:1].isdigit()
            and last.spoken[-1:] == ("de",)
            and _VOWEL.match(token.spoken[0])
        ):
            out[-1] = TextToken(last.text, last.spoken[:-1])
            token = TextToken(token.text, (f"d'{token.spoken[0]}", *token.spoken[1:]), token.pause)
        out.append(token)
    return out


def _paused(token: TextToken, pause: str) -> TextToken:
    """The token with the longer of two pauses after it."""
    return TextToken(token.text, token.spoken, max(token.pause, pause, key=_STRENGTH.__getitem__))


def _split(text: str, language: str) -> list[str]:
    """Written words: split at spaces, and at dashes and dots between words; a number keeps its unit."""
    text = " ".join(text.split())
    text = re.sub(r"(?<=\d)(\s?)º(?=[CF]\b)", r"\1°", text)
    text = glued_abbreviations(language).sub(r"\1 ", text)
    text = _DASH_IN_RANGE.sub(r"\1-", text)
    text = _DASH_OF_WORDS.sub(lambda match: _one_range(match, locales.load(language)), text)
    text = _FEET_AND_INCHES.sub(r"\1′\2″", text)
    text = _INCHES.sub(
        lambda match: f"{match[1]}″" if text.count('"', 0, match.start()) % 2 == 0 else match.group(), text
    )
    units = locales.load(language).units
    pieces: list[str] = []
    for piece in join_words(text, language).split(" "):
        measured = (
            "/" in piece
            and pieces
            and pieces[-1][-1:].isdigit()
            and units.find(piece.strip(_EDGE_PUNCTUATION))
        )
        whole = "://" in piece or piece.startswith("www.") or "@" in piece[1:]
        if measured or whole or is_path(piece.strip(_EDGE_PUNCTUATION)):
            pieces.append(piece)
        else:
            pieces += _SPLIT.sub(lambda match: match.group() + " ", piece).split(" ")
    return [piece for piece in pieces if piece]


def _one_range(match: re.Match[str], locale: Locale) -> str:
    """Two months or days with a dash between them as one word; other words part there."""
    joined = f"{match[1]}{DASH}{match[2]}"
    return joined if say_range(joined, locale) else match.group()


def _verbalize(piece: str, locale: Locale, context: TokenContext) -> tuple[list[str], bool]:
    """The spoken words of a written word, and whether its final dot belongs to it (Mr., 3., e.g.)."""
    if re.match(r"'\d0s", piece) or _signed().match(piece) or is_path(piece.rstrip(_EDGE_PUNCTUATION)):
        left = piece
    else:
        left = piece.lstrip("\"'([{<¿¡*_—–-…")
    core = left.rstrip(_EDGE_PUNCTUATION)
    tail = left[len(core) :]
    core = core.replace(f".{JOIN}", ".")
    if tail.startswith("."):
        said = expand(core + ".", locale, context)
        if said is not None:
            return said, True
    if not core:
        sign = piece.strip('"')
        return (
            expand(sign, locale, context, final=True) or [] if sign in ("<", ">", "-", "*") else []
        ), False
    return expand(core, locale, context, final=True) or [], False


@cache
def _signed() -> re.Pattern[str]:
    """A sign that belongs to the number behind it: -5, -$5, <5."""
    return re.compile(rf"[-<](?:{symbol_pattern()})?\.?\d")


def _pause_after(piece: str, consumed_dot: bool) -> str:
    """The strongest pause in the punctuation that ends a written word."""
    tail = piece[len(piece.rstrip(_EDGE_PUNCTUATION)) :]
    if consumed_dot:
        tail = tail[1:]
    pauses = [_PAUSE_OF[char] for char in tail if char in _PAUSE_OF]
    return max(pauses, key=_STRENGTH.__getitem__, default="")
