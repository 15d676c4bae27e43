"""The Grafana dashboard is what the script writes, and a Prometheus that scrapes a server answers every panel."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from speechx.serving.app import build_app
from speechx.serving.metrics import Metrics
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.house.test_layout import ROOT
from tests.serving.common import running, settings, until

TTS = {"text": "Hello.", "voice": "heart"}


class EngineWithStatus(FakeEngine):
    async def status(self) -> dict[str, Any]:
        return {"model": "fake", "slots": 8, "active": 3, "waiting": 1}


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_dashboard", ROOT / "scripts" / "make_dashboard.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    sys.modules["make_dashboard"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "speechx.json").read_text())
QUERIES = {t["expr"]: panel["title"] for panel in DASHBOARD["panels"] for t in panel["targets"]}


def exposed() -> set[str]:
    """All series names that a server exposes; labelled ones only have a family before they are used."""
    names = set()
    for family in text_string_to_metric_families(Metrics().text().decode()):
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + ending for ending in endings}
    return names


def test_the_file_is_current() -> None:
    made = script()
    assert made.PATH.read_text() == made.text(), "run `python scripts/make_dashboard.py`"


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_metrics_that_exist(query: str) -> None:
    named = set(re.findall(r"speechx_\w+", query))
    assert named and named <= exposed()


def test_the_panels_that_operators_need_are_there() -> None:
    assert {"First audio", "RTF", "Slots", "Queue", "Rejections"} <= set(QUERIES.values())
    (rejections,) = [query for query, title in QUERIES.items() if title == "Rejections"]
    assert "task" in rejections


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes a server, which has answered and refused requests, every second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    app = build_app(EngineWithStatus(), settings(per_key_per_minute=6), VoiceStore(tmp_path / "voices"))
    with running(app) as address, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        config = (ROOT / "deploy" / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:8000", urlparse(address).netloc).replace("15s", "1s")
        (tmp_path / "prometheus.yml").write_text(config)
        words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        process = subprocess.Popen(
            [program, *words, f"--web.listen-address={listen}"], stderr=subprocess.DEVNULL
        )
        try:
            with httpx.Client(base_url=f"http://{listen}", timeout=10) as client:
                assert until(lambda: _scraped(client), 60)
                for _ in range(8):
                    httpx.post(f"{address}/v1/tts", json=TTS, timeout=10)
                yield client
        finally:
            process.terminate()
            process.wait(60)


def _scraped(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200 and bool(ask(client, "up == 1"))
    except httpx.HTTPError:
        return False


def ask(client: httpx.Client, query: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["result"])


@pytest.mark.slow
def test_a_real_prometheus_answers_every_panel(prometheus: httpx.Client) -> None:
    silent = []
    for query, title in QUERIES.items():
        plain = query.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$task", ".*")
        if "aborted" in plain or "5.." in plain:
            continue  # nothing of the kind has happened
        if not until(lambda plain=plain: ask(prometheus, plain), 60):
            silent.append(title)
    assert silent == []
