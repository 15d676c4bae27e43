"""Requests that run together do not touch each other: each gives what it gives alone."""

from __future__ import annotations

import base64
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from speechx.cli.samples import sample_requests
from speechx.serving import load_test
from speechx.serving.app import build_app
from speechx.serving.cluster.replica import ReplicaOptions, make_served_engine
from speechx.task import registry
from tests.chaos.harness import ROOT
from tests.serving.common import running, settings


@dataclass(frozen=True)
class Asked:
    """A request for pcm."""

    route: str
    seed: int
    stream: bool
    fields: dict[str, Any]

    def answer(self, client: httpx.Client) -> np.ndarray:
        """Samples (T,) in 16 bits; asks again, ever later, where the server is full."""
        body = {**self.fields, "seed": self.seed, "stream": self.stream, "format": "pcm"}
        for attempt in itertools.count(1):
            answer = client.post(f"/v1/{self.route}", json=body)
            if answer.status_code != 429:
                assert answer.status_code == 200, (self.route, answer.text)
                break
            time.sleep(float(answer.headers["Retry-After"]) * min(attempt, 10) * random.uniform(0.5, 1.5))
        return np.frombuffer(answer.content, "<i2").astype(np.int32)


def every_ability(seeds: int) -> list[Asked]:
    """The seven sample requests, streamed and not, with so many seeds each."""
    found = []
    for sample in sample_requests():
        fields = {key: value for key, value in sample.fields.items() if key != "seed"}
        for name in registry.audio_fields(registry.task(sample.task)):
            if isinstance(fields.get(name), Path):
                fields[name] = base64.b64encode(fields[name].read_bytes()).decode()
        route = sample.task.replace("_", "-")
        found += [Asked(route, seed, stream, fields) for seed in range(seeds) for stream in (False, True)]
    return found


def differences(address: str, asked: list[Asked], times: int) -> list[str]:
    """Ask for each alone, then for all `times` at once: those that differ by more than one step of 16 bits."""
    order = [index for index in range(len(asked)) for _ in range(times)]
    random.Random(1).shuffle(order)
    everybody = httpx.Limits(max_connections=len(order))
    with (
        httpx.Client(base_url=address, timeout=None, limits=everybody) as client,
        ThreadPoolExecutor(len(order)) as pool,
    ):
        alone = [one.answer(client) for one in asked]
        together = list(pool.map(lambda index: asked[index].answer(client), order))
    found = []
    for index, answer in zip(order, together, strict=True):
        known, one = alone[index], asked[index]
        apart = np.abs(known - answer).max(initial=0) if len(known) == len(answer) else "length"
        if apart == "length" or apart > 1:
            found.append(f"{one.route} seed {one.seed}{' streamed' * one.stream}: {apart}")
    return found


@pytest.fixture
def address(tiny_folder: Path, tmp_path: Path) -> Iterator[str]:
    """A model with random weights in this process."""
    engine = make_served_engine(
        ReplicaOptions(model=str(tiny_folder), slots=8, waiting=64, voices=str(tmp_path))
    )
    engine.pipeline.frontend.max_phone_errors = float("inf")  # a model that has learned nothing hears nothing
    with running(build_app(engine, settings(at_once=64))) as address:
        yield address
    engine.close()


@pytest.mark.slow
def test_a_few_together(address: str) -> None:
    assert differences(address, every_ability(1), 2) == []


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.environ.get("SPEECHX_CHAOS") != "long", reason="runs in `make chaos`")
def test_two_hundred_with_two_replicas_and_two_routers(tmp_path: Path) -> None:
    """The weights of the package, over Ray."""
    command = [
        sys.executable,
        "-m",
        "speechx.cli.main",
        "serve",
        "--port",
        "18977",
        "--voices",
        str(tmp_path),
        # A busy machine may be slow: what counts here is what the answers are.
        "--limit",
        "request_seconds=3000",
        "--limit",
        "body_grace_seconds=600",
        "--limit",
        "upload_seconds=600",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*command, "--replicas", "2", "--routers", "2"], cwd=ROOT, stdout=log, stderr=log,
                                   env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
        try:
            load_test.wait_ready("http://127.0.0.1:18977", process)  # type: ignore[arg-type]
            assert differences("http://127.0.0.1:18977", every_ability(3), 5)[:5] == []  # 7 x 2 x 3 x 5 = 210
        finally:
            process.terminate()
            process.wait(60)
