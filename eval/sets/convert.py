"""Public test sets of mixed recordings, converted to our format. docs/evaluation.md says which file goes where.

Clean corpora (LibriSpeech, VCTK, Common Voice) need no recipe: `speechx eval build` reads them. Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from speechx.audio import reading
from speechx.data.source_rows import SourceRow
from speechx.data.sources import read_source
from speechx.errors import InputError
from speechx.eval.items import RATE, JsonObject
from speechx.eval.sets.build import seeded_rng
from speechx.eval.sets.store import SetWriter
from speechx.files import read_text

__all__ = ["LAYOUTS", "convert_set"]


@dataclass(frozen=True)
class ConvertedItem:
    """One item of a public set: recordings as paths or samples."""

    name: str
    task: str
    fields: JsonObject
    sounds: dict[str, Path | np.ndarray]
    target: Path | np.ndarray
    text: str | None
    speaker: str
    references: dict[str, Path | np.ndarray] = field(default_factory=dict)
    meta: JsonObject = field(default_factory=dict)


def convert_set(
    layout: str,
    source: Path,
    out: Path,
    limit: int | None,
    seed: int,
    language: str,
    transcripts: Path | None,
) -> JsonObject:
    """Writes the set; returns set.json. Raises InputError: unknown layout, files that are not where they should be."""
    if layout not in LAYOUTS:
        raise InputError(f"layout: {layout!r} is unknown; choose one of {', '.join(LAYOUTS)}", field="layout")
    if not source.exists():
        raise InputError(f"source: {source} does not exist", field="source")
    count = 0
    with SetWriter(out) as writer:
        for count, item in enumerate(islice(LAYOUTS[layout](source, transcripts), limit), 1):
            item_id = f"{item.task}-{count:04d}"
            sounds = {n: writer.write_audio(item_id, n, _samples(s)) for n, s in item.sounds.items()}
            row_seed = int(seeded_rng(seed, layout, item.name).integers(2**31))
            writer.add_row(
                {
                    "id": item_id,
                    "task": item.task,
                    "seed": row_seed,
                    "language": language,
                    **item.fields,
                    **sounds,
                },
                text=item.text,
                language=language,
                speaker=item.speaker,
                target=writer.write_audio(item_id, "target", _samples(item.target)),
                references={
                    n: writer.write_audio(item_id, f"ref-{n}", _samples(s))
                    for n, s in item.references.items()
                },
                meta={"id": item.name, "text_given": "text" in item.fields, **item.meta},
            )
        if not count:
            raise InputError(f"source: {source} has nothing in the layout of {layout}", field="source")
        task = writer.manifest[0]["task"]
        return writer.close({"name": out.name, "layout": layout, "seed": seed, "abilities": {task: count}})


def _samples(sound: Path | np.ndarray) -> np.ndarray:
    return reading.read(sound) if isinstance(sound, Path) else sound


def _texts(transcripts: Path | None) -> dict[str, SourceRow]:
    return {row.id: row for row in read_source(transcripts)} if transcripts is not None else {}


def dns(root: Path, transcripts: Path | None) -> Iterator[ConvertedItem]:
    """DNS challenge, synthetic test set: noisy/*_fileid_7.wav beside clean/clean_fileid_7.wav. It has no transcripts."""
    for noisy in sorted((root / "noisy").glob("*.wav"), key=lambda p: (_number(p), p.name)):
        clean = root / "clean" / f"clean_fileid_{_number(noisy)}.wav"
        if not clean.is_file():
            raise InputError(
                f"source: {clean} is missing, the clean recording of {noisy.name}", field="source"
            )
        snr = re.search(r"_snr(-?\d+)", noisy.name)
        meta = {"snr_db": float(snr[1])} if snr else {}
        yield ConvertedItem(
            noisy.stem, "noise_suppression", {}, {"audio": noisy}, clean, None, "?", {"speech": clean}, meta
        )


def _number(path: Path) -> int:
    item = re.search(r"fileid_(\d+)", path.name)
    return int(item[1]) if item else -1


def libri2mix(root: Path, transcripts: Path | None) -> Iterator[ConvertedItem]:
    """Libri2Mix: mix_clean/A_B.wav, s1/A_B.wav, s2/A_B.wav, A and B being utterances of LibriSpeech.

    transcripts: that LibriSpeech subset, which gives the text of s1 and an enrollment: another utterance of its speaker.
    """
    if transcripts is None:
        raise InputError(
            "transcripts: libri2mix needs the LibriSpeech subset that it is mixed of", field="transcripts"
        )
    known = _texts(transcripts)
    by_speaker: dict[str | None, list[SourceRow]] = {}
    for row in known.values():
        by_speaker.setdefault(row.speaker, []).append(row)
    for mixture in sorted((root / "mix_clean").glob("*.wav")):
        name = mixture.stem.split("_")[0]
        if name not in known:
            raise InputError(f"transcripts: {transcripts} has no utterance {name}", field="transcripts")
        utterance = known[name]
        others = [r for r in by_speaker[utterance.speaker] if r.id != name]
        if not others:
            continue
        enrollment = reading.read(others[int(seeded_rng("libri2mix", name).integers(len(others)))].path)[
            : 6 * RATE
        ]
        text = utterance.text.lower() if utterance.text else None
        first, second = root / "s1" / mixture.name, root / "s2" / mixture.name
        yield ConvertedItem(
            mixture.stem, "target_speaker_extraction", {}, {"audio": mixture, "enrollment": enrollment}, first, text,
            str(utterance.speaker), {"speech": first, "interferer": second, "voice": enrollment},
        )  # fmt: skip


def seed_tts_eval(listing: Path, transcripts: Path | None) -> Iterator[ConvertedItem]:
    """Seed-TTS-eval: meta.lst with lines name|prompt text|prompt wav|text, and optionally |true wav, else
    wavs/name.wav; without any true recording the enrollment stands for it, and ratios of length mean nothing."""
    for line in read_text(listing, "source").splitlines():
        if not line.strip():
            continue
        parts = line.split("|")
        if len(parts) < 4:
            raise InputError(
                f"source: {listing} has a line of {len(parts)} columns: {line[:60]!r}", field="source"
            )
        name, _, prompt, text = (p.strip() for p in parts[:4])
        true = parts[4].strip() if len(parts) > 4 else f"wavs/{Path(name).stem}.wav"
        voice, target = listing.parent / prompt, listing.parent / true
        target = target if target.is_file() else voice
        yield ConvertedItem(
            name, "tts", {"text": text}, {"voice": voice}, target, text, name.split("-")[0], {"voice": voice}
        )


LAYOUTS: dict[str, Callable[[Path, Path | None], Iterator[ConvertedItem]]] = {
    "dns": dns,
    "libri2mix": libri2mix,
    "seed-tts-eval": seed_tts_eval,
}
