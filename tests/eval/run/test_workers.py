"""Scoring in worker processes, and what is timed then."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechx.eval.rows import read_rows
from speechx.eval.run.score import score_items
from speechx.eval.run.workers import JudgesConfig, WorkerPool
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import built_in
from tests.eval.conftest import HEADER
from tests.helpers.systems import NoisyTruth


def test_processes_measure_what_one_does(
    test_set: TestSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechx.eval.noise_suppression.NoiseSuppressionEvaluator.references", ())
    items = test_set.chosen(["noise_suppression"])
    config = JudgesConfig("whisper-base", "ge2e", ("dnsmos",), codec=False)
    judges = config.load()
    silence, pool = built_in("silence", judges), WorkerPool(config, 2)
    try:
        for name, where in (("here", None), ("there", pool)):
            score_items(tmp_path / name, items, [silence], lambda _: silence, judges, HEADER, pool=where)
    finally:
        pool.close()
    here, there = (read_rows(tmp_path / name) for name in ("here", "there"))
    assert here == there and len(here) == len(items) > 1
    # Silence is scored without them, but for the recognizer.
    assert [about["role"] for about in pool.describe()] == ["asr"]


def test_a_model_is_timed_while_nothing_else_is_done(
    test_set: TestSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechx.eval.run.score.TIMED", 1)
    monkeypatch.setattr("speechx.eval.run.score.ModelSystem", NoisyTruth)
    monkeypatch.setattr("speechx.eval.noise_suppression.NoiseSuppressionEvaluator.references", ())
    items = test_set.chosen(["noise_suppression"])
    config = JudgesConfig("whisper-base", "ge2e", ("dnsmos",), codec=False)
    pool = WorkerPool(config, 2)
    try:
        score_items(tmp_path, items, [NoisyTruth()], lambda _: NoisyTruth(), config.load(), HEADER, pool=pool)
    finally:
        pool.close()
    first, *others = read_rows(tmp_path)
    assert first["scores"]["rtf"] == [0.1, 1.0] and len(others) == len(items) - 1 > 0
    assert all(row["missing"]["rtf"] == "made while other outputs were measured" for row in others)
    assert all(row["status"] == "ok" for row in (first, *others))
