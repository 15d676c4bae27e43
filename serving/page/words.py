"""The editor of words: what a recording says, placed in it by the aligner, as fields that may be changed one by one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
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

__all__ = ["fit_words", "words_editor"]

TEMPLATE = '<div class="sx-edit" role="group" aria-label="words of the recording"></div>'
TYPES = 'what the recording says: type it. With the extra eval (pip install "speechx[eval]") it can be written down for you'
TRANSCRIBES = "what the recording says; left empty, “Find the words” writes it down"
QUIET: Mapping[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
HINT = "Click a word to change it; empty it to cut it out. Only changed words are spoken anew."


def words_editor(service: Service, form: TaskForm) -> None:
    """For a form with audio, transcript and text: changed words go into text, and only they are made anew."""
    audio, transcript, text = (form.inputs[name] for name in ("audio", "transcript", "text"))
    language = form.inputs.get("language")
    transcript.info = TYPES if service.recognizer.missing else TRANSCRIBES
    with form.below_transcript:
        find = gr.Button("Find the words", size="md")
        note = gr.Markdown(visible=False)
        script = Path(__file__).with_name("words.js").read_text("utf-8")
        words = gr.HTML({}, html_template=TEMPLATE, js_on_load=script, apply_default_css=False,
                        elem_classes="sx-block")  # fmt: skip

    async def found(values: Mapping[Any, Any], request: gr.Request) -> tuple[JsonObject, Any, Any, Any]:
        said, wanted = values[transcript] or "", values[text] or ""
        try:
            with PagePlace(service, "align", request):
                said, placed = await place(values, said)
        except Exception as error:
            problem = gr.Markdown(as_api_error(error).message, visible=True)
            return {"words": []}, problem, gr.skip(), gr.skip()
        wanted = wanted if wanted.strip() else said
        old, new = (fit_words([word["text"] for word in placed], its.split()) for its in (said, wanted))
        words_found = [
            {**word, "text": its, "new": changed} for word, its, changed in zip(placed, old, new, strict=True)
        ]
        return {"words": words_found}, gr.Markdown(HINT, visible=True), said, wanted

    async def place(values: Mapping[Any, Any], said: str) -> tuple[str, list[JsonObject]]:
        """The transcript, by the recognizer where there is none, and its words with their times."""
        if not values[audio]:
            raise InputError("audio is missing: record or upload it first", field="audio")
        data = await asyncio.to_thread(Path(values[audio]).read_bytes)
        sound = await decode_audio(service, data, "audio", service.limits.audio_seconds)
        code = values[language] if language is not None else "en"
        said = said if said.strip() else await service.transcribe(sound, code)
        return said, [word.as_dict() for word in await service.align(sound, said, code)]

    inputs = {audio, transcript, text, *([language] if language is not None else [])}
    find.click(
        found, inputs, [words, note, transcript, text], show_progress="minimal", show_progress_on=[words],
        api_visibility="private",
    )  # fmt: skip
    audio.change(lambda: ({"words": []}, gr.Markdown(visible=False)), None, [words, note], **QUIET)
    audio.clear(lambda: ("", ""), None, [transcript, text], **QUIET)
    # In the browser alone: a press of Run right after the last letter sends that letter, too.
    words.edited(None, words, text, js="(value) => value.told", **QUIET)


def fit_words(words: Sequence[str], text: Sequence[str]) -> list[str]:
    """What stands at each of the words in another text, "" where it has nothing there.

    ["we", "meet", "now"], ["We", "will", "meet."] -> ["We will", "meet.", ""]
    """
    parts: list[list[str]] = [[] for _ in words]
    matcher = SequenceMatcher(
        None, [_bare(word) for word in words], [_bare(word) for word in text], autojunk=False
    )
    for kind, first, last, start, stop in matcher.get_opcodes():
        if kind == "equal":
            for index in range(first, last):
                parts[index].append(text[start + index - first])
        elif parts:  # word by word, and what is left to the last
            places = range(first, last) or range(max(0, first - 1), first or 1)
            for number, word in enumerate(text[start:stop]):
                parts[places[min(number, len(places) - 1)]].append(word)
    return [" ".join(part) for part in parts]


def _bare(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).casefold()
