"""The Grafana dashboard is what the script writes, and a Prometheus that scrapes a server answers every panel."""

from __future__ import annotations

import importlib.util
import inspect
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
import yaml
from prometheus_client.parser import text_string_to_metric_families

from speechx.serving.app import build_app
from speechx.serving.cli import serve
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


CONFIG = (ROOT / "deploy" / "prometheus.yml").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server that answers six requests a minute and refuses the others."""
    app = build_app(EngineWithStatus(), settings(per_key_per_minute=6), VoiceStore(tmp_path / "voices"))
    with running(app) as address:
        yield address


def ask_for_speech(address: str) -> None:
    for _ in range(8):
        httpx.post(f"{address}/v1/tts", json=TTS, timeout=10)


def happens(query: str) -> bool:
    """Whether a server that answers and refuses has such series: nothing failed, nobody hung up."""
    return "aborted" not in query and "5.." not in query


def matches(query: str, name: str, labels: dict[str, str]) -> bool:
    """Whether a series has the labels by which a query selects series of this name and groups them."""
    grouped = {label.strip() for group in re.findall(r"by \((.*?)\)", query) for label in group.split(",")}
    (selector,) = set(re.findall(rf"{name}\{{(.*?)\}}", query))
    exact = dict(re.findall(r'(\w+)="(.*?)"', selector))
    named = {*re.findall(r"(\w+)=~", selector), *grouped, *exact}
    return named - {"job"} <= labels.keys() and exact.items() <= labels.items()


def test_a_scrape_has_the_series_of_the_queries(server: str) -> None:
    """At the address that deploy/prometheus.yml names. `job` is a label that Prometheus adds."""
    ask_for_speech(server)
    (scraped,) = yaml.safe_load(CONFIG)["scrape_configs"]
    assert scraped.keys() == {"job_name", "static_configs"}, "defaults: http and /metrics"
    port = inspect.signature(serve).parameters["port"].default
    assert scraped["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]
    families = text_string_to_metric_families(httpx.get(f"{server}/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    for query in filter(happens, QUERIES):
        for name in set(re.findall(r"speechx_\w+", query)):
            found = [sample for sample in samples if sample.name == name]
            assert any(matches(query, name, sample.labels) for sample in found), query


def test_a_label_that_no_series_has() -> None:
    labels = {"task": "tts", "what": "slots"}
    assert matches('sum by (task) (speechx_engine{job=~"$job", what="slots"})', "speechx_engine", labels)
    assert not matches('sum by (voice) (speechx_engine{what="slots"})', "speechx_engine", labels)
    assert not matches('sum(speechx_engine{what="waiting"})', "speechx_engine", labels)
    assert not matches('sum(speechx_engine{model=~"a.*"})', "speechx_engine", labels)


@pytest.fixture
def prometheus(tmp_path: Path, server: str) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes a server, which has answered and refused requests, every second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip(
            "no prometheus here (Debian: apt-get install prometheus), so no query was run; the series were looked for"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    config = CONFIG.replace("127.0.0.1:8000", urlparse(server).netloc).replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(config)
    words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    process = subprocess.Popen([program, *words, f"--web.listen-address={listen}"], stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://{listen}", timeout=10) as client:
            assert until(lambda: _scraped(client), 60)
            ask_for_speech(server)
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
    for query in filter(happens, QUERIES):
        plain = query.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$task", ".*")
        if not until(lambda plain=plain: ask(prometheus, plain), 60):
            silent.append(QUERIES[query])
    assert silent == []
