"""Test sets out of any clean corpus, by the `example` methods with which the tasks make their training pairs.

Every choice follows from the seed and the names of the recordings: the same sources and seed give the same set, bit by bit.
Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from speechx.data.packs import AudioPack, PackRow
from speechx.data.pools import PackPool
from speechx.errors import InputError
from speechx.eval.items import RATE, JsonObject
from speechx.eval.sets.corpus import Corpus
from speechx.eval.sets.store import SetWriter
from speechx.task import registry
from speechx.task.examples import Example, Utterance
from speechx.text.languages import known_languages
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend

__all__ = ["BuildOptions", "build_set", "seeded_rng", "word_aligner"]

ATTEMPTS = 4
MAX_MISSES = 300  # utterances in a row without an example: the corpus lacks what the task needs


@dataclass(frozen=True)
class BuildOptions:
    """seconds: length of utterances; where a corpus has too few such, shorter ones follow. voice_seconds: of enrollments
    of the tts tasks. protocol: "cross-sentence" (another utterance enrolls) or "continuation" (the utterance's own start,
    as in VALL-E, but of the whole text). rooms: simulated ones, 0 for synthetic tails without pyroomacoustics."""

    split: str = "test"
    count: int = 20
    seed: int = 1
    seconds: tuple[float, float] = (4.0, 10.0)
    voice_seconds: float = 3.0
    protocol: str = "cross-sentence"
    rooms: int = 0
    corpora: tuple[str, ...] = ()
    noise_split: str = ""  # of the noises, where it is another: a corpus of noise may have no dev split


WordAligner: TypeAlias = Callable[[Utterance], tuple[WordTime, ...] | None]


def word_aligner(frontend: Frontend) -> WordAligner:
    """Word times of an utterance by the aligner of a model; None where the alignment fails."""

    def words(cut: Utterance) -> tuple[WordTime, ...] | None:
        assert cut.text is not None
        try:
            return frontend.align_text((cut.wav_T, RATE), cut.text, cut.language).words
        except InputError:
            return None

    return words


def seeded_rng(*parts: object) -> np.random.Generator:
    """A generator seeded with a hash of names and numbers, the same on every machine."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest[:16], np.uint32))


def build_set(
    sources: Sequence[Path],
    out: Path,
    tasks: Sequence[str],
    options: BuildOptions,
    progress: Callable[[int, int], None] | None = None,
    words: WordAligner | None = None,
) -> JsonObject:
    """Writes the set; returns set.json with `short`: how many items each ability lacks. Raises InputError.

    words: word times of an utterance. Where given, the spans of edits begin and end between words.
    """
    if options.protocol not in ("cross-sentence", "continuation"):
        raise InputError(
            f"protocol: {options.protocol!r} is neither cross-sentence nor continuation", field="protocol"
        )
    if options.count < 1:
        raise InputError(f"items is {options.count}: at least 1 is needed", field="items")
    corpus = Corpus(sources, options.split, options.noise_split or options.split, options.corpora)
    pool = PackPool(cast(AudioPack, corpus), "any", rooms=options.rooms)
    names = [registry.task(t).name for t in tasks]
    with SetWriter(out) as writer:
        made = _write_items(writer, pool, names, options, progress, words)
        short = {a: options.count - made[a] for n in names for a in _abilities(n) if made[a] < options.count}
        return writer.close({
            "name": out.name, "split": options.split, "noise_split": options.noise_split or options.split,
            "seed": options.seed, "protocol": options.protocol,
            "seconds": options.seconds, "voice_seconds": options.voice_seconds, "rooms": options.rooms,
            "spans": "between words" if words else "anywhere",
            "corpora": sorted({r.corpus for r in corpus.rows}), "abilities": dict(made), "short": short,
        })  # fmt: skip


