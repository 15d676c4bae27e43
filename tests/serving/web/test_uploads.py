"""Sound that is sent once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from speechx.errors import InputError
from speechx.serving.errors import ApiError
from speechx.serving.web.uploads import KEPT_SECONDS, Uploads
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import Make

SOUND = np.linspace(-0.5, 0.5, 16000, dtype=np.float32), 16000


def test_once_for_several_requests(client: TestClient, engine: FakeEngine, noisy: bytes) -> None:
    told = client.post("/v1/uploads", files={"audio": noisy})
    assert told.status_code == 201 and told.json()["sample_rate"] == 16000, told.text
    name = told.json()["id"]
    for task in ("noise-suppression", "speech-removal"):
        assert client.post(f"/v1/{task}", json={"audio": name}).status_code == 200
    both = client.post("/v1/target-speaker-extraction", data={"audio": name, "enrollment": name})
    assert both.status_code == 200
    one, two, three = (job.request.audio[0] for job in engine.jobs)  # type: ignore[attr-defined]
    assert len(one) > 60_000 and np.array_equal(one, two) and np.array_equal(two, three)


def test_refusals(make: Make, noisy: bytes) -> None:
    client = make(voice_seconds=2)
    unknown = client.post("/v1/speech-removal", json={"audio": "upload-" + "0" * 32})
    assert unknown.status_code == 422 and unknown.json()["error"]["field"] == "audio"
    assert client.post("/v1/uploads", files={"sound": noisy}).json()["error"]["field"] == "sound"
    assert client.post("/v1/uploads", json={}).json()["error"]["field"] == "audio"
    assert client.post("/v1/uploads", files={"audio": b"text"}).status_code == 422
    name = client.post("/v1/uploads", files={"audio": noisy}).json()["id"]
    long = client.post("/v1/tts", json={"text": "Hello.", "voice": name})
    assert long.status_code == 422 and long.json()["error"]["limit"] == 2


@pytest.mark.parametrize("remote", [False, True])
def test_the_store(tmp_path: Path, remote: bool) -> None:
    uploads = Uploads("memory://speechx-uploads" if remote else str(tmp_path), 200_000)
    name = uploads.put(SOUND)
    wav_T, rate = uploads.get(name, "audio")
    assert rate == 16000 and np.array_equal(wav_T, SOUND[0])
    for _ in range(2):
        uploads.put(SOUND)
    with pytest.raises(ApiError, match="no room"):
        uploads.put(SOUND)
    with pytest.raises(InputError, match="no upload"):
        uploads.get("upload-" + "1" * 32, "audio")


def test_old_ones_go(tmp_path: Path) -> None:
    uploads = Uploads(str(tmp_path), 100_000)
    old: Any = tmp_path / uploads.put(SOUND)
    past = old.stat().st_mtime - KEPT_SECONDS - 10
    os.utime(old, (past, past))
    uploads.put(SOUND)
    assert not old.exists()
