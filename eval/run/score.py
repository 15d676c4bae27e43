"""`speechx eval run`: every system on every item of a set, each score on disk as soon as it is made.

    items -> System.outputs -> batches -> Evaluator.measure, here or in the processes of a pool -> scores.jsonl

A row of scores.jsonl is one output of one system: what it scored, what could not be measured and why, what was heard. Rows
that are there are not made again, so an interrupted run goes on where it stopped; those that failed, or lacked something to
measure with, are tried again, and the last row counts. Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from speechx.errors import InputError
from speechx.eval.evaluator import Evaluator, evaluator_class
from speechx.eval.items import RATE, Item, Output, checked
from speechx.eval.judges.judges import Measures
from speechx.eval.run.workers import Pool
from speechx.eval.scores import Scores, Unmeasurable
from speechx.eval.sets.store import plain
from speechx.eval.systems.systems import ModelSystem, System

__all__ = ["Header", "read_scores", "run", "systems_for"]

BATCH = 8
TIMED = 8
TIMES = {"rtf", "first_audio_seconds", "seconds"}
Header = dict[str, Any]


def systems_for(
    task: str, given: Sequence[System], built_in: Callable[[str], System], more: Sequence[str]
) -> list[System]:
    """The systems of a task: those given, its evaluator's references, and further built-in ones."""
    names = [*evaluator_class(task).references, *more]
    return [*given, *(built_in(n) for n in dict.fromkeys(names))]


def run(
    out: Path,
    items: Sequence[Item],
    given: Sequence[System],
    built_in: Callable[[str], System],
    measures: Measures,
    header: Header,
    more: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
    pool: Pool | None = None,
) -> None:
    """Scores all items. `header` names what the scores depend on; a folder with another header is refused (InputError).

    pool: measures several outputs at once, where given. A model is timed on its first items of each ability, while nothing
    else is done; the rest it makes while others are measured.
    """
    out.mkdir(parents=True, exist_ok=True)
    _same_header(out / "run.json", header)
    done = {(row["system"], row["id"]) for row in read_scores(out) if not row.get("again")}
    by_ability: dict[str, list[Item]] = {}
    for item in items:
        by_ability.setdefault(item.ability, []).append(item)
    with (out / "scores.jsonl").open("a", encoding="utf-8") as file:
        for ability, own in by_ability.items():
            evaluator = evaluator_class(own[0].task)(measures)
            for system in systems_for(own[0].task, given, built_in, more):
                todo = [item for item in own if (system.name, item.id) not in done]
                if todo:
                    say(f"{ability}, {system.name}: {len(todo)} of {len(own)} items to do")
                for row in score(system, todo, evaluator, out / "audio" / system.name, say, pool):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    file.flush()


def score(
    system: System,
    items: Sequence[Item],
    evaluator: Evaluator,
    folder: Path,
    say: Callable[[str], None],
    pool: Pool | None = None,
) -> Iterator[dict[str, Any]]:
    """A row for each item. Outputs are kept as FOLDER/<id>.wav."""
    last = time.monotonic()
    made = _measured(system, items, evaluator) if pool is None else _measured_in(pool, system, items)
    for count, (item, result, scores) in enumerate(made, 1):
        yield _row(system, item, result, scores, folder)
        if time.monotonic() - last > 5:
            last = time.monotonic()
            say(f"    {count}/{len(items)}")


def _measured(
    system: System, items: Sequence[Item], evaluator: Evaluator
) -> Iterator[tuple[Item, Output | Exception, Scores | None]]:
    for batch in _batched(system.outputs(items)):
        _prime(evaluator, batch)
        for item, result in batch:
            yield item, result, evaluator.measure(item, result) if isinstance(result, Output) else None


