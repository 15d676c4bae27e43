"""The page as a person uses it, in headless Chromium: every task, uploads, mistakes, keyboard, phone."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from speechx.cli.samples import Sample, sample_requests
from speechx.serving.app import build_app
from speechx.serving.limits import hash_key
from speechx.task import registry
from speechx.task.voices import VoiceStore
from tests.helpers.fake_engine import FakeEngine
from tests.house.test_layout import ROOT
from tests.serving.common import SAMPLES, running, until
from tests.serving.page.conftest import TITLES, fill, run, settings


def test_it_opens(visit: Any, server: str) -> None:
    visit(server)  # warm
    started = time.monotonic()
    visitor = visit(server)
    busy = os.getloadavg()[0] > len(os.sched_getaffinity(0))
    assert busy or time.monotonic() - started < 3, "it can be used within 3 s"
    tabs = [tab.inner_text() for tab in visitor.page.get_by_role("tab").all()]
    assert tabs == [*TITLES.values(), "Voices"] and list(TITLES) == list(registry.tasks())
    assert visitor.page.title() == "SpeechX"


@pytest.mark.parametrize("sample", sample_requests(), ids=lambda sample: sample.title)
def test_each_example(visit: Any, server: str, sample: Sample) -> None:
    visitor = visit(server)
    panel = visitor.choose(TITLES[sample.task])
    fill(panel, sample)
    result = run(panel)
    figures = result.locator("figure")
    task = registry.task(sample.task)
    assert figures.count() == len([name for name in registry.audio_fields(task) if name in sample.fields]) + 1
    scales = {
        figures.nth(i).locator("svg.sound").get_attribute("data-seconds") for i in range(figures.count())
    }
    assert len(scales) == 1, "all on one scale"
    assert "seed 1" in result.locator(".sx-status").inner_text()
    result.locator("summary").click()
    assert f"SpeechX.load().{sample.task}(" in result.locator("pre").inner_text()
    with visitor.page.expect_download() as download:
        result.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"RIFF"


def test_words_light_up_while_it_plays(visit: Any, server: str) -> None:
    visitor = visit(server)
    panel = visitor.choose("Text to speech")
    fill(panel, sample_requests()[0])
    panel.get_by_label("Play while it is made").uncheck()
    result = run(panel)
    assert result.locator(".sx-words button").count() > 8
    line = result.locator("figure[data-result] .playhead")
    before = line.get_attribute("x1")
    result.locator(".sx-words button").nth(3).press("Enter")  # with the keyboard
    assert until(lambda: result.locator(".sx-lit").count() == 1)
    assert line.get_attribute("x1") != before


def test_upload_and_settings(visit: Any, server: str) -> None:
    visitor = visit(server)
    panel = visitor.choose("Noise suppression")
    panel.locator("input[type=file]").set_input_files(SAMPLES / "noisy.flac")
    panel.locator(".sx-recorder button[aria-label=Play]").or_(
        panel.get_by_label("Play", exact=True)
    ).first.wait_for()
    panel.get_by_role("button", name="More settings").press("Enter")
    panel.get_by_label("Seed same seed").fill("77")
    result = run(panel)
    assert "seed 77" in result.locator(".sx-status").inner_text()


def test_record(visit: Any, server: str) -> None:
    """The browser's own microphone is a beep; what it records needs no further program to be read."""
    panel = visit(server).choose("Noise suppression")
    recorder = panel.locator(".sx-recorder")
    recorder.get_by_label("Record audio").click()
    recorder.get_by_role("button", name="Record", exact=True).click()
    panel.page.wait_for_timeout(2000)
    with panel.page.expect_response(lambda response: "/upload" in response.url):
        recorder.get_by_role("button", name="Stop", exact=True).first.click()
    recorder.get_by_label("Play", exact=True).wait_for()
    assert run(panel).locator("figure").count() == 2


def test_errors_are_the_sentences_of_http(visit: Any, server: str, tmp_path: Path) -> None:
    visitor = visit(server)
    panel = visitor.choose("Noise suppression")
    result = run(panel, "error")
    assert result.get_by_role("alert").inner_text() == "audio is missing: noise_suppression needs it"
    panel = visitor.choose("Text to speech")
    panel.get_by_label("Text", exact=False).first.fill("Hello.")
    panel.get_by_role("button", name="More settings").click()
    panel.get_by_label("Top p share").fill("7")
    assert (
        run(panel, "error").get_by_role("alert").inner_text().startswith("top_p: input should be less than")
    )
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF this is no sound" * 20)
    panel = visitor.choose("Speech removal")
    with visitor.page.expect_response(lambda response: "/upload" in response.url):
        panel.locator("input[type=file]").set_input_files(bad)
    panel.get_by_label("Clear").wait_for()
    assert run(panel, "error").get_by_role("alert").inner_text().startswith("audio")
    visitor.forgiven = ("Waveform load error",)  # the browser cannot play it either


