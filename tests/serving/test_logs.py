"""What a server writes is lines of JSON, whoever writes it."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest

from speechx.errors import InputError
from speechx.serving import load_test
from speechx.serving.logs import JsonLines, json_lines, request_log


def lines(*parts: str) -> list[dict[str, Any]]:
    to = io.StringIO()
    stream = JsonLines(to)
    for part in parts:
        stream.write(part)
    stream.close()
    return [json.loads(line) for line in to.getvalue().splitlines()]


def test_text_becomes_events() -> None:
    found = lines("one\ntw", "o\n\n", "\x1b[33mWARNING: three\x1b[0m\n")
    assert [(line["event"], line["level"]) for line in found] == [
        ("one", "info"), ("two", "info"), ("WARNING: three", "warning"),
    ]  # fmt: skip
    assert all(line["time"].endswith("Z") for line in found)


def test_a_stream_has_all_that_the_other_one_has() -> None:
    to = io.TextIOWrapper(io.BytesIO())
    assert JsonLines(to).buffer is to.buffer and not JsonLines(to).closed


def test_json_stays_as_it_is() -> None:
    assert lines('{"event": "request", "status": 200}\n') == [{"event": "request", "status": 200}]
    assert lines("{broken\n")[0]["event"] == "{broken"


def test_lines_of_rays_processes() -> None:
    found = lines(
        '\x1b[36m(ServeReplica:default:Router pid=23159)\x1b[0m {"event": "request", "status": 200}\n',
        "\x1b[36m(ServeController pid=7)\x1b[0m WARNING 2026-11-29 11:42:02,171 controller 7 -- It takes long.\n",
        "(raylet) Task failed.\n",
    )
    assert found[0] == {"event": "request", "status": 200, "process": "ServeReplica:default:Router 23159"}
    assert (found[1]["level"], found[1]["process"]) == ("warning", "ServeController 7")
    assert (found[2]["event"], found[2]["process"]) == ("Task failed.", "raylet")


TRACE = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in g
ValueError: no"""


@pytest.mark.parametrize("prefix", ["", "(Router pid=3) "])
def test_a_traceback_is_one_line(prefix: str) -> None:
    text = "".join(f"{prefix}{line}\n" for line in TRACE.splitlines())
    (found,) = lines(text)
    assert found["event"] == "ValueError: no" and found["level"] == "error" and found["trace"] == TRACE
    assert lines("Traceback (most recent call last):\n  File x")[0]["trace"], "one that was cut off"


def test_everything_a_process_writes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("uvicorn", "uvicorn.error"):  # other tests let uvicorn have handlers of its own
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)

    def fail() -> None:
        raise KeyError("in a thread")

    with pytest.raises(SystemExit) as ended, json_lines():
        print("printed")
        print("to standard error", file=sys.stderr)
        logging.getLogger("uvicorn.error").error("failed", exc_info=ValueError("of uvicorn"))
        request_log().info("request", extra={"facts": {"status": 200}})
        warnings.warn("old", stacklevel=1)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        raise RuntimeError("a bug")
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["event"] == "printed"
    found = {line["event"]: line for line in map(json.loads, shown.err.splitlines())}
    assert "ValueError: of uvicorn" in found["failed"]["trace"] and found["request"]["status"] == 200
    assert "in a thread" in found["thread failed"]["trace"]
    assert "RuntimeError" in found["the server failed: a bug"]["trace"]
    assert any("old" in event for event in found)


def test_an_input_error_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, json_lines():
        raise InputError("port is taken", field="port")
    assert ended.value.code == 2 and json.loads(capsys.readouterr().err)["event"] == "port is taken"


def test_a_terminal_is_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with json_lines():
        print("as it is", file=sys.stderr)
    assert capsys.readouterr().err == "as it is\n"


def test_every_line_of_a_server(tiny_folder: Path) -> None:
    """Also when a request fails after its first byte, which uvicorn logs with a traceback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        BREAKS,
        "serve",
        "--in-process",
        "--model",
        str(tiny_folder),
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        load_test.wait_ready(f"http://127.0.0.1:{port}", process)  # type: ignore[arg-type]
        body = {"text": "Hello there.", "voice": "heart", "stream": True}
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"http://127.0.0.1:{port}/v1/tts", json=body, timeout=60)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    found = [json.loads(line) for line in (out + err).splitlines()]
    assert any("SpeechX at" in line["event"] for line in found)
    assert any("broke on the way" in line.get("trace", "") for line in found if line["event"] == "request")
    assert any("ASGI" in line["event"] and "StreamAborted" in line["trace"] for line in found)


BREAKS = """
from speechx.cli.main import main
from speechx.audio.writing import StreamEncoder
close = StreamEncoder.close
def broken(self):
    raise RuntimeError("broke on the way")
StreamEncoder.close = broken
main()
"""
