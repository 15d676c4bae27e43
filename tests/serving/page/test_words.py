"""Editing on the page: the words of a recording, found and changed, in headless Chromium."""

from __future__ import annotations

from typing import Any

from speechx.cli.samples import sample_requests
from speechx.errors import InputError
from tests.serving.common import SAMPLES
from tests.serving.page.conftest import fill, run


def test_click_the_words_to_change(visit: Any, server: str) -> None:
    visitor = visit(server)
    panel = visitor.choose("Speech editing")
    panel.locator("input[type=file]").set_input_files(SAMPLES / "edit.flac")
    panel.get_by_label("Play", exact=True).wait_for()
    panel.get_by_label("Transcript what").fill(
        "We will meet on Monday afternoon at the old library near the river."
    )
    panel.get_by_role("button", name="Find the words").click()
    word = panel.get_by_label("word 5: Monday")
    word.wait_for()
    word.fill("Sunday")
    result = run(panel)  # at once, without leaving the field
    text = "We will meet on Sunday afternoon at the old library near the river."
    assert panel.get_by_label("Text the whole").input_value() == text
    assert result.locator("figure").count() == 2
    assert f'text="{text}"' in result.locator("pre").text_content()


def test_words_of_a_text_that_is_edited_already(visit: Any, server: str) -> None:
    """Finding the words keeps what was written; another recording does not keep the words."""
    panel = visit(server).choose("Speech editing")
    fill(panel, sample_requests()[5])
    written = panel.get_by_label("Text the whole").input_value()
    panel.get_by_role("button", name="Find the words").click()
    panel.get_by_label("word 5: Monday").wait_for()
    assert panel.get_by_label("word 5: Monday").input_value() == "Thursday"
    assert panel.locator(".sx-changed").count() == 2
    assert panel.get_by_label("Text the whole").input_value() == written
    panel.get_by_label("Clear").first.click()
    panel.get_by_label("word 5: Monday").wait_for(state="detached")
    assert panel.get_by_label("Transcript what").input_value() == ""


def find_words(visit: Any, address: str) -> Any:
    """Uploads a recording and asks for its words without having typed them."""
    panel = visit(address).choose("Speech editing")
    panel.locator("input[type=file]").set_input_files(SAMPLES / "edit.flac")
    panel.get_by_label("Play", exact=True).wait_for()
    panel.get_by_role("button", name="Find the words").click()
    return panel


def test_the_recognizer_writes_the_transcript(visit: Any, editing_server: Any) -> None:
    heard: list[tuple[int, str]] = []

    def recognize(wav_T: Any, language: str) -> str:
        heard.append((len(wav_T), language))
        return "See you on Monday."

    panel = find_words(visit, editing_server(recognize))
    panel.get_by_label("word 4: Monday.").wait_for()
    assert panel.get_by_label("Transcript what").input_value() == "See you on Monday."
    assert heard == [(70858, "en")], "samples at 16 kHz"
    panel.get_by_label("Transcript what").fill("See us on Monday.")  # what it got wrong
    panel.get_by_role("button", name="Find the words").click()
    panel.get_by_label("word 2: us").wait_for()
    assert len(heard) == 1


def test_a_recording_without_words(visit: Any, editing_server: Any) -> None:
    panel = find_words(visit, editing_server(lambda wav_T, language: ""))
    panel.get_by_text("audio has no words that the recognizer understands: type them").wait_for()


def test_without_the_recognizer(visit: Any, editing_server: Any) -> None:
    missing = InputError('recognizer: whisper-base needs ctranslate2: pip install "speechx[eval]"')
    panel = find_words(visit, editing_server(missing))
    panel.get_by_text("transcript is missing: type what is said (whisper-base needs ctranslate2").wait_for()
    assert 'With the extra eval (pip install "speechx[eval]")' in panel.inner_text()
