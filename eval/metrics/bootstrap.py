"""Weighted means, bootstrap intervals, paired differences, and the slices of a report. Shapes: N items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Interval", "mean", "paired", "slices_of"]

RESAMPLES = 1000
EDGES: dict[str, tuple[float, ...]] = {
    "snr_db": (-5, 0, 5, 10, 20),
    "sir_db": (-5, 0, 5, 10, 20),
    "seconds": (0, 4, 6, 8, 10, 20),
}
NAMED = ("language", "speaker", "corpus", "text_given", "reverberant", "voice_language")


@dataclass(frozen=True)
class Interval:
    """A mean over n items with its bootstrap 95 % interval."""

    mean: float
    low: float
    high: float
    n: int

    def as_dict(self) -> dict[str, float | int]:
        return {
            "mean": round(self.mean, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "n": self.n,
        }


def _weighted_mean(values: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    return (values * weights).sum(axis) / np.maximum(weights.sum(axis), 1e-12)


def mean(values: Sequence[float], weights: Sequence[float] | None = None, seed: int = 0) -> Interval | None:
    """Weighted mean over items; None of nothing. An error rate weighted by words is the rate of all words.

    The interval is the percentile bootstrap of scipy.stats.
    """
    from scipy import stats

    if not len(values):
        return None
    values_N = np.asarray(values, np.float64)
    weights_N = np.ones(len(values_N)) if weights is None else np.asarray(weights, np.float64)
    if weights_N.sum() <= 0:
        weights_N = np.ones(len(values_N))
    center = float(np.average(values_N, weights=weights_N))
    if len(values_N) == 1:  # nothing to resample
        return Interval(center, center, center, 1)
    rng = np.random.default_rng(seed)
    low, high = stats.bootstrap(
        (values_N, weights_N),
        _weighted_mean,
        n_resamples=RESAMPLES,
        paired=True,
        method="percentile",
        rng=rng,
    ).confidence_interval
    return Interval(center, float(low), float(high), len(values_N))


def paired(
    a: Sequence[float], b: Sequence[float], weights: Sequence[float] | None = None, seed: int = 0
) -> Interval | None:
    """Mean of b - a over the same items. An interval without 0 is a difference that chance does not explain."""
    assert len(a) == len(b)
    return mean(np.subtract(b, a).tolist(), weights, seed)


def slices_of(meta: Mapping[str, object]) -> dict[str, str]:
    """The slice of an item by each of its properties."""
    found = {name: str(meta[name]) for name in NAMED if meta.get(name) is not None}
    for name, edges in EDGES.items():
        value = meta.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = int(np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2))
            found[name] = f"{edges[at]:g} to {edges[at + 1]:g}"
    return found
