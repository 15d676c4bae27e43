"""Clients that go away leave nothing running, over a real socket; streams begin before they are made."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

import httpx
import pytest

from speechx.serving.app import build_app
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import running, settings, until

WORK_SECONDS = 20


@pytest.fixture(scope="module")
def slow() -> FakeEngine:
    """Every request is WORK_SECONDS of work."""
    return FakeEngine(chunks=5 * WORK_SECONDS, delay=0.2)


@pytest.fixture(scope="module")
def app(slow: FakeEngine, tmp_path_factory: Any) -> Any:
    return build_app(slow, settings(at_once=220), VoiceStore(tmp_path_factory.mktemp("voices")))


@pytest.fixture(scope="module")
def address(app: Any) -> Iterator[str]:
    with running(app) as address:
        yield address


def ask(address: str, **fields: Any) -> socket.socket:
    """A request on its way, its answer unread."""
    place = urlparse(address)
    body = json.dumps({"text": "Hello there.", "voice": "heart", **fields}).encode()
    connection = socket.create_connection((place.hostname, place.port), timeout=10)
    head = f"POST /v1/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_the_first_chunk_is_early(address: str, slow: FakeEngine) -> None:
    before, started = len(slow.aborted), time.monotonic()
    body = {"text": "Hello there.", "voice": "heart", "stream": True}
    with httpx.stream("POST", f"{address}/v1/tts", json=body) as answer:
        first = next(answer.iter_raw())
        assert answer.status_code == 200 and first[:4] == b"RIFF"
        assert time.monotonic() - started < WORK_SECONDS / 2
    assert until(lambda: len(slow.aborted) == before + 1)


@pytest.mark.parametrize("stream", [True, False])
def test_two_hundred_disconnects(address: str, app: Any, slow: FakeEngine, stream: bool) -> None:
    limiter, before = app.state.service.limiter, len(slow.aborted)
    known = len(slow.jobs)
    connections = [ask(address, stream=stream) for _ in range(200)]
    assert until(lambda: limiter.under_way == 200 and len(slow.jobs) == known + 200, 20)
    if stream:
        assert connections[0].recv(12) == b"HTTP/1.1 200"
    refused = time.monotonic()
    more = [ask(address) for _ in range(30)]
    assert more[-1].recv(12) == b"HTTP/1.1 429" and time.monotonic() - refused < WORK_SECONDS / 2
    for connection in [*connections, *more]:
        connection.close()
    assert until(lambda: limiter.under_way == 0, 10), limiter.under_way
    assert until(lambda: len(slow.aborted) >= before + 200), len(slow.aborted) - before


def test_leaving_during_the_upload(address: str, app: Any) -> None:
    place = urlparse(address)
    connection = socket.create_connection((place.hostname, place.port))
    connection.sendall(
        b"POST /v1/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    bodies = app.state.service.bodies
    assert until(lambda: bodies.reading == 1 and bodies.bytes == 1)
    assert app.state.service.limiter.under_way == 0, "a place is taken when the body is there"
    connection.close()
    assert until(lambda: bodies.reading == 0)
    assert bodies.bytes == 0
    assert httpx.get(f"{address}/healthz").status_code == 200
