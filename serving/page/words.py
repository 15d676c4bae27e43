"""The editor of words: the transcript, placed in the recording by the aligner, as fields that may be changed one by one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from speechx.errors import InputError
from speechx.serving.errors import as_api_error
from speechx.serving.page.forms import TaskForm
from speechx.serving.page.run import PagePlace
from speechx.serving.routes.request import decode_audio
from speechx.serving.service import Service
from speechx.serving.types import JsonObject

__all__ = ["words_editor"]

TEMPLATE = '<div class="sx-edit" role="group" aria-label="words of the recording"></div>'


def words_editor(service: Service, form: TaskForm) -> None:
    """For a form with audio, transcript and text: changed words go into text, and only they are made anew."""
    find = gr.Button("Find the words, then click those to change", size="sm")
    note = gr.Markdown(visible=False)
    script = Path(__file__).with_name("words.js").read_text("utf-8")
    words = gr.HTML({}, html_template=TEMPLATE, js_on_load=script, apply_default_css=False)
    audio, transcript, text = (form.inputs[name] for name in ("audio", "transcript", "text"))
    language = form.inputs.get("language")

    async def found(values: Mapping[Any, Any], request: gr.Request) -> tuple[JsonObject, Any, Any]:
        try:
            with PagePlace(service, "align", request):
                words_found = await align(values)
        except Exception as error:
            return {"words": []}, gr.Markdown(as_api_error(error).message, visible=True), gr.skip()
        return words_found, gr.Markdown(visible=False), values[transcript]

    async def align(values: Mapping[Any, Any]) -> JsonObject:
        if not values[audio]:
            raise InputError("audio is missing: record or upload it first", field="audio")
        if not values[transcript]:
            raise InputError("transcript is missing: write down what is said first", field="transcript")
        data = Path(values[audio]).read_bytes()
        sound = await decode_audio(service, data, "audio", service.limits.audio_seconds)
        code = values[language] if language is not None else "en"
        placed = await service.align(sound, values[transcript], code)
        return {"words": [word.as_dict() for word in placed]}

    inputs = {audio, transcript, *([language] if language is not None else [])}
    find.click(found, inputs, [words, note, text], show_progress="minimal", api_visibility="private")

    def edited(event: gr.EventData) -> str:
        return str(event.text)

    words.edited(edited, None, text, show_progress="hidden", api_visibility="private")
