"""The page behind Ray: with one router it is at /; with two there is none, and programs are served all the same."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from speechx.serving.cluster.replica import ReplicaOptions
from speechx.serving.cluster.router import AppArgs, build
from speechx.serving.settings import Limits, Settings

pytest.importorskip("gradio", reason="needs the extra page")

from ray import serve

QUIET = {"log_level": "ERROR", "enable_access_log": False}


def deploy(routers: int, voices: str) -> None:
    args = AppArgs(
        cpus=0.1, router_cpus=0.1, routers=routers,
        replica=ReplicaOptions(engine="tests.helpers.fake_engine:quick", voices=voices),
        settings=Settings(limits=Limits(decoders=0), log_requests=False),
    )  # fmt: skip
    serve.run(build(args), logging_config=QUIET)


def press_run(address: str, tab: str, **given: str) -> list[dict[str, Any]]:
    """What the page is sent after a press of Run, by the protocol of its browser side: all that the player shows."""
    config = httpx.get(f"{address}/page/config", timeout=30).json()
    parts = {part["id"]: part["props"] for part in config["components"]}
    event = next(  # what Run of the first tab with such fields sends
        event
        for event in config["dependencies"]
        if {*given, "Play while it is made"} <= {parts[i].get("label") for i in event["inputs"]}
    )
    data = [given.get(parts[i].get("label"), parts[i].get("value")) for i in event["inputs"]]
    asked = {"data": data, "fn_index": event["id"], "session_hash": tab}
    httpx.post(f"{address}/page/gradio_api/queue/join", json=asked, timeout=30).raise_for_status()
    shown = []
    with httpx.stream("GET", f"{address}/page/gradio_api/queue/data?session_hash={tab}", timeout=30) as heard:
        for line in heard.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            if message.get("msg") in ("process_generating", "process_completed"):
                shown.append(message)
            if message.get("msg") == "process_completed":
                break
    return shown


def test_one_router_serves_the_page(serve_address: str, tmp_path_factory: Any) -> None:
    deploy(1, str(tmp_path_factory.mktemp("voices")))
    opened = httpx.get(serve_address, follow_redirects=True, timeout=30)
    assert opened.status_code == 200 and opened.url.path == "/page/" and "SpeechX" in opened.text
    for tab in ("first", "second"):
        messages = press_run(serve_address, tab, Voice="heart", Text="Hello there.")
        assert len(messages) > 2, "it comes piece by piece"
        assert messages[-1]["success"]
        player = json.dumps(messages)
        assert "1.0 s of sound made" in player and "model fake" in player
    sound = player[player.rindex("results/") :].split('"')[0]
    assert httpx.get(f"{serve_address}/page/{sound}").content[:4] == b"RIFF"


def test_two_routers_serve_programs_alone(serve_address: str, tmp_path_factory: Any) -> None:
    deploy(2, str(tmp_path_factory.mktemp("voices")))
    assert httpx.get(serve_address, follow_redirects=True, timeout=30).url.path == "/docs"
    assert httpx.get(f"{serve_address}/page/", timeout=30).status_code == 404
    for _ in range(4):
        spoken = httpx.post(
            f"{serve_address}/v1/tts", json={"text": "Hello there.", "voice": "heart"}, timeout=30
        )
        assert spoken.status_code == 200 and spoken.content[:4] == b"RIFF"
