"""Router and replicas on a real Ray, started once; and what needs none of it, in Ray's local testing mode."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import ray
import torch
import yaml
from ray import serve
from ray.exceptions import RayActorError
from websockets.sync.client import connect

from speechx.audio import writing
from speechx.errors import InputError
from speechx.models.adapter_file import AdapterInfo, write_adapter
from speechx.models.lm.folder import ADAPTERS
from speechx.models.lora import LANGUAGE_ROW
from speechx.pipeline.job import Job
from speechx.serving.cluster import local
from speechx.serving.cluster.replica import RemoteError, Replica, ReplicaOptions
from speechx.serving.cluster.router import AppArgs, HandleEngine, build, drain
from speechx.serving.settings import Limits, Settings
from speechx.task import registry
from speechx.text.languages import AddedLanguage
from tests.helpers.processes import descendants, listening, name_of
from tests.serving.common import SlowClient, until

TTS = {"text": "Hello there.", "voice": "heart"}
CONFIG = Path(__file__).resolve().parents[3] / "serving" / "config"


# Without a cluster


@pytest.fixture(scope="module")
def replica_handle() -> Any:
    """Handle of a replica in this process."""
    options = ReplicaOptions(engine="tests.helpers.fake_engine:quick")
    return serve.run(serve.deployment(Replica).bind(options), name="local", _local_testing_mode=True)


def job(seconds: float = 10, **fields: Any) -> Job:
    return Job("tts", registry.parse_request("tts", {**TTS, **fields}), deadline=time.monotonic() + seconds)


def test_a_stream_by_handle(replica_handle: Any) -> None:
    async def listen() -> list[Any]:
        return [chunk async for chunk in HandleEngine(replica_handle).stream(job(seed=7))]

    chunks = asyncio.run(listen())
    assert chunks[-1].final and chunks[-1].info["seed"] == 7
    assert sum(len(chunk.wav_T) for chunk in chunks) == 5 * 3200
    assert len(chunks) < 5, "short chunks are joined"


def test_a_replica_looks_for_speech_in_a_voice(replica_handle: Any) -> None:
    engine = HandleEngine(replica_handle)
    assert asyncio.run(engine.voice_warning((np.ones(16000, np.float32), 16000))) == "no speech"
    assert asyncio.run(engine.voice_warning((np.arange(16000, dtype=np.float32), 16000))) is None


def test_a_replica_aligns_and_masks(replica_handle: Any) -> None:
    engine, sound = HandleEngine(replica_handle), (np.zeros(16000, np.float32), 16000)
    words = asyncio.run(engine.align(sound, "Hello there", "en"))
    assert [(word.text, word.start) for word in words] == [("Hello", 0), ("there", 1)]
    with pytest.raises(InputError, match="a word that is not heard"):
        asyncio.run(engine.align(sound, "a", "en"))
    mask: Any = None
    for calls in (1, 2):
        out_T, mask = asyncio.run(engine.push_live("noise_suppression", mask, np.ones(4), False))
        assert out_T.tolist() == [0.5] * 4 and mask == {"calls": calls}


def test_a_page_needs_one_router() -> None:
    for routers, has_page in ((1, True), (2, False)):
        _, settings, _ = build(AppArgs(routers=routers))._bound_deployment.init_args  # type: ignore[attr-defined]
        assert settings.page is has_page


def test_leaving_a_stream_by_handle(replica_handle: Any) -> None:
    async def leave() -> int:
        before = (await replica_handle.status.remote())["aborted"]
        stream = HandleEngine(replica_handle).stream(job())
        await anext(stream)
        await stream.aclose()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if (await replica_handle.status.remote())["aborted"] > before:
                break
        return int((await replica_handle.status.remote())["aborted"]) - before

    assert asyncio.run(leave()) == 1


def test_too_late_to_begin(replica_handle: Any) -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(anext(HandleEngine(replica_handle).stream(job(-1))))


def test_failures_travel() -> None:
    told = RemoteError.of(InputError("text is odd", field="text"))
    assert told is not None
    error = told.error()
    assert isinstance(error, InputError) and error.field == "text" and str(error) == "text is odd"
    assert isinstance(RemoteError("timeout", "late").error(), TimeoutError)
    assert RemoteError("overloaded", "full").error().status == 429  # type: ignore[attr-defined]
    assert RemoteError.of(RuntimeError("bug")) is None


@pytest.mark.parametrize("name", ["cpu.yaml", "gpu.yaml"])
def test_config_files_fit(name: str) -> None:
    config = yaml.safe_load((CONFIG / name).read_text())
    for app in config["applications"]:
        assert app["import_path"] == "speechx.serving.cluster.router:build"
        build(AppArgs.model_validate(app["args"]))
    with pytest.raises(ValueError, match="replcias"):
        AppArgs.model_validate({"replcias": 2})


def test_draining_waits_for_a_router_too_busy_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [TimeoutError(), [TimeoutError(), 0], [2, RayActorError()], [0, RayActorError()]]

    class Routers:
        def broadcast(self, method: str) -> Routers:
            assert method == "drain"
            return self

        def results(self, **_: Any) -> list[Any]:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return list(answer)

    monkeypatch.setattr(serve, "get_app_handle", lambda name: Routers())
    assert drain(30) == 0 and not answers
    answers = [[3]]
    assert drain(-1) == 3


# On a cluster of one machine


@pytest.fixture(scope="module")
def address(serve_address: str, tmp_path_factory: Any) -> str:
    model = tmp_path_factory.mktemp("model")
    (model / "lm" / ADAPTERS).mkdir(parents=True)
    added = AddedLanguage("fy", rules="phones:\n  a: a\n")
    about = AdapterInfo(name="f", base="b", rank=1, languages=("fy",), added=added)
    factors = {"w.up": torch.zeros(2, 1), "w.down": torch.zeros(1, 2), LANGUAGE_ROW: torch.zeros(2)}
    (model / "lm" / ADAPTERS / "f.safetensors").write_bytes(write_adapter(about, factors))
    options = ReplicaOptions(engine="tests.helpers.fake_engine:slow", model=str(model), slots=4, waiting=4)
    args = AppArgs(
        cpus=0.1, router_cpus=0.1, replica=options,
        settings=Settings(
            limits=Limits(decoders=0, request_seconds=30, body_grace_seconds=3), log_requests=False, page=False
        ),
    )  # fmt: skip
    serve.run(build(args), logging_config={"log_level": "ERROR", "enable_access_log": False})
    return serve_address


def ask(address: str, **fields: Any) -> httpx.Response:
    return httpx.post(f"{address}/v1/tts", json={**TTS, **fields}, timeout=60)


@pytest.mark.usefixtures("address")
def test_shared_memory_is_bounded() -> None:
    # Ray goes on to fresh pages as long as there are some, and by default there is a third of the machine.
    assert ray.cluster_resources()["object_store_memory"] <= local.OBJECT_STORE


@pytest.mark.usefixtures("address")
def test_all_listen_on_loopback_only() -> None:
    page = (CONFIG.parents[1] / "docs" / "security.md").read_text("utf-8")

    def strangers() -> list[str]:
        return [
            name_of(process)
            for process, _, _ in listening(descendants(os.getpid()))
            if process != os.getpid() and f"`{name_of(process)}`" not in page
        ]

    sockets = listening(descendants(os.getpid()))
    assert len(sockets) > 8
    for process, at, port in sockets:
        assert at.is_loopback, f"{name_of(process)} listens on {at}:{port}"
    until = time.monotonic() + 20  # a process that has just begun has no name of its own yet
    while strangers() and time.monotonic() < until:
        time.sleep(0.5)
    assert strangers() == [], "docs/security.md has all who listen"


@pytest.mark.usefixtures("address")
def test_nobody_else_reaches_the_sockets_and_logs_or_knows_the_token() -> None:
    session = Path(ray.nodes()[0]["RayletSocketName"]).parents[1]
    private = next(folder for folder in session.parents if folder.name.startswith("speechx-"))
    assert private.stat().st_mode & 0o777 == 0o700
    token = os.environ["RAY_AUTH_TOKEN"]
    for process in descendants(os.getpid()):
        assert token not in Path(f"/proc/{process}/cmdline").read_text()


@pytest.mark.usefixtures("address")
def test_the_whole_way(address: str) -> None:
    ready = httpx.get(f"{address}/readyz", timeout=30).json()
    assert ready["status"] == "ready" and ready["slots"] == 4
    counted = httpx.get(f"{address}/metrics", timeout=30).text
    assert f'speechx_engine{{replica="{ready["replica"]}",what="slots"}} 4.0' in counted
    started = time.monotonic()
    with httpx.stream("POST", f"{address}/v1/tts", json={**TTS, "stream": True, "format": "pcm"}) as answer:
        parts = answer.iter_raw()
        first = next(parts)
        early = time.monotonic() - started
        rest = sum(map(len, parts))
    assert answer.status_code == 200 and len(first) + rest == 6 * 6400
    assert early < 1.5 < time.monotonic() - started
    sound = {"audio": writing.encode(np.full(48000, 0.2, np.float32), 16000)}
    voice = httpx.post(
        f"{address}/v1/voices", files=sound, data={"name": "still", "consent": "true"}, timeout=30
    )
    assert voice.status_code == 201 and voice.json()["warning"] == "no speech"
    odd = ask(address, text="!")
    assert len(odd.headers.get_list("x-request-id")) == 1
    assert odd.status_code == 422 and odd.json()["error"]["field"] == "text"


def test_languages_that_the_model_adds_are_listed(address: str) -> None:
    routes = httpx.get(f"{address}/openapi.json", timeout=30).json()["paths"]
    body = routes["/v1/tts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["language"]["enum"][-1] == "fy"


def test_leaving_over_http(address: str) -> None:
    replica = serve.get_deployment_handle("Replica", "default")
    before = replica.status.remote().result()["aborted"]
    with httpx.stream("POST", f"{address}/v1/tts", json={**TTS, "stream": True}, timeout=60) as answer:
        next(answer.iter_raw())
    with pytest.raises(httpx.TimeoutException):
        httpx.post(f"{address}/v1/tts", json=TTS, timeout=1.0)
    assert until(lambda: replica.status.remote().result()["aborted"] == before + 2)
    assert until(lambda: httpx.get(f"{address}/readyz").json()["under_way"] == 0)


def test_live_sockets(address: str) -> None:
    with connect(address.replace("http", "ws") + "/v1/tts/live") as live:
        live.send(json.dumps({"type": "start", "voice": "heart"}))
        live.send(json.dumps({"type": "text", "text": "Hello there. "}))
        live.send(json.dumps({"type": "end"}))
        heard = list(live)
    assert json.loads(heard[-1])["audio_seconds"] == 1.2
    assert sum(len(one) for one in heard if isinstance(one, bytes)) == 6 * 6400
    with connect(address.replace("http", "ws") + "/v1/noise-suppression/live") as live:
        live.send(json.dumps({"type": "start"}))
        for _ in range(10):
            live.send(np.full(1600, 1000, "<i2").tobytes())
        live.send(json.dumps({"type": "end"}))
        sound = b"".join(one for one in live if isinstance(one, bytes))
    assert np.array_equal(np.frombuffer(sound, "<i2"), np.full(16000, 500))
    with connect(address.replace("http", "ws") + "/v1/tts/live") as live:
        live.send(json.dumps({"type": "start", "voice": "nobody"}))
        assert json.loads(live.recv())["error"]["field"] == "voice"


def test_leaving_a_live_socket(address: str) -> None:
    before = httpx.get(f"{address}/readyz").json()["aborted"]
    with connect(address.replace("http", "ws") + "/v1/tts/live") as live:
        live.send(json.dumps({"type": "start", "voice": "heart"}))
        live.send(json.dumps({"type": "text", "text": "Hello there. And then"}))
        assert json.loads(live.recv())["type"] == "started"
        assert json.loads(live.recv())["type"] == "sentence"
    assert until(lambda: httpx.get(f"{address}/readyz").json()["aborted"] == before + 1)
    assert until(lambda: httpx.get(f"{address}/readyz").json()["under_way"] == 0)


def test_more_than_there_is_room_for(address: str) -> None:
    def timed() -> tuple[int, float]:
        started = time.monotonic()
        return ask(address).status_code, time.monotonic() - started

    with ThreadPoolExecutor(20) as pool:
        answers = [done.result() for done in [pool.submit(timed) for _ in range(20)]]
    done = [seconds for status, seconds in answers if status == 200]
    refused = [seconds for status, seconds in answers if status == 429]
    assert len(done) + len(refused) == 20 and len(done) >= 8 and refused
    assert statistics.median(refused) < min(done), "a rejection waits for nobody"


def test_slow_bodies_hold_no_place(address: str) -> None:
    slow = [SlowClient(address) for _ in range(12)]
    time.sleep(0.5)
    assert ask(address).status_code == 200, "though there are 8 places"
    for client in slow:
        status, error = client.answer()
        assert status == 408 and error["field"] == "body"
        client.close()


def test_a_killed_replica(address: str) -> None:
    victim = httpx.get(f"{address}/readyz", timeout=30).json()["pid"]
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(address))) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.15)  # before their first chunks
    os.kill(victim, signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers] == [200] * 4, [answer.text for answer in answers]
    assert httpx.get(f"{address}/readyz", timeout=30).json()["pid"] != victim


def test_draining_finishes_what_has_begun(address: str) -> None:
    """The last one of this cluster: it serves nobody afterwards."""
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(address))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert until(lambda: httpx.get(f"{address}/readyz").json()["under_way"] == 4)
    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(drain, 30)
        assert until(lambda: httpx.get(f"{address}/readyz").status_code == 503)
        late = ask(address)
        assert late.status_code == 503 and late.json()["error"]["code"] == "draining"
        assert int(late.headers["retry-after"]) > 0
        assert left.result(30) == 0
    for thread in threads:
        thread.join(5)
    assert [answer.status_code for answer in answers] == [200] * 4
