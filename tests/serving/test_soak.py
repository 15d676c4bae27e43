"""The soak script: random arrivals at a given rate, and the slope of the memory."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

from speechx.serving import load_test
from speechx.serving.app import build_app
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import running, settings

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "soak.py"


@pytest.fixture(scope="module")
def soak() -> Any:
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_arrivals(soak: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "SAMPLE_SECONDS", 0.2)
    requests = load_test.request_bodies("tts")["tts"]
    with running(build_app(FakeEngine(), settings(at_once=64))) as address:
        stats, memory = soak.arrivals(address, requests, rate=20, seconds=2, process=os.getpid())
    assert 10 < len(stats.first) < 80 and not stats.errors
    assert memory and memory[0][1] > 50


def test_slope(soak: Any) -> None:
    start_up = [(float(second), 500.0 + second) for second in range(0, 1800, 10)]
    steady = [(float(second), 2300.0 + 6 * second / 3600) for second in range(1800, 3600, 10)]
    assert soak.slope([*start_up, *steady]) == pytest.approx(6)
