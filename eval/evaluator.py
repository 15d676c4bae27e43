"""What every evaluator is: metrics it declares, and scores of one output of one test item. Light: no torch.

Evaluators are found by name: the one of task `x` is the class in eval/x.py whose `task` is "x" (for tasks of other
packages, an entry point of group "speechx.evaluators"). Shapes: T samples at 16 kHz, mono, float32.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.eval.judges.judges import Measures

__all__ = [
    "RATE", "SHARED", "Evaluator", "Item", "Metric", "Output", "Score", "Scores", "Unmeasurable", "evaluator_class",
]  # fmt: skip

RATE = 16000
MIN_SECONDS = 0.1
UNTOLD = "the system does not tell"
UNTIMED = "made while other outputs were measured"


class Unmeasurable(Exception):
    """A metric has no value for this output; the message says why and is counted in the report."""


class Absent(Unmeasurable):
    """It would have a value if a package, a file or a model were there: asked again, it may."""


@dataclass(frozen=True)
class Metric:
    """A column of the report. better: which direction is good; None is neither. unit "%": values are fractions."""

    name: str
    about: str
    better: Literal["higher", "lower"] | None
    unit: str = ""
    digits: int = 2

    def show(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{100 * value:.1f}" if self.unit == "%" else f"{value:.{self.digits}f}"

    def worse(self, value: float) -> float:
        """Larger for worse values."""
        return -value if self.better == "higher" else value


SHARED = (
    Metric("rtf", "seconds of computing for a second of audio", "lower"),
    Metric("first_audio", "seconds until the first sound", "lower", "s"),
    Metric("truncated", "outputs that the hard length limit ended", "lower", "%"),
)
"""Metrics of every task, told by the system itself."""


@dataclass(frozen=True)
class Bar:
    """What the model should reach in a metric: `first` to be of use, `goal` to be good.

    versus: a system of the same table, whose value times `factor` is added to both.
    """

    metric: str
    first: float | None
    goal: float | None
    versus: str | None = None
    factor: float = 1.0

    def limits(self, versus: float | None) -> tuple[float | None, float | None]:
        """Both limits as values of the metric; None where there is none, or nothing to compare with."""
        if self.versus is not None and versus is None:
            return None, None
        base = 0.0 if versus is None else self.factor * versus
        return tuple(None if x is None else base + x for x in (self.first, self.goal))  # type: ignore[return-value]


SPEED = (Bar("rtf", 0.5, 0.2), Bar("first_audio", 0.5, 0.2))
"""Of every task, on two cores."""


@dataclass(frozen=True)
class Score:
    """One value with its weight in averages (words, for error rates); or None and the reason."""

    value: float | None
    weight: float = 1.0
    reason: str | None = None


class Scores(dict[str, Score]):
    """Scores of one output by metric name; whatever goes wrong in a group of metrics becomes their reason.

    notes: what the report shows beside the numbers (transcripts). absent: something to measure with was not there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, Any] = {}
        self.absent = False

    def add(self, names: tuple[str, ...], make: Callable[[], Mapping[str, float | Score]]) -> None:
        """`make()` gives the values of `names`."""
        try:
            made = make()
        except Exception as error:  # a metric that fails must not cost the others, nor go unnoticed
            self.absent = self.absent or isinstance(error, Absent)
            said = str(error) if isinstance(error, Unmeasurable) else f"{type(error).__name__}: {error}"
            self |= {name: Score(None, reason=said) for name in names}
            return
        for name in names:
            value = made[name]
            score = value if isinstance(value, Score) else Score(float(value))
            if score.value is not None and not np.isfinite(score.value):
                score = Score(None, reason="not a finite number")
            self[name] = score


@dataclass(frozen=True)
class Output:
    """What a system gave for an item. info: as in the final Chunk of the pipeline, where the system has it."""

    wav_T: np.ndarray
    rate: int = RATE
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One row of a test set: a request whose answer is known.

    fields: the request as in the manifest, paths absolute. text: what is said in the target. target, references: paths
    of 16 kHz recordings. meta: numbers and names for slices.
    """

    id: str
    task: str
    fields: dict[str, Any]
    text: str | None
    language: str
    speaker: str
    target: Path
    references: dict[str, Path] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def ability(self) -> str:
        """The section of the report: the task, or its variant that keeps the background."""
        return f"{self.task}_background" if self.meta.get("keep_background") else self.task

    @property
    def target_T(self) -> np.ndarray:
        return read(self.target)

    def reference(self, name: str) -> np.ndarray:
        """A reference recording. Raises Unmeasurable where the set has none of this name."""
        if name not in self.references:
            raise Unmeasurable(f"the set has no reference {name!r} for this item")
        return read(self.references[name])

    def sound(self, name: str) -> np.ndarray:
        """A recording of the request, by field name."""
        return read(Path(self.fields[name]))

    @property
    def input_field(self) -> str:
        """The field whose sound goes in: audio where there is one, else the voice."""
        return next(name for name in ("audio", "voice", "enrollment") if name in self.fields)


def read(path: Path) -> np.ndarray:
    """(T,) at 16 kHz. Raises Unmeasurable for a recording that is missing or broken."""
    from speechx.audio import reading as audio

    try:
        return audio.read(path)
    except InputError as error:
        raise Unmeasurable(f"reference cannot be read: {error}") from error


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

    def __init__(self, measures: Measures) -> None:
        self.measures = measures

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


def checked(output: Output) -> np.ndarray:
    """The samples of a sound that can be measured at all. Raises Unmeasurable. Silence passes: it is a result."""
    from speechx.audio.reading import resample

    wav_T = np.asarray(output.wav_T, np.float32)
    if wav_T.ndim != 1:
        raise Unmeasurable(f"output has {wav_T.ndim} dimensions, not one")
    if len(wav_T) < MIN_SECONDS * output.rate:
        raise Unmeasurable("output is empty or shorter than 0.1 s")
    if not np.isfinite(wav_T).all():
        raise Unmeasurable("output has samples that are not finite")
    return wav_T if output.rate == RATE else resample(wav_T, output.rate, RATE)


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
