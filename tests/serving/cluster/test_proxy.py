"""Errors of Ray's proxy are JSON like ours; and its processes end with their raylet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.testclient import TestClient

from speechx.serving.cluster.guard import EXIT_SECONDS, REAP_SECONDS, RayletProcesses, processes_of
from speechx.serving.cluster.proxy import JsonErrors


async def no_answer(scope: Any, receive: Any, send: Any) -> None:
    """What Ray's proxy does when the router of a request was killed."""


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("in the proxy")


@pytest.mark.parametrize(
    ("inner", "status", "code"),
    [
        (no_answer, 503, "router_lost"),
        (broken, 503, "router_lost"),
        (PlainTextResponse("Internal Server Error", 500), 503, "unavailable"),
        (PlainTextResponse("no replicas", 503), 503, "unavailable"),
        (PlainTextResponse("queue is full", 429), 429, "rate_limit"),
        (PlainTextResponse("Path '/x' not found.", 404), 404, "not_found"),
    ],
)
def test_errors_of_ray_are_json(inner: Any, status: int, code: str) -> None:
    answer = TestClient(JsonErrors(inner)).get("/v1/tts", headers={"x-request-id": "mine"})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code and error["request_id"] == "mine"
    assert status == 404 or int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "inner",
    [
        JSONResponse({"error": {"message": "text is missing"}}, 422),
        JSONResponse({"error": {"message": "full"}}, 429, {"Retry-After": "1"}),
        PlainTextResponse("RIFF", 200, {"x-request-id": "from-the-app"}),
    ],
)
def test_ours_pass_unchanged(inner: Any) -> None:
    answer = TestClient(JsonErrors(inner)).get("/")
    assert (answer.status_code, answer.content) == (inner.status_code, inner.body)


@pytest.mark.slow
def test_a_worker_ends_with_its_raylet(tmp_path: Path) -> None:
    """The parent stands for the raylet: it starts a worker as Ray does, and dies."""
    worker = (
        "import os, time\nfrom speechx.serving.cluster.guard import watch_raylet\n"
        "watch_raylet(lambda: print('lost', flush=True))\nprint('up', flush=True)\ntime.sleep(60)"
    )
    raylet = (
        "import os, subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {worker!r}], env={{**os.environ, 'RAY_RAYLET_PID': str(os.getpid())}})\n"
        "sys.stdin.read()"
    )
    root = str(Path(__file__).resolve().parents[3])
    process = subprocess.Popen([sys.executable, "-c", raylet], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": root})  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    process.kill()
    # The pipe ends when the worker has ended, too.
    rest, _ = process.communicate(timeout=EXIT_SECONDS + 5)
    assert rest == "lost\n"


@pytest.mark.slow
def test_nothing_outlives_a_killed_server(tmp_path: Path) -> None:
    """The process stands for the server. Its worker, as one of Ray's agents, takes no notice of its death."""
    mark = 2**22 + os.getpid()  # of no process: Linux has none beyond 2**22
    worker = "import time\nprint('up', flush=True)\ntime.sleep(60)"
    server = (
        "import os, subprocess, sys, time\nfrom speechx.serving.cluster.guard import start_reaper\n"
        f"start_reaper({mark})\n"
        f"subprocess.Popen([sys.executable, '-c', {worker!r}], env={{**os.environ, 'RAY_RAYLET_PID': '{mark}'}})\n"
        "time.sleep(60)"
    )
    root = str(Path(__file__).resolve().parents[3])
    process = subprocess.Popen([sys.executable, "-c", server], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": root})  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    assert len(processes_of(mark)) == 1
    process.kill()
    process.communicate(timeout=REAP_SECONDS + 5)  # the pipe ends when the worker has ended
    assert processes_of(mark) == []


@pytest.mark.slow
def test_a_process_without_its_environment_is_known() -> None:
    """Ray's agents overwrite theirs with their title."""
    child = (
        "import subprocess, time\nchild = subprocess.Popen(['sleep', '60'], env={})\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    raylet = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
    assert raylet.stdout is not None
    agent, processes = int(raylet.stdout.readline()), RayletProcesses(raylet.pid)
    processes.note()
    raylet.kill()
    raylet.wait()
    assert processes_of(raylet.pid) == [] and processes.alive() == {agent}
    processes.end(0.2)
    until = time.monotonic() + 10
    while processes.alive() and time.monotonic() < until:
        time.sleep(0.05)
    assert processes.alive() == set()
