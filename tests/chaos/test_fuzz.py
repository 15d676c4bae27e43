"""A corpus of hostile bodies and files: no 5xx, no traceback, no path of the server, no death."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speechx.serving.app import build_app
from speechx.serving.settings import Limits, Settings
from speechx.task.voices import VoiceStore
from tests.chaos import corpus
from tests.chaos.harness import VICTIMS, Server, started
from tests.helpers.fake_engine import FakeEngine
from tests.serving.common import running

LONG = os.environ.get("SPEECHX_CHAOS") == "long"


def test_the_corpus_is_always_the_same() -> None:
    assert [*corpus.bodies(20)] == [*corpus.bodies(20)]
    # libsndfile draws the serial number of each opus file; all else is the same.
    assert [_fixed(one) for one in corpus.files(9)] == [_fixed(one) for one in corpus.files(9)]
    assert [*corpus.bodies(20, seed=2)] != [*corpus.bodies(20)]


def _fixed(request: corpus.HostileRequest) -> tuple[object, ...]:
    return request.about, request.path, "opus" in request.about or request.content


@pytest.mark.slow
def test_a_sample_of_it(tmp_path: Path) -> None:
    settings = Settings(limits=Limits(decoders=1), log_requests=False, page=False)
    with running(build_app(FakeEngine(), settings, VoiceStore(tmp_path))) as address:
        assert corpus.attack(address, corpus.bodies(150)) == []
        assert corpus.attack(address, corpus.files(60)) == []


def lasting(server: Server) -> set[int]:
    """The processes that no request may end: all but the decoders, which may be replaced."""
    command = {pid: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in server.alive()}
    return {pid for pid, words in command.items() if VICTIMS["decoder"] not in words}


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not LONG, reason="runs in `make chaos`")
@pytest.mark.parametrize("kind", ["in-process", "ray"])
def test_all_of_it(kind: str, tmp_path: Path) -> None:
    with started(kind, tmp_path) as server:
        before = lasting(server)
        assert corpus.attack(server.address, corpus.bodies(1000)) == []
        assert corpus.attack(server.address, corpus.files(500)) == []
        assert server.ready()
        assert before <= lasting(server)
