"""Metrics, the scores of one output, and the levels that a metric should reach. Light: no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = [
    "NOT_REPORTED",
    "SHARED",
    "SPEED",
    "Bar",
    "Metric",
    "MissingDependency",
    "Score",
    "Scores",
    "Unmeasurable",
]

NOT_REPORTED = "the system does not tell"
NOT_TIMED = "made while other outputs were measured"


class Unmeasurable(Exception):
    """A metric has no value for this output; the message says why and is counted in the report."""


class MissingDependency(Unmeasurable):
    """A package, file or model is missing. The metric may have a value once it is installed."""


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
        """The value with a sign that makes worse values larger."""
        return -value if self.better == "higher" else value


SHARED = (
    Metric("rtf", "seconds of computing for a second of audio", "lower"),
    Metric("first_audio", "seconds until the first sound", "lower", "s"),
    Metric("truncated", "outputs that the hard length limit ended", "lower", "%"),
)
"""Metrics of every task, reported by the system itself."""


@dataclass(frozen=True)
class Bar:
    """Levels of a metric that a model should reach: `first` to be usable, `goal` to be good.

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
"""Bars of every task, on two cores."""


@dataclass(frozen=True)
class Score:
    """One value with its weight in averages (words, for error rates); or None and the reason."""

    value: float | None
    weight: float = 1.0
    reason: str | None = None


class Scores(dict[str, Score]):
    """Scores of one output by metric name. An error in a group of metrics becomes the reason of their missing values.

    notes: transcripts and other text for the report. missing_dependency: whether a judge could not be loaded.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, str] = {}
        self.missing_dependency = False

    def add(self, names: tuple[str, ...], make: Callable[[], Mapping[str, float | Score]]) -> None:
        """`make()` gives the values of `names`."""
        try:
            values = make()
        except Exception as error:  # a metric that fails must not cost the others, nor go unnoticed
            self.missing_dependency = self.missing_dependency or isinstance(error, MissingDependency)
            reason = str(error) if isinstance(error, Unmeasurable) else f"{type(error).__name__}: {error}"
            self |= {name: Score(None, reason=reason) for name in names}
            return
        for name in names:
            value = values[name]
            score = value if isinstance(value, Score) else Score(float(value))
            if score.value is not None and not np.isfinite(score.value):
                score = Score(None, reason="not a finite number")
            self[name] = score
