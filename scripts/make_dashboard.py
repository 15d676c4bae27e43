"""Writes deploy/grafana/speechx.json, a Grafana dashboard of the server's metrics: python scripts/make_dashboard.py

Panels name the metrics of `speechx.serving.metrics.Metrics`, so a metric that is renamed there is renamed here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from prometheus_client import Counter, Gauge, Histogram

from speechx.serving.metrics import Metrics

PATH = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "speechx.json"
ONLY = '{job=~"$job", task=~"$task"}'
RATE = "[$__rate_interval]"
QUANTILES = (0.5, 0.95)
Json: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Panel:
    """One graph. queries: expression to legend."""

    title: str
    unit: str
    queries: dict[str, str]
    description: str = ""


def name(metric: Counter | Gauge | Histogram) -> str:
    """As it is exposed. A histogram's series have further endings."""
    family = next(iter(metric.describe()))
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


def quantiles(metric: Histogram) -> dict[str, str]:
    rate = f"sum by (le, task) (rate({name(metric)}_bucket{ONLY}{RATE}))"
    return {f"histogram_quantile({q}, {rate})": f"{{{{task}}}} p{q * 100:g}" for q in QUANTILES}


def engine(metric: Gauge, what: str) -> str:
    return f'sum(max by (replica) ({name(metric)}{{job=~"$job", what="{what}"}}))'


def panels() -> list[Panel]:
    m = Metrics()
    status = f'{name(m.requests)}{{job=~"$job", task=~"$task", status=~"5.."}}'
    return [
        Panel(
            "First audio", "s", quantiles(m.first_audio), "From the request to the first sound that is sent."
        ),
        Panel(
            "RTF",
            "none",
            quantiles(m.rtf),
            "Time of a request by length of its sound; above 1 a player falls silent.",
        ),
        Panel(
            "Slots",
            "none",
            {engine(m.engine, "slots"): "slots", engine(m.engine, "active"): "in use"},
            "Of all replicas that answer.",
        ),
        Panel(
            "Queue",
            "none",
            {engine(m.engine, "waiting"): "waiting"},
            "Requests that replicas hold without a slot.",
        ),
        Panel(
            "Rejections",
            "reqps",
            {f"sum by (task, reason) (rate({name(m.rejected)}{ONLY}{RATE}))": "{{task}} {{reason}}"},
            "Refused at once, by task and reason.",
        ),
        Panel(
            "Requests",
            "reqps",
            {f"sum by (task) (rate({name(m.requests)}{ONLY}{RATE}))": "{{task}}"},
        ),
        Panel(
            "Errors",
            "percentunit",
            {
                f"sum(rate({status}{RATE})) / sum(rate({name(m.requests)}{ONLY}{RATE}))": "share of 5xx",
                f"sum(rate({name(m.aborted)}{ONLY}{RATE})) / sum(rate({name(m.requests)}{ONLY}{RATE}))": "client went away",
            },
        ),
        Panel("Under way", "none", {f"sum by (task) ({name(m.under_way)}{ONLY})": "{{task}}"}),
        Panel(
            "Sound per second",
            "s",
            {f"sum by (task) (rate({name(m.audio_seconds)}{ONLY}{RATE}))": "{{task}}"},
            "Seconds of sound made per second of time: what a core costs (docs/cluster.md).",
        ),
    ]


def variable(label: str, metric: str) -> Json:
    """A choice among the values of a label, all by default."""
    return {
        "name": label, "label": label, "type": "query", "datasource": {"type": "prometheus", "uid": "${source}"},
        "query": {"query": f"label_values({metric}, {label})", "refId": label}, "refresh": 2,
        "includeAll": True, "multi": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def dashboard() -> Json:
    requests = name(Metrics().requests)
    source: Json = {"type": "prometheus", "uid": "${source}"}
    shown: list[Json] = []
    for number, panel in enumerate(panels()):
        targets = [
            {"refId": chr(ord("A") + at), "expr": expr, "legendFormat": legend, "datasource": source}
            for at, (expr, legend) in enumerate(panel.queries.items())
        ]
        shown.append(
            {
                "id": number + 1, "type": "timeseries", "title": panel.title, "description": panel.description,
                "datasource": source, "targets": targets,
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                "gridPos": {"h": 8, "w": 8, "x": 8 * (number % 3), "y": 8 * (number // 3)},
            }
        )  # fmt: skip
    choice = {
        "name": "source",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
    }
    variables: list[Json] = [choice, variable("job", requests), variable("task", requests)]
    return {
        "uid": "speechx", "title": "SpeechX", "schemaVersion": 39, "editable": True, "refresh": "10s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"}, "templating": {"list": variables}, "panels": shown,
    }  # fmt: skip


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
