"""The tab of voices: enroll one with consent, see all, forget one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr

from speechx.serving.errors import as_api_error
from speechx.serving.page.forms import LANGUAGE_NAMES, OWN_VOICE
from speechx.serving.page.run import PagePlace
from speechx.serving.routes.voices import enroll_voice
from speechx.serving.service import Service
from speechx.task.voices import VoiceStore

__all__ = ["voices_tab"]


def voices_tab(service: Service, choices: list[Any]) -> None:
    """choices: the dropdowns of voices in other tabs, which follow."""
    store = service.voices
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            audio = gr.Audio(sources=["upload", "microphone"], type="filepath", label="2-30 s of the voice alone",
                             editable=False, buttons=[])  # fmt: skip
            name = gr.Textbox(label="Name", max_lines=1)
            language = gr.Dropdown(
                [(its, code) for code, its in LANGUAGE_NAMES.items()], value="en", label="Language"
            )
            consent = gr.Checkbox(False, label="The speaker has agreed to be enrolled")
            add = gr.Button("Enroll", variant="primary")
            note = gr.Markdown()
        with gr.Column(min_width=300):
            table = gr.Dataframe(
                lambda: rows(store), headers=["id", "name", "language", "seconds", "built-in"], interactive=False,
                label="Known voices",
            )  # fmt: skip
            own = gr.Dropdown(enrolled(store), label="Forget an enrolled voice, its recording too")
            remove = gr.Button("Forget")
    outputs = [note, table, own, *choices]

    def changed(message: str) -> list[Any]:
        known = gr.Dropdown(choices=[*store.ids(), OWN_VOICE])
        return [
            message,
            rows(store),
            gr.Dropdown(choices=enrolled(store), value=None),
            *[known] * len(choices),
        ]

    async def enroll(
        recording: str | None, its: str, code: str, agreed: bool, request: gr.Request
    ) -> list[Any]:
        try:
            with PagePlace(service, "voices", request):
                data = await asyncio.to_thread(Path(recording).read_bytes) if recording else None
                fields = {"audio": data, "name": its, "language": code, "consent": agreed}
                voice, warning = await enroll_voice(service, fields)
        except Exception as error:
            return changed(as_api_error(error).message)
        return changed(f"{voice.id} is enrolled." + (f" Warning: {warning}." if warning else ""))

    def forget(voice_id: str | None) -> list[Any]:
        try:
            if voice_id:
                store.remove(voice_id)
        except Exception as error:
            return changed(as_api_error(error).message)
        return changed(f"{voice_id} is forgotten." if voice_id else "Choose a voice first.")

    add.click(
        enroll, [audio, name, language, consent], outputs, show_progress="minimal", api_visibility="private"
    )
    remove.click(forget, own, outputs, show_progress="minimal", api_visibility="private")


def rows(store: VoiceStore) -> list[list[Any]]:
    return [[v.id, v.name, v.language, v.seconds, "yes" if v.builtin else ""] for v in store.list()]


def enrolled(store: VoiceStore) -> list[str]:
    return [voice.id for voice in store.list() if not voice.builtin]
