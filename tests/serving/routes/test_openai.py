"""The real `openai` client against a server behind a real socket."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import soundfile

from speechx.audio import reading
from speechx.serving.app import build_app
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import running, settings


@pytest.fixture(scope="module")
def spoken() -> FakeEngine:
    return FakeEngine(delay=0.05)


@pytest.fixture(scope="module")
def client(spoken: FakeEngine, tmp_path_factory: Any) -> Iterator[Any]:
    app = build_app(spoken, settings(), VoiceStore(tmp_path_factory.mktemp("voices")))
    with running(app) as address:
        yield openai.OpenAI(api_key="any", base_url=f"{address}/v1", max_retries=0)


def test_speech(client: Any, spoken: FakeEngine, tmp_path: Path) -> None:
    answer = client.audio.speech.create(
        model="tts-1", voice="alloy", input="Hello there.", response_format="wav"
    )
    answer.write_to_file(tmp_path / "out.wav")
    assert 0.5 < len(reading.read(tmp_path / "out.wav")) / 16000 < 0.7
    request: Any = spoken.jobs[-1].request
    assert request.voice == "heart" and request.text == "Hello there." and request.language == "en"


@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav", "pcm"])
def test_formats(client: Any, format: str) -> None:
    data = client.audio.speech.create(
        model="speechx", voice="heart", input="Hello.", response_format=format
    ).content
    if format == "pcm":
        assert len(data) == pytest.approx(2 * 24_000 * 0.6, abs=64)
    else:
        assert 0.5 < len(reading.read(data)) / 16000 < 0.8
        wav_T, rate = soundfile.read(
            io.BytesIO(data)
        )  # as other programs read it: they need a length in a flac header
        assert 0.5 < len(wav_T) / rate < 0.8


def test_streams(client: Any) -> None:
    asked = {"model": "tts-1", "voice": "heart", "input": "Hello.", "response_format": "pcm"}
    with client.audio.speech.with_streaming_response.create(**asked) as answer:
        parts = list(answer.iter_bytes(1024))
    assert len(parts) > 3 and answer.headers["content-type"] == "application/octet-stream"


def test_events(client: Any) -> None:
    asked = {
        "model": "tts-1",
        "voice": "heart",
        "input": "Hello.",
        "stream_format": "sse",
        "response_format": "pcm",
    }
    with client.audio.speech.with_streaming_response.create(**asked) as answer:
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert len(lines) == 4 and '"speech.audio.done"' in lines[-1] and '"total_tokens": 15' in lines[-1]
    assert base64.b64decode(lines[0].split('"audio": "')[1].split('"')[0])


def test_more_fields(client: Any, spoken: FakeEngine) -> None:
    more = {"language": "es", "seed": 4, "best_of": 2}
    client.audio.speech.create(model="tts-1", voice={"id": "dora"}, input="Hola.", extra_body=more)
    request: Any = spoken.jobs[-1].request
    assert (request.voice, request.language, request.seed, request.best_of) == ("dora", "es", 4, 2)


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"model": "whisper-1"}, "NotFoundError", "model"),
        ({"voice": "nobody"}, "UnprocessableEntityError", "voice"),
        ({"voice": "UklGR" * 30}, "UnprocessableEntityError", "voice"),
        ({"input": ""}, "UnprocessableEntityError", "text"),
        ({"speed": 2.0}, "UnprocessableEntityError", "speed"),
        ({"response_format": "aac"}, "UnprocessableEntityError", "response_format"),
    ],
)
def test_errors(client: Any, fields: dict[str, Any], error: str, param: str) -> None:
    with pytest.raises(getattr(openai, error)) as raised:
        client.audio.speech.create(**{"model": "tts-1", "voice": "heart", "input": "Hello.", **fields})
    assert raised.value.param == param and raised.value.body["message"]


def test_models(client: Any) -> None:
    assert "tts-1" in [model.id for model in client.models.list()]
    assert client.models.retrieve("speechx").owned_by == "speechx"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")
