"""The tab of voices: enroll one with consent, see all, forget one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr

from speechx.serving.errors import as_api_error
from speechx.serving.page.forms import OWN_LABEL, OWN_VOICE, language_choices, recorder, voice_choices
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
            audio = recorder("2-30 s of the voice alone")
            name = gr.Textbox(label="Name", max_lines=1)
            language = gr.Dropdown(language_choices(), value="en", label="Language")
            consent = gr.Checkbox(False, label="The speaker has agreed to be enrolled")
            add = gr.Button("Enroll", variant="primary")
            note = gr.Markdown()
        with gr.Column(min_width=300):
            table = gr.Dataframe(
                lambda: rows(store), headers=["voice", "id", "kind"], interactive=False, label="Known voices",
                column_widths=["55%", "25%", "20%"], wrap=True, buttons=[],
            )  # fmt: skip
            own = gr.Dropdown(enrolled(store), label="Forget an enrolled voice, its recording too")
            remove = gr.Button("Forget")
    outputs = [note, table, own, *choices]

    def changed(message: str, forgotten: str | None = None, chosen: tuple[str, ...] = ()) -> list[Any]:
        """chosen: the values of the dropdowns, where one may be the voice that was forgotten."""
        known = [(OWN_LABEL, OWN_VOICE), *voice_choices(store)]
        lists = [gr.Dropdown(choices=known) for _ in choices]
        for index, value in enumerate(chosen):
            if value == forgotten:
                lists[index] = gr.Dropdown(choices=known, value=OWN_VOICE)
        return [message, rows(store), gr.Dropdown(choices=enrolled(store), value=None), *lists]

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

    def forget(voice_id: str | None, *chosen: str) -> list[Any]:
        try:
            if voice_id:
                store.remove(voice_id)
        except Exception as error:
            return changed(as_api_error(error).message)
        return changed(f"{voice_id} is forgotten." if voice_id else "Choose a voice first.", voice_id, chosen)

    add.click(
        enroll, [audio, name, language, consent], outputs, show_progress="minimal", api_visibility="private"
    )
    remove.click(forget, [own, *choices], outputs, show_progress="minimal", api_visibility="private")


def rows(store: VoiceStore) -> list[list[str]]:
    return [
        [v.name or v.id, v.id, "built-in" if v.builtin else f"enrolled, {v.language}"] for v in store.list()
    ]


def enrolled(store: VoiceStore) -> list[str]:
    return [voice.id for voice in store.list() if not voice.builtin]
