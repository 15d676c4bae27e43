"""The bench."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from speechx.api import SpeechX
from speechx.cli.bench import measure
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


def test_a_bench_beside_busy_programs(
    sx: SpeechX, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs: list[subprocess.Popen[bytes]] = []
    alive: list[int] = []
    popen = subprocess.Popen

    def started(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        programs.append(popen(*args, **options))
        return programs[-1]

    def measured(*args: Any) -> dict[str, Any]:
        alive.append(sum(program.poll() is None for program in programs))
        return measure(*args)

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr("speechx.cli.bench.measure", measured)
    assert main(["bench", "--repeat", "1", "--concurrency", "1", "--busy", "2"]) == 0
    assert alive == [2] * 7, "they run beside every measurement"
    assert all(program.poll() is not None for program in programs), "and not after the last one"
    assert "beside 2 busy programs" in capsys.readouterr().out


def test_a_bench_of_another_package(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    points = EntryPoints(
        EntryPoint(name, value, "speechx.commands")
        for name, value in {"bench": "speechx.cli.bench:app", "bench-mine": "speechx.cli.tasks:tasks"}.items()
    )
    monkeypatch.setattr("speechx.cli.main.entry_points", lambda **by: points.select(**by))
    assert main(["bench", "mine"]) == 0
    assert "noise-suppression" in capsys.readouterr().out
