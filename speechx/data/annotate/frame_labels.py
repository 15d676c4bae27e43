"""Frame labels: the phone of each frame, from the phone times of a synthesizer.

DIR/frames.jsonl   a row an utterance: corpus, id, spans: [phone table index, start, end], words: [start, end] | null; in s

A synthesizer's symbols (espeak's) are aligned with the phones of the text front end for the same text, at least cost.
A word has no labels if too many of its phones have no counterpart.
Shapes: M symbols, N phones, H steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechx.batch.manifest import json_rows
from speechx.data.annotate.alignments import Key
from speechx.errors import InputError
from speechx.files import atomic_files, read_json_lines, read_text
from speechx.text.phones import PHONE_IDS, VOWELS, resolve, strip_stress

if TYPE_CHECKING:
    from speechx.text import PhoneSequence

__all__ = ["FrameLabels", "TimedSymbol", "label_pack", "label_phones", "read_frame_labels"]

TimedSymbol = tuple[str, float, float]
"""A symbol, its start and its end in seconds."""

KOKORO_LETTERS = {
    "A": "eɪ",
    "I": "aɪ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "O": "oʊ",
    "Q": "oʊ",
    "T": "ɾ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
    "ʦ": "ts",
    "ʣ": "dz",
    "ᵊ": "ə",
    "ɜ": "ɚ",
    "ɲ": "ɲ",
}
PUNCTUATION = {",": ",", ";": ",", ":": ",", "—": ",", "…": ".", ".": ".", "!": "!", "?": "?", "_": "_"}
SIMILAR = (
    "b β v",
    "d ð ɾ",
    "ɡ ɣ",
    "r ɹ ʁ ɾ",
    "s z",
    "s θ",
    "ʃ tʃ",
    "ʒ dʒ",
    "dz z",
    "ts s",
    "j ʝ ʎ dʒ",
    "ɲ n ŋ m",
    "x h",
    "t ɾ d",
    "j i ɪ",
    "w u ʊ",
    "j̃ j ɪ i",
    "w̃ w u ʊ",
    "l ɫ w",
    "ʁ x h",
)
SIMILAR_PAIRS = frozenset((a, b) for group in SIMILAR for a in group.split() for b in group.split())

GAP_COST = 0.7
"""Of a symbol or a phone without counterpart."""

MAX_LABEL_COST = 0.6
"""Of a match that gives a label."""

MAX_UNLABELED = 0.34
"""Share of a word's phones that may lack a label; with more, the word has none."""

MOVES = ((1, 1), (1, 0), (0, 1), (2, 1), (1, 2))
"""Symbols and phones of a match."""

assert set(PUNCTUATION.values()) <= set(PHONE_IDS)


@dataclass(frozen=True)
class FrameLabels:
    """spans: phone table index, start and end in seconds. words: times of each word of the text, None where unknown."""

    spans: tuple[tuple[int, float, float], ...]
    words: tuple[tuple[float, float] | None, ...]

    def steps(self, count: int, rate: float = 50.0) -> np.ndarray:
        """(count,) int64: the phone table index in the middle of each step, -1 if unknown. rate: steps per second."""
        label_H = np.full(count, -1, np.int64)
        for phone, start, end in self.spans:
            label_H[max(0, int(np.ceil(start * rate - 0.5))) : max(0, int(np.ceil(end * rate - 0.5)))] = phone
        return label_H


class PhoneMatch(NamedTuple):
    """A range of symbols and the range of phones that it is aligned with; one of the two may be empty."""

    first_symbol: int
    symbols: int
    first_phone: int
    phones: int
    cost: float


def resolve_symbols(timed: Iterable[TimedSymbol]) -> list[tuple[tuple[str, ...], float, float]]:
    """Symbols as phones of the table. A stress mark joins the symbol after it, length and nasality the one before."""
    found = list[TimedSymbol]()
    stress: float | None = None
    for text, begin, end in timed:
        if text in "ˈˌ":
            stress = begin if stress is None else stress
        elif text in "ː\u0303ʲ" and found and found[-1][0]:
            found[-1] = (found[-1][0] + (text if text != "ʲ" else ""), found[-1][1], end)
        elif not text.strip():
            stress = None
            found.append(("", begin, end))
        else:
            symbol = PUNCTUATION.get(text) or KOKORO_LETTERS.get(text, text)
            found.append((symbol, begin if stress is None else stress, end))
            stress = None
    return [(resolve(text), begin, end) for text, begin, end in found if text and end > begin]


def match_symbols(symbols: Sequence[tuple[str, ...]], phones: Sequence[str]) -> list[PhoneMatch]:
    """The alignment of least cost, in order: one to one, two to one, one to two, or one without counterpart."""
    best_MN = np.full((len(symbols) + 1, len(phones) + 1), np.inf)
    best_MN[0, 0] = 0.0
    back: dict[tuple[int, int], PhoneMatch] = {}
    for m in range(len(symbols) + 1):
        for n in range(len(phones) + 1):
            for dm, dn in MOVES:
                if dm > m or dn > n:
                    continue
                cost = _match_cost(symbols[m - dm : m], phones[n - dn : n])
                if best_MN[m - dm, n - dn] + cost < best_MN[m, n]:
                    best_MN[m, n] = best_MN[m - dm, n - dn] + cost
                    back[m, n] = PhoneMatch(m - dm, dm, n - dn, dn, cost)
    matches, m, n = list[PhoneMatch](), len(symbols), len(phones)
    while (m, n) in back:
        matches.append(back[m, n])
        m, n = matches[-1].first_symbol, matches[-1].first_phone
    return matches[::-1]


