"""Makes training pairs of tasks from an audio pack: `Task.example`, then `Task.pair`, then a shard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.aligner import Aligner
from speechx.codec.store import load_codec
from speechx.data.packs import AudioPack
from speechx.data.pool import PackPool
from speechx.data.shards import ShardWriter
from speechx.errors import InputError
from speechx.front import Front
from speechx.text import PHONE_TABLE_VERSION

if TYPE_CHECKING:
    from speechx.data.types import Utterance
    from speechx.jobs import WordTime

CORPUS_WEIGHTS = {"speechocean_adults": 0.5}
MAX_SECONDS = 16.0

MAX_TRIES = 8
"""Utterances tried for each pair wanted: few voices speak a second language."""


def mix_shards(
    pack_folder: str | Path, codec_folder: str | Path, aligner_folder: str | Path, out: str | Path, *,
    tasks: list[str] | None = None, split: str = "train", count: int = 1000, seed: int = 1,
    rooms: int = 200, progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:  # fmt: skip
    """`count` pairs for each task. Returns a line a task on what was made and why some were not.

    Pair i of a task comes from the random stream (seed, slot, i): two seeds give two different sets.
    """
    from speechx import registry

    codec = load_codec(codec_folder)
    front = Front(codec, aligner=Aligner.load(aligner_folder))
    pool = PackPool(AudioPack(pack_folder), split, words=read_words(pack_folder, codec.hash), rooms=rooms)
    chosen = {name: registry.task(name) for name in tasks or registry.task_names()}
    report: dict[str, str] = {}
    for number, (name, task) in enumerate(chosen.items()):
        usable = [row for row in pool.speech if row.seconds <= MAX_SECONDS]
        weights = np.array([row.seconds**0.5 * CORPUS_WEIGHTS.get(row.corpus, 1.0) for row in usable])
        weights /= weights.sum()
        failures: dict[str, int] = {}
        with ShardWriter(out, f"{name}-{split}-{seed}", codec.hash, PHONE_TABLE_VERSION) as writer:
            for index in range(count * MAX_TRIES):
                if writer.written == count:
                    break
                rng = np.random.default_rng((seed, task.slot, index))
                row = usable[int(rng.choice(len(usable), p=weights))]
                why = _one(task, pool, pool.utterance(row), rng, front, writer)
                if why is not None:
                    failures[why] = failures.get(why, 0) + 1
                elif progress is not None:
                    progress(number * count + writer.written, len(chosen) * count)
        report[name] = f"{writer.written} pairs" + "".join(
            f"; {n} {why}" for why, n in sorted(failures.items())
        )
    return report


def _one(
    task: Any, pool: PackPool, cut: Utterance, rng: np.random.Generator, front: Front, writer: ShardWriter
) -> str | None:
    """Adds one pair; returns why there is none."""
    example = task.example(cut, pool, rng)
    if example is None:
        return "without what the task needs"
    try:
        pair = task.pair(example, front)
    except InputError:
        return "with text that does not fit"
    if len(pair.target_FK) == 0:
        return "without a target"
    writer.add(pair)
    return None


def read_words(pack_folder: str | Path, codec_hash: str) -> dict[tuple[str, str], tuple[WordTime, ...]]:
    """Word times that `align_pack` left beside a pack; empty where it has not run."""
    import json

    from speechx.jobs import WordTime

    path = Path(pack_folder) / f"words-{codec_hash}.jsonl"
    if not path.exists():
        return {}
    words = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        words[row["corpus"], row["id"]] = tuple(WordTime(*word) for word in row["words"])
    return words


def align_pack(
    pack_folder: str | Path, codec_folder: str | Path, aligner_folder: str | Path, progress: Any = None
) -> Path:
    """Word times, alignment score and phone error rate of every utterance with text, in words-<codec hash>.jsonl."""
    import json
    import os

    from speechx.data.tokens import read_tokens

    codec, aligner = load_codec(codec_folder), Aligner.load(aligner_folder)
    path = Path(pack_folder) / f"words-{codec.hash}.jsonl"
    rows = [row for row in read_tokens(pack_folder, codec) if row.text is not None]
    with path.with_suffix(".tmp").open("w") as file:
        for done, row in enumerate(rows, 1):
            assert row.text is not None
            try:
                found = aligner.align(row.codes_FK, row.text, codec)
            except ValueError:
                continue
            errors = aligner.phone_errors(row.codes_FK, row.text, codec)
            words = [[w.text, round(w.start, 3), round(w.end, 3)] for w in found.words]
            entry = {
                "corpus": row.row.corpus,
                "id": row.row.id,
                "score": round(found.score, 3),
                "per": round(errors, 3),
                "words": words,
            }
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            if progress is not None:
                progress(done, len(rows))
    os.replace(path.with_suffix(".tmp"), path)
    return path
