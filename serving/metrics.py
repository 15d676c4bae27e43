"""Prometheus metrics. They are per app: tests and routers do not share them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from speechx.serving.types import JsonObject

__all__ = ["Metrics"]

SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60)
FACTORS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 4, 8)


class Metrics:
    """The metrics of one app; `text` gives Prometheus' text format."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        names = ["task"]
        self.requests = Counter(
            "speechx_requests", "Requests by task and status", [*names, "status"], registry=registry
        )
        self.rejected = Counter(
            "speechx_rejected", "Requests refused, by task and reason", [*names, "reason"], registry=registry
        )
        self.aborted = Counter("speechx_aborted", "Requests whose client went away", names, registry=registry)
        self.under_way = Gauge("speechx_under_way", "Requests under way", names, registry=registry)
        self.first_audio = Histogram(
            "speechx_first_audio_seconds", "From the request to the first sound", names, registry=registry,
            buckets=SECONDS,
        )  # fmt: skip
        self.rtf = Histogram(
            "speechx_rtf", "Processing time by length of the sound", names, registry=registry, buckets=FACTORS
        )
        self.audio_seconds = Counter("speechx_audio_seconds", "Sound made", names, registry=registry)
        self.engine = Gauge(
            "speechx_engine",
            "Slots, active and waiting requests of each replica that answers",
            ["replica", "what"],
            registry=registry,
        )

    def note_engines(self, statuses: list[JsonObject]) -> None:
        """Set the gauges from the statuses of the replicas; gauges of other replicas are removed."""
        self.engine.clear()
        for status in statuses:
            name = str(status.get("replica", "local"))
            for what, value in status.items():
                if what != "pid" and isinstance(value, int | float):
                    self.engine.labels(name, what).set(value)

    def text(self) -> bytes:
        return generate_latest(self.registry)
