"""A remote voice: our own server and a small stand-in, over HTTP in this process; then beside our own model."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from fastapi.responses import JSONResponse, Response

from speechx.cli.batch import local_runner
from speechx.cli.remote import model_name, remote_facts
from speechx.errors import InputError
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.result import collect
from speechx.serving.app import build_app
from speechx.serving.cluster.replica import RemoteError, ReplicaOptions, engine_of, make_engine
from speechx.serving.errors import ApiError
from speechx.serving.remote import RemoteEngine, RemoteOptions, WavReader
from speechx.task import registry
from tests.conftest import voice as sound
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.speech_server import RATE, TONE_T, StandIn, stand_in_for_remotes, wav
from tests.serving.common import Make, running, settings


def job(**fields: Any) -> Job:
    given = {"text": "Hello there.", "voice": "heart", "seed": 3, **fields}
    return Job("tts", registry.parse_request("tts", given))


def chunks_of(engine: Any, job: Job) -> list[Chunk]:
    async def run() -> list[Chunk]:
        async with aclosing(engine.stream(job)) as stream:
            return [chunk async for chunk in stream]

    return asyncio.run(run())


def test_samples_are_passed_on_as_they_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHX_REMOTE_KEY", "secret")
    stand_in = StandIn()
    with running(stand_in.app) as address:  # httpx's transport to an app waits for the whole answer
        options = RemoteOptions(url=f"{address}/v1", model="kokoro", voices={"heart": "af_heart"})
        chunks = chunks_of(RemoteEngine(options), job(language="es"))
    speech = collect(chunks)
    assert len(chunks) > 5 and chunks[-1].final and speech.sample_rate == RATE
    np.testing.assert_allclose(speech.wav_T, TONE_T, atol=1e-4)
    assert stand_in.asked == {
        "model": "kokoro", "input": "Hello there.", "voice": "af_heart", "response_format": "wav", "stream": True,
        "language": "es", "seed": 3,
    }  # fmt: skip
    assert stand_in.headers["authorization"] == "Bearer secret"
    assert speech.info["model"].startswith("kokoro at 127.0.0.1") and speech.info["audio_seconds"] == 1.0
    assert {"rtf", "first_audio_seconds", "seconds", "task", "seed"} <= speech.info.keys()


def test_a_recording_goes_where_the_server_takes_one() -> None:
    stand_in, given = StandIn(), (sound(2.0), 16000)
    chunks_of(stand_in.engine(reference="ref_audio"), job(voice=given))
    head, _, data = stand_in.asked["ref_audio"].partition("base64,")
    wav_T, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert head == "data:audio/wav;" and (len(wav_T), rate) == (32000, 16000)
    with pytest.raises(InputError, match="knows voices by name") as caught:
        chunks_of(stand_in.engine(), job(voice=given))
    assert caught.value.field == "voice"


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_wav_in_any_pieces(subtype: str, channels: int, size: int) -> None:
    data, reader = wav(np.stack([TONE_T[:500]] * channels, 1), subtype=subtype), WavReader()
    parts = [reader.push(data[at : at + size]) for at in range(0, len(data), size)]
    np.testing.assert_allclose(np.concatenate([*parts, reader.close()]), TONE_T[:500], atol=1e-4)
    assert reader.rate == RATE


def test_another_format_than_asked_for_is_read_whole() -> None:
    file = io.BytesIO()
    soundfile.write(file, TONE_T, RATE, format="FLAC")
    speech = collect(chunks_of(StandIn(Response(file.getvalue(), media_type="audio/flac")).engine(), job()))
    np.testing.assert_allclose(speech.wav_T, TONE_T, atol=1e-3)


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (JSONResponse({"error": {"message": "slow down"}}, 429, {"Retry-After": "7"}), 429, "busy: slow down"),
        (JSONResponse({"detail": "CUDA error"}, 500), 502, "failed with status 500: CUDA error"),
        (Response("<html>", 404 + 100), 502, "failed with status 504"),
        (Response(b"", media_type="audio/wav"), 502, "no whole sound"),
        (Response(wav()[:-100], media_type="audio/wav"), 502, "100 bytes are missing at its end"),
        (Response(wav(TONE_T[:0]), media_type="audio/wav"), 502, "sent no sound"),
    ],
)  # fmt: skip
def test_its_faults_are_not_ours(answer: Response, status: int, message: str) -> None:
    with pytest.raises(ApiError, match=message) as caught:
        chunks_of(StandIn(answer).engine(), job())
    assert caught.value.status == status and "tts-1 at voice" in str(caught.value)
    sent = RemoteError.of(caught.value)  # from a replica to its router
    assert sent is not None and message in str(sent.error())


def test_a_request_that_it_refuses_is_the_client_s_fault() -> None:
    answer = JSONResponse({"error": {"message": "input is too long", "param": "input"}}, 422)
    with pytest.raises(InputError, match="input is too long") as caught:
        chunks_of(StandIn(answer).engine(), job())
    assert caught.value.field == "text"
    with pytest.raises(InputError, match="is not done by"):
        request = registry.parse_request("noise_suppression", {"audio": (sound(1.0), 16000)})
        chunks_of(StandIn().engine(), Job("noise_suppression", request))


def test_nobody_there() -> None:
    with pytest.raises(ApiError, match="cannot be reached") as caught:
        chunks_of(RemoteEngine(RemoteOptions(url="http://127.0.0.1:9/v1")), job())
    assert caught.value.status == 503


def test_our_own_server_is_one(tmp_path: Path) -> None:
    app = build_app(FakeEngine(), settings())
    engine = RemoteEngine(RemoteOptions(url="http://voice/v1"), httpx.ASGITransport(app))

    async def run() -> list[Chunk]:
        async with app.router.lifespan_context(app):
            return [chunk async for chunk in engine.stream(job())]

    speech = collect(asyncio.run(run()))
    assert speech.sample_rate == 16000 and speech.seconds > 0.1


@pytest.fixture
def beside(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our model, and the stand-in for its tts."""
    return stand_in_for_remotes(monkeypatch)