def test_a_file_that_is_no_sound(visit: Any, server: str, tmp_path: Path) -> None:
    (tmp_path / "letter.docx").write_bytes(b"PK" * 100)
    panel = visit(server).choose("Noise suppression")
    panel.locator("input[type=file]").set_input_files(tmp_path / "letter.docx")
    told = panel.page.get_by_text("letter.docx is not a sound file: give wav, flac, ogg, opus or mp3.")
    told.wait_for()


def test_a_voice_needs_consent(visit: Any, server: str) -> None:
    visitor = visit(server)
    panel = visitor.choose("Text to speech")
    fill(panel, sample_requests()[0])
    panel.get_by_label("the speaker of this recording has agreed").uncheck()
    assert "voice needs consent" in run(panel, "error").get_by_role("alert").inner_text()


def test_stop_and_leave(visit: Any, slow_server: str, slow: FakeEngine) -> None:
    visitor = visit(slow_server)
    panel = visitor.choose("Text to speech")
    panel.get_by_label("Text", exact=False).first.fill("Hello there.")
    stop = panel.get_by_role("button", name="Stop", exact=True)
    assert until(stop.is_disabled), "there is nothing to stop yet"
    panel.get_by_role("button", name="Run", exact=True).click()
    panel.locator("progress:visible").wait_for()
    assert until(stop.is_enabled) and panel.get_by_role("button", name="Run", exact=True).is_disabled()
    assert until(lambda: len(slow.jobs) == 1)
    stop.click()
    assert until(lambda: slow.aborted == [slow.jobs[0].id])
    panel.locator("[data-state=cancelled]").wait_for()
    panel.get_by_role("button", name="Run", exact=True).click()
    assert until(lambda: len(slow.jobs) == 2)
    visitor.forgiven = ("AbortError", "Connection errored out")
    visitor.page.goto("about:blank")
    assert until(lambda: len(slow.aborted) == 2, 20), "closing the page ends its work"


def test_phone(visit: Any, server: str) -> None:
    visitor = visit(server, width=390, height=844)
    for title in [*TITLES.values(), "Voices"]:
        visitor.choose(title)  # none is hidden in a menu
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"nothing of {title} sticks out to the side"
    panel = visitor.choose("Speech editing")
    fill(panel, sample_requests()[5])
    result = run(panel)
    top = "element => element.getBoundingClientRect().top"
    assert until(lambda: 0 <= result.locator(".sx-status").evaluate(top) < 844), "it comes into view"
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_result_beside_a_long_form_is_in_view(visit: Any, server: str) -> None:
    visitor = visit(server, height=600)
    panel = visitor.choose("Target speaker extraction")
    panel.get_by_role("button", name="More settings").click()
    panel.get_by_role("button", name="Run", exact=True).scroll_into_view_if_needed()
    alert = run(panel, "error").get_by_role("alert")
    assert until(lambda: 0 <= alert.evaluate("element => element.getBoundingClientRect().top") < 600)


def test_keyboard(visit: Any, server: str) -> None:
    """From the open page to a result without a mouse."""
    visitor = visit(server)
    keyboard = visitor.page.keyboard

    def focus(name: str) -> None:
        """Presses Tab until something of this name has the focus, which has to be seen."""
        for _ in range(60):
            keyboard.press("Tab")
            found, outline = visitor.page.evaluate(FOCUSED)
            if name in found:
                assert outline != "none", f"{name} has the focus, and one sees it"
                return
        raise AssertionError(f"{name} cannot be reached")

    focus("Noise suppression")
    keyboard.press("Enter")
    chosen: list[Any] = []
    visitor.page.on("filechooser", lambda chooser: chosen.append(chooser))
    for _ in range(3):  # the panel may not listen yet
        focus("Drop an audio file here to upload")
        keyboard.press("Enter")
        visitor.page.wait_for_timeout(1000)
        if chosen:
            break
    chosen[0].set_files(SAMPLES / "noisy.flac")
    panel = visitor.page.locator("[role=tabpanel]:visible")
    panel.get_by_label("Play", exact=True).wait_for()
    focus("Play while it is made")
    keyboard.press("Space")
    focus("Run")
    keyboard.press("Enter")
    panel.locator(".sx-result [data-state=done], .sx-result[data-state=done]").wait_for(timeout=40_000)
    focus("Download")
    with visitor.page.expect_download():
        keyboard.press("Enter")


