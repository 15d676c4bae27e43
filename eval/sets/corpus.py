"""Clean recordings and noise out of audio packs and of corpora in any layout, as one source of a test set.

Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from speechx.audio import reading
from speechx.data.packs import AudioPack, PackRow
from speechx.data.prepare import decode
from speechx.data.source_rows import SourceRow
from speechx.data.sources import read_source
from speechx.errors import InputError
from speechx.eval.items import RATE

__all__ = ["Corpus"]

DECODED = 256


class Corpus:
    """Recordings of packs and of corpora in any layout, decoded as they are asked for; looks like an `AudioPack`."""

    def __init__(
        self, sources: Sequence[Path], split: str, noise_split: str, corpora: Collection[str] = ()
    ) -> None:
        """split, noise_split: "all" is every split. corpora: names to keep, all by default.

        Raises InputError where nothing is left.
        """
        self.sample_rate = RATE
        self.rows: list[PackRow] = []
        self._load: list[Callable[[], np.ndarray]] = []
        self._decoded: OrderedDict[int, np.ndarray] = OrderedDict()

        def keep(row: PackRow | SourceRow) -> bool:
            chosen = noise_split if row.speaker is None else split
            return chosen in ("all", row.split) and (not corpora or row.corpus in corpora)

        for source in expand_sources(sources):
            if (source / "index.jsonl").is_file():
                pack = AudioPack(source)
                for row in filter(keep, pack.rows):
                    self._add(row, partial(pack.audio_at, RATE, row))
                continue
            for found in filter(keep, read_source(source)):
                if (seconds := _seconds(found)) is not None:
                    self._add(_pack_row(found, seconds), partial(_decode, found))
        if not self.rows:
            raise InputError(f"sources: no recording of split {split!r} in them", field="sources")

    def _add(self, row: PackRow, load: Callable[[], np.ndarray]) -> None:
        # The offset names the recording; order and split are the caller's.
        samples = round(row.samples * RATE / row.sample_rate)
        placed = replace(row, samples=samples, sample_rate=RATE, offset=len(self.rows), split="any")
        self.rows.append(placed)
        self._load.append(load)

    def audio(self, row: PackRow) -> np.ndarray:
        """(T,) float32."""
        if row.offset not in self._decoded:
            self._decoded[row.offset] = self._load[row.offset]()
            while len(self._decoded) > DECODED:
                self._decoded.popitem(last=False)
        return self._decoded[row.offset]

    def audio_at(self, rate: int, row: PackRow) -> np.ndarray:
        """(T,) float32 at another sample rate."""
        return reading.resample(self.audio(row), RATE, rate)


def expand_sources(sources: Iterable[Path]) -> list[Path]:
    """The sources, with a folder that only holds corpora replaced by those in it."""
    out = []
    for source in sources:
        inside = (
            sorted(source.glob("*/metadata.jsonl")) + sorted(source.glob("*/metadata.csv"))
            if source.is_dir()
            else []
        )
        own = any((source / n).exists() for n in ("index.jsonl", "metadata.jsonl", "metadata.csv"))
        out += [path.parent for path in inside] if inside and not own else [source]
    return out


def _seconds(row: SourceRow) -> float | None:
    """Length of a recording by its header; None where it cannot be read, or ends before the part that is meant."""
    import soundfile

    try:
        seconds = float(soundfile.info(str(row.path)).duration)
    except (OSError, RuntimeError):
        return None
    if row.start is None or row.stop is None:
        return seconds
    return min(row.stop, seconds) - row.start if row.start < seconds else None


def _pack_row(row: SourceRow, seconds: float) -> PackRow:
    """As a row of a pack. Transcripts that are all capitals are lowered."""
    text = row.text.lower() if row.text and row.text.isupper() else row.text
    return PackRow(
        row.id,
        row.corpus,
        row.split,
        0,
        round(seconds * RATE),
        row.speaker,
        row.language,
        text,
        row.kind,
        None,
    )


def _decode(row: SourceRow) -> np.ndarray:
    return decode(row, RATE)[0].astype(np.float32) / 32768
