"""The structure of report.json (docs/evaluation.md), as types."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from speechx.eval.items import JsonObject
from speechx.eval.rows import Kind

__all__ = [
    "SCHEMA_VERSION", "BarSummary", "MetricInfo", "MetricSummary", "Report", "Section", "SliceSummary", "SystemSummary",
    "WorstItem",
]  # fmt: skip

SCHEMA_VERSION = 1


class MetricInfo(TypedDict):
    """A `Metric` as JSON."""

    name: str
    about: str
    better: Literal["higher", "lower"] | None
    unit: str
    digits: int


class MetricSummary(TypedDict):
    """Mean of a metric with its 95 % interval over n items. missing: items without a value, by reason."""

    mean: float | None
    low: float | None
    high: float | None
    n: int
    missing: int
    reasons: NotRequired[dict[str, int]]


class SliceSummary(TypedDict):
    """Items that share a property. The reasons of missing values stand in the system's own summary."""

    items: int
    metrics: dict[str, MetricSummary]


class SystemSummary(TypedDict):
    """One system on one ability. slices: property to value to summary."""

    kind: Kind
    about: str
    items: int
    failed: int
    failures: dict[str, int]
    metrics: dict[str, MetricSummary]
    slices: dict[str, dict[str, SliceSummary]]


class BarSummary(TypedDict):
    """A level to reach, and whether the model reaches it; None where something is not measured."""

    metric: str
    versus: str | None
    value: float | None
    first: float | None
    goal: float | None
    first_met: bool | None
    goal_met: bool | None


class WorstItem(TypedDict):
    """An item of a model, worst first by the metric `by`."""

    id: str
    by: str
    value: float | None
    text: str | None
    transcript: str | None
    error: str | None
    meta: JsonObject


class Section(TypedDict):
    """One ability."""

    task: str
    items: int
    metrics: list[MetricInfo]
    systems: dict[str, SystemSummary]
    worst: dict[str, list[WorstItem]]
    bars: dict[str, list[BarSummary]]
    published: list[str]


class Report(TypedDict):
    """report.json. measures: the judges that were used, and those that were missing."""

    schema_version: int
    set: JsonObject
    model: str
    measures: list[dict[str, str]]
    command: str
    seed: int | None
    date: str
    machine: dict[str, str | int | None]
    abilities: dict[str, Section]
