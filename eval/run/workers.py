"""Scoring in worker processes, one per core: several outputs at once.

In one process the judges run one after another, each waiting with all its threads for the slowest. A process per core needs
about a tenth less time for the same scores (docs/log.md). Each process loads the judges once.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from speechx.eval.evaluator import evaluator_class
from speechx.eval.items import Item, Output
from speechx.eval.scores import Scores

if TYPE_CHECKING:
    from speechx.eval.judges.judges import Judges
    from speechx.task.frontend import Frontend

__all__ = ["JudgeRows", "JudgesConfig", "WorkerPool", "round_trip", "worker_count"]

MAX_WORKERS = 4
"""Processes by default; each holds about 1 GB."""

JudgeRows: TypeAlias = list[dict[str, str]]
"""The judges of a process, as in `Judges.describe`."""
RoundTrip: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class JudgesConfig:
    """What a process needs to load judges of its own. model: the folder of the codec. codec: whether one is used.
    codec_source: where it is, if not in the folder."""

    asr: str
    speaker: str
    mos: tuple[str, ...]
    model: Path | None = None
    codec: bool = True
    codec_source: str | None = None

    def load(self, codec: RoundTrip | None = None) -> Judges:
        """codec: one that is loaded already; otherwise it is loaded when it is first needed."""
        from speechx.eval.judges.judges import Judges

        if codec is None and self.codec:
            codec = partial(_lazy_round_trip, cache(partial(_load_frontend, self.model, self.codec_source)))
        return Judges(self.asr, self.speaker, self.mos, codec=codec)


def _load_frontend(model: Path | None, codec: str | None) -> Frontend:
    from speechx.pipeline.loading import load_front

    return load_front(model, codec=codec)


def _lazy_round_trip(frontend: Callable[[], Frontend], wav_T: np.ndarray) -> np.ndarray:
    return round_trip(frontend(), wav_T)


def round_trip(frontend: Frontend, wav_T: np.ndarray) -> np.ndarray:
    """A sound (T,) after the codec, at its own level."""
    codes_FK, gain = frontend.encode_recording(wav_T)
    return frontend.decode(codes_FK)[: len(wav_T)] / gain


class WorkerPool:
    """`submit` starts scoring in a process; `result` waits. An item always goes to the same process, which has its
    references in the cache."""

    def __init__(self, config: JudgesConfig, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._workers = [ProcessPoolExecutor(1, context, _start, (config, threads)) for _ in range(workers)]
        self._places: dict[str, int] = {}
        self._judges: dict[str, dict[str, str]] = {}

    def submit(self, item: Item, output: Output) -> Future[tuple[Scores, JudgeRows]]:
        place = self._places.setdefault(item.id, len(self._places) % len(self._workers))
        return self._workers[place].submit(_score, item, output)

    def result(self, future: Future[tuple[Scores, JudgeRows]]) -> Scores:
        scores, judges = future.result()
        for row in judges:
            if row["role"] not in self._judges or "missing" not in row:
                self._judges[row["role"]] = row
        return scores

    def describe(self) -> JudgeRows:
        """As `Judges.describe`, of all processes."""
        return [self._judges[role] for role in sorted(self._judges)]

    def close(self) -> None:
        for worker in self._workers:
            worker.shutdown(cancel_futures=True)


def worker_count(asked: int) -> int:
    """Processes that score; 0 asked is one per core, at most MAX_WORKERS."""
    return asked or min(MAX_WORKERS, os.cpu_count() or 1)


_own: list[Judges] = []


def _start(config: JudgesConfig, threads: int) -> None:
    # Read where the models are loaded, which is later: by torch, and by speechx.eval.judges.base.num_threads.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    _own.append(config.load())


def _score(item: Item, output: Output) -> tuple[Scores, JudgeRows]:
    judges = _own[0]
    return evaluator_class(item.task)(judges).measure(item, output), judges.describe()
