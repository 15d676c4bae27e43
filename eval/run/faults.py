"""`speechx eval tries`: how often an output is unusable, over many seeds: silence, loops, run-ons, leaked words.

Twenty items do not show rare faults. Here each item of a set is requested with several seeds, several requests at once.
Only faults are counted: no opinion scores, no error rates.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval.items import Item, Output, check_output
from speechx.eval.judges.judges import Judges
from speechx.eval.metrics import words
from speechx.eval.scores import Unmeasurable
from speechx.eval.systems.systems import System, ground_truth
from speechx.task import registry

__all__ = ["FAULTS", "FaultCounts", "count_faults", "faults_table"]

BATCH = 8
TOO_LONG = 1.8
RETRY_SILENCE = 3200
"""Samples of silence before an output that seems to loop: a loop of the recognizer itself is gone then."""
FAULTS = {
    "failed": "no output, or one that is broken",
    "silent": "silence where the reference has sound",
    "run_on": f"more than {TOO_LONG:g} times as long as the reference, or cut off at the limit",
    "loop": "the same words three times or more, also when it is heard again after a moment of silence",
    "leaked": "three words in a row of the voice's own recording, not of the text (voices of the same language)",
}


@dataclass
class FaultCounts:
    """Of one ability. tries: outputs. faulty: id (with its seed) and fault of each faulty output."""

    tries: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    faulty: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, int | list[list[str]]]:
        counts = {fault: self.faults[fault] for fault in FAULTS}
        return {"tries": self.tries, **counts, "faulty": [list(pair) for pair in self.faulty]}


def count_faults(
    items: Sequence[Item],
    system: System,
    judges: Judges,
    count: int,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, FaultCounts]:
    """`count` outputs of each ability, with the seeds 1, 2, 3... of its items in turn."""
    by_ability: dict[str, list[Item]] = {}
    for item in items:
        by_ability.setdefault(item.ability, []).append(item)
    found: dict[str, FaultCounts] = {}
    for ability, own in by_ability.items():
        counts = found[ability] = FaultCounts()
        made = system.outputs(list(itertools.islice(_seeded(own), count)))
        while batch := list(itertools.islice(made, BATCH)):
            _transcribe(judges, batch)
            for item, result in batch:
                counts.tries += 1
                for fault in faults_of(item, result, judges):
                    counts.faults[fault] += 1
                    counts.faulty.append((item.id, fault))
        say(f"{ability}: {counts.tries} tries, {len({name for name, _ in counts.faulty})} faulty")
    return found


def _seeded(items: Sequence[Item]) -> Iterator[Item]:
    for seed in itertools.count(1):
        for item in items:
            yield replace(item, id=f"{item.id}-{seed}", fields={**item.fields, "seed": seed})


def faults_of(item: Item, result: Output | Exception, judges: Judges) -> list[str]:
    """Names of `FAULTS` that one output has."""
    try:
        if isinstance(result, Exception):
            raise Unmeasurable(str(result))
        wav_T = check_output(result)
    except Unmeasurable:
        return ["failed"]
    wanted_T, found = ground_truth(item), list[str]()
    if is_silent(wav_T) and not is_silent(wanted_T):
        found.append("silent")
    if len(wav_T) > TOO_LONG * len(wanted_T) or result.info.get("truncated"):
        found.append("run_on")
    if _has_words(item) and all(
        _loops(item, padded_T, judges) for padded_T in (wav_T, np.pad(wav_T, (RETRY_SILENCE, 0)))
    ):
        found.append("loop")
    if _has_words(item) and _leaks(item, wav_T, judges):
        found.append("leaked")
    return found


def _loops(item: Item, wav_T: np.ndarray, judges: Judges) -> bool:
    transcript = judges.transcribe(wav_T, item.language).text
    return words.has_loop(item.text or "", transcript, item.language)


def _leaks(item: Item, wav_T: np.ndarray, judges: Judges) -> bool:
    """Whether the words of the recording that only lends its voice are in the output."""
    if "voice" not in item.references or item.meta.get("voice_language", item.language) != item.language:
        return False
    voice_T = item.reference("voice")
    heard, prompt = (judges.transcribe(x, item.language).text for x in (wav_T, voice_T))
    return words.leaks(item.text or "", heard, prompt, item.language)


def _has_words(item: Item) -> bool:
    """Whether the output should have words: removal leaves none."""
    return (
        bool(item.text)
        and not is_silent(item.target_T)
        and registry.task(item.task).mask_target != "background"
    )


def _transcribe(judges: Judges, batch: Sequence[tuple[Item, Output | Exception]]) -> None:
    """Transcribes a batch at once."""
    pairs: list[tuple[np.ndarray, str]] = []
    for item, result in batch:
        if isinstance(result, Output) and _has_words(item):
            with suppress(Unmeasurable):
                pairs.append((check_output(result), item.language))
    if pairs:
        judges.transcribe_batch(pairs)


def faults_table(report: dict[str, FaultCounts]) -> str:
    """A Markdown table."""
    lines = [f"| ability | tries | {' | '.join(FAULTS)} |", "|---|" + "---|" * (len(FAULTS) + 1)]
    for ability, counts in report.items():
        lines.append(f"| {ability} | {counts.tries} | {' | '.join(str(counts.faults[f]) for f in FAULTS)} |")
    return "\n".join([*lines, "", *(f"{fault}: {what}" for fault, what in FAULTS.items())])
