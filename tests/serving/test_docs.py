"""The curl lines and requests of README and docs/serving.md, against a running server with a tiny model."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speechx.audio import reading, writing
from speechx.pipeline.live_mask import LATENCY_SECONDS
from speechx.serving.app import build_app
from speechx.serving.cluster.replica import ReplicaOptions, make_engine
from speechx.serving.routes.live_sessions import BLOCK_SECONDS
from speechx.serving.settings import Limits
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import ServedFakeEngine
from tests.serving.common import SAMPLES, running, settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/serving.md")}


def curls(page: str) -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


@pytest.fixture(scope="module")
def address(tiny_folder: Path, tmp_path_factory: Any) -> Iterator[str]:
    voices = VoiceStore(tmp_path_factory.mktemp("voices"))
    engine = make_engine(ReplicaOptions(model=str(tiny_folder), voices=voices.root))
    engine.pipeline.frontend.max_phone_errors = float("inf")
    with running(build_app(engine, settings(), voices)) as address:
        yield address
    engine.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("page", PAGES)
def test_curl(page: str, address: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path, dirs_exist_ok=True)
    lines = curls(page)
    assert len(lines) > 7
    for line in lines:
        command = shlex.split(
            line.replace("localhost:8000", address).replace("name=anna", f"name=anna -F id=a{len(page)}"),
            comments=True,
        )
        if "voices/anna" in line:
            command[-1] = command[-1].replace("anna", f"a{len(page)}")
        if '"anna"' in line:
            command = [part.replace('"anna"', f'"a{len(page)}"') for part in command]
        done = subprocess.run(
            [*command, "--fail-with-body", "-sS"], cwd=tmp_path, capture_output=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        if "-o" in command:
            assert len(reading.read(tmp_path / command[command.index("-o") + 1], whole=False)) > 3000


def test_limits_are_those_of_the_page() -> None:
    page, limits = PAGES["docs/serving.md"], Limits()
    said = re.search(r"Defaults: (.*?)\. `per_key", page, re.DOTALL)
    assert said is not None
    text = " ".join(said[1].split())
    for value in (
        f"{limits.upload_bytes >> 20} MiB and {limits.upload_seconds:g} s", f"{limits.audio_seconds:g} s of sound",
        f"{limits.voice_seconds:g} s of a voice", f"{limits.text_chars:,} characters", f"best_of {limits.best_of}",
        f"{limits.request_seconds:g} s a request",
    ):  # fmt: skip
        assert value in text
    assert json.loads(re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0])["error"]["limit"]


def test_clients_of_live_sockets(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (
        (ROOT / "docs" / "live.md")
        .read_text("utf-8")
        .replace("ws://127.0.0.1:8000", address.replace("http", "ws"))
    )
    first, second = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len([line for line in first.splitlines() if line.strip()]) <= 30, (
        "as the page of the project promises"
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(first, "docs/live.md", "exec"), {})
    assert len(reading.read("live.wav")) > 3000
    noisy_T = reading.read(SAMPLES / "noisy.flac")
    Path("noisy.wav").write_bytes(writing.encode(noisy_T, 16000, "wav"))
    with running(
        build_app(ServedFakeEngine(ReplicaOptions(), 3, 0), settings(), VoiceStore(tmp_path / "voices"))
    ) as other:
        names: dict[str, Any] = {}
        exec(compile(second.replace(address[7:], other[7:]), "docs/live.md", "exec"), names)
    assert len(names["clean"]) == 2 * len(noisy_T)


def test_live_limits_are_those_of_the_page() -> None:
    page, limits = (ROOT / "docs" / "live.md").read_text("utf-8"), Limits()
    for name in ("live_seconds", "live_idle_seconds", "live_start_seconds"):
        assert f"`{name}` {getattr(limits, name):g}" in page
    assert f"`latency_seconds` {LATENCY_SECONDS + BLOCK_SECONDS:g}" in page
