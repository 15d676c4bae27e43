"""The real `openai` client against a server behind a real socket."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import soundfile

from speechx.audio import reading
from speechx.errors import InputError
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


@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav", "pcm", "aac"])
def test_formats(client: Any, format: str) -> None:
    data = client.audio.speech.create(
        model="speechx", voice="heart", input="Hello.", response_format=format
    ).content
    if format == "pcm":
        assert len(data) == pytest.approx(2 * 24_000 * 0.6, abs=64)
    else:
        assert 0.5 < len(reading.read(data)) / 16000 < 0.8
    if format in ("mp3", "opus", "flac", "wav"):
        # As other programs read it: they need a length in a flac header.
        wav_T, rate = soundfile.read(io.BytesIO(data))
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


def test_an_error_amid_events_is_about_what_was_sent(client: Any, spoken: FakeEngine) -> None:
    asked = {"model": "tts-1", "voice": "heart", "input": "Hello.", "stream_format": "sse"}
    spoken.late_error = InputError("text: 'x' cannot be said", field="text")
    try:
        with client.audio.speech.with_streaming_response.create(**asked) as answer:
            *_, last = [line for line in answer.iter_lines() if line.startswith("data: ")]
    finally:
        spoken.late_error = None
    told = json.loads(last.removeprefix("data: "))
    assert told["type"] == "error" and told["error"]["param"] == "input"
    assert told["error"]["message"] == "input: 'x' cannot be said"


def test_a_warning_in_any_script(client: Any, spoken: FakeEngine) -> None:
    spoken.notes = {"warning": "left out: '你好'"}
    try:
        raw = client.audio.speech.with_raw_response.create(model="tts-1", voice="heart", input="Hello 你好.")
    finally:
        spoken.notes = {}
    assert raw.headers["x-speechx-warning"] == r"left out: '\u4f60\u597d'"


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
        ({"input": ""}, "UnprocessableEntityError", "input"),
        ({"input": "a" * 20_001}, "UnprocessableEntityError", "input"),
        ({"input": "🎉"}, "UnprocessableEntityError", "input"),
        ({"speed": 2.5}, "UnprocessableEntityError", "speed"),
        ({"speed": 0.4}, "UnprocessableEntityError", "speed"),
        ({"extra_body": {"best_of": 99}}, "UnprocessableEntityError", "best_of"),
        ({"extra_body": {"volume": 2}}, "UnprocessableEntityError", "volume"),
        ({"response_format": "wma"}, "UnprocessableEntityError", "response_format"),
    ],
)
def test_errors(client: Any, fields: dict[str, Any], error: str, param: str) -> None:
    with pytest.raises(getattr(openai, error)) as raised:
        client.audio.speech.create(**{"model": "tts-1", "voice": "heart", "input": "Hello.", **fields})
    assert raised.value.param == param and raised.value.body["message"]


def test_errors_are_about_what_was_sent(client: Any) -> None:
    def message(**fields: Any) -> str:
        with pytest.raises(openai.UnprocessableEntityError) as raised:
            client.audio.speech.create(**{"model": "tts-1", "voice": "heart", "input": "Hello.", **fields})
        return str(raised.value.body["message"])  # type: ignore[index]

    assert message(input="") == "input: has nothing to speak: it needs at least one letter or digit"
    assert message(input="a" * 20_001).startswith("input has 20,001 characters")
    assert "did you mean 'voice'?" in message(extra_body={"voise": "heart"})
    assert message(speed=3) == "speed: input should be less than or equal to 2"


def test_aac_without_its_extra(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechx.audio.aac.find_spec", lambda name: None)
    with pytest.raises(
        openai.UnprocessableEntityError, match="aac needs the extra m4a: pip install"
    ) as raised:
        client.audio.speech.create(model="tts-1", voice="heart", input="Hello.", response_format="aac")
    assert raised.value.param == "response_format"


def test_null_is_the_default(client: Any, spoken: FakeEngine) -> None:
    """As clients of typed languages send the fields that were not set."""
    unset = dict.fromkeys(
        ("response_format", "speed", "instructions", "stream_format", "stream", "language", "seed", "best_of")
    )
    body = {"model": "tts-1", "voice": "alloy", "input": "Hi.", **unset}
    answer = httpx.post(f"{client.base_url}audio/speech", json=body)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/mpeg", answer.text
    missing = httpx.post(f"{client.base_url}audio/speech", json={**body, "voice": None})
    assert missing.status_code == 422 and missing.json()["error"]["message"] == "voice is missing"


@pytest.mark.parametrize("speed", [0.5, 0.75, 1.25, 2.0])
@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "pcm"])
def test_speed(client: Any, speed: float, format: str) -> None:
    data = client.audio.speech.create(
        model="tts-1", voice="heart", input="Hello.", speed=speed, response_format=format
    ).content
    seconds = len(data) / 48_000 if format == "pcm" else len(reading.read(data)) / 16000
    assert seconds == pytest.approx(0.6 / speed, abs=0.15 if format == "mp3" else 0.001)


def test_speed_is_that_of_the_words_too(client: Any) -> None:
    asked = {"model": "tts-1", "voice": "heart", "input": "Hello.", "stream_format": "sse", "speed": 2}
    answer = httpx.post(f"{client.base_url}audio/speech", json=asked)
    done = json.loads(answer.text.split("data: ")[-1])
    assert done["audio_seconds"] == pytest.approx(0.3) and done["usage"]["output_tokens"] == 8


def test_whole_instead_of_streamed(client: Any) -> None:
    body = {"model": "tts-1", "voice": "heart", "input": "Hello.", "response_format": "wav"}
    streamed = httpx.post(f"{client.base_url}audio/speech", json=body)
    whole = httpx.post(f"{client.base_url}audio/speech", json={**body, "stream": False})
    assert "content-length" not in streamed.headers and int(whole.headers["content-length"]) > 10_000


def test_voices(client: Any, spoken: FakeEngine) -> None:
    """Every name that is listed can be asked for."""
    listed = httpx.get(f"{client.base_url}audio/voices").json()["voices"]
    ids = [voice["id"] for voice in listed]
    assert {"heart", "dora", "alloy", "nova"} <= set(ids) and all(voice["name"] for voice in listed)
    for name in ("dora", "alloy", "Alloy", "NOVA"):
        client.audio.speech.create(model="tts-1", voice=name, input="Hello.")
    assert [job.request.voice for job in spoken.jobs[-4:]] == ["dora", "heart", "heart", "heart"]  # type: ignore[attr-defined]


def test_models(client: Any) -> None:
    assert "tts-1" in [model.id for model in client.models.list()]
    assert client.models.retrieve("speechx").owned_by == "speechx"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")
