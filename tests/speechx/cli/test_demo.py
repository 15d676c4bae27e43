"""The demo page and its sample recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from speechx.api import SpeechX
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
