"""Alignments of a pack: word times, the phone of every frame, and the phone error rate of each text.

DIR/words-<codec hash>.jsonl   one row per utterance: corpus, id, score, per (phone error rate), words, pointer
Shapes: F codec frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechx.data.annotate.codes import TokenRow, one_thread_each, read_tokens
from speechx.files import atomic_files, read_json_lines
from speechx.models.aligner import load_aligner
from speechx.models.codec.sources import CodecSource, open_codec
from speechx.text.types import WordTime

__all__ = ["UtteranceAlignment", "align_pack", "read_alignments"]

Key = tuple[str, str]


@dataclass(frozen=True)
class UtteranceAlignment:
    """words: their times. pointer_F: index into the text's phones spoken in each frame. per: phone error rate."""

    words: tuple[WordTime, ...]
    pointer_F: np.ndarray
    per: float


def align_pack(
    pack_folder: str | Path,
    codec_source: CodecSource,
    aligner_folder: str | Path,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Aligns every utterance with text, unless the file exists. Delete the file after training another aligner.

    An utterance too short for its text is left out.
    """
    codec = open_codec(codec_source)
    aligner = load_aligner(aligner_folder, codec)
    path = Path(pack_folder) / f"words-{codec.hash}.jsonl"
    if path.exists():
        return path
    rows = [row for row in read_tokens(pack_folder, codec) if row.text is not None]

    def line_of(row: TokenRow) -> str | None:
        assert row.text is not None
        try:
            found = aligner.align(row.codes_FK, row.text, codec)
        except ValueError:
            return None
        entry = {
            "corpus": row.row.corpus,
            "id": row.row.id,
            "score": round(found.score, 3),
            "per": round(found.phone_error_rate, 3),
            "words": [[w.text, round(w.start, 3), round(w.end, 3)] for w in found.words],
            "pointer": found.pointer_F.tolist(),
        }
        return json.dumps(entry, ensure_ascii=False) + "\n"

    with atomic_files(path) as (part,), part.open("w") as file, one_thread_each() as pool:
        for done, line in enumerate(pool.map(line_of, rows), 1):
            file.write(line or "")
            if progress is not None:
                progress(done, len(rows))
    return path


def read_alignments(pack_folder: str | Path, codec_hash: str) -> dict[Key, UtteranceAlignment]:
    """The alignments of a pack by (corpus, id); empty if `align_pack` has not run."""
    path = Path(pack_folder) / f"words-{codec_hash}.jsonl"
    if not path.exists():
        return {}
    found = {}
    for row in read_json_lines(path, "pack"):
        words = tuple(WordTime(*word) for word in row["words"])
        found[row["corpus"], row["id"]] = UtteranceAlignment(
            words, np.array(row["pointer"], np.int32), row["per"]
        )
    return found
