"""F0 of all speech in a pack, pitch.f16 and pitch.jsonl: a training target of the codec's harmonic source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from speechx.data.annotate.f0 import RATE, pitch
from speechx.data.annotate.features import feature_files
from speechx.data.packs import AudioPack, PackRow

__all__ = ["add_pitch"]

CHUNK = 64  # utterances given to a process at once


def add_pitch(
    pack_folder: str | Path, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> int:
    """Writes the F0 of every utterance, at about 250 times real time per core; returns the number of frames (100 Hz)."""
    folder = Path(pack_folder)
    rows = [row for row in AudioPack(folder).rows if row.speaker is not None]
    with feature_files(folder, "pitch") as features:
        for done, (row, f0_S) in enumerate(zip(rows, _all(folder, rows, workers), strict=True), 1):
            features.add(row.corpus, row.id, f0_S)
            if progress is not None:
                progress(done, len(rows))
    return features.offset


def _all(folder: Path, rows: list[PackRow], workers: int) -> Iterator[np.ndarray]:
    chunks = [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]
    if workers <= 1:
        for chunk in chunks:
            yield from _some(folder, chunk)
        return
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(_some, [folder] * len(chunks), chunks):
            yield from found


def _some(folder: Path, rows: list[PackRow]) -> list[np.ndarray]:
    pack = AudioPack(folder)
    return [pitch(pack.audio_at(2 * RATE, row)).astype(np.float16) for row in rows]
