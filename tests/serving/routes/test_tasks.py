"""Task routes: both body types, formats, headers, streaming, events, and what is refused."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from speechx.audio import reading
from speechx.audio.writing import FORMATS, MEDIA_TYPES
from speechx.errors import InputError
from speechx.pipeline.job import Chunk
from speechx.serving.settings import Limits, Settings
from speechx.text.types import WordTime
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import Make

TTS = {"text": "Hello there.", "voice": "heart"}


def sound_of(answer: Any) -> np.ndarray:
    """(T,) at 16 kHz."""
    return reading.read(answer.content)


def test_json(client: TestClient, engine: FakeEngine) -> None:
    answer = client.post("/v1/tts", json={**TTS, "seed": 3})
    assert answer.status_code == 200, answer.text
    assert len(sound_of(answer)) == 9600
    headers = answer.headers
    assert headers["X-SpeechX-Seed"] == "3" and headers["X-SpeechX-Model"] == "fake"
    assert headers["X-SpeechX-Watermark"] == "none" and headers["X-Request-Id"]
    assert float(headers["X-SpeechX-Audio-Seconds"]) == pytest.approx(0.6)
    assert engine.jobs[0].id == headers["X-Request-Id"] and engine.jobs[0].deadline is not None


def test_multipart(client: TestClient, engine: FakeEngine, noisy: bytes) -> None:
    answer = client.post("/v1/speech-editing", files={"audio": ("a.flac", noisy)},
                         data={"text": "One two.", "span": "0.5,1.5", "keep_background": "true"})  # fmt: skip
    assert answer.status_code == 200, answer.text
    request: Any = engine.jobs[0].request
    wav_T, rate = request.audio
    assert rate == 16000 and 4 < len(wav_T) / rate < 6
    assert request.span == (0.5, 1.5) and request.keep_background is True


@pytest.mark.parametrize("prefix", ["", "data:audio/flac;base64,"])
def test_sound_in_json(client: TestClient, engine: FakeEngine, noisy: bytes, prefix: str) -> None:
    sound = prefix + base64.b64encode(noisy).decode()
    assert client.post("/v1/noise-suppression", json={"audio": sound}).status_code == 200
    request: Any = engine.jobs[0].request
    assert request.audio[0].dtype == np.float32


def test_rate_of_the_recording_is_kept(client: TestClient, engine: FakeEngine, speech: Any) -> None:
    file = io.BytesIO()
    soundfile.write(file, speech(2, rate=44100), 44100, format="WAV")
    assert client.post("/v1/speech-removal", files={"audio": file.getvalue()}).status_code == 200
    request: Any = engine.jobs[0].request
    assert request.audio[1] == 44100 and len(request.audio[0]) == 2 * 44100


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", [False, True])
def test_formats(client: TestClient, format: str, stream: bool) -> None:
    answer = client.post("/v1/tts", json={**TTS, "format": format, "stream": stream})
    assert answer.status_code == 200 and answer.headers["content-type"] == MEDIA_TYPES[format]
    if format == "pcm":
        assert len(answer.content) == 2 * 9600
    else:
        assert 0.55 < len(sound_of(answer)) / 16000 < 0.75


class Talker:
    """Three chunks, words as they come."""

    async def stream(self, job: Any) -> Any:
        words = [WordTime("hello", 0.0, 0.3), WordTime("there", 0.3, 0.6)]
        for index in range(3):
            final = index == 2
            info = {"seed": 5, "model": "talker"} | ({"audio_seconds": 0.3, "seconds": 0.1} if final else {})
            yield Chunk(np.zeros(1600, np.float32), 16000, tuple(words[:index]), final, info)


def test_word_times(make: Make) -> None:
    client = make(engine=Talker())
    answer = client.post("/v1/tts", json={**TTS, "timestamps": True})
    assert [w["text"] for w in json.loads(answer.headers["X-SpeechX-Words"])] == ["hello", "there"]
    told = client.post(
        "/v1/tts", json={**TTS, "timestamps": True}, headers={"Accept": "application/json"}
    ).json()
    assert told["words"][1]["end"] == 0.6 and told["seed"] == 5
    assert base64.b64decode(told["audio"])[:4] == b"RIFF"
    assert "X-SpeechX-Words" not in client.post("/v1/tts", json=TTS).headers


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def test_events(make: Make) -> None:
    client = make(engine=Talker())
    asked = {**TTS, "timestamps": True, "format": "pcm"}
    answer = client.post("/v1/tts", json=asked, headers={"Accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    said = events_of(answer.text)
    kinds = [event["type"] for event in said]
    delta, words = "speech.audio.delta", "speech.words"
    assert kinds == [delta, delta, words, delta, words, "speech.audio.done"]
    assert sum(len(base64.b64decode(e["audio"])) for e in said if e["type"] == delta) == 3 * 3200
    assert said[-1]["seed"] == 5 and len(said[-1]["words"]) == 2


class Breaking:
    """Fails after its first chunk."""

    async def stream(self, job: Any) -> Any:
        yield Chunk(np.zeros(1600, np.float32), 16000, (), False, {"seed": 1})
        raise RuntimeError("broken")


def test_a_fault_after_the_start_is_not_a_whole_sound(make: Make) -> None:
    client = make(engine=Breaking())
    with pytest.raises(RuntimeError):
        TestClient(client.app).post("/v1/tts", json={**TTS, "stream": True})
    said = events_of(client.post("/v1/tts", json=TTS, headers={"Accept": "text/event-stream"}).text)
    assert said[-1]["type"] == "error" and "broken" not in said[-1]["error"]["message"]
    assert client.post("/v1/tts", json=TTS).status_code == 500


@pytest.mark.parametrize(
    ("error", "status", "field"),
    [
        (InputError("audio is silent", field="audio"), 422, "audio"),
        (TimeoutError("late"), 504, None),
        (InterruptedError("closing"), 503, None),
        (RuntimeError("secret"), 500, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_of_the_engine(
    make: Make, error: Exception, status: int, field: str | None, stream: bool
) -> None:
    client = make(engine=FakeEngine(error=error))
    answer = client.post("/v1/tts", json={**TTS, "stream": stream})
    assert answer.status_code == status
    told = answer.json()["error"]
    assert told["field"] == field and told["request_id"] == answer.headers["X-Request-Id"]
    assert "secret" not in answer.text
    assert client.app.state.service.limiter.under_way == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "", "voice": "heart"}, "text"),
        ({"text": "Hello."}, "voice"),
        ({**TTS, "seed": -1}, "seed"),
        ({**TTS, "speed": 2}, "speed"),
        ({**TTS, "format": "wma"}, "format"),
        ({**TTS, "language": "xx"}, "language"),
        ({**TTS, "voice": "nobody"}, "voice"),
        ({**TTS, "voice": "/etc/passwd"}, "voice"),
        ({**TTS, "voice": "../heart"}, "voice"),
        ({**TTS, "voice": 7}, "voice"),
        ({**TTS, "voice": base64.b64encode(b"no sound" * 20).decode()}, "voice"),
        ({**TTS, "best_of": 9}, "best_of"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(client: TestClient, engine: FakeEngine, body: Any, field: str) -> None:
    answer = client.post("/v1/tts", json=body)
    assert answer.status_code == 422 and answer.json()["error"]["field"] == field, answer.text
    assert not engine.jobs


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'{"text": NaN}', b'{"text": "\\ud800"}', b"\xff", b"[" * 100_000]
)
def test_broken_json(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/tts", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["field"] == "body"


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n\r\n", b"\x00" * 100])
def test_broken_forms(client: TestClient, body: bytes) -> None:
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        answer = client.post("/v1/tts", content=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["error"]["field"]


def test_other_types_and_places(client: TestClient) -> None:
    assert client.post("/v1/tts", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post("/v1/tts").status_code == 415
    other = client.get("/v1/tts")
    assert other.status_code == 405 and other.headers["allow"] == "POST"
    assert other.json()["error"]["message"] == "'/v1/tts' does not take GET, but POST"
    missing = client.post("/v1/audio/speach", json={})
    assert missing.status_code == 404 and missing.json()["error"]["type"] == "not_found"
    assert missing.json()["error"]["message"] == (
        "this server has no '/v1/audio/speach'; did you mean '/v1/audio/speech'?"
    )


def test_sizes(make: Make, engine: FakeEngine, noisy: bytes) -> None:
    client = make(upload_bytes=50_000, text_chars=20, audio_seconds=2.0)
    large = client.post("/v1/noise-suppression", files={"audio": noisy})
    assert large.status_code == 413 and large.json()["error"]["limit"] == 50_000

    def parts() -> Any:  # no length is declared
        for _ in range(10):
            yield b"x" * 10_000

    chunked = client.post("/v1/tts", content=parts(), headers={"Content-Type": "application/json"})
    assert chunked.status_code == 413
    long = client.post("/v1/tts", json={**TTS, "text": "word " * 10})
    assert long.status_code == 422 and long.json()["error"] == long.json()["error"] | {
        "field": "text",
        "limit": 20,
    }
    client = make(audio_seconds=2.0)
    answer = client.post("/v1/noise-suppression", files={"audio": noisy})
    assert answer.status_code == 422 and "2 s" in answer.json()["error"]["message"]
    assert not engine.jobs


def test_deadlines(make: Make) -> None:
    engine = FakeEngine(delay=5.0)
    client = make(engine=engine, request_seconds=0.2)
    answer = client.post("/v1/tts", json=TTS)
    assert answer.status_code == 504 and answer.json()["error"]["code"] == "deadline"
    assert engine.aborted == [answer.headers["X-Request-Id"]]
    client = make(engine=engine)
    assert client.post("/v1/tts", json=TTS, headers={"X-SpeechX-Timeout": "0.1"}).status_code == 504
    assert client.post("/v1/tts", json=TTS, headers={"X-SpeechX-Timeout": "nan"}).status_code == 422


def test_request_ids(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    assert client.get("/healthz", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"] != "a b"


def test_tasks_and_operations(client: TestClient) -> None:
    listed = client.get("/v1/tasks").json()["tasks"]
    assert {"tts", "speech_editing"} <= {task["name"] for task in listed}
    assert all(task["request"]["properties"] for task in listed)
    client.post("/v1/tts", json=TTS)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["status"] == "ready"
    metrics = client.get("/metrics").text
    assert 'speechx_requests_total{status="200",task="tts"} 1.0' in metrics
    assert 'speechx_under_way{task="tts"} 0.0' in metrics
    assert client.get("/docs").status_code == 200


def test_metrics_tell_of_every_replica_that_answers(make: Make) -> None:
    class Two(FakeEngine):
        there = 2

        async def statuses(self) -> list[dict[str, Any]]:
            return [{"replica": f"host:{i}", "slots": 8, "active": i} for i in range(self.there)]

    client = make(engine=Two())
    metrics = client.get("/metrics").text
    assert 'speechx_engine{replica="host:1",what="active"} 1.0' in metrics and 'replica="host:0"' in metrics
    Two.there = 1
    assert 'replica="host:1"' not in client.get("/metrics").text


def test_ready_means_the_engine_answers(make: Make) -> None:
    class Stuck(FakeEngine):
        async def status(self) -> Any:
            raise RuntimeError("stuck")

    answer = make(engine=Stuck()).get("/readyz")
    assert answer.status_code == 503 and "stuck" in answer.json()["error"]["message"]


def test_no_cors_unless_asked_for(make: Make) -> None:
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert make().options("/v1/tts", headers=asked).status_code == 405
    opened = Settings(
        limits=Limits(decoders=0), cors_origins=["https://a.example"], log_requests=False, page=False
    )
    answer = make(settings=opened).options("/v1/tts", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
