"""Makes training pairs of tasks from an audio pack, in shards: of its codes where the task can (`Task.pair_from_codes`),
else of its sound (`Task.example`, then `Task.pair`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechx.data.annotate.alignments import align_pack, read_alignments
from speechx.data.annotate.codes import encode_pack, one_thread_each, phonemize_pack, read_tokens
from speechx.data.code_pool import MAX_PER, EncodedCorpus
from speechx.data.noises import NoisyPool
from speechx.data.packs import AudioPack
from speechx.data.pools import PackPool
from speechx.data.shards import ShardWriter
from speechx.errors import InputError
from speechx.models.aligner import Aligner
from speechx.models.codec.folder import load_codec
from speechx.task.examples import TrainingPair, Utterance
from speechx.task.frontend import Frontend
from speechx.text import PHONE_TABLE_VERSION

if TYPE_CHECKING:
    from speechx.task.fields import TaskRequest
    from speechx.task.task import Task

CORPUS_WEIGHTS = {"speechocean_adults": 0.5}
MAX_SECONDS = 16.0

MAX_TRIES = 8
"""Utterances tried for each pair wanted: few voices speak a second language."""


def mix_shards(
    pack_folder: str | Path, codec_folder: str | Path, aligner_folder: str | Path, out: str | Path, *,
    tasks: list[str] | None = None, split: str = "train", count: int = 1000, seed: int = 1,
    rooms: int = 200, max_per: float = MAX_PER, from_codes: bool = False, short: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:  # fmt: skip
    """`count` pairs for each task. Returns a line a task on what was made and why some were not.

    Pair i of a task comes from the random stream (seed, slot, i): two seeds give two different sets. What the pack lacks
    of codes, phones and alignments is made first. max_per: above this phone error rate an utterance whose codes are used
    is left out. from_codes: make pairs of codes, many a second, also for a task that rather makes them of sound;
    ValueError for one that cannot. short: see NoisyPool, of which the noises are then; None: as the corpus has them.
    """
    from speechx.task import registry

    codec = load_codec(codec_folder)
    phonemize_pack(pack_folder, progress)
    encode_pack(pack_folder, codec, progress)
    align_pack(pack_folder, codec_folder, aligner_folder, progress)
    aligned = read_alignments(pack_folder, codec.hash)
    frontend = Frontend(codec, aligner=Aligner.load(aligner_folder))
    words = {key: found.words for key, found in aligned.items()}
    audio = AudioPack(pack_folder)
    sounds = (
        PackPool(audio, split, words, rooms=rooms)
        if short is None
        else NoisyPool(audio, split, words, rooms, short)
    )
    usable = [row for row in sounds.speech if row.seconds <= MAX_SECONDS]
    likely_sounds = _odds([row.seconds for row in usable], [row.corpus for row in usable])
    coded = EncodedCorpus(
        read_tokens(pack_folder, codec), aligned, split, round(MAX_SECONDS * codec.frame_rate), max_per
    )
    likely_coded = _odds([len(cut.codes_FK) for cut in coded.utterances], coded.corpora)

    def pair_of_codes(task: Task[TaskRequest], rng: np.random.Generator) -> TrainingPair | str:
        if not coded.utterances:
            raise ValueError(
                f"no utterance of the split {split} has text that fits it (phone error rate at most {max_per:g}): train the "
                "aligner for longer"
            )
        cut = coded.utterances[int(rng.choice(len(coded.utterances), p=likely_coded))]
        return task.pair_from_codes(cut, coded, rng) or "without what the task needs"

    def pair_of_sound(task: Task[TaskRequest], rng: np.random.Generator) -> TrainingPair | str:
        cut = sounds.utterance(usable[int(rng.choice(len(usable), p=likely_sounds))])
        return _pair(task, sounds, cut, rng, frontend)

    chosen = {name: registry.task(name) for name in tasks or registry.task_names()}
    if unable := [name for name, task in chosen.items() if from_codes and _source(task) == "sound"]:
        raise ValueError(f"from_codes: {', '.join(unable)} needs sound: leave the option out, or the task")
    report: dict[str, str] = {}
    for number, (name, task) in enumerate(chosen.items()):
        make = pair_of_codes if from_codes or _source(task) == "codes" else pair_of_sound
        failures: dict[str, int] = {}
        with ShardWriter(out, f"{name}-{split}-{seed}", codec.hash, PHONE_TABLE_VERSION) as writer:
            for made in _tries(partial(make, task), (seed, task.slot), count * MAX_TRIES):
                if writer.written == count:
                    break
                if isinstance(made, str):
                    failures[made] = failures.get(made, 0) + 1
                    continue
                writer.add(made)
                if progress is not None:
                    progress(number * count + writer.written, len(chosen) * count)
        report[name] = f"{writer.written} pairs" + "".join(
            f"; {n} {why}" for why, n in sorted(failures.items())
        )
    return report


def _source(task: Task[TaskRequest]) -> str:
    """What a task makes its pairs of: codes, sound, or either."""
    return task.pairs_of


def _tries(
    make: Callable[[np.random.Generator], TrainingPair | str], seed: tuple[int, int], count: int
) -> Iterator[TrainingPair | str]:
    """What `make` gives for the random stream of each index, in order; a block of them at a time, on all cores."""
    block = 32
    with one_thread_each() as pool:
        for first in range(0, count, block):
            indices = range(first, min(count, first + block))
            yield from pool.map(lambda index: make(np.random.default_rng((*seed, index))), indices)


def _odds(lengths: list[float] | list[int], corpora: list[str]) -> np.ndarray:
    """How likely each utterance is to be drawn: long ones a little more, some corpora less."""
    odds = np.sqrt(lengths) * [CORPUS_WEIGHTS.get(corpus, 1.0) for corpus in corpora]
    return np.asarray(odds / odds.sum())


def _pair(
    task: Task[TaskRequest], pool: PackPool, cut: Utterance, rng: np.random.Generator, frontend: Frontend
) -> TrainingPair | str:
    """One pair, or why there is none."""
    example = task.example(cut, pool, rng)
    if example is None:
        return "without what the task needs"
    try:
        pair: TrainingPair = task.pair(example, frontend)
    except InputError:
        return "with text that does not fit"
    return pair if len(pair.target_FK) else "without a target"
