"""The bench."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from speechx.api import SpeechX
from speechx.cli.main import main


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    return loaded


def test_bench(sx: SpeechX, capsys: Any) -> None:
    assert main(["bench", "--repeat", "1", "--concurrency", "1,2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["tasks"]) == 7 and all(row["rtf"] > 0 for row in report["tasks"])
    assert [row["requests"] for row in report["throughput"]] == [1, 2]
    assert report["peak_memory_mb"] > 50 and report["codec_times_real_time"] > 0
    assert main(["bench", "--concurrency", "0"]) == 2


def test_a_bench_of_another_package(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    points = EntryPoints(
        EntryPoint(name, value, "speechx.commands")
        for name, value in {"bench": "speechx.cli.bench:app", "bench-mine": "speechx.cli.tasks:tasks"}.items()
    )
    monkeypatch.setattr("speechx.cli.main.entry_points", lambda **by: points.select(**by))
    assert main(["bench", "mine"]) == 0
    assert "noise-suppression" in capsys.readouterr().out
