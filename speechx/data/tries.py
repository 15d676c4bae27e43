"""Several tries at one request each: what preference tuning learns from (speechx/training/preference.py).

DIR/NAME-0000.safetensors   shards whose pairs are the tries: the prompt, and the codes and pointer that came out
DIR/NAME.jsonl              a row a try, in the same order: group, text, language, corpus and id of the voice, reason

Texts and voices are drawn apart, so that no try repeats a recording of the corpus. Shapes: F codec frames, K codebooks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.data import mixing
from speechx.data.packs import AudioPack, PackRow
from speechx.data.shards import Pair, ShardWriter
from speechx.errors import InputError
from speechx.text import PHONE_TABLE_VERSION

if TYPE_CHECKING:
    from speechx.pipeline import Pipeline
    from speechx.prompt import Prompt

__all__ = ["Row", "make_tries", "read_rows"]

VOICE_SECONDS = (2.0, 6.0)
CHARACTERS = (20, 130)
MAX_SPEAKER_ROWS = 40
"""A speaker with more texts than so many is drawn no more often than one with as many."""


@dataclass(frozen=True)
class Row:
    """What one try is of: source and group name the request, corpus and voice the recording that enrolled."""

    source: str
    group: int
    text: str
    language: str
    corpus: str
    voice: str


@dataclass
class _Going:
    """A try in the engine."""

    index: int
    prompt: Prompt
    row: dict[str, Any]
    codes: list[np.ndarray] = field(default_factory=list)
    pointers: list[np.ndarray] = field(default_factory=list)


def make_tries(
    pack_folder: str | Path, pipeline: Pipeline, out: str | Path, *,
    task: str = "tts", split: str = "train", count: int = 200, each: int = 4, seed: int = 1,
    languages: tuple[str, ...] = ("en",), skip: tuple[str, ...] = (), progress: Callable[[int, int], None] | None = None,
) -> int:  # fmt: skip
    """`each` tries at `count` requests of a task whose request has text, voice and language. Returns how many were kept.

    languages: of the texts; voices are English ones. skip: corpora whose texts are not used. The requests follow from the
    seed alone. A request that cannot be prompted is left out; so are tries that were cut off at the length limit.
    """
    from speechx import registry

    chosen, front, runner = registry.task(task), pipeline.front, pipeline.runner
    pack = AudioPack(pack_folder)
    rows = [row for row in pack.rows if row.split == split and row.speaker is not None]
    texts = [r for r in rows if r.text and r.language in languages and r.corpus not in skip and _fits(r.text)]
    voices: dict[str, list[PackRow]] = {}
    for row in rows:
        if row.seconds >= VOICE_SECONDS[0] and row.language == "en":
            voices.setdefault(str(row.speaker), []).append(row)
    if not texts or not voices:
        raise InputError(
            f"pack: no texts in {', '.join(languages)} or no voices in the split {split}", field="pack"
        )
    names = sorted(voices)
    share = np.array([min(len(voices[name]), MAX_SPEAKER_ROWS) for name in names], float) ** 0.5

    def wanted() -> Iterator[_Going]:
        for group in range(count):
            rng = np.random.default_rng((seed, chosen.slot, group, 3))
            text = texts[int(rng.integers(len(texts)))]
            own = voices[names[int(rng.choice(len(names), p=share / share.sum()))]]
            voice = own[int(rng.integers(len(own)))]
            wav_T = mixing.random_crop(pack.audio(voice), round(rng.uniform(*VOICE_SECONDS) * 16000), rng)
            try:
                request = chosen.Request(text=text.text, voice=(wav_T, 16000), language=text.language)
                prompt = chosen.prompt(request, front)
            except InputError:
                continue
            row = {
                "group": group, "text": text.text, "language": text.language, "corpus": voice.corpus, "voice": voice.id,
            }  # fmt: skip
            for number in range(each):
                yield _Going(group * each + number, prompt, {**row, "request": request})

    name = f"{task}-{split}-{seed}"
    done, kept, under_way, waiting = list[dict[str, Any]](), 0, dict[int, _Going](), wanted()
    with ShardWriter(out, name, front.codec.hash, PHONE_TABLE_VERSION) as writer:
        while True:
            while len(under_way) < runner.slots and (going := next(waiting, None)) is not None:
                params = replace(
                    chosen.params(going.row.pop("request"), going.prompt), seed=seed * 1_000_003 + going.index
                )
                under_way[runner.engine.add(runner.pack(going.prompt), params)] = going
            if not under_way:
                break
            for emission in runner.engine.step():
                going = under_way[emission.id]
                going.codes.append(emission.codes_FK)
                going.pointers.append(emission.pointer_F)
                if not emission.finished:
                    continue
                del under_way[emission.id]
                if emission.reason != "stop":
                    continue
                writer.add(Pair(going.prompt, np.concatenate(going.codes), np.concatenate(going.pointers)))
                done.append(going.row)
                kept += 1
                if progress is not None:
                    progress(going.index, count * each)
    text_of_rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in done)
    (Path(out) / f"{name}.jsonl").write_text(text_of_rows, encoding="utf-8")
    return kept


def _fits(text: str) -> bool:
    return CHARACTERS[0] <= len(text) <= CHARACTERS[1]


def read_rows(folder: str | Path) -> list[Row]:
    """The rows of all tries of a folder, in the order of its shards (by name)."""
    paths = sorted(Path(folder).glob("*.jsonl"))
    lines = [(path.stem, line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [Row(source=name, **json.loads(line)) for name, line in lines]
