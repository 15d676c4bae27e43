"""Training pairs of tasks from an audio pack, in shards: from its codes (`Task.pair_from_codes`), or from its audio
(`Task.example`, then `Task.pair`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from speechx.data.annotate.alignments import align_pack, read_alignments
from speechx.data.annotate.codes import encode_pack, one_thread_each, phonemize_pack, read_tokens
from speechx.data.code_pool import MAX_PER, EncodedCorpus
from speechx.data.noises import NoisyPool
from speechx.data.packs import AudioPack
from speechx.data.pools import PackPool
from speechx.data.shards import ShardWriter
from speechx.errors import InputError
from speechx.models.aligner import load_aligner
from speechx.models.codec.sources import CodecSource, absolute_source, open_codec
from speechx.models.lm.prompt import marked_synthetic
from speechx.task.examples import TrainingPair
from speechx.task.frontend import Frontend
from speechx.text import PHONE_TABLE_VERSION

if TYPE_CHECKING:
    from speechx.task.fields import TaskRequest
    from speechx.task.task import Task

CORPUS_WEIGHTS = {"speechocean_adults": 0.5}
MAX_SECONDS = 16.0

MadePair: TypeAlias = TrainingPair | str
"""A pair, or the reason why there is none."""

BLOCK = 32
"""Pairs that are made at once."""

MAX_ATTEMPTS = 8
"""Utterances tried for each pair wanted: few voices speak a second language."""


@dataclass(frozen=True)
class PairSource:
    """What pairs are made from: folders and settings, which other machines can be given. See `mix_shards`."""

    pack: str
    codec: str
    aligner: str
    split: str = "train"
    rooms: int = 200
    max_per: float = MAX_PER
    short: float | None = None
    from_codes: bool = False


class PairMapper(Protocol):
    def __call__(self, source: PairSource, task: str, seed: int, count: int) -> Iterator[MadePair]:
        """What the random streams (seed, slot of the task, 0 ... count - 1) give, in order."""
        ...


def mix_shards(
    pack_folder: str | Path, codec_source: CodecSource, aligner_folder: str | Path, out: str | Path, *,
    tasks: list[str] | None = None, split: str = "train", count: int = 1000, seed: int = 1,
    rooms: int = 200, max_per: float = MAX_PER, from_codes: bool = False, short: float | None = None,
    progress: Callable[[int, int], None] | None = None, mapper: PairMapper | None = None,
) -> dict[str, str]:  # fmt: skip
    """Writes `count` pairs per task. Returns a line per task: how many pairs, and why others failed.

    Pair i of a task comes from the random stream (seed, slot, i): two seeds give two different sets. Codes, phones and
    alignments that the pack lacks are made first. max_per: phone error rate above which an utterance gives no codes.
    from_codes: make pairs from codes, many a second, also for a task that prefers audio; InputError for one that cannot.
    short: share of short sounds among the noises (NoisyPool); None: noises as the corpus has them.
    mapper: makes the pairs, on a cluster; None: this process.
    """
    from speechx.task import registry

    _check_split(pack_folder, split)
    chosen = {name: registry.task(name) for name in tasks or registry.task_names()}
    if unable := [name for name, task in chosen.items() if from_codes and task.pairs_of == "sound"]:
        raise InputError(
            f"from_codes: {', '.join(unable)} needs sound: leave the option out, or the task",
            field="from_codes",
        )
    codec = open_codec(codec_source)
    load_aligner(aligner_folder, codec)  # an error before the work, not after it
    phonemize_pack(pack_folder, progress)
    encode_pack(pack_folder, codec, progress)
    align_pack(pack_folder, codec_source, aligner_folder, progress)
    pack, aligner = (str(Path(f).absolute()) for f in (pack_folder, aligner_folder))
    source = PairSource(
        pack, absolute_source(codec_source), aligner, split, rooms, max_per, short, from_codes
    )
    mapper = mapper or map_here(PairMaker(source))
    report: dict[str, str] = {}
    for number, name in enumerate(chosen):
        failures: dict[str, int] = {}
        with ShardWriter(out, f"{name}-{split}-{seed}", codec.hash, PHONE_TABLE_VERSION) as writer:
            for made in mapper(source, name, seed, count * MAX_ATTEMPTS):
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


def _check_split(pack_folder: str | Path, split: str) -> None:
    """Raises InputError for a split without speech, before anything is encoded."""
    spoken = Counter(row.split for row in AudioPack(pack_folder).rows if row.speaker is not None)
    if not spoken[split]:
        there = ", ".join(f"{name} {count}" for name, count in sorted(spoken.items())) or "none at all"
        raise InputError(
            f"split: {pack_folder} has no speech in the split {split!r} (recordings: {there})", field="split"
        )


class PairMaker:
    """Makes one pair of a task from a random generator: a `TrainingPair`, or the reason why there is none."""

    def __init__(self, source: PairSource) -> None:
        self.source, self.split, self.max_per = source, source.split, source.max_per
        codec = open_codec(source.codec)
        aligner = load_aligner(source.aligner, codec)
        pack_folder, split, rooms, short = source.pack, source.split, source.rooms, source.short
        aligned = read_alignments(pack_folder, codec.hash)
        self.frontend = Frontend(codec, aligner=aligner)
        words = {key: found.words for key, found in aligned.items()}
        audio = AudioPack(pack_folder)
        self.pool = (
            PackPool(audio, split, words, rooms=rooms, codec=codec)
            if short is None
            else NoisyPool(audio, split, words, rooms, short, codec)
        )
        self.rows = [row for row in self.pool.speech if row.seconds <= MAX_SECONDS]
        self.row_odds = _odds([row.seconds for row in self.rows], [row.corpus for row in self.rows])
        self.coded = EncodedCorpus(
            read_tokens(pack_folder, codec),
            aligned,
            split,
            round(MAX_SECONDS * codec.frame_rate),
            self.max_per,
            frame_rate=codec.frame_rate,
        )
        self.coded_odds = _odds([len(cut.codes_FK) for cut in self.coded.utterances], self.coded.corpora)

    def make(self, task_name: str, seed: int, index: int) -> MadePair:
        """What the random stream (seed, slot, index) gives."""
        from speechx.task import registry

        task = registry.task(task_name)
        from_codes = self.source.from_codes or task.pairs_of == "codes"
        rng = np.random.default_rng((seed, task.slot, index))
        return self.from_codes(task, rng) if from_codes else self.from_audio(task, rng)

    @staticmethod
    def _pair(pair: TrainingPair, synthetic: bool) -> TrainingPair:
        return replace(pair, prompt=marked_synthetic(pair.prompt)) if synthetic else pair

    def from_codes(self, task: Task[TaskRequest], rng: np.random.Generator) -> MadePair:
        """By `Task.pair_from_codes`."""
        if not self.coded.utterances:
            raise InputError(
                f"pack: no utterance of the split {self.split} has text that fits it (phone error rate at most "
                f"{self.max_per:g}): train the aligner for longer",
                field="pack",
            )
        cut = self.coded.utterances[int(rng.choice(len(self.coded.utterances), p=self.coded_odds))]
        pair = task.pair_from_codes(cut, self.coded, rng)
        return self._pair(pair, cut.synthetic) if pair else "without what the task needs"

    def from_audio(self, task: Task[TaskRequest], rng: np.random.Generator) -> MadePair:
        """By `Task.example` and `Task.pair`."""
        cut = self.pool.utterance(self.rows[int(rng.choice(len(self.rows), p=self.row_odds))])
        try:
            example = task.example(cut, self.pool, rng)
        except InputError as error:  # no noise, or nobody else
            return f"not made, {error}"
        if example is None:
            return "without what the task needs"
        try:
            pair = task.pair(example, self.frontend)
        except InputError:
            return "with text that does not fit"
        return self._pair(pair, cut.synthetic) if len(pair.target_FK) else "without a target"


def map_here(maker: PairMaker) -> PairMapper:
    """A block of pairs at a time, on all cores."""

    def run(source: PairSource, task: str, seed: int, count: int) -> Iterator[MadePair]:
        with one_thread_each() as pool:
            for first in range(0, count, BLOCK):
                yield from pool.map(partial(maker.make, task, seed), range(first, min(count, first + BLOCK)))

    return run


def _odds(lengths: list[float] | list[int], corpora: list[str]) -> np.ndarray:
    """How likely each utterance is to be drawn: long ones a little more, some corpora less."""
    odds = np.sqrt(lengths) * [CORPUS_WEIGHTS.get(corpus, 1.0) for corpus in corpora]
    return np.asarray(odds / odds.sum())
