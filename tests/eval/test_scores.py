"""Scores keep the reasons of missing values; metrics format their values."""

from __future__ import annotations

from speechx.eval.scores import Metric, Scores


def test_scores_keep_reasons() -> None:
    scores = Scores()
    scores.add(("a", "b"), lambda: {"a": 1.0, "b": float("nan")})
    scores.add(("c",), lambda: {"c": 1 / 0})
    assert (
        scores["a"].value == 1
        and scores["b"].value is None
        and "ZeroDivisionError" in str(scores["c"].reason)
    )


def test_metrics_show_their_unit() -> None:
    assert Metric("wer", "", "lower", "%").show(0.0512) == "5.1" and Metric("x", "", None).show(None) == "–"
