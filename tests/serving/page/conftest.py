"""A browser and servers with the page. Without the extra `page`, playwright or a Chromium the modules here are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from speechx.cli.samples import Sample
from speechx.serving.app import build_app
from speechx.serving.cluster.replica import ReplicaOptions, make_engine
from speechx.serving.settings import Limits, Settings
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine, ServedFakeEngine
from tests.serving.common import running

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

TITLES = {
    "tts": "Text to speech", "cross_lingual_tts": "Cross-lingual text to speech", "noise_suppression": "Noise suppression",
    "target_speaker_extraction": "Target speaker extraction", "speech_removal": "Speech removal",
    "speech_editing": "Speech editing",
}  # fmt: skip


def fill(panel: Any, sample: Sample) -> None:
    panel.get_by_role("button", name=f"Example: {sample.title}", exact=True).click()
    panel.get_by_label("Play", exact=True).first.wait_for()  # every sample has a recording


def run(panel: Any, state: str = "done") -> Any:
    """Presses Run and waits; the result."""
    panel.get_by_role("button", name="Run", exact=True).click()
    result = panel.locator(f".sx-result [data-state={state}], .sx-result[data-state={state}]")
    result.wait_for(timeout=40_000)
    return result


def settings(**more: Any) -> Settings:
    return Settings(limits=Limits(decoders=0), log_requests=False, **more)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; skips where there is none.

    For one module: as long as it is open, its event loop runs in the thread of the tests, and no other can.
    """
    pytest.importorskip("gradio", reason="needs the extra page")
    if find_spec("playwright") is None:
        pytest.skip("needs playwright: the extra dev")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tiny_folder: Path, tmp_path_factory: Any) -> Iterator[str]:
    """A tiny model that has learned nothing."""
    pytest.importorskip("gradio", reason="needs the extra page")
    voices = VoiceStore(tmp_path_factory.mktemp("voices"))
    engine: Any = make_engine(ReplicaOptions(model=str(tiny_folder), voices=voices.root))
    engine.pipeline.frontend.max_phone_errors = float("inf")
    with running(build_app(engine, settings(), voices)) as address:
        yield address
    engine.close()


@pytest.fixture
def editing_server(tmp_path: Path, monkeypatch: Any) -> Iterator[Any]:
    """editing_server(recognize): a server that places a word a second; `recognize` hears, or is the error of doing so."""
    pytest.importorskip("gradio", reason="needs the extra page")

    def heard(name: str) -> Any:
        if isinstance(given[0], Exception):
            raise given[0]
        return given[0]

    with ExitStack() as stack:

        def start(recognize: Any) -> str:
            given.append(recognize)
            engine: Any = ServedFakeEngine(ReplicaOptions(model=""), chunks=3, delay=0.0)
            return stack.enter_context(running(build_app(engine, settings(), VoiceStore(tmp_path))))

        given: list[Any] = []
        monkeypatch.setattr("speechx.serving.recognizer.launcher", lambda its: heard)
        yield start


@pytest.fixture(scope="module")
def slow() -> FakeEngine:
    """20 s of work."""
    return FakeEngine(chunks=100, delay=0.2)


@pytest.fixture(scope="module")
def slow_server(slow: FakeEngine, tmp_path_factory: Any) -> Iterator[str]:
    pytest.importorskip("gradio", reason="needs the extra page")
    with running(build_app(slow, settings(), VoiceStore(tmp_path_factory.mktemp("voices")))) as address:
        yield address


class Visitor:
    """A visitor of the page. faults: console errors, exceptions, and requests to other machines.

    forgiven: parts of those that the browser itself must report.
    """

    forgiven: tuple[str, ...] = ()

    def __init__(self, browser: Any, address: str, width: int = 1200, height: int = 900) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(40_000)  # beside other tests an upload took more than 20 s
        self.faults: list[str] = []
        self.page.on("console", lambda its: self.faults.append(its.text) if its.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(address)
        self.page.get_by_role("tab").first.wait_for()

    def _note(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.faults.append(f"asks {request.url}")

    def choose(self, tab: str) -> Any:
        """The panel of a tab."""
        self.page.get_by_role("tab", name=tab, exact=True).click()
        panel = self.page.locator("[role=tabpanel]:visible")
        panel.wait_for()
        return panel


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """visit(address, width): a visitor, who must not have seen any fault."""
    visitors: list[Visitor] = []

    def go(address: str, **options: Any) -> Visitor:
        visitors.append(Visitor(browser, address, **options))
        return visitors[-1]

    yield go
    faults = [
        fault
        for visitor in visitors
        for fault in visitor.faults
        if not any(part in fault for part in visitor.forgiven)
    ]
    for visitor in visitors:
        visitor.page.close()
    assert faults == []