def _match_cost(symbols: Sequence[tuple[str, ...]], phones: Sequence[str]) -> float:
    if not symbols or not phones:
        return GAP_COST
    if len(symbols) == len(phones):
        return _substitution_cost(symbols[0], phones[0])
    if len(symbols) == 2:
        both, phone = "".join(s[0] for s in symbols if s), strip_stress(phones[0])
        joined = (
            both == phone
            or (phone == "ɚ" and both in ("ɚɹ", "əɹ"))
            or (phone in VOWELS and both[:1] == phone[:1] and len(phone) > 1)
        )
        return 0.1 if joined else 2.0
    symbol = "".join(symbols[0]).replace("ɪ", "j").replace("ʊ", "w")
    pair = "".join(strip_stress(p) for p in phones).replace("i", "j").replace("u", "w")
    return 0.1 if symbol == pair else 2.0


def _substitution_cost(symbol: tuple[str, ...], phone: str) -> float:
    """How different a symbol (as phones of the table) and a phone are: 0 equal, 2 nothing in common."""
    phone = strip_stress(phone)
    plain = [strip_stress(p) for p in symbol]
    if plain == [phone]:
        return 0.0
    if phone in PUNCTUATION or any(p in PUNCTUATION for p in plain):
        return 0.1 if phone in PUNCTUATION and all(p in PUNCTUATION for p in plain) else 2.0
    if len(plain) == 1 and (plain[0], phone) in SIMILAR_PAIRS:
        return 0.3
    if phone in plain:
        return 0.5
    vowels = [p in VOWELS for p in plain]
    if phone in VOWELS and all(vowels):
        return 0.4 if plain[0][0] == phone[0] else 0.5
    return 1.2 if phone not in VOWELS and not any(vowels) else 2.0


def label_phones(timed: Iterable[TimedSymbol], text: PhoneSequence) -> FrameLabels:
    """The times of a text's phones, for the words whose phones match the synthesizer's symbols."""
    symbols = resolve_symbols(timed)
    spans: dict[int, tuple[float, float]] = {}
    for found in match_symbols([s[0] for s in symbols], text.phones):
        if not found.symbols or not found.phones or found.cost > MAX_LABEL_COST:
            continue
        start, end = symbols[found.first_symbol][1], symbols[found.first_symbol + found.symbols - 1][2]
        for k in range(found.phones):
            edges = [start + (end - start) * part / found.phones for part in (k, k + 1)]
            spans[found.first_phone + k] = (edges[0], edges[1])
    words: list[tuple[float, float] | None] = []
    for word in text.words:
        inside = range(word.start, word.stop)
        missing = [n for n in inside if n not in spans]
        if len(missing) > MAX_UNLABELED * len(inside):
            for n in inside:
                spans.pop(n, None)
        for n in missing:  # its neighbours hold it, so their ends are not sure
            spans.pop(n - 1, None)
            spans.pop(n + 1, None)
        whole = word.start in spans and word.stop - 1 in spans
        words.append((spans[word.start][0], spans[word.stop - 1][1]) if whole else None)
    return FrameLabels(tuple((int(text.ids[n]), *spans[n]) for n in sorted(spans)), tuple(words))


def label_pack(pack_folder: str | Path, metadata: Iterable[str | Path]) -> tuple[int, int, int]:
    """Writes DIR/frames.jsonl for the metadata rows with `phones`. Returns rows, words, and words without times.

    metadata: metadata.jsonl files; the name of a file's folder is the corpus, as in speechx.data.sources. A text that the
    front end refuses is left out. Raises InputError for a missing file.
    """
    from speechx.text import TextFrontend

    frontend, rows, words, unlabeled = TextFrontend(), 0, 0, 0
    with atomic_files(Path(pack_folder) / "frames.jsonl") as (part,), part.open("w") as file:
        for table in map(Path, metadata):
            for _, row in json_rows(read_text(table, "metadata").split("\n"), partial(_not_json, table)):
                if "phones" not in row:
                    continue
                try:
                    found = label_phones(row["phones"], frontend(row["text"], row["language"]))
                except InputError:
                    continue
                rows, words = rows + 1, words + len(found.words)
                unlabeled += found.words.count(None)
                key = {"corpus": table.parent.name, "id": row["id"]}
                file.write(json.dumps(key | {"spans": found.spans, "words": found.words}) + "\n")
    return rows, words, unlabeled


def _not_json(path: Path, number: int, error: json.JSONDecodeError) -> InputError:
    return InputError(f"metadata: {path} line {number} is not JSON: {error}", field="metadata")


def read_frame_labels(pack_folder: str | Path) -> dict[Key, FrameLabels]:
    """What `label_pack` wrote beside a pack, by (corpus, id); empty where it has not run."""
    path, found = Path(pack_folder) / "frames.jsonl", dict[Key, FrameLabels]()
    for row in read_json_lines(path, "pack") if path.exists() else ():
        words = tuple(None if word is None else (word[0], word[1]) for word in row["words"])
        spans = tuple((span[0], span[1], span[2]) for span in row["spans"])
        found[row["corpus"], row["id"]] = FrameLabels(spans, words)
    return found
