"""Training examples of a task as files, to listen to and to read before training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechx.audio.writing import write
from speechx.data.packs import AudioPack
from speechx.data.pools import PackPool
from speechx.errors import InputError
from speechx.files import atomic_write
from speechx.models.lm.prompt import Frames, Prompt, Text
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.task.examples import Example, TrainingPair
    from speechx.task.frontend import Frontend

__all__ = ["describe_prompt", "write_examples"]

TRIES = 8
"""Utterances tried per example: a corpus may lack what a task needs of some."""


def write_examples(
    task: str, pack: str | Path, out: str | Path, frontend: Frontend, *, count: int = 3, seed: int = 1
) -> list[Path]:
    """Writes `count` examples of the training split, a folder for each: example.json and one wav per sound.

    Raises InputError where the corpus lacks what the task needs.
    """
    chosen, pool, folders = (
        registry.task(task),
        PackPool(AudioPack(pack), "train", rooms=0, codec=frontend.codec),
        list[Path](),
    )
    if not pool.speech:
        raise InputError(f"{pack} has no speech of a known speaker in its train split", field="pack")
    rng = np.random.default_rng(seed)
    for _ in range(count * TRIES):
        cut = pool.utterance(pool.speech[int(rng.integers(len(pool.speech)))])
        example = chosen.example(cut, pool, rng)
        if example is not None:
            folders.append(Path(out) / chosen.name / str(len(folders)))
            _write(folders[-1], example, chosen.pair(example, frontend), frontend.sample_rate)
        if len(folders) == count:
            return folders
    raise InputError(
        f"{chosen.name}: {len(folders)} of {count} examples could be made of {pack}: the corpus lacks what the task needs",
        field="pack",
    )


def _write(folder: Path, example: Example, pair: TrainingPair, rate: int) -> None:
    sounds = {"target": example.target_T, **{f"reference-{k}": v for k, v in example.references.items()}}
    fields = {}
    for name, value in example.request.model_dump(exclude_unset=True).items():
        if isinstance(value, tuple) and isinstance(value[0], np.ndarray):
            sounds[f"request-{name}"] = value[0]
            fields[name] = f"request-{name}.wav"
        else:
            fields[name] = value
    folder.mkdir(parents=True, exist_ok=True)
    for name, wav_T in sounds.items():
        write(folder / f"{name}.wav", np.clip(wav_T, -1, 1), rate)
    facts = {
        "request": fields, "text": example.text, "language": example.language, "meta": example.meta,
        "prompt": describe_prompt(pair.prompt), "target_frames": len(pair.target_FK),
    }  # fmt: skip
    text = json.dumps(facts, indent=2, ensure_ascii=False, default=str)
    atomic_write(folder / "example.json", text.encode())


def describe_prompt(prompt: Prompt) -> list[str]:
    """A line per segment, such as "75 frames, aligned with the target"."""
    lines = [f"task {prompt.slot}"]
    for segment in prompt.segments:
        if isinstance(segment, Frames):
            lines.append(f"{len(segment.codes_FK)} frames" + ", aligned with the target" * segment.aligned)
        elif isinstance(segment, Text):
            lines.append(f"{len(segment.ids)} phones ({segment.language})")
        else:
            lines.append(f"marker {segment.id}")
    return lines
