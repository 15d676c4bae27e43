"""Features of a pack's utterances, end to end in one file: NAME.f16 and its index NAME.jsonl.

DIR/NAME.f16     float16, (frames,) or (frames, dims) of one utterance after the other
DIR/NAME.jsonl   one row per utterance: id, corpus, offset (in frames), frames
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np

from speechx.files import atomic_files

__all__ = ["FeatureWriter", "feature_files"]


class FeatureWriter:
    """Appends utterances to open files. offset: frames written so far."""

    def __init__(self, data: BinaryIO, index: TextIO) -> None:
        self.data, self.index = data, index
        self.offset = 0

    def add(self, corpus: str, id: str, values: np.ndarray) -> None:
        """values: (frames,) or (frames, dims)."""
        self.data.write(values.astype(np.float16).tobytes())
        entry = {"id": id, "corpus": corpus, "offset": self.offset, "frames": len(values)}
        self.index.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.offset += len(values)


@contextmanager
def feature_files(folder: str | Path, name: str) -> Iterator[FeatureWriter]:
    """Writes NAME.f16 and NAME.jsonl of a pack; both appear at the end of the block, after an error neither."""
    data, index = Path(folder) / f"{name}.f16", Path(folder) / f"{name}.jsonl"
    with (
        atomic_files(data, index) as (data_part, index_part),
        data_part.open("wb") as file,
        index_part.open("w", encoding="utf-8") as lines,
    ):
        yield FeatureWriter(file, lines)
