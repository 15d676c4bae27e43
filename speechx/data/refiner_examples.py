"""Training examples of the refiner (speechx.models.refiner): mixtures of known parts, and the model's estimate of each.

DIR/TASK-SPLIT-SEED.i16     of each example recording, other, target, estimate, end to end, mono int16 at the codec's rate
DIR/TASK-SPLIT-SEED.jsonl   a row each: task, samples, text_given (whether the prompt had the transcript), voice (codes)

Tasks make the recordings (`Task.example`), at the standard level. Shapes: T samples, F codec frames, K
codebooks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict

import numpy as np

from speechx.audio.mixing import random_crop
from speechx.data.noises import NoisyPool
from speechx.data.packs import AudioPack
from speechx.data.pools import PackPool
from speechx.errors import InputError
from speechx.files import atomic_write, lock_file
from speechx.task.plan import GeneratedPart

if TYPE_CHECKING:
    from speechx.pipeline.pipeline import Pipeline
    from speechx.task.examples import Example, Utterance
    from speechx.task.fields import TaskRequest
    from speechx.task.frontend import Frontend
    from speechx.task.task import Task

__all__ = [
    "EstimateMaker",
    "EstimateMapper",
    "EstimateSource",
    "RefinerExample",
    "StoredEstimate",
    "make_estimates",
    "read_estimates",
]

SECONDS = (2.0, 8.0)
"""Of an example. Longer utterances are cut, and then have no text."""
SCALE = 16384.0
"""Of the samples on disk: parts of a recording may be louder than the whole."""
WAVES = 4


class IndexRow(TypedDict):
    """A line of TASK-SPLIT-SEED.jsonl."""

    index: int
    task: str
    samples: int
    text_given: bool
    codec: NotRequired[str]
    voice: NotRequired[list[list[int]]]


@dataclass(frozen=True)
class RefinerExample:
    """recording_T; other_T, the part of it that is not the speech; target_T, the true output; estimate_T, the model's
    output: (T,) float32 each. voice_FK: codes of the enrollment, where the task has one.
    """

    task: str
    recording_T: np.ndarray
    other_T: np.ndarray
    target_T: np.ndarray
    estimate_T: np.ndarray
    voice_FK: np.ndarray | None = None


@dataclass(frozen=True)
class EstimateSource:
    """What examples are made from: a folder and settings, which other machines can be given. See `make_estimates`."""

    pack: str
    split: str = "train"
    rooms: int = 0
    short: float | None = None


@dataclass(frozen=True)
class StoredEstimate:
    """An example as it is stored: its line of the index, and its sounds."""

    row: IndexRow
    sound: bytes

    @classmethod
    def of(cls, index: int, made: RefinerExample, text_given: bool, codec_hash: str) -> StoredEstimate:
        waves = (made.recording_T, made.other_T, made.target_T, made.estimate_T)
        sounds = [(wav_T * SCALE).clip(-32768, 32767).astype("<i2").tobytes() for wav_T in waves]
        row: IndexRow = {
            "index": index,
            "task": made.task,
            "samples": len(made.recording_T),
            "text_given": text_given,
            "codec": codec_hash,
        }
        if made.voice_FK is not None:
            row["voice"] = made.voice_FK.tolist()
        return cls(row, b"".join(sounds))


class EstimateMapper(Protocol):
    def __call__(
        self, source: EstimateSource, task: str, seed: int, indices: range, count: int
    ) -> Iterator[StoredEstimate]:
        """The first `count` examples that the random streams (seed, slot of the task, index) give, in any order."""
        ...


class EstimateMaker:
    """Makes examples with a model: `speechx data estimate` has one, each actor of a cluster another."""

    def __init__(self, source: EstimateSource, pipeline: Pipeline) -> None:
        audio, self.pipeline, codec = AudioPack(source.pack), pipeline, pipeline.frontend.codec
        self.pool = (
            PackPool(audio, source.split, rooms=source.rooms, codec=codec)
            if source.short is None
            else NoisyPool(audio, source.split, rooms=source.rooms, short=source.short, codec=codec)
        )

        if not any(row.seconds >= SECONDS[0] for row in self.pool.speech):
            raise InputError(
                f"pack: no utterance of the split {source.split} in {source.pack} lasts {SECONDS[0]:g} s or more",
                field="pack",
            )

    def make(self, task: str, seed: int, indices: range, count: int) -> Iterator[StoredEstimate]:
        """At most `count` examples, in the order in which the engine finishes them."""
        from speechx.task import registry

        chosen = registry.task(task)
        for made in _made(self._examples(chosen, seed, indices), count, chosen, self.pipeline):
            yield StoredEstimate.of(*made, self.pipeline.frontend.codec.hash)

    def _examples(self, task: Task[TaskRequest], seed: int, indices: range) -> Iterator[tuple[int, Example]]:
        for index in indices:
            rng = np.random.default_rng((seed, task.slot, index, 1))
            made = task.example(_cut(self.pool, rng), self.pool, rng)
            if made is not None:
                yield index, made


def make_estimates(
    pack_folder: str | Path, pipeline: Pipeline | None, out: str | Path, *,
    task: str, split: str = "train", count: int = 500, seed: int = 1, rooms: int = 0,
    short: float | None = None, progress: Callable[[int, int], None] | None = None,
    mapper: EstimateMapper | None = None,
) -> Path:  # fmt: skip
    """Appends examples until there are `count` of them; those that are there are kept.

    Example i comes from the random stream (seed, slot, i). short: see NoisyPool; None: noises as the corpus has them.
    mapper: makes the examples, on a cluster; None: `pipeline` makes them here. Returns the index. Raises InputError where
    the pack gives fewer.
    """
    source = EstimateSource(str(Path(pack_folder).absolute()), split, rooms, short)
    if mapper is None:
        assert pipeline is not None, "examples are made by a pipeline or on a cluster"
        mapper = _estimates_by(EstimateMaker(source, pipeline))
    base = Path(out) / f"{task}-{split}-{seed}"
    base.parent.mkdir(parents=True, exist_ok=True)
    index = Path(f"{base}.jsonl")
    with open(f"{base}.i16", "ab") as sound:
        lock_file(sound, Path(f"{base}.i16"))
        rows = _rows(base)
        first, done = 1 + max((row["index"] for row in rows), default=-1), len(rows)
        whole = "".join(json.dumps(row) + "\n" for row in rows)
        if index.is_file() and index.read_text() != whole:
            atomic_write(
                index, whole.encode()
            )  # a line that was cut off half-way must not have another one behind it
        sound.truncate(2 * WAVES * sum(row["samples"] for row in rows))  # nor an example
        with index.open("a") as index_file:
            for made in mapper(source, task, seed, range(first, 2 * count), count - done):
                sound.write(made.sound)
                sound.flush()
                index_file.write(json.dumps(made.row) + "\n")
                index_file.flush()
                done += 1
                if progress is not None:
                    progress(done, count)
    if done < count:
        raise InputError(f"count: the pack gave {done} of {count} examples of {task}", field="count")
    return Path(f"{base}.jsonl")


def _estimates_by(maker: EstimateMaker) -> EstimateMapper:
    def run(
        source: EstimateSource, task: str, seed: int, indices: range, count: int
    ) -> Iterator[StoredEstimate]:
        yield from maker.make(task, seed, indices, count)

    return run


def _cut(pool: PackPool, rng: np.random.Generator) -> Utterance:
    """An utterance of a random speaker, cut to SECONDS[1]. Speakers are equally likely."""
    while True:
        rows = pool.by_speaker[pool.speakers[int(rng.integers(len(pool.speakers)))]]
        row = rows[int(rng.integers(len(rows)))]
        if row.seconds >= SECONDS[0]:
            break
    cut = pool.utterance(row)
    if cut.seconds <= SECONDS[1]:
        return cut
    part_T = random_crop(cut.wav_T, round(float(rng.uniform(4, SECONDS[1])) * cut.sample_rate), rng)
    return replace(cut, wav_T=part_T, text=None)


def _made(
    examples: Iterator[tuple[int, Example]], count: int, task: Task[TaskRequest], pipeline: Pipeline
) -> Iterator[tuple[int, RefinerExample, bool]]:
    """Examples in the order in which the engine finishes them."""
    runner, frontend = pipeline.runner, pipeline.frontend
    under_way: dict[int, tuple[int, Example, float, list[np.ndarray]]] = {}
    more = True
    while count > 0 and (more or under_way):
        while more and len(under_way) < min(runner.slots, count):
            found = next(examples, None)
            if found is None:
                more = False
                continue
            index, example = found
            try:
                (part,) = task.plan(example.request, frontend).parts
            except InputError:  # a silent enrollment
                continue
            assert isinstance(part, GeneratedPart)
            params = replace(task.params(example.request, part.prompt, frontend.frame_rate), seed=index)
            key = runner.engine.add(runner.pack(part.prompt), params)
            under_way[key] = index, example, part.gain, []
        for emission in runner.engine.step():
            under_way[emission.id][-1].append(emission.codes_FK)
            if emission.finished:
                index, example, gain, codes = under_way.pop(emission.id)
                estimate_T = frontend.decode(np.concatenate(codes)) * np.float32(gain)
                yield (
                    index,
                    _refiner_example(task.name, example, estimate_T, frontend),
                    example.meta["text_given"],
                )
                count -= 1


def _refiner_example(
    task: str, example: Example, estimate_T: np.ndarray, frontend: Frontend
) -> RefinerExample:
    recording_T = np.asarray(example.request.audio[0], np.float32)
    other_T = example.references["noise" if "noise" in example.references else "interferer"]
    enrollment = getattr(example.request, "enrollment", None)
    voice_FK = None if enrollment is None else frontend.voice_codes(enrollment)[0]
    return RefinerExample(
        task, recording_T, other_T, example.target_T, estimate_T[: len(recording_T)], voice_FK
    )


def _rows(base: Path) -> list[IndexRow]:
    path = Path(f"{base}.jsonl")
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().split("\n") if line.endswith("}")]


def read_estimates(folder: str | Path, codec_hash: str | None = None) -> Sequence[RefinerExample]:
    """All examples of a folder. Raises InputError for those of another codec."""
    found: list[RefinerExample] = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        rows, at = _rows(path.with_suffix("")), 0
        if not rows:
            continue
        sound = np.memmap(path.with_suffix(".i16"), "<i2", "r")
        for row in rows:
            if codec_hash is not None and row.get("codec", codec_hash) != codec_hash:
                raise InputError(
                    f"estimates: {path} is of codec {row['codec']}, the recipe's codec is {codec_hash}",
                    field="estimates",
                )
            size = row["samples"]
            waves = np.asarray(sound[at : at + WAVES * size], np.float32).reshape(WAVES, size) / SCALE
            recording_T, other_T, target_T, estimate_T = waves
            voice_FK = np.array(row["voice"], np.int16) if "voice" in row else None
            found.append(RefinerExample(row["task"], recording_T, other_T, target_T, estimate_T, voice_FK))
            at += WAVES * size
    return found
