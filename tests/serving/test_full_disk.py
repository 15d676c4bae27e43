"""A full disk costs what must be stored, and nothing else."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("speechx.files.os.fsync", no_room)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", no_room)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("route", ["uploads", "voices"])
def test_what_must_be_stored_is_refused(client: TestClient, noisy: bytes, tmp_path: Path, route: str) -> None:
    more = {"name": "anna", "consent": "true"} if route == "voices" else {}
    answer = client.post(f"/v1/{route}", files={"audio": noisy}, data=more)
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "disk_full", answer.text
    assert str(tmp_path) not in answer.text and int(answer.headers["Retry-After"]) > 0
    left = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not left, "no half-written file"


@pytest.mark.usefixtures("full")
def test_other_requests_go_on(client: TestClient, noisy: bytes) -> None:
    assert client.post("/v1/tts", json={"text": "Hello there.", "voice": "heart"}).status_code == 200
    long = noisy + b"\0" * (3 << 20)  # a form keeps no file on the disk
    assert client.post("/v1/noise-suppression", files={"audio": long}).status_code == 200
