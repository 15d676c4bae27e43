"""Reports are whole; levels to reach; old reports are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from speechx.errors import InputError
from speechx.eval.judges.judges import Judges
from speechx.eval.report.write import load_report, write_report
from speechx.eval.sets.store import TestSet
from tests.eval.conftest import HEADER
from tests.helpers.systems import NoisyTruth


def test_bars_are_held_against_the_model(score_set: Any, tmp_path: Path) -> None:
    score_set(tmp_path, NoisyTruth(0.001))
    bars = write_report(tmp_path, {**HEADER, "measures": []})["abilities"]["noise_suppression"]["bars"][
        "speechx"
    ]
    wer = next(b for b in bars if b["metric"] == "wer" and b["versus"])
    assert wer["goal"] + 0.02 == pytest.approx(wer["first"]) and wer["first_met"] is True
    assert "not measured" in (tmp_path / "report.md").read_text(), "nobody told the time to the first sound"


def test_a_report_is_whole(score_set: Any, test_set: TestSet, judges: Judges, tmp_path: Path) -> None:
    items = score_set(tmp_path, NoisyTruth(0.01))
    write_report(tmp_path, {**HEADER, "measures": judges.describe()}, items)
    report = load_report(tmp_path)
    section = report["abilities"]["noise_suppression"]
    assert {"speechx", "no_processing", "ground_truth", "codec_round_trip"} <= set(section["systems"])
    si_sdr = section["systems"]["speechx"]["metrics"]["si_sdr"]
    assert si_sdr["low"] <= si_sdr["mean"] <= si_sdr["high"] and si_sdr["n"] == 2
    assert section["systems"]["speechx"]["metrics"]["rtf"]["mean"] == pytest.approx(0.1)
    assert {m["name"] for m in report["measures"]} >= {"parrot", "spectrum"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("<audio") == 3 * len(section["worst"]["speechx"]) and "data:image/png" in page
    assert 'src="http' not in page and "<script" not in page and "<svg" in page
    assert "ground truth" in page and HEADER["command"] in page


def test_old_reports_are_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema_version": 0}')
    with pytest.raises(InputError, match="has schema 0; this version reads 1"):
        load_report(tmp_path)
