"""Intervals and slices."""

from __future__ import annotations

import numpy as np
import pytest

from speechx.eval.metrics import bootstrap


def test_bootstrap_intervals_hold_the_mean() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        found = bootstrap.mean(rng.normal(1.0, 1.0, 40).tolist(), seed=seed)
        assert found is not None
        inside += found.low <= 1.0 <= found.high
    assert 88 <= inside <= 100
    weighted = bootstrap.mean([0.0, 1.0], [9, 1])
    assert weighted is not None and weighted.mean == pytest.approx(0.1)
    assert bootstrap.mean([]) is None
    assert bootstrap.slices_of({"snr_db": 3.0, "text_given": True, "other": 1}) == {
        "snr_db": "0 to 5",
        "text_given": "True",
    }
