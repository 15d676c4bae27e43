"""Audio packs: a corpus decoded once to int16 in one flat file. A training step reads slices of it.

DIR/pcm.i16        all samples, end to end
DIR/pack.json      optional: sample_rate; 16 kHz without it
DIR/index.jsonl    one row per utterance: id, corpus, split, offset, samples, speaker | None, language, text, kind (noise),
                   synthetic (true where a synthesizer spoke)
DIR/texts.jsonl    optional: Whisper's transcripts of rows without text
DIR/teacher.f16    optional: Whisper encoder features at 25 Hz, (frames, 512) end to end
DIR/teacher.jsonl  one row per utterance: id, corpus, offset, frames
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechx.audio import reading
from speechx.data.source_rows import SourceRow
from speechx.errors import InputError
from speechx.files import atomic_write, read_json_lines

PACK_RATE = reading.SAMPLE_RATE
"""Of a pack that names none."""

FRAME = 640
"""Samples per frame of SpeechX's own codec, whose training reads packs of 16 kHz."""
TEACHER_DIM = 512


@dataclass(frozen=True)
class PackRow:
    """One utterance or noise in a pack."""

    id: str
    corpus: str
    split: str
    offset: int
    samples: int
    speaker: str | None
    language: str | None
    text: str | None
    kind: str | None
    teacher: tuple[int, int] | None
    pitch: tuple[int, int, int] | None = None
    sample_rate: int = PACK_RATE
    synthetic: bool = False

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate


class AudioPack:
    """Read access to a pack. Arrays are memory-mapped; a pack can be larger than memory."""

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        if not (folder / "index.jsonl").is_file():
            raise InputError(
                f"pack: {folder} is no audio pack: it has no index.jsonl (make one with `speechx data prepare`)",
                field="pack",
            )
        self.sample_rate = pack_rate(folder)
        self.pcm = _mapped(folder / "pcm.i16", np.int16)
        teachers: dict[tuple[str, str], tuple[int, int]] = {}
        if (folder / "teacher.jsonl").is_file():
            self.teacher = _mapped(folder / "teacher.f16", np.float16).reshape(-1, TEACHER_DIM)
            for row in read_json_lines(folder / "teacher.jsonl", "pack"):
                teachers[row["corpus"], row["id"]] = (row["offset"], row["frames"])
        self.pitches: list[np.ndarray] = []
        tones: dict[tuple[str, str], tuple[int, int, int]] = {}
        for path in sorted(folder.glob("pitch*.jsonl")):
            # The index first: its file may still be growing.
            lines = read_json_lines(path, "pack")
            self.pitches.append(_mapped(path.with_suffix(".f16"), np.float16))
            for row in lines:
                tones[row["corpus"], row["id"]] = (len(self.pitches) - 1, row["offset"], row["frames"])
        guessed: dict[tuple[str, str], str] = {}
        if (folder / "texts.jsonl").is_file():
            for row in read_json_lines(folder / "texts.jsonl", "pack"):
                guessed[row["corpus"], row["id"]] = row["text"]
        self.rows: list[PackRow] = []
        for row in read_json_lines(folder / "index.jsonl", "pack"):
            fields = {name: row.get(name) for name in ("speaker", "language", "text", "kind")}
            fields["text"] = fields["text"] or guessed.get((row["corpus"], row["id"]))
            if (fields["text"] or "").isupper():
                # A corpus in capitals (LibriSpeech) is not a row of acronyms to be spelled.
                fields["text"] = fields["text"].lower()
            self.rows.append(
                PackRow(
                    id=row["id"],
                    corpus=row["corpus"],
                    split=row["split"],
                    offset=row["offset"],
                    samples=row["samples"],
                    sample_rate=self.sample_rate,
                    synthetic=bool(row.get("synthetic")),
                    teacher=teachers.get((row["corpus"], row["id"])),
                    pitch=tones.get((row["corpus"], row["id"])),
                    **fields,
                )
            )

        samples = max((row.offset + row.samples for row in self.rows), default=0)
        if samples > len(self.pcm):
            raise InputError(
                f"pack: {folder / 'pcm.i16'} has {len(self.pcm)} samples and the index {samples}: it was not copied whole",
                field="pack",
            )

    def audio(self, row: PackRow, start: int = 0, samples: int | None = None) -> np.ndarray:
        """(T,) float32 of the row from sample `start`."""
        stop = row.samples if samples is None else min(row.samples, start + samples)
        return self.pcm[row.offset + start : row.offset + stop].astype(np.float32) / 32768

    def audio_at(self, rate: int, row: PackRow) -> np.ndarray:
        """(T,) float32 of the whole row at another sample rate."""
        return reading.resample(self.audio(row), self.sample_rate, rate)

    def features(self, row: PackRow, start_frame: int, frames: int) -> np.ndarray | None:
        """(frames, 512) float32 teacher features, or None where they are missing or too short."""
        if row.teacher is None or start_frame + frames > row.teacher[1]:
            return None
        first = row.teacher[0] + start_frame
        return self.teacher[first : first + frames].astype(np.float32)

    def tone(self, row: PackRow, start: int, frames: int) -> np.ndarray | None:
        """(frames,) float32 F0 from 100 Hz frame `start`, unvoiced past the end; None where the pack has none."""
        if row.pitch is None:
            return None
        part, offset, count = row.pitch
        f0_S = self.pitches[part][offset + min(start, count) : offset + min(start + frames, count)].astype(
            np.float32
        )
        return np.pad(f0_S, (0, frames - len(f0_S)))


def _mapped(path: Path, kind: type[np.generic]) -> np.ndarray:
    """The array of a whole file. An empty file, which cannot be mapped, is an empty array."""
    try:
        return np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.empty(0, kind)
    except (OSError, ValueError) as error:
        raise InputError(f"pack: {path} cannot be read: {error}", field="pack") from error


def row_facts(row: PackRow | SourceRow) -> dict[str, object]:
    """What an index says of a recording, beside where it is; what is not known is left out."""
    facts = {
        "speaker": row.speaker,
        "language": row.language,
        "text": row.text,
        "kind": row.kind,
        "synthetic": row.synthetic or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def pack_rate(folder: str | Path) -> int:
    """Sample rate of a pack."""
    path = Path(folder) / "pack.json"
    return int(json.loads(path.read_text())["sample_rate"]) if path.is_file() else PACK_RATE


def write_rate(folder: str | Path, rate: int) -> None:
    """Notes the sample rate of a pack, unless it is the usual one."""
    if rate != PACK_RATE:
        atomic_write(Path(folder) / "pack.json", json.dumps({"sample_rate": rate}).encode())