def _write_items(
    writer: SetWriter,
    pool: PackPool,
    names: Sequence[str],
    options: BuildOptions,
    progress: Callable[[int, int], None] | None,
    words: WordAligner | None,
) -> Counter[str]:
    """Writes the items of all tasks; how many of each ability."""
    made, total = Counter[str](), sum(len(_abilities(n)) for n in names) * options.count
    for name in names:
        missing, misses = dict.fromkeys(_abilities(name), options.count), 0
        for row in candidate_rows(pool, name, options):
            if not any(missing.values()) or misses >= MAX_MISSES:
                break
            found = _example_of(name, row, pool, options, missing, words)
            misses = 0 if found else misses + 1
            if found is None:
                continue
            ability, example = found
            missing[ability] -= 1
            made[ability] += 1
            seed = int(seeded_rng(options.seed, ability, row.id).integers(2**31))
            example.meta["corpus"] = row.corpus
            writer.add_example(f"{ability}-{made[ability]:04d}", name, example, seed)
            if progress is not None:
                progress(sum(made.values()), total)
    if not writer.manifest:
        raise InputError(
            "sources: no item could be made of them; see docs/evaluation.md for what each task needs",
            field="sources",
        )
    return made


def _example_of(
    name: str,
    row: PackRow,
    pool: PackPool,
    options: BuildOptions,
    missing: dict[str, int],
    words: WordAligner | None,
) -> tuple[str, Example] | None:
    """An example of an utterance for an ability that still needs items; several attempts, since tasks choose at random."""
    cut = pool.utterance(row)
    if words is not None and "span" in registry.task(name).Request.model_fields:
        cut = replace(cut, words=words(cut))
        if cut.words is None:
            return None
    for attempt in range(ATTEMPTS):
        rng = seeded_rng(options.seed, name, row.corpus, row.id, attempt)
        example = _protocol_example(registry.task(name), cut, pool, rng, options)
        if example is not None:
            ability = f"{name}_background" if example.meta.get("keep_background") else name
            if missing.get(ability):
                return ability, example
    return None


def _abilities(task: str) -> tuple[str, ...]:
    """The sections of the report that a task fills."""
    fields = registry.task(task).Request.model_fields
    return (task, f"{task}_background") if "keep_background" in fields else (task,)


def candidate_rows(pool: PackPool, task: str, options: BuildOptions) -> list[PackRow]:
    """Utterances with a text, of the length asked for first, then shorter ones; speakers take turns."""
    low, high = options.seconds
    known = known_languages()
    rows = [r for r in pool.speech if r.text and r.seconds <= high and (r.language or "en") in known]
    fitting = _round_robin([r for r in rows if r.seconds >= low], options.seed, task)
    shorter = _round_robin([r for r in rows if 1.5 <= r.seconds < low], options.seed, task)
    return fitting + shorter


def _round_robin(rows: list[PackRow], seed: int, task: str) -> list[PackRow]:
    by_speaker: dict[str, list[PackRow]] = {}
    for row in rows:
        by_speaker.setdefault(str(row.speaker), []).append(row)
    for speaker, own in by_speaker.items():
        seeded_rng(seed, task, speaker).shuffle(own)
    speakers = sorted(by_speaker)
    seeded_rng(seed, task).shuffle(speakers)
    longest = max(map(len, by_speaker.values()), default=0)
    return [by_speaker[s][turn] for turn in range(longest) for s in speakers if turn < len(by_speaker[s])]


def _protocol_example(
    task: Any, cut: Utterance, pool: PackPool, rng: np.random.Generator, options: BuildOptions
) -> Example | None:
    """The task's example under the protocol; None where the corpus lacks what it needs, or there is no text to score."""
    try:
        example: Example | None = task.example(cut, pool, rng)
    except ValueError as error:  # one speaker only, no noise
        raise InputError(f"sources: {task.name}: {error}", field="sources") from error
    if example is None or example.text is None:
        return None
    request = example.request
    if "voice" not in type(request).model_fields:
        return example
    samples = round(options.voice_seconds * RATE)
    voice_T = request.voice[0][:samples]
    if options.protocol == "continuation" and task.name == "tts":
        voice_T = example.target_T[:samples]
    if len(voice_T) < RATE:
        return None
    changes: JsonObject = {"voice": (voice_T, RATE)}
    if len(voice_T) != len(request.voice[0]) and getattr(request, "voice_text", None):
        changes["voice_text"] = None  # the transcript of a longer recording
    request = request.model_copy(update=changes)
    meta = {**example.meta, "voice_seconds": len(voice_T) / RATE}
    return replace(example, request=request, meta=meta, references={**example.references, "voice": voice_T})
