"""A second pack with changed speech. Speed perturbation: each speaker becomes two new ones, one slower and lower, one faster
and higher. Or dropping (speechx.data.dropping): the same speakers with bands and stretches missing.

Ko et al. 2015, "Audio augmentation for speech recognition": resampling moves pitch, formants and tempo together. Half of a
speaker's utterances go to the slower voice, half to the faster. The new pack is as large as the old.
Shapes: T samples at 16 kHz, F codec frames.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soxr

from speechx.data.annotate.codes import one_thread_each
from speechx.data.dropping import Dropper
from speechx.data.packs import FRAME, AudioPack, PackRow, row_facts, write_rate
from speechx.errors import InputError
from speechx.files import atomic_files, atomic_write, read_json_lines

__all__ = ["perturb_pack", "speed_of"]

SLOWER, FASTER = (0.86, 0.95), (1.06, 1.16)
"""Farther away it is no voice that people have; nearer it is the old one."""

Key = tuple[str, str]


def speed_of(row: PackRow, seed: int = 0) -> float:
    """Speed factor of an utterance. A speaker has two, and the next seed swaps them."""
    faster = (zlib.crc32(f"{row.corpus} {row.id}".encode()) + seed) % 2
    rng = np.random.default_rng((zlib.crc32(str(row.speaker).encode()), faster, seed))
    return round(float(rng.uniform(*(FASTER if faster else SLOWER))), 3)


class Change(Protocol):
    """What happens to an utterance. threads: whether several may be changed at once."""

    @property
    def threads(self) -> bool: ...

    def sound(self, row: PackRow, wav_T: np.ndarray) -> np.ndarray:
        """(T,) -> (T / speed,)."""

    def speed(self, row: PackRow) -> float: ...

    def names(self, row: PackRow) -> tuple[str, str]:
        """The id and the speaker of the changed utterance."""


@dataclass(frozen=True)
class OtherSpeed:
    """See the module's docstring, and `speed_of`."""

    seed: int
    threads: bool = True

    def sound(self, row: PackRow, wav_T: np.ndarray) -> np.ndarray:
        speed = self.speed(row)
        return np.asarray(soxr.resample(wav_T, row.sample_rate * speed, row.sample_rate), np.float32)

    def speed(self, row: PackRow) -> float:
        return speed_of(row, self.seed)

    def names(self, row: PackRow) -> tuple[str, str]:
        return f"{row.id}@{self.speed(row)}", f"{row.speaker}@{self.speed(row)}"


@dataclass(frozen=True)
class Damage:
    """See speechx.data.dropping."""

    drop: Dropper
    seed: int
    threads: bool = False

    def sound(self, row: PackRow, wav_T: np.ndarray) -> np.ndarray:
        return self.drop(wav_T, zlib.crc32(f"{row.corpus} {row.id}".encode()) + self.seed)

    def speed(self, row: PackRow) -> float:
        return 1.0

    def names(self, row: PackRow) -> tuple[str, str]:
        return f"{row.id}@dropped{self.seed}", str(row.speaker)


def perturb_pack(
    folder: str | Path, out: str | Path, seed: int = 0, progress: Callable[[int, int], None] | None = None,
    drop: bool = False,
) -> int:  # fmt: skip
    """Writes the pack OUT: the speech of the pack's train split at other speeds, or with `drop` damaged. Returns the number
    of utterances.

    Phones are copied, alignments scaled, noise copied for mixtures of the new voices. The new pack has no teacher features
    and no F0, because it is for the language model or, if damaged, for the aligner. Raises InputError if OUT has a pack
    already.
    """
    folder, out = Path(folder), Path(out)
    if (out / "index.jsonl").exists():
        raise InputError(f"out: {out} holds a pack already; choose another folder", field="out")
    pack = AudioPack(folder)
    change: Change = Damage(Dropper(pack.sample_rate), seed) if drop else OtherSpeed(seed)
    rows = [row for row in pack.rows if row.split == "train"]
    out.mkdir(parents=True, exist_ok=True)
    offset, made, lines = 0, dict[Key, tuple[str, float, int]](), []

    def changed(row: PackRow) -> np.ndarray:
        wav_T = pack.audio(row)
        return wav_T if row.speaker is None else change.sound(row, wav_T)

    samples_of = {(row.corpus, row.id): row.samples for row in rows}
    with (
        atomic_files(out / "pcm.i16", out / "index.jsonl") as (pcm, index),
        pcm.open("wb") as samples,
        one_thread_each() as pool,
    ):
        waves = pool.map(changed, rows) if change.threads else map(changed, rows)
        for done, (row, wav_T) in enumerate(zip(rows, waves, strict=True), 1):
            samples.write((wav_T.clip(-1, 1) * 32767).astype(np.int16).tobytes())
            entry = {
                "id": row.id, "corpus": row.corpus, "split": "train", "offset": offset, "samples": len(wav_T),
            }  # fmt: skip
            entry |= row_facts(row)
            if row.speaker is not None:
                id, speaker = change.names(row)
                entry |= {"id": id, "speaker": speaker}
                made[row.corpus, row.id] = (id, change.speed(row), -(-len(wav_T) // FRAME))
            lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
            offset += len(wav_T)
            if progress is not None:
                progress(done, len(rows))
        for path in (*folder.glob("phones-v*.jsonl"), *folder.glob("words-*.jsonl")):
            taken = [
                _scaled(item, *made[key])
                for item in read_json_lines(path, "pack")
                if (key := (item["corpus"], item["id"])) in made and _fits(item, samples_of[key])
            ]
            if taken:
                rows_text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in taken)
                atomic_write(out / path.name, rows_text.encode())
        write_rate(out, pack.sample_rate)
        index.write_text("".join(lines))
    return len(made)


def _fits(item: dict[str, Any], samples: int) -> bool:
    """Whether a row is of phones, or an alignment for SpeechX's own codec. `mix` aligns anew for others."""
    return "pointer" not in item or len(item["pointer"]) == -(-samples // FRAME)


def _scaled(item: dict[str, Any], id: str, speed: float, frames: int) -> dict[str, Any]:
    """A row of phones or of an alignment, adapted to the new speed and number of frames."""
    item = item | {"id": id}
    if "pointer" in item:
        item["words"] = [[text, round(a / speed, 3), round(b / speed, 3)] for text, a, b in item["words"]]
        at_F = ((np.arange(frames) + 0.5) * speed).astype(np.int64)
        item["pointer"] = np.array(item["pointer"])[at_F.clip(max=len(item["pointer"]) - 1)].tolist()
    return item
