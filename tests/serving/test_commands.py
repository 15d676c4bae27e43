"""`speechx serve` as a process of its own, and the load generator."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from speechx.cli.main import main
from speechx.errors import InputError
from speechx.serving import cli, load_test
from speechx.serving.app import build_app
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import running, settings


def test_serve_and_drain(tiny_folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "speechx.cli.main", "serve", "--in-process", "--model", str(tiny_folder)]
    process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        load_test.wait_ready(address, process)  # type: ignore[arg-type]
        answers: list[httpx.Response] = []
        body = {"text": "The water is cold today and nobody wants to swim in it. " * 3, "voice": "heart"}
        thread = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{address}/v1/tts", json=body, timeout=60))
        )
        thread.start()
        while httpx.get(f"{address}/readyz").json()["under_way"] == 0 and not answers:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)  # what is under way is finished
        thread.join(30)
        assert answers[0].status_code == 200 and len(answers[0].content) > 10_000
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        assert any(one["event"] == "request" and one["status"] == 200 and one["request_id"] for one in told)
    finally:
        process.kill()
        process.wait()


def test_serve_needs_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--model", str(tmp_path)]) == 2
    assert "is no model folder" in capsys.readouterr().err


@pytest.mark.parametrize("how", [["--in-process"], []])
def test_a_taken_port(tiny_folder: Path, how: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--model", str(tiny_folder), "--port", str(port), *how]) == 1
    assert f"port {port} of 127.0.0.1 is in use" in capsys.readouterr().err


def test_the_page_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r'the page needs the extra page: pip install "speechx\[serve,page\]"'
    ):
        cli.page()


def test_the_load_generator(capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine(delay=0.02)
    with running(build_app(engine, settings(at_once=2))) as address:
        arguments = [
            "bench",
            "serve",
            "--url",
            address,
            "--clients",
            "1,6",
            "--tasks",
            "tts",
            "--seconds",
            "1",
        ]
        assert main([*arguments, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        one, six = report["loads"]
        assert one["done"] > 3 and one["rejects"] == 0 and one["first_audio_p50"] < 1
        assert six["rejects"] > 0 and six["errors"] == 0 and six["reject_p95"] < 1
        assert "| url | tts | 6 |" in load_test.as_text(report)


def test_underruns_are_noticed() -> None:
    seen = load_test.LoadStats()
    with running(build_app(FakeEngine(chunks=3, delay=0.4), settings())) as address:
        route, body = load_test.request_bodies("tts")["tts"][0]
        load_test._send_request(address, route, body, None, seen)
    assert seen.underruns == 1 and seen.audio == pytest.approx(0.6, abs=0.01) and not seen.errors


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_counts_what_a_server_has_started() -> None:
    before = load_test.memory_mb(os.getpid())
    hold = "import time; held = bytearray(b'x') * 50_000_000; print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline()
        assert 50 < load_test.memory_mb(os.getpid()) - before < 200
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("text", ["", "0", "1,x", "1,,2", "999"])
def test_numbers(text: str) -> None:
    with pytest.raises(InputError, match="clients"):
        load_test.client_counts(text)
