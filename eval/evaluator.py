"""What every evaluator is: the metrics it declares, and how it scores one output of one test item. Light: no torch.

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
from speechx.eval.items import Item, Output, checked
from speechx.eval.judges.judges import Judges
from speechx.eval.scores import SHARED, UNTIMED, UNTOLD, Bar, Metric, Score, Scores, Unmeasurable

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

    def heard(self, item: Item, wav_T: np.ndarray) -> list[tuple[np.ndarray, str]]:
        """Recordings that `score` will have transcribed, with their languages: they are done in batches before."""
        return [(wav_T, item.language)]

    @classmethod
    def all_metrics(cls) -> tuple[Metric, ...]:
        return (*cls.metrics, *SHARED)

    def measure(self, item: Item, output: Output) -> Scores:
        """`score`, after the checks that any output must pass, and what the system told of itself."""
        try:
            wav_T = checked(output)
        except Unmeasurable as error:
            scores = Scores()
            scores |= {m.name: Score(None, reason=str(error)) for m in self.metrics}
        else:
            scores = self.score(item, wav_T)
        for name, key in (("rtf", "rtf"), ("first_audio", "first_audio_seconds")):
            told = output.info.get(key)
            why = UNTIMED if output.info.get("untimed") else UNTOLD
            scores[name] = Score(told, reason=None if told is not None else why)
        made = "seed" in output.info
        scores["truncated"] = (
            Score(float(bool(output.info.get("truncated")))) if made else Score(None, reason=UNTOLD)
        )
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
