"""The base class of evaluators: metrics, and scores of one output of one test item. Light: no torch.

Evaluators are found by name: the one of task `x` is the class in eval/x.py whose `task` is "x" (for tasks of other
packages, an entry point of group "speechx.evaluators"). Shapes: T samples at 16 kHz, mono, float32.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from importlib.metadata import entry_points
from typing import ClassVar

import numpy as np

from speechx.errors import InputError
from speechx.eval.items import Item, Output, check_output
from speechx.eval.judges.judges import Judges
from speechx.eval.scores import NOT_REPORTED, NOT_TIMED, SHARED, Bar, Metric, Score, Scores, Unmeasurable

__all__ = ["Evaluator", "evaluator_class"]


class Evaluator(ABC):
    """Scores outputs of one task.

    references: systems whose rows stand beside the model's (speechx.eval.systems.systems).
    worst_by: the metric that picks the items the report shows. bars: what the model should reach.
    """

    task: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    references: ClassVar[tuple[str, ...]]
    worst_by: ClassVar[str]
    bars: ClassVar[tuple[Bar, ...]] = ()
    figures: ClassVar[tuple[str, ...]] = ()
    """Published figures: one line each, with the difference in protocol."""

    def __init__(self, judges: Judges) -> None:
        self.judges = judges

    @abstractmethod
    def score(self, item: Item, wav_T: np.ndarray) -> Scores:
        """Every metric of `metrics`, with a value or a reason."""

    def recordings_to_transcribe(self, item: Item, wav_T: np.ndarray) -> list[tuple[np.ndarray, str]]:
        """Recordings that `score` transcribes, with their languages: they are transcribed in a batch before."""
        return [(wav_T, item.language)]

    @classmethod
    def all_metrics(cls) -> tuple[Metric, ...]:
        return (*cls.metrics, *SHARED)

    def measure(self, item: Item, output: Output) -> Scores:
        """`score` for outputs that pass `check_output`, and the metrics that the system reports itself."""
        try:
            wav_T = check_output(output)
        except Unmeasurable as error:
            scores = Scores()
            scores |= {m.name: Score(None, reason=str(error)) for m in self.metrics}
        else:
            scores = self.score(item, wav_T)
        for name, key in (("rtf", "rtf"), ("first_audio", "first_audio_seconds")):
            value = output.info.get(key)
            reason = NOT_TIMED if output.info.get("untimed") else NOT_REPORTED
            scores[name] = Score(value, reason=None if value is not None else reason)
        if "seed" in output.info:
            scores["truncated"] = Score(float(bool(output.info.get("truncated"))))
        else:
            scores["truncated"] = Score(None, reason=NOT_REPORTED)
        return scores


def evaluator_class(task: str) -> type[Evaluator]:
    """The evaluator of a task. Raises InputError where it has none."""
    for point in entry_points(group="speechx.evaluators", name=task):
        return point.load()
    name = f"speechx.eval.{task}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise InputError(f"task {task!r} has no evaluator: add eval/{task}.py", field="task") from None
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Evaluator) and getattr(value, "task", None) == task:
            return value
    raise InputError(f"eval/{task}.py has no Evaluator with task = {task!r}", field="task")
