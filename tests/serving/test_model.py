"""The app over a real engine with a tiny model: every ability, determinism, full rooms, and nothing left behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from speechx.audio import writing
from speechx.cli.samples import Sample, sample_requests
from speechx.pipeline.job import Job
from speechx.serving.app import build_app
from speechx.serving.cluster.replica import ReplicaOptions, ServedEngine, make_served_engine
from speechx.serving.errors import ApiError
from speechx.task import registry
from tests.serving.common import running, settings, until

LONG = " ".join(["The water is cold today and nobody wants to swim in it."] * 4)


@pytest.fixture(scope="module")
def engine(tiny_folder: Path, tmp_path_factory: Any) -> Iterator[ServedEngine]:
    voices = str(tmp_path_factory.mktemp("voices"))
    made = make_served_engine(ReplicaOptions(model=str(tiny_folder), slots=4, waiting=4, voices=voices))
    made.pipeline.frontend.max_phone_errors = float("inf")  # a model that has learned nothing hears nothing
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(engine: ServedEngine) -> Iterator[str]:
    with running(build_app(engine, settings(at_once=64))) as address:
        yield address


def plain(sample: Sample) -> dict[str, Any]:
    """A sample request as JSON."""
    fields = dict(sample.fields)
    for name in registry.audio_fields(registry.task(sample.task)):
        if isinstance(fields.get(name), Path):
            fields[name] = base64.b64encode(fields[name].read_bytes()).decode()
    return fields


@pytest.mark.parametrize("sample", sample_requests(), ids=lambda s: s.title)
def test_every_ability(address: str, sample: Sample) -> None:
    path = f"{address}/v1/{sample.task.replace('_', '-')}"
    whole = httpx.post(path, json={**plain(sample), "format": "pcm"}, timeout=60)
    assert whole.status_code == 200, whole.text
    assert len(whole.content) > 8000 and len(whole.headers["X-SpeechX-Model"]) == 16
    parts = 0
    with httpx.stream(
        "POST", path, json={**plain(sample), "format": "pcm", "stream": True}, timeout=60
    ) as answer:
        length = 0
        for part in answer.iter_raw():
            parts, length = parts + 1, length + len(part)
    assert parts > 1 and length == len(whole.content)


def test_the_same_seed_whatever_else_is_in_the_batch(address: str) -> None:
    def ask(seed: int) -> bytes:
        body = {"text": "The boat leaves at seven.", "voice": "heart", "seed": seed, "format": "pcm"}
        return httpx.post(f"{address}/v1/tts", json=body, timeout=60).content

    alone = ask(5)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(ask, [5, 6, 5, 7]))
    assert together[0] == together[2] == alone != together[1]


def test_what_the_task_refuses(address: str) -> None:
    silence = writing.encode(np.zeros(16000, np.float32), 16000, "wav")
    answer = httpx.post(f"{address}/v1/noise-suppression", files={"audio": silence}, timeout=30)
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "audio"


def test_disconnects_leave_nothing(address: str, engine: ServedEngine) -> None:
    def leave(number: int) -> None:
        body = {"text": LONG, "voice": "heart", "stream": number % 2 == 0, "seed": number}
        with contextlib.suppress(httpx.TimeoutException):
            httpx.post(f"{address}/v1/tts", json=body, timeout=0.1 + 0.05 * (number % 5))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(leave, range(60)))
    runner = engine.pipeline.runner
    assert until(lambda: engine.jobs == 0 and engine.active == 0 and not runner.has_work, 20)
    assert not runner.engine.has_work and not runner._candidates and not runner.engine._sequences
    assert (
        httpx.get(f"{address}/readyz").json() | {"active": 0, "waiting": 0, "under_way": 0}
        == httpx.get(f"{address}/readyz").json()
    )


def test_the_waiting_room(engine: ServedEngine) -> None:
    def job() -> Job:
        return Job("tts", registry.parse_request("tts", {"text": LONG, "voice": "heart", "stream": True}))

    async def crowd() -> list[str]:
        async def first(number: int) -> str:
            stream = engine.stream(job())
            try:
                await anext(stream)
                await asyncio.sleep(0.2)
                return "served"
            except ApiError as error:
                assert error.status == 429 and error.limit == 8
                return "refused"
            finally:
                await stream.aclose()

        return await asyncio.gather(*map(first, range(12)))

    answers = asyncio.run(crowd())
    assert answers.count("refused") == 4 and answers.count("served") == 8


def test_deadline_frees_the_slot(address: str, engine: ServedEngine) -> None:
    body = {"text": " ".join([LONG] * 80), "voice": "heart"}  # minutes of speech, whatever the machine
    answer = httpx.post(f"{address}/v1/tts", json=body, headers={"X-SpeechX-Timeout": "0.3"}, timeout=30)
    assert answer.status_code == 504
    assert until(lambda: engine.jobs == 0 and not engine.pipeline.runner.has_work)


def test_heartbeat(engine: ServedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.alive()
    monkeypatch.setattr("speechx.serving.cluster.replica.HEARTBEAT_SECONDS", 0.2)
    released = []

    def block() -> None:
        until(lambda: released, 5)

    engine._order(block)
    assert until(lambda: not engine.alive())
    with pytest.raises(ApiError):
        asyncio.run(engine.status())
    released.append(True)
    assert until(engine.alive)
    time.sleep(0.3)
    assert engine.alive(), "an idle engine that nobody asked is well"