def test_one_router_for_both(beside: StandIn, tiny_folder: Path, make: Make) -> None:
    options = ReplicaOptions(model=str(tiny_folder), remote=RemoteOptions(url="http://voice/v1"))
    engine: Any = make_engine(options)
    try:
        client = make(engine=engine)
        answer = client.post("/v1/tts", json={"text": "Hello.", "voice": "heart"})
        assert soundfile.info(io.BytesIO(answer.content)).samplerate == RATE
        answer = client.post("/v1/audio/speech", json={"input": "A.", "voice": "nova", "model": "tts-1"})
        assert answer.status_code == 200 and beside.asked["voice"] == "heart"
        audio = base64.b64encode(wav(sound(1.0), 16000)).decode()
        answer = client.post("/v1/noise-suppression", json={"audio": audio})
        assert answer.status_code == 200, answer.text
        assert soundfile.info(io.BytesIO(answer.content)).samplerate == 16000
        answer = client.post("/v1/tts", json={"text": "", "voice": "heart"})
        assert answer.status_code == 422, "limits and checks are those of our own routes"
        beside.answer = JSONResponse({"detail": "out of memory"}, 500)
        answer = client.post("/v1/tts", json={"text": "Hello.", "voice": "heart"})
        assert answer.status_code == 502 and "out of memory" in answer.json()["error"]["message"]
    finally:
        engine.close()


def test_batch_jobs_have_it_too(
    beside: StandIn, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speechx.batch.job import ClusterOptions
    from speechx.batch.manifest import read_manifest
    from speechx.files import Storage

    monkeypatch.setattr("speechx.cli.remote.launcher", lambda name: engine_of)
    manifest = tmp_path / "jobs.jsonl"
    (tmp_path / "out").mkdir()
    manifest.write_text(json.dumps({"id": "a", "task": "tts", "text": "Hi.", "voice": "heart"}) + "\n")
    runner = local_runner(ClusterOptions(model=str(tiny_folder)), remote_facts("http://voice/v1#kokoro"))
    rows = list(runner(read_manifest(str(manifest)).rows, Storage(str(tmp_path / "out")), "hash"))
    assert rows[0]["status"] == "ok", rows[0]["error"]
    assert beside.asked["model"] == "kokoro"
    assert soundfile.info(tmp_path / "out/a.wav").samplerate == RATE


def test_the_option(tmp_path: Path) -> None:
    assert remote_facts(None) is None and model_name("abc", None) == "abc"
    assert model_name("abc", remote_facts("http://a/v1#b")) == "abc, tts by b at http://a/v1"
    assert remote_facts("http://a/v1#b") == {"url": "http://a/v1", "model": "b"}
    (tmp_path / "voice.yaml").write_text("url: http://a/v1\nvoices: {heart: af_heart}\n")
    facts = remote_facts(str(tmp_path / "voice.yaml"))
    assert RemoteOptions.model_validate(facts).voices == {"heart": "af_heart"}
    (tmp_path / "voice.yaml").write_text("url: http://été/v1", "latin1")
    with pytest.raises(InputError, match=r"voice.yaml is not UTF-8 text; convert it"):
        remote_facts(str(tmp_path / "voice.yaml"))
    (tmp_path / "voice.yaml").write_text("url: http://a/v1\nvoice: x\n")
    for given in (str(tmp_path / "voice.yaml"), "ftp://a", str(tmp_path / "none.yaml")):
        with pytest.raises(InputError, match="remote_tts"):
            remote_facts(given)
