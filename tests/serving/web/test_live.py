"""Live sockets with a real client over a real socket: text in pieces to speech, and sound to sound."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from speechx.audio import reading
from speechx.errors import InputError
from speechx.models.adapter_file import AdapterInfo, write_adapter
from speechx.serving.app import build_app
from speechx.serving.limits import hash_key
from speechx.serving.routes import live_sessions
from speechx.serving.settings import Limits, Settings
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import SAMPLES, running, settings, until

START = {"type": "start", "voice": "heart", "seed": 5}


class Server:
    """An app over an engine, behind a real socket."""

    def __init__(self, app: Any, engine: FakeEngine, address: str) -> None:
        self.app, self.engine, self.address = app, engine, address

    @property
    def under_way(self) -> int:
        return int(self.app.state.service.limiter.under_way)

    def open(self, path: str = "/v1/tts/live", **options: Any) -> ClientConnection:
        return connect(self.address.replace("http", "ws") + path, **options)


@contextmanager
def serving(root: Any, engine: Any, its: Settings | None = None, **limits: Any) -> Iterator[Server]:
    app = build_app(engine, its or settings(**limits), VoiceStore(root))
    with running(app) as address:
        yield Server(app, engine, address)


@pytest.fixture(scope="module")
def server(tmp_path_factory: Any) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("voices"), FakeEngine(chunks=3)) as server:
        yield server


@pytest.fixture(scope="module")
def slow(tmp_path_factory: Any) -> Iterator[Server]:
    """20 s of work a sentence."""
    with serving(tmp_path_factory.mktemp("voices"), FakeEngine(chunks=100, delay=0.2)) as server:
        yield server


def send(socket: ClientConnection, **event: Any) -> None:
    socket.send(json.dumps(event))


def hear(socket: ClientConnection, until: str = "done", seconds: float = 10) -> list[Any]:
    """Events, and sound as bytes, up to the event of this type."""
    heard: list[Any] = []
    while True:
        message = socket.recv(timeout=seconds)
        heard.append(message if isinstance(message, bytes) else json.loads(message))
        if isinstance(message, str) and heard[-1]["type"] == until:
            return heard


def refused(socket: ClientConnection) -> tuple[dict[str, Any], int]:
    """The error, and the code with which the socket closes."""
    *_, event = hear(socket, "error")
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=5)
    assert closed.value.rcvd is not None
    return event["error"], closed.value.rcvd.code


def test_text_comes_in_pieces_and_sound_by_sentences(server: Server) -> None:
    known = len(server.engine.jobs)
    with server.open() as socket:
        send(socket, **START)
        for piece in ("Hel", "lo the", "re. How are", " you?"):
            send(socket, type="text", text=piece)
        send(socket, type="end")
        heard = hear(socket)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
    events = [one for one in heard if isinstance(one, dict)]
    assert [one["type"] for one in events] == ["started", "sentence", "sentence", "done"]
    assert events[0]["seed"] == 5 and events[0]["format"] == "pcm"
    assert [(one["text"], one["start"]) for one in events[1:3]] == [
        ("Hello there.", 0),
        ("How are you?", 0.72),
    ]
    sound = b"".join(one for one in heard if isinstance(one, bytes))
    assert len(sound) == 2 * 16000 * 1.32 and events[3]["audio_seconds"] == 1.32, "0.6 + 0.12 + 0.6 s"
    asked = [(job.request.text, job.request.seed) for job in server.engine.jobs[known:]]  # type: ignore[attr-defined]
    assert asked == [("Hello there.", 5), ("How are you?", 6)]
    assert until(lambda: server.under_way == 0)


def test_an_adapted_voice_speaks_its_language_where_none_is_named(tmp_path: Any) -> None:
    """`3.` is an ordinal number in German, and the end of a sentence in English."""
    factors = {"first_head.weight.up": torch.ones(4, 2), "first_head.weight.down": torch.ones(2, 4)}
    adapter = write_adapter(AdapterInfo(name="jana", base="b" * 16, languages=("de",)), factors)
    said: dict[Any, list[Any]] = {}
    with serving(tmp_path, FakeEngine(chunks=1)) as server:
        store = VoiceStore(tmp_path)
        store.enroll((store.wav("heart"), 16000), "jana", consent=True)
        store.set_adapter("jana", adapter)
        for voice, named in (("Jana", {}), ("jana", {"language": "en"}), ("heart", {})):
            with server.open() as socket:
                send(socket, **{**START, "voice": voice, **named})
                send(socket, type="text", text="Am 3. Mai kam er.")
                send(socket, type="end")
                heard = [one for one in hear(socket) if isinstance(one, dict)]
            said[voice] = [one["text"] for one in heard if one["type"] == "sentence"]
            assert heard[-1].get("language") == ("de" if voice == "Jana" else None)
        languages = [job.request.language for job in server.engine.jobs]  # type: ignore[attr-defined]
    assert said == {
        "Jana": ["Am 3. Mai kam er."],
        "jana": ["Am 3.", "Mai kam er."],
        "heart": ["Am 3.", "Mai kam er."],
    }
    assert languages == ["de", "en", "en", "en", "en"]


def test_a_sentence_is_said_before_the_next_one_is_written(server: Server) -> None:
    with server.open() as socket:
        send(socket, **START)
        send(socket, type="text", text="One sentence. And then")
        assert [one["text"] for one in hear(socket, "sentence") if one["type"] == "sentence"] == [
            "One sentence."
        ]
        send(socket, type="text", text=" the next.")  # nothing follows: it is said after a moment
        assert hear(socket, "sentence")[-1]["text"] == "And then the next."
        send(socket, type="text", text="half a")
        send(socket, type="flush")
        assert hear(socket, "sentence")[-1]["text"] == "half a"


def test_the_end_of_a_text_does_not_wait_for_the_sound_before_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_sessions, "SETTLED_SECONDS", 1.5)
    with serving(tmp_path, FakeEngine(chunks=4, delay=0.5)) as server, server.open() as socket:
        send(socket, **START)
        send(socket, type="text", text="One sentence. And the last one.")
        hear(socket, "sentence")
        for _ in range(4):
            assert isinstance(socket.recv(timeout=5), bytes)
        said = time.monotonic()
        assert hear(socket, "sentence")[-1]["text"] == "And the last one."
        assert time.monotonic() - said < 1.4, "the text had settled in the meantime"


def test_barge_in(slow: Server) -> None:
    with slow.open() as socket:
        send(socket, **START)
        send(socket, type="text", text="A long story. It has many parts. Here is")
        hear(socket, "sentence")
        assert isinstance(socket.recv(timeout=5), bytes)
        known = len(slow.engine.jobs)
        send(socket, type="cancel")
        heard = hear(socket, "cancelled")
        assert heard[-1]["audio_seconds"] > 0
        assert until(lambda: slow.engine.jobs[-1].id in slow.engine.aborted)
        send(socket, type="text", text="Something else.")
        send(socket, type="flush")
        assert hear(socket, "sentence")[0]["text"] == "Something else.", "and no sound of before"
        assert len(slow.engine.jobs) == known + 1, "the other sentences are forgotten"


def test_closing_leaves_nothing_running(slow: Server) -> None:
    assert until(lambda: slow.under_way == 0)
    known = len(slow.engine.jobs)
    with ExitStack() as opened:
        sockets = [opened.enter_context(slow.open()) for _ in range(8)]
        for socket in sockets:
            send(socket, **START)
            send(socket, type="text", text="A long story. And then")
            hear(socket, "sentence")
        assert slow.under_way == 8
        for socket in sockets[4:]:
            socket.socket.close()  # as a client that dies
    assert until(lambda: slow.under_way == 0), slow.under_way
    begun = {job.id for job in slow.engine.jobs[known:]}
    assert len(begun) == 8 and until(lambda: begun <= set(slow.engine.aborted))


@pytest.mark.parametrize(
    ("messages", "field", "sentence"),
    [
        ([{"type": "text", "text": "Hi."}], "type", 'the first message must be {"type": "start"'),
        ([b"\0\0"], "type", "the first message must be"),
        (["{"], "message", "the message is not JSON"),
        (["[1]"], "type", "a message must be a JSON object with a type"),
        ([{**START, "voice": "heard"}], "voice", "'heard' is not a known voice; GET /v1/voices lists them"),
        ([{"type": "start"}], "voice", "voice is missing: tts needs it"),
        ([{**START, "format": "mp3"}], "format", "format is 'mp3': live sound is pcm"),
        ([{**START, "text": "Hi."}], "text", "leave it out of start"),
        ([{**START, "best_of": 9}], "best_of", "best_of is 9; the limit is 4"),
        ([START, {"type": "text", "text": 5}], "text", "text must be a string"),
        ([START, {"type": "sing"}], "type", "'sing' is not known here: send text, flush, cancel or end"),
        ([START, b"\0\0"], "type", "'sound' is not known here"),
        ([START, {"type": "text", "text": "a " * 11_000}], "text", "22,000 characters of it; the limit is 20,000"),
    ],
)  # fmt: skip
def test_errors_are_those_of_http(server: Server, messages: list[Any], field: str, sentence: str) -> None:
    with server.open() as socket:
        for message in messages:
            socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
        error, code = refused(socket)
    assert error["field"] == field and sentence in error["message"], error
    assert code == 1008 and error["request_id"]
    assert until(lambda: server.under_way == 0)


def test_errors_of_the_engine(tmp_path: Any) -> None:
    with serving(tmp_path, FakeEngine(error=InputError("voice is silent", field="voice"))) as server:
        with server.open() as socket:
            send(socket, **START)
            send(socket, type="text", text="Hello there. And then")
            assert refused(socket)[0]["message"] == "voice is silent"
        assert until(lambda: server.under_way == 0)


def test_places(tmp_path: Any) -> None:
    with serving(tmp_path, FakeEngine(), at_once=1) as server, server.open() as first:
        send(first, **START)
        hear(first, "started")
        with server.open() as second:
            error, code = refused(second)
        assert error["code"] == "overloaded" and code == 1013


def test_a_socket_that_says_nothing(tmp_path: Any) -> None:
    with serving(tmp_path, FakeEngine(), live_start_seconds=0.2, live_idle_seconds=0.3) as server:
        with server.open() as socket:
            assert refused(socket)[0]["message"] == "no message within 0.2 s: send start"
        with server.open() as socket:
            send(socket, **START)
            assert refused(socket)[0]["code"] == "idle"


def test_keys(tmp_path: Any) -> None:
    (tmp_path / "keys").write_text(f"anna:{hash_key('secret')}\n")
    its = Settings(
        limits=Limits(decoders=0), log_requests=False, page=False, api_keys_file=str(tmp_path / "keys")
    )
    with serving(tmp_path / "voices", FakeEngine(), its) as server:
        with server.open() as socket:
            assert "API key is missing" in refused(socket)[0]["message"]
        with server.open(additional_headers={"Authorization": "Bearer secret"}) as socket:
            send(socket, **START)
            assert hear(socket, "started")


def test_pages_of_other_servers_are_refused(server: Server) -> None:
    with server.open(origin="https://evil.example") as socket:
        error, code = refused(socket)
    assert code == 1008 and "pages of https://evil.example may not use this server" in error["message"]
    with server.open(origin=server.address) as socket:  # type: ignore[arg-type]
        send(socket, **START)
        assert hear(socket, "started")


# Sound


@pytest.fixture(scope="module")
def masking(tmp_path_factory: Any) -> Iterator[Server]:
    """The released weights: a mask of random ones would show nothing."""
    from speechx.pipeline.loading import load_pipeline
    from speechx.serving.cluster.replica import ServedEngine

    engine: Any = ServedEngine(load_pipeline())
    with serving(tmp_path_factory.mktemp("voices"), engine) as server:
        yield server
    engine.close()


def masked(server: Server, wav_T: np.ndarray, rate: int, block: int) -> tuple[np.ndarray, float]:
    """The output, and the most seconds by which it lagged behind the input."""
    sent, lag, out = 0, 0.0, b""
    with server.open("/v1/noise-suppression/live") as socket:
        send(socket, type="start", sample_rate=rate)
        (started,) = hear(socket, "started")
        pcm = (np.clip(wav_T, -1, 1) * 32767).astype("<i2").tobytes()
        for at in range(0, len(pcm), 2 * block):
            socket.send(pcm[at : at + 2 * block])
            sent += len(pcm[at : at + 2 * block]) // 2
            while len(out) // 2 < sent - rate * (started["latency_seconds"] + block / rate + 0.02):
                data = socket.recv(timeout=5)
                assert isinstance(data, bytes)
                out += data
            lag = max(lag, (sent - len(out) // 2) / rate)
        send(socket, type="end")
        heard = hear(socket)
    out += b"".join(one for one in heard if isinstance(one, bytes))
    assert abs(heard[-1]["audio_seconds"] - len(wav_T) / rate) < 0.01
    return np.frombuffer(out, "<i2") / 32768, lag


def sdr(wav_T: np.ndarray, clean_T: np.ndarray) -> float:
    """Scale-invariant, in dB."""
    scaled_T = clean_T * (wav_T @ clean_T) / (clean_T @ clean_T)
    return float(10 * np.log10(np.sum(scaled_T**2) / np.sum((wav_T - scaled_T) ** 2)))


@pytest.mark.parametrize(("rate", "block"), [(16000, 320), (48000, 4800)])
def test_sound_in_sound_out(masking: Server, rate: int, block: int) -> None:
    noisy_T = reading.read(SAMPLES / "noisy.flac", rate=rate)
    clean_T = reading.read(SAMPLES / "noisy_clean.flac")
    out_T, lag = masked(masking, noisy_T, rate, block)
    assert len(out_T) == len(noisy_T)
    assert lag < 0.36 + block / rate, "as much as the started event says, and the block"
    back_T = reading.resample(out_T.astype(np.float32), rate, 16000)[: len(clean_T)]
    before = sdr(reading.resample(noisy_T, rate, 16000)[: len(clean_T)], clean_T)
    assert sdr(back_T, clean_T) > before + 6


def test_errors_of_live_sound(masking: Server, server: Server) -> None:
    for start, field in (({"sample_rate": 4000}, "sample_rate"), ({"rate": 16000}, "rate")):
        with masking.open("/v1/noise-suppression/live") as socket:
            send(socket, type="start", **start)
            assert refused(socket)[0]["field"] == field
    with masking.open("/v1/noise-suppression/live") as socket:
        send(socket, type="start")
        socket.send(b"\0\0\0")
        assert "half a sample" in refused(socket)[0]["message"]
    with server.open("/v1/noise-suppression/live") as socket:  # its engine has no model
        send(socket, type="start")
        socket.send(bytes(6400))
        assert refused(socket)[0]["code"] == "no_live_sound"
    assert until(lambda: masking.under_way == 0 and server.under_way == 0)
