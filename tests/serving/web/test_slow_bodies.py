"""Bodies that arrive slowly, in masses or without end hold no place of the engine, and little memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from speechx.serving.app import build_app
from speechx.serving.web.body import network
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import SlowClient, running, settings, until

TTS = {"text": "Hello there.", "voice": "heart"}


@contextmanager
def server(folder: Any, **limits: Any) -> Iterator[tuple[str, Any]]:
    """The address of a server with two places, and its state."""
    app = build_app(FakeEngine(), settings(**{"at_once": 2, **limits}), VoiceStore(folder))
    with running(app) as address:
        yield address, app.state.service


def test_they_lock_nobody_out(tmp_path: Any) -> None:
    with server(tmp_path, body_grace_seconds=1.0, body_rate=100) as (address, service):
        slow = [SlowClient(address) for _ in range(16)]
        assert until(lambda: service.bodies.reading == 16)
        assert httpx.post(f"{address}/v1/tts", json=TTS).status_code == 200
        assert service.limiter.under_way == 0 and service.bodies.reading == 16
        assert httpx.get(f"{address}/readyz").json()["under_way"] == 0
        for client in slow:
            status, error = client.answer()
            assert (
                status == 408
                and error["limit"] == 100
                and "less than 100 bytes per second" in error["message"]
            )
            assert client.connection.recv(1) == b"", "the connection is closed"
            client.close()
        assert service.bodies.reading == service.bodies.bytes == 0


def test_a_steady_body_may_take_its_time(tmp_path: Any) -> None:
    body = json.dumps(TTS | {"text": "Hello there. " * 20}).encode()
    with (
        server(tmp_path, body_grace_seconds=0.3, body_rate=200) as (address, _),
        closing(SlowClient(address, len(body))) as client,
    ):
        done = threading.Event()
        for at in range(1, len(body), 60):
            client.send(body[at : at + 60])
            done.wait(0.1)  # 600 bytes per second
        assert client.connection.recv(12) == b"HTTP/1.1 200"


def test_so_many_at_once(tmp_path: Any) -> None:
    with server(tmp_path, bodies_at_once=5, bodies_per_address=3) as (address, service):
        slow = [SlowClient(address) for _ in range(3)]
        assert until(lambda: service.bodies.reading == 3)
        refused = httpx.post(f"{address}/v1/tts", json=TTS)
        assert refused.status_code == 429 and refused.json()["error"]["limit"] == 3
        assert (
            refused.json()["error"]["code"] == "too_many_bodies" and int(refused.headers["Retry-After"]) > 0
        )
        slow.pop().close()
        assert until(lambda: service.bodies.reading == 2)
        assert httpx.post(f"{address}/v1/tts", json=TTS).status_code == 200
        service.bodies._reading_of["2.2.2.2"] += 3
        service.bodies.reading += 3
        assert "the server" in httpx.post(f"{address}/v1/tts", json=TTS).json()["error"]["message"]
        for client in slow:
            client.close()


def test_their_memory_is_bounded(tmp_path: Any) -> None:
    with server(tmp_path, bodies_bytes=100_000) as (address, service):
        first = SlowClient(address, 90_000)
        first.send(b" " * 80_000)
        assert until(lambda: service.bodies.bytes > 80_000)
        with closing(SlowClient(address, 50_000)) as second:
            second.send(b" " * 40_000)
            status, error = second.answer()
        assert status == 429 and error["limit"] == 100_000 and "100,000 bytes" in error["message"]
        first.close()
        assert until(lambda: service.bodies.bytes == 0)


def test_a_body_without_end(tmp_path: Any) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    with server(tmp_path, upload_bytes=1 << 20) as (address, service):
        headers = {"Content-Type": "application/json"}
        try:
            answer = httpx.post(f"{address}/v1/tts", content=endless(), headers=headers)
            assert answer.status_code == 413
        except httpx.TransportError:  # closed before httpx had read the answer
            pass
        assert sent < 16 << 20 and until(lambda: service.bodies.reading == 0)


@pytest.mark.parametrize(
    ("address", "one"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
    ],
)
def test_whose_address_it_is(address: str, one: str) -> None:
    assert network(address) == one
