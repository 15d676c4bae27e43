"""`speechx eval tries`: how often an output is no result at all, over many seeds: silence, a loop, a run-on.

Rare faults do not show in twenty items. Here each item of a set is asked for with several seeds, several requests at once,
and nothing is measured but what is wrong: no opinion scores, no error rates.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from speechx.audio.levels import is_silent
from speechx.eval.items import Item, Output, checked
from speechx.eval.judges.judges import Judges
from speechx.eval.metrics import words
from speechx.eval.scores import Unmeasurable
from speechx.eval.systems.systems import System, truth
from speechx.task import registry

__all__ = ["FAULTS", "Tally", "as_text", "tries"]

BATCH = 8
TOO_LONG = 1.8
AGAIN = 3200
"""Samples of silence before an output that seems to loop: what the recognizer makes up is gone then."""
FAULTS = {
    "failed": "no output, or one that is broken",
    "silent": "silence where the reference has sound",
    "run_on": f"more than {TOO_LONG:g} times as long as the reference, or cut off at the limit",
    "loop": "the same words three times or more, also when it is heard again after a moment of silence",
}


@dataclass
class Tally:
    """Of one ability. faulty: id (with its seed) and fault of each output that is none."""

    tries: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    faulty: list[tuple[str, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        counts = {fault: self.faults[fault] for fault in FAULTS}
        return {"tries": self.tries, **counts, "faulty": [list(pair) for pair in self.faulty]}


def tries(
    items: Sequence[Item],
    system: System,
    judges: Judges,
    count: int,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Tally]:
    """`count` outputs of each ability, with the seeds 1, 2, 3... of its items in turn."""
    by_ability: dict[str, list[Item]] = {}
    for item in items:
        by_ability.setdefault(item.ability, []).append(item)
    found: dict[str, Tally] = {}
    for ability, own in by_ability.items():
        tally = found[ability] = Tally()
        made = system.outputs(list(itertools.islice(_seeded(own), count)))
        while batch := list(itertools.islice(made, BATCH)):
            _prime(judges, batch)
            for item, result in batch:
                tally.tries += 1
                for fault in faults_of(item, result, judges):
                    tally.faults[fault] += 1
                    tally.faulty.append((item.id, fault))
        say(f"{ability}: {tally.tries} tries, {len({name for name, _ in tally.faulty})} faulty")
    return found


def _seeded(items: Sequence[Item]) -> Iterator[Item]:
    for seed in itertools.count(1):
        for item in items:
            yield replace(item, id=f"{item.id}-{seed}", fields={**item.fields, "seed": seed})


def faults_of(item: Item, result: Output | Exception, judges: Judges) -> list[str]:
    """What is wrong with one output, of `FAULTS`."""
    try:
        if isinstance(result, Exception):
            raise Unmeasurable(str(result))
        wav_T = checked(result)
    except Unmeasurable:
        return ["failed"]
    wanted_T, found = truth(item), []
    if is_silent(wav_T) and not is_silent(wanted_T):
        found.append("silent")
    if len(wav_T) > TOO_LONG * len(wanted_T) or result.info.get("truncated"):
        found.append("run_on")
    if _speaks(item) and all(_loops(item, heard_T, judges) for heard_T in (wav_T, np.pad(wav_T, (AGAIN, 0)))):
        found.append("loop")
    return found


def _loops(item: Item, wav_T: np.ndarray, judges: Judges) -> bool:
    heard = judges.transcribe(wav_T, item.language).text
    return words.repeats(item.text or "", heard, item.language)


def _speaks(item: Item) -> bool:
    """Whether words are to be heard in the output: removal leaves none."""
    return (
        bool(item.text)
        and not is_silent(item.target_T)
        and registry.task(item.task).mask_target != "background"
    )


def _prime(judges: Judges, batch: Sequence[tuple[Item, Output | Exception]]) -> None:
    """The recognizer hears a batch at once."""
    pairs: list[tuple[np.ndarray, str]] = []
    for item, result in batch:
        if isinstance(result, Output) and _speaks(item):
            with suppress(Unmeasurable):
                pairs.append((checked(result), item.language))
    if pairs:
        judges.transcribe_batch(pairs)


def as_text(report: dict[str, Any]) -> str:
    """A Markdown table."""
    lines = [f"| ability | tries | {' | '.join(FAULTS)} |", "|---|" + "---|" * (len(FAULTS) + 1)]
    for ability, told in report["abilities"].items():
        lines.append(f"| {ability} | {told['tries']} | {' | '.join(str(told[f]) for f in FAULTS)} |")
    return "\n".join([*lines, "", *(f"{fault}: {what}" for fault, what in FAULTS.items())])
