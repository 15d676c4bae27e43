"""`speechx eval prefer`: listens to several tries at the same request and tells which of their words were understood.

What preference tuning (speechx/training/preference.py) learns from: a word that one try of a group said so that it was
understood and another did not. The recognizer should be another one than that which measures the model in the end.

OUT/tries-0000.safetensors   shards of the tries of all groups in which some word was said both ways
OUT/words.jsonl              a row a try, in the same order: group, spans (frames [start, stop) of each word), right

Shapes: F codec frames, K codebooks, T samples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval import words
from eval.base import Unmeasurable
from eval.measures.base import Recognizer
from speechx.data.shards import Shards, ShardWriter
from speechx.data.tries import Row, read_rows
from speechx.text import PHONE_TABLE_VERSION, PhoneSequence

if TYPE_CHECKING:
    from speechx.data.shards import Pair

__all__ = ["Listened", "prefer", "right_words", "spans_of"]

BATCH = 8


@dataclass(frozen=True)
class Listened:
    """groups, tries: those with a word said both ways. words: how many such. errors: share of all words not understood."""

    groups: int
    tries: int
    words: int
    errors: float


def right_words(speech: PhoneSequence, text: str, heard: str) -> list[bool] | None:
    """Whether each word of a text was understood; None where the text's words cannot be told apart after normalization."""
    language = speech.language
    pieces = [words.normalize(word.text, language).split() for word in speech.words]
    if [w for piece in pieces for w in piece] != words.normalize(text, language).split():
        return None
    try:
        wrong = words.compare(text, heard, language).wrong
    except Unmeasurable:
        return None
    right, at = list[bool](), 0
    for piece in pieces:
        right.append(not any(wrong[at : at + len(piece)]))
        at += len(piece)
    return right


def spans_of(speech: PhoneSequence, pointer_F: np.ndarray) -> list[tuple[int, int]]:
    """Frames [start, stop) of each word, by the phone that each frame says."""
    return [
        (int(np.searchsorted(pointer_F, word.start)), int(np.searchsorted(pointer_F, word.stop)))
        for word in speech.words
    ]


def prefer(
    folders: Sequence[str | Path], out: str | Path, recognizer: Recognizer, *,
    decode: Callable[[np.ndarray], np.ndarray], phones: Callable[[str, str], PhoneSequence],
    progress: Callable[[int, int], None] | None = None,
) -> Listened:  # fmt: skip
    """Listens to the tries of `speechx data tries` folders. decode: codes (F, K) -> samples (T,). phones: text, language ->.

    What was heard stays in FOLDER/heard.json, for a look, and is not heard again.
    """
    rows, pairs, heard, codec = list[Row](), list["Pair"](), list[str](), ""
    for folder in folders:
        shards, own = Shards([folder]), read_rows(folder)
        if len(shards) != len(own):
            raise ValueError(
                f"{folder} has {len(shards)} tries and {len(own)} rows: it was not written to its end"
            )
        rows, codec = rows + own, shards.codec_hash
        pairs += list(shards)
        heard += _heard(Path(folder), shards, own, recognizer, decode, progress)
    told, total, missed, mixed, kept = list[str](), 0, 0, 0, 0
    with ShardWriter(out, "tries", codec, PHONE_TABLE_VERSION) as writer:
        for (source, number), indices in _groups(rows).items():
            speech = phones(rows[indices[0]].text, rows[indices[0]].language)
            verdicts = [right_words(speech, rows[i].text, heard[i]) for i in indices]
            if any(verdict is None for verdict in verdicts):
                continue
            right_NW = np.array(verdicts)
            total, missed = total + right_NW.size, missed + int((~right_NW).sum())
            both = int((right_NW.any(0) & ~right_NW.all(0)).sum())
            if not both:
                continue
            mixed, kept = mixed + both, kept + 1
            for i, right in zip(indices, right_NW.tolist(), strict=True):
                writer.add(pairs[i])
                pointer_F = pairs[i].pointer_F
                assert pointer_F is not None
                row = {"group": f"{source}-{number}", "spans": spans_of(speech, pointer_F), "right": right}
                told.append(json.dumps(row) + "\n")
    (Path(out) / "words.jsonl").write_text("".join(told))
    return Listened(kept, len(told), mixed, missed / max(1, total))


def _groups(rows: Sequence[Row]) -> dict[tuple[str, int], list[int]]:
    """Indices of the tries at each request; they were finished in any order."""
    groups: dict[tuple[str, int], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault((row.source, row.group), []).append(index)
    return groups


def _heard(
    folder: Path, shards: Shards, rows: Sequence[Row], recognizer: Recognizer, decode: Callable[[np.ndarray], np.ndarray],
    progress: Callable[[int, int], None] | None,
) -> list[str]:  # fmt: skip
    path = folder / "heard.json"
    heard: list[str] = json.loads(path.read_text()) if path.is_file() else []
    while len(heard) < len(rows):
        batch = range(len(heard), min(len(rows), len(heard) + BATCH))
        wavs = [decode(shards[i].target_FK) for i in batch]
        heard += [said.text for said in recognizer.transcribe(wavs, [rows[i].language for i in batch])]
        if progress is not None:
            progress(len(heard), len(rows))
    path.write_text(json.dumps(heard, ensure_ascii=False))
    return heard
