"""Runs are resumed where they stopped, and failures are counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speechx.errors import InputError
from speechx.eval.report.markdown import report_markdown
from speechx.eval.report.write import write_report
from tests.eval.conftest import HEADER
from tests.helpers.systems import NoisyTruth


def test_a_run_goes_on_where_it_stopped(score_set: Any, tmp_path: Path) -> None:
    score_set(tmp_path, NoisyTruth())
    whole = (tmp_path / "scores.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "scores.jsonl").write_text("".join(lines[1:-2]) + lines[-1][:30])
    again = NoisyTruth()
    score_set(tmp_path, again)
    assert again.asked == [json.loads(lines[0])["id"]]
    made = [line for line in (tmp_path / "scores.jsonl").read_text().splitlines() if '"again"' not in line]
    assert sorted(made) == sorted(line for line in whole.splitlines() if '"again"' not in line)
    with pytest.raises(InputError, match="holds scores with another model"):
        score_set(tmp_path, NoisyTruth(), model="other")


def test_failures_are_counted(score_set: Any, tmp_path: Path) -> None:
    score_set(tmp_path, NoisyTruth(fails=["noise_suppression-0002"]))
    report = write_report(tmp_path, {**HEADER, "measures": []})
    told = report["abilities"]["noise_suppression"]["systems"]["speechx"]
    assert told["failed"] == 1 and told["failures"] == {"it does not want to": 1}
    assert told["metrics"]["wer"]["n"] == 1 and told["metrics"]["wer"]["missing"] == 1
    text = report_markdown(report)
    assert "(1 of 2)" in text and "1 × no output: it does not want to" in text
    assert report["abilities"]["noise_suppression"]["worst"]["speechx"][0]["error"] == "it does not want to"


def test_what_failed_is_tried_again(score_set: Any, tmp_path: Path) -> None:
    score_set(tmp_path, NoisyTruth(fails=["noise_suppression-0002"]))
    again = NoisyTruth()
    score_set(tmp_path, again)
    assert again.asked == ["noise_suppression-0002"]
    report = write_report(tmp_path, {**HEADER, "measures": []})
    assert report["abilities"]["noise_suppression"]["systems"]["speechx"]["failed"] == 0
