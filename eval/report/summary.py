"""scores.jsonl -> report.json: means with intervals, slices, failures, the worst items. Schema: docs/evaluation.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import cast

from speechx.eval.evaluator import Evaluator, evaluator_class
from speechx.eval.metrics.bootstrap import mean, slices_of
from speechx.eval.report.schema import (
    SCHEMA_VERSION,
    BarSummary,
    MetricInfo,
    MetricSummary,
    Report,
    Section,
    SystemSummary,
    WorstItem,
)
from speechx.eval.rows import Header, ScoreRow
from speechx.eval.scores import SPEED, Metric
from speechx.eval.systems.systems import ABOUT

__all__ = ["metric_summary", "metrics_of", "summarize"]

WORST = 10


def summarize(rows: Sequence[ScoreRow], header: Header) -> Report:
    """Every mean comes with the number of its items, of those that lack a value, and their reasons.

    Of several rows for one output, the last counts.
    """
    latest = {(r["ability"], r["system"], r["id"]): r for r in rows}
    abilities: dict[str, list[ScoreRow]] = {}
    for row in latest.values():
        abilities.setdefault(row["ability"], []).append(row)
    sections = {name: _section(own) for name, own in abilities.items()}
    return cast(Report, {"schema_version": SCHEMA_VERSION, **header, "abilities": sections})


def metrics_of(task: str, rows: Sequence[ScoreRow]) -> list[Metric]:
    """Metrics of the evaluator that apply to these rows."""
    named = {n for r in rows for n in (*r["scores"], *r["missing"])}
    return [m for m in evaluator_class(task).all_metrics() if m.name in named]


def _section(rows: Sequence[ScoreRow]) -> Section:
    evaluator = evaluator_class(rows[0]["task"])
    metrics = metrics_of(evaluator.task, rows)
    systems: dict[str, list[ScoreRow]] = {}
    for row in rows:
        systems.setdefault(row["system"], []).append(row)
    models = {name: own for name, own in systems.items() if own[0]["kind"] == "model"}
    return {
        "task": evaluator.task,
        "items": len({r["id"] for r in rows}),
        "metrics": [cast(MetricInfo, asdict(m)) for m in metrics],
        "systems": {name: _system_summary(own, metrics) for name, own in systems.items()},
        "worst": {name: worst_items(own, evaluator) for name, own in models.items()},
        "bars": {name: _bars(own, systems, evaluator) for name, own in models.items()},
        "published": list(evaluator.figures),
    }


def _system_summary(rows: Sequence[ScoreRow], metrics: Sequence[Metric]) -> SystemSummary:
    failures = Counter(r["error"] for r in rows if r["status"] == "error")
    groups: dict[str, dict[str, list[ScoreRow]]] = {}
    for row in rows:
        for by, value in slices_of(row["meta"]).items():
            groups.setdefault(by, {}).setdefault(value, []).append(row)
    return {
        "kind": rows[0]["kind"],
        "about": ABOUT.get(rows[0]["system"], ("", ""))[1],
        "items": len(rows),
        "failed": sum(failures.values()),
        "failures": dict(failures.most_common()),
        "metrics": {m.name: metric_summary(rows, m.name) for m in metrics},
        "slices": {
            by: {
                value: {
                    "items": len(own),
                    "metrics": {m.name: _without_reasons(metric_summary(own, m.name)) for m in metrics},
                }
                for value, own in sorted(values.items(), key=lambda pair: _slice_order(pair[0]))
            }
            for by, values in sorted(groups.items())
            if len(values) > 1
        },
    }


def _slice_order(value: str) -> tuple[float, str]:
    """Numbers first, by size."""
    try:
        return float(value.split(" ")[0]), value
    except ValueError:
        return float("inf"), value


def _bars(
    rows: Sequence[ScoreRow], systems: dict[str, list[ScoreRow]], evaluator: type[Evaluator]
) -> list[BarSummary]:
    """The levels that a model should reach, and whether its means do. rows: those of the model."""
    metrics, out = {m.name: m for m in evaluator.all_metrics()}, list[BarSummary]()
    for bar in (*evaluator.bars, *SPEED):
        metric, value = metrics[bar.metric], metric_summary(rows, bar.metric)["mean"]
        versus = metric_summary(systems[bar.versus], bar.metric)["mean"] if bar.versus in systems else None
        first, goal = bar.limits(versus)
        first_met, goal_met = (
            None if value is None or limit is None else metric.worse(value) <= metric.worse(limit)
            for limit in (first, goal)
        )
        out.append(
            {"metric": bar.metric, "versus": bar.versus, "value": value, "first": first, "goal": goal,
             "first_met": first_met, "goal_met": goal_met}
        )  # fmt: skip
    return out


def _without_reasons(summary: MetricSummary) -> MetricSummary:
    return cast(MetricSummary, {name: value for name, value in summary.items() if name != "reasons"})


def metric_summary(rows: Sequence[ScoreRow], name: str) -> MetricSummary:
    """Mean and interval of a metric over the rows that have it; how many do not, and why."""
    scores = [r["scores"][name] for r in rows if name in r["scores"]]
    interval = mean([value for value, _ in scores], [weight for _, weight in scores])
    reasons = Counter(
        r["error"] if r["status"] == "error" else r["missing"].get(name, "?")
        for r in rows
        if name not in r["scores"]
    )
    empty = {"mean": None, "low": None, "high": None, "n": 0}
    counts = {"missing": sum(reasons.values()), "reasons": dict(reasons.most_common())}
    return cast(MetricSummary, (interval.as_dict() if interval else empty) | counts)


def worst_items(rows: Sequence[ScoreRow], evaluator: type[Evaluator]) -> list[WorstItem]:
    """Items that failed first, then by the evaluator's metric, worst first."""
    metric = next(m for m in evaluator.all_metrics() if m.name == evaluator.worst_by)

    def badness(row: ScoreRow) -> float:
        if metric.name not in row["scores"]:
            return float("inf")
        return metric.worse(row["scores"][metric.name][0])

    chosen = sorted(rows, key=lambda r: (-badness(r), r["id"]))[:WORST]
    return [
        {
            "id": r["id"],
            "by": metric.name,
            "value": r["scores"][metric.name][0] if metric.name in r["scores"] else None,
            "text": r["text"],
            "transcript": r.get("notes", {}).get("transcript"),
            "error": r.get("error"),
            "meta": r["meta"],
        }
        for r in chosen
    ]
