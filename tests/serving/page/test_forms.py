"""Forms are built from the registry's request models: a new task gets its tab, a new field its input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import Field

pytest.importorskip("gradio", reason="needs the extra page")

import gradio as gr

from speechx.errors import InputError
from speechx.serving.page.forms import OWN_VOICE, TaskForm, voice_choices
from speechx.serving.page.page import page_blocks
from speechx.serving.page.results import PageResults
from speechx.serving.page.run import progress_of
from speechx.serving.page.words import fit_words
from speechx.serving.service import Service
from speechx.task import fields, registry
from speechx.task.task import TaskRequest
from speechx.task.voices import VoiceStore
from speechx.tasks.tts import TTS
from tests.helpers.fake_engine import FakeEngine
from tests.serving.page.conftest import settings


class WhisperRequest(TaskRequest):
    text: fields.Text = Field(description="what to whisper")
    voice: fields.Voice = Field(description="who whispers")
    how: str = Field("softly", description="in which way")
    twice: bool = Field(False, description="say it again")


class Whisper(TTS):
    name = "whisper"
    slot = 9
    summary = "whisper a text"
    Request = WhisperRequest  # type: ignore[assignment]


def test_a_new_task_gets_its_tab(tmp_path: Path) -> None:
    unregister = registry.register("whisper", Whisper)
    try:
        blocks = page_blocks(Service(FakeEngine(), settings(), VoiceStore(tmp_path)), PageResults())
        config = blocks.get_config_file()
    finally:
        unregister()
    props = [component["props"] for component in config["components"]]
    assert "Whisper" in [its.get("label") for its in props]
    infos = [its.get("info") for its in props]
    assert {"what to whisper", "in which way", "say it again"} <= set(infos)
    assert any(info and info.startswith("who whispers; to clone one") for info in infos)


def built(name: str) -> TaskForm:
    form = TaskForm(registry.task(name))
    with gr.Blocks():
        form.build([("Heart", "heart"), ("Anna", "anna")])
    return form


def values(form: TaskForm, **given: Any) -> dict[Any, Any]:
    """The values of a form as it opens, with some filled in."""
    start = {component: component.value for component in form.components}
    return start | {form.inputs[name]: value for name, value in given.items()}


def test_fields_are_those_of_http() -> None:
    form = built("tts")
    asked = form.fields(values(form, text="Hello.", seed="5", temperature=" 0.5 ", best_of=""))
    assert asked == {
        "text": "Hello.", "voice": "heart", "seed": 5, "temperature": 0.5, "format": "wav",
    }  # fmt: skip
    assert form.fields(values(form, seed="many"))["seed"] == "many", "refused by the request, by name"
    form = built("noise_suppression")
    asked = form.fields(values(form, audio=None, strength="0"))
    assert asked["strength"] == 0 and "strength=0" in form.python(asked, 1)
    assert form.inputs["strength"].placeholder == "0.95", "what an empty field means"


def test_a_recorded_voice(tmp_path: Path) -> None:
    (tmp_path / "me.wav").write_bytes(b"RIFF")
    form = built("tts")
    given = values(form, text="Hello.", voice=OWN_VOICE) | {
        form.recordings["voice"]: str(tmp_path / "me.wav")
    }
    with pytest.raises(InputError, match="voice needs consent"):
        form.fields(given)
    assert form.fields(given | {form.consent["voice"]: True})["voice"] == b"RIFF"
    assert "voice" not in form.fields(values(form, voice=OWN_VOICE))
    assert built("target_speaker_extraction").consent == {}, "its voice says no new words"


def labels(name: str) -> tuple[list[str], list[str]]:
    """Labels of a form in order: those that are seen at once, and those under More settings."""
    with gr.Blocks() as blocks:
        TaskForm(registry.task(name)).build([("Heart", "heart")])
    config = blocks.get_config_file()
    by_id = {one["id"]: one["props"] for one in config["components"]}
    seen: tuple[list[str], list[str]] = ([], [])

    def walk(node: dict[str, Any], folded: bool) -> None:
        props = by_id.get(node["id"], {})
        folded = folded or props.get("label") == "More settings"
        if props.get("label") and props.get("visible", True) and props["label"] != "More settings":
            seen[folded].append(props["label"])
        for child in node.get("children") or ():
            walk(child, folded)

    walk(config["layout"], False)
    return seen


def test_what_a_task_needs_comes_first() -> None:
    assert labels("tts")[0] == ["Voice", "Text", "Language"]
    assert labels("noise_suppression")[0] == ["Audio (the recording)"]
    assert labels("speech_editing")[0] == [
        "Audio (the recording)", "Transcript", "Text", "Language", "Keep background",
    ]  # fmt: skip
    assert {"Span", "Seed", "Format"} <= set(labels("speech_editing")[1])
    assert {"Voice text", "Voice language"} <= set(labels("cross_lingual_tts")[1])
    assert "Text" not in labels("speech_removal")[1], "it is not used"


def test_a_language_that_must_be_named_is_chosen_by_the_person() -> None:
    form = built("cross_lingual_tts")
    assert "language" not in form.fields(values(form, text="Hola."))


def test_voices_of_one_name(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path)
    noise_T = np.random.default_rng(0).normal(0, 0.05, 48000).astype(np.float32)
    for voice_id in ("anna", "anna2"):
        store.enroll((noise_T, 16000), name="Anna", language="en", consent=True, voice_id=voice_id)
    choices = voice_choices(store)
    assert ("Heart, female, American English", "heart") in choices
    assert {("Anna", "anna"), ("Anna (anna2)", "anna2")} <= set(choices)


@pytest.mark.parametrize(
    ("words", "text", "fitted"),
    [
        ("we meet now", "We meet now.", ["We", "meet", "now."]),
        ("we meet now", "We will meet.", ["We will", "meet.", ""]),
        (
            "on Monday afternoon at ten",
            "on Thursday evening at ten",
            ["on", "Thursday", "evening", "at", "ten"],
        ),
        ("see you", "Well, see you", ["Well, see", "you"]),
        ("see you", "", ["", ""]),
    ],
)
def test_words_of_an_edited_text(words: str, text: str, fitted: list[str]) -> None:
    assert fit_words(words.split(), text.split()) == fitted


def test_how_far_it_is() -> None:
    assert progress_of(1.94, None, 5.0) == "1.9 s made ..."
    assert progress_of(4.0, 4.9, 3.0) == "4.0 of 4.9 s made ..."
    assert progress_of(10.0, 60.0, 5.0) == "10.0 of 60.0 s made; about 25 s left ..."
    assert progress_of(10.0, 200.0, 20.0) == "10.0 of 200.0 s made; about 6 min left ..."


def test_the_call_that_repeats_it() -> None:
    form = built("speech_editing")
    call = form.python({"audio": b"RIFF", "text": 'Say "this".', "keep_background": True, "format": "mp3"}, 7)
    assert call == (
        'SpeechX.load().speech_editing(\n    audio="audio.wav",\n    text="Say \\"this\\".",\n'
        "    keep_background=True,\n    seed=7,\n)"
    )