def _measured_in(
    pool: Pool, system: System, items: Sequence[Item]
) -> Iterator[tuple[Item, Output | Exception, Scores | None]]:
    waiting: deque[tuple[Item, Output | Exception, Any]] = deque()

    def send(batch: Iterable[tuple[Item, Output | Exception]]) -> None:
        waiting.extend((i, r, pool.submit(i, r) if isinstance(r, Output) else None) for i, r in batch)

    timed = isinstance(system, ModelSystem)  # what a folder tells of its times was taken elsewhere
    if timed:
        send(list(system.outputs(items[:TIMED])))
        items = items[TIMED:]
    for pair in system.outputs(items):
        send([_untimed(*pair) if timed else pair])
        while len(waiting) > 2 * BATCH:
            item, result, future = waiting.popleft()
            yield item, result, None if future is None else pool.result(future)
    for item, result, future in waiting:
        yield item, result, None if future is None else pool.result(future)


def _untimed(item: Item, result: Output | Exception) -> tuple[Item, Output | Exception]:
    """Without times where it tells some: they were taken beside other work."""
    if not isinstance(result, Output) or not TIMES & result.info.keys():
        return item, result
    info = {key: value for key, value in result.info.items() if key not in TIMES}
    return item, replace(result, info=info | {"untimed": True})


def _batched(
    pairs: Iterator[tuple[Item, Output | Exception]],
) -> Iterator[tuple[tuple[Item, Output | Exception], ...]]:
    while batch := tuple(itertools.islice(pairs, BATCH)):
        yield batch


def _prime(evaluator: Evaluator, batch: Sequence[tuple[Item, Output | Exception]]) -> None:
    """The recognizer hears a batch at once; what it cannot do is said item by item later."""
    pairs: list[tuple[np.ndarray, str]] = []
    for item, result in batch:
        if isinstance(result, Output):
            with suppress(Unmeasurable):
                pairs += evaluator.heard(item, checked(result))
    if pairs:
        with suppress(Exception):
            evaluator.measures.prime(pairs)


def _row(
    system: System, item: Item, result: Output | Exception, scores: Scores | None, folder: Path
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "ability": item.ability, "task": item.task, "system": system.name, "kind": system.kind, "id": item.id,
    }  # fmt: skip
    known = {**item.meta, "language": item.language, "speaker": item.speaker}
    if isinstance(result, Exception) or scores is None:
        said = str(result) or type(result).__name__
        row |= {"status": "error", "error": said, "scores": {}, "missing": {}, "again": True}
    else:
        row |= {
            "status": "ok",
            "scores": {n: [round(s.value, 6), s.weight] for n, s in scores.items() if s.value is not None},
            "missing": {n: s.reason or "?" for n, s in scores.items() if s.value is None},
            "notes": scores.notes,
            **({"again": True} if scores.absent else {}),
            "info": {k: v for k, v in result.info.items() if isinstance(v, str | int | float | bool)},
        }
        _keep(folder / f"{item.id}.wav", result)
    return {**row, "text": item.text, "meta": plain(known)}


def _keep(path: Path, output: Output) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    wav_T = np.nan_to_num(np.asarray(output.wav_T, np.float32)).reshape(-1)
    soundfile.write(path, np.clip(wav_T, -1, 1), output.rate or RATE, subtype="PCM_16")


def read_scores(folder: Path) -> list[dict[str, Any]]:
    """Rows of a run; a last line that was cut off is left out."""
    path = folder / "scores.jsonl"
    if not path.is_file():
        return []
    lines, rows = path.read_text("utf-8").splitlines(), []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise InputError(f"scores: {path} line {number} is broken", field="scores") from None
            # Cut off in the middle of writing: what is whole stays.
            path.write_text("".join(f"{whole}\n" for whole in lines[:-1]), "utf-8")
    return rows


def _same_header(path: Path, header: Header) -> None:
    """Scores of two models, sets or choices of measures must not mix in one folder."""
    told = json.loads(json.dumps(plain(header)))
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        for key in ("set", "model", "measures"):
            if before.get(key) != told.get(key):
                raise InputError(
                    f"output: {path.parent} holds scores with another {key} ({before.get(key)} there, {told.get(key)} now); "
                    "choose another folder",
                    field="output",
                )
        return
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", "utf-8")
