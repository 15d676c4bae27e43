"""`speechx eval run`: every system on every item of a set, each score on disk as soon as it is made.

    items -> System.outputs -> batches -> Evaluator.measure, here or in the processes of a pool -> scores.jsonl

Rows that exist are not made again, so an interrupted run goes on where it stopped. Rows of failed outputs, and rows that
lack a judge, are made again; the last row of an item counts. Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from speechx.eval.evaluator import Evaluator, evaluator_class
from speechx.eval.items import RATE, Item, Output, check_output
from speechx.eval.judges.judges import Judges
from speechx.eval.rows import Header, ScoreRow, check_header, read_rows, score_row
from speechx.eval.run.workers import JudgeRows, WorkerPool
from speechx.eval.scores import Scores, Unmeasurable
from speechx.eval.systems.systems import TIMES, ModelSystem, System

__all__ = ["score_items", "score_system", "systems_of_task"]

BATCH = 8
TIMED = 8
"""First items of a model per ability, which are timed while nothing else is computed."""

ItemResult: TypeAlias = tuple[Item, Output | Exception]
ScoredResult: TypeAlias = tuple[Item, Output | Exception, Scores | None]


def systems_of_task(
    task: str,
    given: Sequence[System],
    built_in: Callable[[str], System],
    more: Sequence[str],
    references: Sequence[str] | None = None,
) -> list[System]:
    """The given systems, the references (those of the task's evaluator where None), and further built-in systems."""
    names = [*(evaluator_class(task).references if references is None else references), *more]
    return [*given, *(built_in(n) for n in dict.fromkeys(names))]


def score_items(
    out: Path,
    items: Sequence[Item],
    given: Sequence[System],
    built_in: Callable[[str], System],
    judges: Judges,
    header: Header,
    more: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
    pool: WorkerPool | None = None,
    references: Sequence[str] | None = None,
) -> None:
    """Scores all items. Raises InputError for a folder with another header.

    references: systems to compare with, those of the task's evaluator where None. pool: scores several outputs at once,
    where given. A model is timed on its first items of each ability, while nothing else is computed; its other outputs are
    made while earlier ones are scored.
    """
    out.mkdir(parents=True, exist_ok=True)
    check_header(out, header)
    done = {(row["system"], row["id"]) for row in read_rows(out) if not row.get("again")}
    by_ability: dict[str, list[Item]] = {}
    for item in items:
        by_ability.setdefault(item.ability, []).append(item)
    with (out / "scores.jsonl").open("a", encoding="utf-8") as file:
        for ability, own in by_ability.items():
            evaluator = evaluator_class(own[0].task)(judges)
            for system in systems_of_task(own[0].task, given, built_in, more, references):
                todo = [item for item in own if (system.name, item.id) not in done]
                if todo:
                    say(f"{ability}, {system.name}: {len(todo)} of {len(own)} items to do")
                for row in score_system(system, todo, evaluator, out / "audio" / system.name, say, pool):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    file.flush()


def score_system(
    system: System,
    items: Sequence[Item],
    evaluator: Evaluator,
    folder: Path,
    say: Callable[[str], None],
    pool: WorkerPool | None = None,
) -> Iterator[ScoreRow]:
    """A row for each item. Outputs are written to FOLDER/<id>.wav."""
    last = time.monotonic()
    scored = _score_here(system, items, evaluator) if pool is None else _score_in_pool(pool, system, items)
    for count, (item, result, scores) in enumerate(scored, 1):
        if isinstance(result, Output) and scores is not None:
            _write_audio(folder / f"{item.id}.wav", result)
        yield score_row(system.name, system.kind, item, result, scores)
        if time.monotonic() - last > 5:
            last = time.monotonic()
            say(f"    {count}/{len(items)}")


def _score_here(system: System, items: Sequence[Item], evaluator: Evaluator) -> Iterator[ScoredResult]:
    results = system.outputs(items)
    while batch := list(itertools.islice(results, BATCH)):
        _transcribe(evaluator, batch)
        for item, result in batch:
            yield item, result, evaluator.measure(item, result) if isinstance(result, Output) else None


def _score_in_pool(pool: WorkerPool, system: System, items: Sequence[Item]) -> Iterator[ScoredResult]:
    waiting: deque[tuple[Item, Output | Exception, Future[tuple[Scores, JudgeRows]] | None]] = deque()

    def submit(batch: Iterable[ItemResult]) -> None:
        waiting.extend((i, r, pool.submit(i, r) if isinstance(r, Output) else None) for i, r in batch)

    timed = isinstance(system, ModelSystem)  # times in the results of a folder were taken elsewhere
    if timed:
        submit(list(system.outputs(items[:TIMED])))
        items = items[TIMED:]
    for item, result in system.outputs(items):
        submit([(item, _without_times(result) if timed else result)])
        while len(waiting) > 2 * BATCH:
            yield _wait(pool, *waiting.popleft())
    while waiting:
        yield _wait(pool, *waiting.popleft())


def _wait(
    pool: WorkerPool, item: Item, result: Output | Exception, future: Future[tuple[Scores, JudgeRows]] | None
) -> ScoredResult:
    return item, result, None if future is None else pool.result(future)


def _without_times(result: Output | Exception) -> Output | Exception:
    """Times of an output that was made while others were scored do not count."""
    if not isinstance(result, Output) or not TIMES & result.info.keys():
        return result
    info = {key: value for key, value in result.info.items() if key not in TIMES}
    return replace(result, info=info | {"untimed": True})


def _transcribe(evaluator: Evaluator, batch: Sequence[ItemResult]) -> None:
    """Transcribes a batch at once. Errors are raised again, and recorded, when each item is scored."""
    pairs: list[tuple[np.ndarray, str]] = []
    for item, result in batch:
        if isinstance(result, Output):
            with suppress(Unmeasurable):
                pairs += evaluator.recordings_to_transcribe(item, check_output(result))
    if pairs:
        with suppress(Exception):
            evaluator.judges.transcribe_batch(pairs)


def _write_audio(path: Path, output: Output) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    wav_T = np.nan_to_num(np.asarray(output.wav_T, np.float32)).reshape(-1)
    soundfile.write(path, np.clip(wav_T, -1, 1), output.rate or RATE, subtype="PCM_16")
