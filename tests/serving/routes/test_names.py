"""Voices by name and sounds as text: what clients send in an audio field of a JSON body."""

from __future__ import annotations

import base64
import textwrap
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from speechx.serving.web.base64_audio import from_base64
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import SAMPLES

SOUND = (SAMPLES / "enrollment.flac").read_bytes()
TEXT = base64.b64encode(SOUND).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "\n".join(textwrap.wrap(TEXT, 76)) + "\n",  # as the program base64 writes it
        "\r\n".join(textwrap.wrap(TEXT, 64)),
        base64.urlsafe_b64encode(SOUND).decode(),
        TEXT.rstrip("="),
        base64.urlsafe_b64encode(SOUND).decode().rstrip("="),
        f"data:audio/flac;base64,{TEXT}",
        f"DATA:audio/flac;codecs=flac;BASE64,{TEXT}",
        f"data:audio/flac;base64,{quote(TEXT)}",
        f"data:audio/flac,{quote(SOUND)}",
    ],
    ids=[
        "plain",
        "wrapped",
        "crlf",
        "url-safe",
        "unpadded",
        "both",
        "data",
        "data-upper",
        "data-quoted",
        "data-percent",
    ],
)
def test_base64_in_every_way_it_is_written(client: TestClient, engine: FakeEngine, text: str) -> None:
    for route, fields in (
        ("/v1/tts", {"text": "Hi.", "voice": text}),
        ("/v1/noise-suppression", {"audio": text}),
    ):
        answer = client.post(route, json=fields)
        assert answer.status_code == 200, answer.text
    assert [len(job.request.voice[0]) for job in engine.jobs[:1]] == [74239]  # type: ignore[attr-defined]


@pytest.mark.parametrize("length", [300, 301, 302])
def test_padding_of_every_length(length: int) -> None:
    data = bytes(range(256)) * 2
    text = base64.b64encode(data[:length]).decode()
    assert from_base64(text.rstrip("="), "audio") == from_base64(text, "audio") == data[:length]


@pytest.mark.parametrize(
    "text", ["!" * 300, "data:audio/wav;base64," + "?" * 300, "ab" * 150 + "c", "data:audio/wav"]
)
def test_no_base64(client: TestClient, text: str) -> None:
    answer = client.post("/v1/tts", json={"text": "Hi.", "voice": text})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "voice", answer.text


@pytest.mark.parametrize("disposition", ['name="audio"', "name=\"audio\"; filename*=UTF-8''R%C3%BA.flac"])
def test_a_file_without_a_file_name(client: TestClient, noisy: bytes, disposition: str) -> None:
    """As clients send bytes without a name: Starlette takes such a part of a form for a text."""
    head = f"--B\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
    answer = client.post(
        "/v1/speech-removal",
        content=head + noisy + b"\r\n--B--\r\n",
        headers={"content-type": "multipart/form-data; boundary=B"},
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["heart", "Heart", "HEART", " heart "])
@pytest.mark.parametrize("route", ["/v1/tts", "/v1/audio/speech"])
def test_names_are_compared_without_case(
    client: TestClient, engine: FakeEngine, route: str, name: str
) -> None:
    fields = {"text": "Hi."} if route == "/v1/tts" else {"model": "tts-1", "input": "Hi."}
    assert client.post(route, json={**fields, "voice": name}).status_code == 200
    request: Any = engine.jobs[0].request
    assert request.voice == "heart"
    assert client.get(f"/v1/voices/{name.strip()}").json()["id"] == "heart"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Hearts", "voice 'Hearts' is not a known voice; GET /v1/voices lists them; did you mean 'heart'?"),
        ("en_US-amy-medium", "voice 'en_US-amy-medium' is not a known voice; GET /v1/voices lists them"),
        ("abcd", "voice 'abcd' is not a known voice; GET /v1/voices lists them"),
        ("af_bella+af_sky", "is not a known voice"),
        ("enrollment.flac", "voice 'enrollment.flac' is a file name: send the file itself"),
        ("/etc/passwd", "voice '/etc/passwd' is a file name"),
        (r"C:\voices\me", "is a file name"),
        ("", "voice '' is not a known voice"),
    ],
)
@pytest.mark.parametrize("route", ["/v1/tts", "/v1/audio/speech"])
def test_a_short_text_is_a_name(client: TestClient, route: str, name: str, says: str) -> None:
    fields = {"text": "Hi."} if route == "/v1/tts" else {"model": "tts-1", "input": "Hi."}
    answer = client.post(route, json={**fields, "voice": name})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == "voice"
    assert says in answer.json()["error"]["message"]


def test_a_name_where_a_sound_must_stand(client: TestClient) -> None:
    answer = client.post("/v1/noise-suppression", json={"audio": "noisy.flac"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(
        "audio 'noisy.flac' is a name, not a sound: send the file"
    )
    form = client.post("/v1/tts", data={"text": "Hi.", "voice": "me.wav"})  # the @ of curl's -F was forgotten
    assert "is a file name: send the file itself" in form.json()["error"]["message"]


def test_a_language_by_its_name(client: TestClient) -> None:
    answer = client.post("/v1/tts", json={"text": "Hola.", "voice": "dora", "language": "Spanish"})
    assert "did you mean 'es'?" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/v1/models", "/v1/models/tts-1", "/v1/voices"]
)
def test_head_answers_as_get_does(client: TestClient, path: str) -> None:
    """As wget --spider, monitors and load balancers ask."""
    head, get = client.head(path), client.get(path)
    assert head.status_code == get.status_code == 200 and head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0
    assert client.head("/v1/nothing").status_code == 404 and client.head("/v1/tts").status_code == 405
