"""The demo page, the bench, the plots."""

from __future__ import annotations

import json
import re
import struct
import zlib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.api import SpeechX
from speechx.audio import plots
from speechx.cli.main import main
from speechx.cli.samples import sample_requests
from speechx.task import registry


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    return loaded


def test_samples_show_every_task() -> None:
    samples = sample_requests()
    assert len(samples) == 7 and {s.task for s in samples} == set(registry.task_names())
    for sample in samples:
        registry.parse_request(sample.task, sample.fields)
        assert sample.before.is_file()


def test_demo(sx: SpeechX, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "-o", str(out)]) == 0
    page = (out / "index.html").read_text()
    players = re.findall(r'<audio[^>]* src="([^"]+)"', page)
    assert len(players) == 14 and all((out / name).is_file() for name in players)
    assert page.count("data:image/png;base64,") == 14 and page.count("<svg") == 14
    assert "7/7" in capsys.readouterr().err
    assert main(["demo", "-o", str(out)]) == 0  # again, over the old one
    assert not list(out.glob("*.tmp"))


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


def test_png_can_be_read_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = plots.png(pixels)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (7, 5)
    start = data.index(b"IDAT")
    (size,) = struct.unpack(">I", data[start - 4 : start])
    rows = np.frombuffer(zlib.decompress(data[start + 4 : start + 4 + size]), np.uint8).reshape(5, 22)
    assert not rows[:, 0].any() and np.array_equal(rows[:, 1:].reshape(5, 7, 3), pixels)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_is_where_it_should_be(rate: int) -> None:
    tone_T = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    mel_SM = plots.log_mel(tone_T, rate)
    band = int(mel_SM.mean(0).argmax())
    top = 2595 * np.log10(1 + min(8000, rate / 2) / 700)
    assert band == pytest.approx(2595 * np.log10(1 + 1000 / 700) / top * 81 - 1, abs=2)
    assert plots.mel_png(tone_T, rate).startswith(b"\x89PNG")
    assert "<path" in plots.waveform_svg(tone_T)
