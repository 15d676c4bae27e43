"""Builds the page and mounts it at /page: a tab per task of the registry, and one for voices.

It is a client of the app's own `Service`: limits, keys and errors are those of HTTP. Nothing is loaded from the internet.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read where gradio is imported
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr

from speechx.cli.samples import Sample, sample_requests
from speechx.errors import InputError
from speechx.serving.page.forms import OWN_LABEL, OWN_VOICE, TaskForm, voice_choices
from speechx.serving.page.results import PageResults
from speechx.serving.page.run import TaskRun
from speechx.serving.page.voices import voices_tab
from speechx.serving.page.words import words_editor
from speechx.serving.service import Service
from speechx.task import registry

if TYPE_CHECKING:
    from fastapi import FastAPI

    from speechx.task.task import AnyTask

__all__ = ["mount_page", "page_blocks"]

FOLDER = Path(__file__).parent
FONTS = ["system-ui", "sans-serif"]
KEPT_SECONDS = 3600
READABLE = {
    name + ending: color
    for ending, color in (("", "*neutral_600"), ("_dark", "*neutral_300"))
    for name in ("body_text_color_subdued", "block_label_text_color", "block_title_text_color")
}
"""Contrast of at least 4.5 for small text, which gradio's own colors do not have."""
PLAYER = """<div class="sx-player">
<p class="sx-hint">The result appears here: player, waveform, spectrogram, words.</p>
<p class="sx-status" role="status" aria-live="polite"></p>
<progress hidden max="1"></progress><p class="sx-words"></p><div class="sx-sounds"></div>
<details class="sx-repeat" hidden><summary>Repeat it in Python</summary><pre></pre></details></div>"""
ABOUT = """# SpeechX
One model for speech tasks, early weights: English is usable, other languages are less clear.
Clone a voice only when its speaker has agreed. [For programs](../docs)"""


def mount_page(app: FastAPI, service: Service) -> None:
    """Adds the page to the app. With API keys, visitors sign in with the name of a key and the key."""
    results = PageResults()
    app.include_router(results.router())
    blocks = page_blocks(service, results)
    keys = service.keys

    def signs_in(name: str, key: str) -> bool:
        return keys.knows(name, key)

    gr.mount_gradio_app(
        app, blocks, path="/page", footer_links=[], run_history=False, ssr_mode=False, mcp_server=False,
        enable_monitoring=False, max_file_size=service.limits.upload_bytes, show_error=True,
        auth=signs_in if keys else None, auth_message="Name of an API key of this server, and the key.",
        allowed_paths=[str(sample_requests()[0].before.parent)],
        theme=gr.themes.Default(font=FONTS, font_mono=["ui-monospace", "monospace"]).set(**READABLE),
        css=(FOLDER / "page.css").read_text("utf-8"),
        head=f'<link rel="icon" href="data:,"><script>{(FOLDER / "toasts.js").read_text("utf-8")}</script>',
    )  # fmt: skip
    # gradio checks that a file which a client names was uploaded by a client only where this is set, and `launch` alone
    # sets it. Without it any file of the server could be read.
    blocks.has_launched = True
    for block in blocks.blocks.values():
        _refuse_addresses(block)


def _refuse_addresses(block: Any) -> None:
    """Let a component take uploaded files only: gradio would fetch one from any address that a client names."""
    fetch = block.async_move_resource_to_block_cache

    async def from_here(path: str | Path | None) -> str | None:
        if path is not None and "://" in str(path):
            raise InputError("audio must be uploaded: addresses are not fetched", field="audio")
        moved: str | None = await fetch(path)
        return moved

    block.async_move_resource_to_block_cache = from_here


def page_blocks(service: Service, results: PageResults) -> Any:
    """The page, as gradio's Blocks."""
    known = voice_choices(service.voices)
    with gr.Blocks(
        title="SpeechX", analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS), fill_width=True,
    ) as blocks:  # fmt: skip
        gr.Markdown(ABOUT)
        choices = []
        with gr.Tabs():
            for task in registry.tasks().values():
                with gr.Tab(title_of(task), id=task.name):
                    form = _task_tab(service, results, task, known)
                    choices += [form.inputs[name] for name in form.recordings]
            with gr.Tab("Voices", id="voices"):
                voices_tab(service, choices)

        def current() -> list[Any]:
            now = [(OWN_LABEL, OWN_VOICE), *voice_choices(service.voices)]
            return [gr.Dropdown(choices=now) for _ in choices]

        if choices:
            blocks.load(current, None, choices, show_progress="hidden")
    return blocks


def title_of(task: AnyTask) -> str:
    """The task's name for people: Text to speech, Cross-lingual text to speech, Noise suppression."""
    words = (
        task.name.replace("cross_lingual", "cross-lingual").replace("tts", "text to speech").replace("_", " ")
    )
    return words[0].upper() + words[1:]


def _task_tab(
    service: Service, results: PageResults, task: AnyTask, voices: list[tuple[str, str]]
) -> TaskForm:
    form = TaskForm(task)
    gr.Markdown(f"{task.summary[0].upper()}{task.summary[1:]}.")
    samples = [sample for sample in sample_requests() if sample.task == task.name]
    with gr.Row():
        examples = [gr.Button(f"Example: {sample.title}", size="sm") for sample in samples]
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            form.build(voices)
            if {"audio", "transcript", "text"} <= set(form.inputs):
                words_editor(service, form)
            plays = gr.Checkbox(True, label="Play while it is made")
            with gr.Row():
                start = gr.Button("Run", variant="primary", elem_classes="sx-run")
                stop = gr.Button("Stop", variant="stop", elem_classes="sx-stop")
        with gr.Column(min_width=300, scale=2, elem_classes="sx-side"):
            player = gr.HTML(
                {}, html_template=PLAYER, js_on_load=(FOLDER / "player.js").read_text("utf-8"),
                apply_default_css=False, elem_classes="sx-result",
            )  # fmt: skip
    task_run = TaskRun(service, results, form, plays)
    event = start.click(
        task_run.run, {*form.components, plays}, player, show_progress="hidden", concurrency_limit=None,
        api_visibility="private",
    )  # fmt: skip
    stop.click(
        lambda: {"run": "", "state": "cancelled", "message": "stopped"}, None, player, cancels=[event],
        queue=False, show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    for button, sample in zip(examples, samples, strict=True):
        button.click(
            _filler(form, sample), None, form.components, show_progress="hidden", api_visibility="private"
        )
    return form


def _filler(form: TaskForm, sample: Sample) -> Any:
    """A handler that puts a sample's fields into the form."""

    def fill() -> list[Any]:
        values: dict[Any, Any] = {}
        for name, component in form.inputs.items():
            value = sample.fields.get(name)
            if name in form.recordings and value is not None:
                values[form.recordings[name]] = str(value)
                if name in form.consent:
                    values[form.consent[name]] = True  # the samples are synthetic voices
                value = OWN_VOICE
            if value is not None:
                values[component] = str(value) if isinstance(value, Path) or form.is_number(name) else value
        return [values.get(component, gr.skip()) for component in form.components]

    return fill
