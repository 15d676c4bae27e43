"""Servers over an engine that gives a tone."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from fastapi.testclient import TestClient

from speechx.serving.app import build_app
from speechx.serving.cluster import local  # before ray, whichever test imports that first
from speechx.serving.settings import Limits, Settings
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine

SAMPLES = Path(__file__).resolve().parents[2] / "speechx" / "assets" / "samples"
assert local
Make = Callable[..., TestClient]


def settings(**limits: Any) -> Settings:
    """Sound files are read in this process, nothing is logged, and there is no page."""
    return Settings(limits=Limits(**{"decoders": 0, **limits}), log_requests=False, page=False)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def make(engine: FakeEngine, tmp_path: Path) -> Iterator[Make]:
    """make(**limits) or make(settings=...): a client of a server over `engine`."""
    clients = []

    def start(settings: Settings | None = None, engine: Any = engine, **limits: Any) -> TestClient:
        made = settings or globals()["settings"](**limits)
        app = build_app(engine, made, VoiceStore(tmp_path / "voices"))
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make: Make) -> TestClient:
    return make()


@pytest.fixture(scope="session")
def noisy() -> bytes:
    """A recording of 4.9 s at 16 kHz."""
    return (SAMPLES / "noisy.flac").read_bytes()


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The app behind a real socket of this process: its address."""
    import uvicorn

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def until(true: Callable[[], Any], seconds: float = 5.0) -> bool:
    """Waits for it to come true."""
    over = time.monotonic() + seconds
    while not true() and time.monotonic() < over:
        time.sleep(0.01)
    return bool(true())


class SlowClient:
    """A request whose body comes in as its owner wants: at first one byte of `length`."""

    def __init__(self, address: str, length: int = 1000) -> None:
        place = urlparse(address)
        self.connection = socket.create_connection((place.hostname, place.port), timeout=10)
        head = f"POST /v1/tts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{"
        self.connection.sendall(head.encode())

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self) -> tuple[int, Any]:
        """Status and error; the server has closed the connection where it waits for no more of the body."""
        response = b""
        while data := self.connection.recv(65536):
            response += data
            if response.endswith(b"}}"):
                break
        head, _, body = response.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["error"]

    def close(self) -> None:
        self.connection.close()
