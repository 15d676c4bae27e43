"""Enrolling over HTTP."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
import soundfile
from fastapi.testclient import TestClient

from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import Make


@pytest.fixture
def recording(speech: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, speech(4), 16000, format="WAV")
    return file.getvalue()


def test_a_voice_from_enrolling_to_forgetting(make: Make, engine: FakeEngine, recording: bytes) -> None:
    client = make()
    told = client.post("/v1/voices", files={"audio": recording}, data={"name": "Anna B.", "consent": "true"})
    assert told.status_code == 201, told.text
    assert told.json() | {"id": "anna-b", "seconds": 4.0, "builtin": False} == told.json()
    assert make().get("/v1/voices/anna-b").json()["name"] == "Anna B.", "it survives a restart"
    ids = [voice["id"] for voice in client.get("/v1/voices").json()["voices"]]
    assert "heart" in ids and "anna-b" in ids
    assert client.post("/v1/tts", json={"text": "Hello.", "voice": "anna-b"}).status_code == 200
    assert engine.jobs[0].request.voice == "anna-b"  # type: ignore[attr-defined]
    assert client.delete("/v1/voices/anna-b").status_code == 204
    assert client.get("/v1/voices/anna-b").status_code == 404
    assert client.delete("/v1/voices/anna-b").status_code == 404
    assert client.post("/v1/tts", json={"text": "Hello.", "voice": "anna-b"}).status_code == 422


def test_a_recording_without_speech(make: Make, engine: Any, recording: bytes) -> None:
    """The engine's model looks into it; without an answer the voice is kept, and the answer says so."""
    warnings: list[str | None] = ["hardly any speech was found in voice", None]

    async def voice_warning(sound: tuple[Any, int]) -> str | None:
        assert len(sound[0]) == 4 * sound[1]
        return warnings.pop(0)

    engine.voice_warning, client = voice_warning, make()
    for name, told in (("a", "hardly any speech"), ("b", None), ("c", "not checked for speech")):
        answer = client.post("/v1/voices", files={"audio": recording}, data={"name": name, "consent": "true"})
        assert answer.status_code == 201 and (told is None) == ("warning" not in answer.json())
        assert (told or "") in answer.json().get("warning", "")


def test_json(client: TestClient, recording: bytes) -> None:
    body = {
        "audio": base64.b64encode(recording).decode(),
        "name": "Ben",
        "id": "b1",
        "language": "de",
        "consent": True,
    }
    assert client.post("/v1/voices", json=body).json()["language"] == "de"
    body |= {"id": "swiss", "language": "de-CH"}
    assert client.post("/v1/voices", json=body).json()["language"] == "de", "as in requests"
    again = client.post("/v1/voices", json=body)
    assert again.status_code == 409 and again.json()["error"]["field"] == "id"


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"consent": "false"}, 422, "consent"),
        ({"consent": None}, 422, "consent"),
        ({"name": None}, 422, "name"),
        ({"name": "x" * 300}, 422, "name"),
        ({"name": "???"}, 422, "id"),
        ({"id": "../up"}, 422, "id"),
        ({"id": "heart"}, 409, "id"),
        ({"language": "xx"}, 422, "language"),
        ({"color": "red"}, 422, "color"),
    ],
)
def test_refusals(
    client: TestClient, recording: bytes, change: dict[str, Any], status: int, field: str
) -> None:
    data = {k: v for k, v in ({"name": "Anna", "consent": "true"} | change).items() if v is not None}
    answer = client.post("/v1/voices", files={"audio": recording}, data=data)
    assert answer.status_code == status and answer.json()["error"]["field"] == field, answer.text


@pytest.mark.parametrize("seconds", [1.0, 31.0])
def test_length(client: TestClient, speech: Any, seconds: float) -> None:
    file = io.BytesIO()
    soundfile.write(file, speech(seconds), 16000, format="WAV")
    answer = client.post(
        "/v1/voices", files={"audio": file.getvalue()}, data={"name": "a", "consent": "true"}
    )
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "audio", answer.text


def test_not_sound(client: TestClient) -> None:
    answer = client.post("/v1/voices", files={"audio": b"text"}, data={"name": "a", "consent": "true"})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "audio"


def test_built_in_voices_stay(client: TestClient) -> None:
    assert client.get("/v1/voices/heart").json()["builtin"] is True
    assert client.delete("/v1/voices/heart").status_code == 403
