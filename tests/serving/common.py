"""Servers over an engine that gives a tone."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    """Sound files are read in this process, and nothing is logged."""
    return Settings(limits=Limits(**{"decoders": 0, **limits}), log_requests=False)


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
