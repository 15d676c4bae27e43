"""Speed perturbation: each speaker of a pack becomes two new ones, one slower and lower, one faster and higher.

Ko et al. 2015, "Audio augmentation for speech recognition": resampling moves pitch, formants and tempo together. Half of a
speaker's utterances go to the slower voice, half to the faster. The new pack is as large as the old.
Shapes: T samples at 16 kHz, F codec frames.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from speechx.data.annotate.codes import one_thread_each
from speechx.data.packs import FRAME, AudioPack, PackRow, write_rate
from speechx.errors import InputError
from speechx.files import atomic_files

__all__ = ["perturb_pack", "speed_of"]

SLOWER, FASTER = (0.86, 0.95), (1.06, 1.16)
"""Farther away it is no voice that people have; nearer it is the old one."""

Key = tuple[str, str]


def speed_of(row: PackRow, seed: int = 0) -> float:
    """Speed factor of an utterance. A speaker has two, and the next seed swaps them."""
    faster = (zlib.crc32(f"{row.corpus} {row.id}".encode()) + seed) % 2
    rng = np.random.default_rng((zlib.crc32(str(row.speaker).encode()), faster, seed))
    return round(float(rng.uniform(*(FASTER if faster else SLOWER))), 3)


def perturb_pack(
    folder: str | Path, out: str | Path, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> int:
    """Writes the pack OUT: the speech of the pack's train split at other speeds. Returns the number of utterances.

    Phones are copied, alignments scaled, noise copied for mixtures of the new voices. The new pack has no teacher features
    and no F0, because it is for the language model. Raises InputError if OUT has a pack already.
    """
    folder, out = Path(folder), Path(out)
    if (out / "index.jsonl").exists():
        raise InputError(f"out: {out} holds a pack already; choose another folder", field="out")
    pack = AudioPack(folder)
    rows = [row for row in pack.rows if row.split == "train"]
    out.mkdir(parents=True, exist_ok=True)
    offset, made, lines = 0, dict[Key, tuple[str, float, int]](), []

    def changed(row: PackRow) -> np.ndarray:
        wav_T = pack.audio(row)
        if row.speaker is None:
            return wav_T
        return np.asarray(
            soxr.resample(wav_T, pack.sample_rate * speed_of(row, seed), pack.sample_rate), np.float32
        )

    samples_of = {(row.corpus, row.id): row.samples for row in rows}
    with (
        atomic_files(out / "pcm.i16", out / "index.jsonl") as (pcm, index),
        pcm.open("wb") as samples,
        one_thread_each() as pool,
    ):
        for done, (row, wav_T) in enumerate(zip(rows, pool.map(changed, rows), strict=True), 1):
            samples.write((wav_T.clip(-1, 1) * 32767).astype(np.int16).tobytes())
            entry = {
                "id": row.id, "corpus": row.corpus, "split": "train", "offset": offset, "samples": len(wav_T),
                "language": row.language,
            }  # fmt: skip
            if row.speaker is None:
                entry |= {"kind": row.kind}
            else:
                speed = speed_of(row, seed)
                id = f"{row.id}@{speed}"
                entry |= {"id": id, "speaker": f"{row.speaker}@{speed}", "text": row.text}
                made[row.corpus, row.id] = (id, speed, -(-len(wav_T) // FRAME))
            lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
            offset += len(wav_T)
            if progress is not None:
                progress(done, len(rows))
        for path in (*folder.glob("phones-v*.jsonl"), *folder.glob("words-*.jsonl")):
            kept = (json.loads(line) for line in path.read_text().splitlines())
            taken = [
                _scaled(item, *made[key])
                for item in kept
                if (key := (item["corpus"], item["id"])) in made and _fits(item, samples_of[key])
            ]
            (out / path.name).write_text("".join(json.dumps(i, ensure_ascii=False) + "\n" for i in taken))
        index.write_text("".join(lines))
    write_rate(out, pack.sample_rate)
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
