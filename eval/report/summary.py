"""scores.jsonl -> report.json: means with intervals, slices, failures, the worst items. Schema: docs/evaluation.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from speechx.eval.evaluator import Evaluator, evaluator_class
from speechx.eval.metrics.bootstrap import mean, slices_of
from speechx.eval.scores import SPEED, Metric
from speechx.eval.systems.systems import ABOUT

__all__ = ["SCHEMA_VERSION", "metrics_of", "summarize"]

SCHEMA_VERSION = 1
WORST = 10
Row = dict[str, Any]


def summarize(rows: Sequence[Row], header: dict[str, Any]) -> dict[str, Any]:
    """The report. Every mean says of how many items it is made, of how many it should be, and why the rest are missing."""
    latest = {(r["ability"], r["system"], r["id"]): r for r in rows}
    abilities: dict[str, list[Row]] = {}
    for row in latest.values():
        abilities.setdefault(row["ability"], []).append(row)
    sections = {name: _section(own) for name, own in abilities.items()}
    return {"schema_version": SCHEMA_VERSION, **header, "abilities": sections}


def metrics_of(task: str, rows: Sequence[Row]) -> list[Metric]:
    """Metrics of the evaluator that apply to these rows."""
    named = {n for r in rows for n in (*r["scores"], *r["missing"])}
    return [m for m in evaluator_class(task).all_metrics() if m.name in named]


def _section(rows: Sequence[Row]) -> dict[str, Any]:
    evaluator = evaluator_class(rows[0]["task"])
    metrics = metrics_of(evaluator.task, rows)
    systems: dict[str, list[Row]] = {}
    for row in rows:
        systems.setdefault(row["system"], []).append(row)
    return {
        "task": evaluator.task,
        "items": len({r["id"] for r in rows}),
        "metrics": [
            {"name": m.name, "about": m.about, "better": m.better, "unit": m.unit, "digits": m.digits}
            for m in metrics
        ],
        "systems": {name: _system(own, metrics) for name, own in systems.items()},
        "worst": {n: worst(own, evaluator) for n, own in systems.items() if own[0]["kind"] == "model"},
        "bars": _bars(systems, evaluator),
        "published": list(evaluator.figures),
    }


def _system(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, Any]:
    failures = Counter(r["error"] for r in rows if r["status"] == "error")
    groups: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        for by, value in slices_of(row["meta"]).items():
            groups.setdefault(by, {}).setdefault(value, []).append(row)
    return {
        "kind": rows[0]["kind"],
        "about": ABOUT.get(rows[0]["system"], ("", ""))[1],
        "items": len(rows),
        "failed": sum(failures.values()),
        "failures": dict(failures.most_common()),
        "metrics": {m.name: column(rows, m.name) for m in metrics},
        "slices": {
            by: {
                value: {"items": len(own), "metrics": {m.name: _brief(column(own, m.name)) for m in metrics}}
                for value, own in sorted(values.items(), key=lambda pair: _order(pair[0]))
            }
            for by, values in sorted(groups.items())
            if len(values) > 1
        },
    }


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value.split(" ")[0]), value
    except ValueError:
        return float("inf"), value


def _bars(systems: dict[str, list[Row]], evaluator: type[Evaluator]) -> dict[str, list[dict[str, Any]]]:
    """For each model, what it should reach and whether it does, by the mean; None where something is not measured."""
    by_name, out = {m.name: m for m in evaluator.all_metrics()}, dict[str, list[dict[str, Any]]]()
    for name, rows in systems.items():
        if rows[0]["kind"] != "model":
            continue
        out[name] = []
        for bar in (*evaluator.bars, *SPEED):
            value = column(rows, bar.metric)["mean"]
            beside = column(systems[bar.versus], bar.metric)["mean"] if bar.versus in systems else None
            first, goal = bar.limits(beside)
            met = [
                None
                if value is None or limit is None
                else by_name[bar.metric].worse(value) <= by_name[bar.metric].worse(limit)
                for limit in (first, goal)
            ]
            out[name].append(
                {"metric": bar.metric, "versus": bar.versus, "value": value, "first": first, "goal": goal,
                 "first_met": met[0], "goal_met": met[1]}
            )  # fmt: skip
    return out


def _brief(told: dict[str, Any]) -> dict[str, Any]:
    """A slice's column: the reasons stand with the whole."""
    return {name: told[name] for name in ("mean", "low", "high", "n", "missing")}


def column(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Mean and interval of a metric over the rows that have it; how many do not, and why."""
    told = [r["scores"][name] for r in rows if name in r["scores"]]
    interval = mean([v for v, _ in told], [w for _, w in told])
    reasons = Counter(
        r["error"] if r["status"] == "error" else r["missing"].get(name, "?")
        for r in rows
        if name not in r["scores"]
    )
    empty: dict[str, Any] = {"mean": None, "low": None, "high": None, "n": 0}
    return (interval.as_dict() if interval else empty) | {
        "missing": sum(reasons.values()),
        "reasons": dict(reasons.most_common()),
    }


def worst(rows: Sequence[Row], evaluator: type[Evaluator]) -> list[dict[str, Any]]:
    """Items that failed first, then by the evaluator's metric, worst first."""
    metric = next(m for m in evaluator.all_metrics() if m.name == evaluator.worst_by)

    def badness(row: Row) -> float:
        if metric.name not in row["scores"]:
            return float("inf")
        return metric.worse(row["scores"][metric.name][0])

    chosen = sorted(rows, key=lambda r: (-badness(r), r["id"]))[:WORST]
    return [
        {
            "id": r["id"],
            "by": metric.name,
            "value": r["scores"].get(metric.name, [None])[0],
            "text": r["text"],
            "transcript": r.get("notes", {}).get("transcript"),
            "error": r.get("error"),
            "meta": r["meta"],
        }
        for r in chosen
    ]
