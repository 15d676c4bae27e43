"""Measuring in processes of their own, one for each core: several outputs at once.

In one process the measuring libraries take turns, each waiting with all its threads for the slowest; a process a core needs
about a tenth less time for the same scores (docs/log.md). The models are loaded once in each.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.eval.evaluator import evaluator_class
from speechx.eval.items import Item, Output
from speechx.eval.scores import Scores

if TYPE_CHECKING:
    from speechx.eval.judges.judges import Judges

__all__ = ["Pool", "Recipe", "round_trip", "workers_for"]

MOST = 4
"""Processes by default; each holds about 1 GB."""

Told = list[dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """What a process needs to load measuring models of its own. model: the folder whose codec is used; codec: if any is."""

    asr: str
    speaker: str
    mos: tuple[str, ...]
    model: Path | None = None
    codec: bool = True

    def judges(self) -> Judges:
        from speechx.eval.judges.judges import Judges

        return Judges(self.asr, self.speaker, self.mos, codec=self._codec() if self.codec else None)

    def _codec(self) -> Callable[[np.ndarray], np.ndarray]:
        frontend: list[Any] = []

        def code(wav_T: np.ndarray) -> np.ndarray:
            if not frontend:
                from speechx.pipeline.loading import load_front

                frontend.append(load_front(self.model))
            return round_trip(frontend[0], wav_T)

        return code


def round_trip(frontend: Any, wav_T: np.ndarray) -> np.ndarray:
    """A sound (T,), coded and decoded at the standard level, given back at its own."""
    codes_FK, gain = frontend.encode_recording(wav_T)
    return frontend.decode(codes_FK)[: len(wav_T)] / gain


class Pool:
    """`submit` judges somewhere; `result` waits. The same item always goes to the same process, which remembers it."""

    def __init__(self, recipe: Recipe, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._workers = [ProcessPoolExecutor(1, context, _start, (recipe, threads)) for _ in range(workers)]
        self._places: dict[str, int] = {}
        self._told: dict[str, dict[str, Any]] = {}

    def submit(self, item: Item, output: Output) -> Future[tuple[Scores, Told]]:
        place = self._places.setdefault(item.id, len(self._places) % len(self._workers))
        return self._workers[place].submit(_measure, item, output)

    def result(self, future: Future[tuple[Scores, Told]]) -> Scores:
        scores, told = future.result()
        for about in told:
            if about["role"] not in self._told or "missing" not in about:
                self._told[about["role"]] = about
        return scores

    def describe(self) -> Told:
        """As `Judges.describe`, of all processes."""
        return [self._told[role] for role in sorted(self._told)]

    def close(self) -> None:
        for worker in self._workers:
            worker.shutdown(cancel_futures=True)


def workers_for(asked: int) -> int:
    """Processes to measure in; 0 asked is one for each core, within reason."""
    return asked or min(MOST, os.cpu_count() or 1)


_own: list[Judges] = []


def _start(recipe: Recipe, threads: int) -> None:
    # Read where the models are loaded, which is later: by torch, and by speechx.eval.judges.base.threads.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _own.append(recipe.judges())


def _measure(item: Item, output: Output) -> tuple[Scores, Told]:
    judges = _own[0]
    return evaluator_class(item.task)(judges).measure(item, output), judges.describe()
