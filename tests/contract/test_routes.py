"""Every task has its route, made from its request; a new task gets one without a word in serving/."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
import soundfile

pytest.importorskip("fastapi", reason="needs the extra `serve`")
pytest.importorskip("httpx", reason="needs the extra `dev`")

from fastapi.testclient import TestClient

from speechx.serving.app import build_app
from speechx.serving.settings import Limits, Settings
from speechx.task import registry
from tests.contract.test_tasks import NAMES, minimal, toy
from tests.helpers.fake_engine import FakeEngine

__all__ = ["toy"]  # a fixture


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(engine: FakeEngine) -> TestClient:
    return TestClient(build_app(engine, Settings(limits=Limits(decoders=0), log_requests=False, page=False)))


@pytest.fixture
def recording(speech: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, speech(3), 16000, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_route(name: str, client: TestClient, engine: FakeEngine, recording: bytes) -> None:
    path, fields = f"/v1/{name.replace('_', '-')}", minimal(name, recording)
    plain = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in fields.items()}
    answer = client.post(path, json=plain)
    assert answer.status_code == 200 and answer.content[:4] == b"RIFF", answer.text
    files = {k: v for k, v in fields.items() if isinstance(v, bytes)}
    data = {k: v for k, v in fields.items() if k not in files}
    streamed = client.post(path, files=files, data={**data, "stream": "true"} if files else None,
                           json=None if files else {**data, "stream": True})  # fmt: skip
    assert streamed.status_code == 200, streamed.text
    assert [job.task for job in engine.jobs] == [name, name]
    assert isinstance(engine.jobs[0].request, registry.task(name).Request)

    described = client.get("/openapi.json").json()["paths"][path]["post"]
    assert described["summary"] == registry.task(name).summary
    content = described["requestBody"]["content"]
    for kind in ("multipart/form-data", "application/json"):
        assert set(content[kind]["schema"]["properties"]) == set(registry.task(name).Request.model_fields)
    assert name in [task["name"] for task in client.get("/v1/tasks").json()["tasks"]]


@pytest.mark.usefixtures("toy")
def test_a_new_task_has_a_route(recording: bytes, tmp_path: Path) -> None:
    client = TestClient(
        build_app(FakeEngine(), Settings(limits=Limits(decoders=0), log_requests=False, page=False))
    )
    assert client.post("/v1/backwards", files={"audio": recording}).status_code == 200
