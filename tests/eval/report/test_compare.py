"""Two runs on one set are compared item by item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from speechx.eval.report.compare import compare_runs, comparison_markdown
from speechx.eval.rows import read_rows
from tests.helpers.systems import NoisyTruth


def test_compare_is_paired(score_set: Any, tmp_path: Path) -> None:
    score_set(tmp_path / "a", NoisyTruth(0.1))
    score_set(tmp_path / "b", NoisyTruth(0.001, fails=["noise_suppression-0001"]))
    rows = compare_runs(read_rows(tmp_path / "a"), read_rows(tmp_path / "b"))
    told = {r["metric"]: r for r in rows}
    assert told["si_sdr"]["verdict"] == "better" and told["si_sdr"]["difference"]["mean"] > 20
    assert told["si_sdr"]["pairs"] == 1 and told["si_sdr"]["unpaired"] == 1
    assert "| si_sdr (dB) | +" in comparison_markdown(rows, ("a", "b"))
    assert {r["verdict"] for r in compare_runs(read_rows(tmp_path / "a"), read_rows(tmp_path / "a"))} <= {
        "same",
        "?",
    }