FOCUSED = """() => {
  const it = document.activeElement, style = getComputedStyle(it);
  const label = it.labels && it.labels[0] ? it.labels[0].innerText : "";
  return [`${it.getAttribute("aria-label") || ""} ${label} ${it.innerText || ""}`, style.outlineStyle];
}"""


def test_small_text_has_contrast(visit: Any, server: str) -> None:
    visitor = visit(server)
    panel = visitor.choose("Text to speech")
    color = panel.get_by_text("what to say").evaluate("element => getComputedStyle(element).color")
    red, green, blue = (int(part) for part in re.findall(r"\d+", color)[:3])
    assert max(red, green, blue) <= 118, "4.5 to 1 on white"


def test_enroll_a_voice(visit: Any, server: str) -> None:
    visitor = visit(server)
    panel = visitor.choose("Voices")
    panel.locator("input[type=file]").first.set_input_files(SAMPLES / "enrollment.flac")
    panel.get_by_label("Play", exact=True).wait_for()
    panel.get_by_label("Name").fill("Anna")
    panel.get_by_role("button", name="Enroll").click()
    panel.get_by_text("consent must be true: the speaker has agreed to be enrolled").wait_for()
    panel.get_by_label("The speaker has agreed").check()
    panel.get_by_role("button", name="Enroll").click()
    panel.get_by_text("anna is enrolled.").wait_for()
    panel = visitor.choose("Text to speech")
    panel.get_by_label("Voice", exact=False).first.click()
    visitor.page.get_by_role("option", name="anna").click()


def test_keys(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"anna:{hash_key('secret')}\n")
    app = build_app(
        FakeEngine(), settings(api_keys_file=str(tmp_path / "keys")), VoiceStore(tmp_path / "voices")
    )
    with running(app) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_label("username").fill("anna")
        page.get_by_label("password").fill("wrong")
        page.get_by_role("button", name="Login").click()
        page.wait_for_timeout(500)
        assert page.get_by_role("tab").count() == 0
        page.get_by_label("username").fill("anna")
        page.get_by_label("password").fill("secret")
        page.get_by_role("button", name="Login").click()
        page.get_by_role("tab").first.wait_for()
        page.close()


@pytest.mark.parametrize("component", ["Audio (the recording)", "Text", "Format"])
@pytest.mark.parametrize("path", ["{secret}", "{address}/docs", "file://{secret}"])
def test_files_of_the_server_stay_there(
    server: str, tmp_path_factory: Any, component: str, path: str
) -> None:
    """A client that names a file or an address, instead of uploading a file, gets nothing of it, in any component."""
    secret = ROOT / "pyproject.toml"
    config = httpx.get(f"{server}/page/config").json()
    labels = {one["id"]: one["props"].get("label") or "" for one in config["components"]}
    event = next(
        event for event in config["dependencies"]
        if any(labels[i].startswith("Audio (") for i in event["inputs"]) and len(event["inputs"]) > 6
    )  # fmt: skip
    file = {"path": path.format(secret=secret, address=server), "meta": {"_type": "gradio.FileData"}}
    data = [file if labels[i].startswith(component) else None for i in event["inputs"]]
    assert file in data
    before = kept_files()
    asked = {"data": data, "fn_index": event["id"], "session_hash": "abc"}
    httpx.post(f"{server}/page/gradio_api/queue/join", json=asked).raise_for_status()
    with httpx.stream("GET", f"{server}/page/gradio_api/queue/data?session_hash=abc", timeout=20) as heard:
        answer = next(line for line in heard.iter_lines() if "process_completed" in line)
    assert '"success":false' in answer, answer
    assert kept_files() == before, "nothing was copied to where it could be fetched"


def kept_files() -> set[str]:
    from gradio.utils import get_upload_folder

    folder = Path(get_upload_folder())
    return {str(path) for path in folder.rglob("*")}


def test_paths_are_not_served(server: str) -> None:
    for path in (f"gradio_api/file={ROOT}/pyproject.toml", "results/../../etc/hostname", "results/x.wav"):
        assert httpx.get(f"{server}/page/{path}").status_code in (403, 404), path
