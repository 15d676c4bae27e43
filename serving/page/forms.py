"""The inputs of a task on the page, built from its request model: a new task and a new field get theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from speechx.audio.writing import FORMATS
from speechx.errors import InputError
from speechx.serving.types import JsonObject
from speechx.task import registry
from speechx.task.task import AnyTask
from speechx.text.languages import known_languages

__all__ = ["OWN_VOICE", "TaskForm"]

OWN_VOICE = "a recording below"
"""The choice of a voice field that is no known voice."""

HIDDEN = ("stream", "timestamps")
LANGUAGE_NAMES = {
    "en": "English", "es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese",
}  # fmt: skip
CONSENT = "the speaker of this recording has agreed that a program says new words in this voice"


@dataclass
class TaskForm:
    """The components of one task by field, in the order of the page. Call `build` inside its tab.

    recordings: the recorder of each voice field. consent: of those whose voice is to say new words.
    """

    task: AnyTask
    inputs: dict[str, Any] = field(default_factory=dict)
    recordings: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, Any] = field(default_factory=dict)

    def build(self, voices: list[str]) -> None:
        """voices: ids of known voices."""
        kinds = registry.field_kinds(self.task.Request)
        shared = registry.shared_fields(self.task)
        own = [name for name in self.task.Request.model_fields if name not in shared]
        order = {"audio": 0, "voice": 1, "text": 2}
        for name in sorted(own, key=lambda name: order.get(kinds.get(name, ""), 3)):
            self._add(name, kinds.get(name, ""), voices)
        with gr.Accordion("Settings", open=False):
            for name in shared:
                if name not in HIDDEN:
                    self._add(name, "", voices)

    def _add(self, name: str, kind: str, voices: list[str]) -> None:
        info = self.task.Request.model_fields[name]
        label = name.replace("_", " ").capitalize()
        about = info.description or ""
        schema = self.task.Request.model_json_schema()["properties"][name]
        if kind == "audio":
            made = _recorder(label, about, True)
        elif kind == "voice":
            made = gr.Dropdown(
                [*voices, OWN_VOICE], value=voices[0] if voices and self._speaks else OWN_VOICE,
                label=label, info=about,
            )  # fmt: skip
            own = made.value == OWN_VOICE
            shown = [_recorder(f"{label}: record or upload", "2-30 s of one speaker", own)]
            self.recordings[name] = shown[0]
            if self._speaks:
                shown.append(gr.Checkbox(False, label=CONSENT, visible=own))
                self.consent[name] = shown[1]
            made.change(_toggle(len(shown)), made, shown, show_progress="hidden", api_visibility="private")
        elif kind == "text":
            made = gr.Textbox(label=label, info=about, lines=2, max_lines=12)
        elif kind == "language":
            choices: list[tuple[str, str]] = [
                (LANGUAGE_NAMES.get(code, code), code) for code in known_languages()
            ]
            if info.default is None:
                choices = [("not given", ""), *choices]
            default = "" if info.default is None else "en" if info.is_required() else info.default
            made = gr.Dropdown(choices, value=default, label=label, info=about)
        elif schema.get("type") == "boolean":
            made = gr.Checkbox(bool(info.default), label=label, info=about)
        elif name == "format":
            made = gr.Dropdown(
                [f for f in FORMATS if f not in ("pcm", "aac")], value="wav", label=label,
                info="of the file to download",
            )  # fmt: skip
        else:
            made = gr.Textbox(label=label, info=about, max_lines=1)
        self.inputs[name] = made

    @property
    def _speaks(self) -> bool:
        """Whether new words are said in the voice, and not those of a recording."""
        return "audio" not in registry.audio_fields(self.task).values()

    @property
    def components(self) -> list[Any]:
        return [*self.inputs.values(), *self.recordings.values(), *self.consent.values()]

    def fields(self, values: Mapping[Any, Any]) -> JsonObject:
        """The fields of a request, as HTTP would get them, from the values by component. Raises InputError."""
        found: JsonObject = {}
        for name, component in self.inputs.items():
            value = values[component]
            if name in self.recordings and value in (None, "", OWN_VOICE):
                recording = values[self.recordings[name]]
                if recording and name in self.consent and not values[self.consent[name]]:
                    raise InputError(f"{name} needs consent: tick that its speaker has agreed", field=name)
                value = Path(recording).read_bytes() if recording else None
            elif name in registry.audio_fields(self.task) and name not in self.recordings and value:
                value = Path(value).read_bytes()
            elif isinstance(value, str) and not value.strip():
                value = None
            if value is not None:
                found[name] = _number(value) if name in NUMBERS else value
        return found

    def python(self, fields: JsonObject, seed: int | None) -> str:
        """The call of the Python API that repeats a request."""
        audio = registry.audio_fields(self.task)
        shown = {
            name: f'"{name}.wav"' if name in audio and isinstance(value, bytes) else _literal(value)
            for name, value in {**fields, "seed": seed}.items()
            if name != "format" and value not in (None, False)
        }
        arguments = ",\n    ".join(f"{name}={value}" for name, value in shown.items())
        return f"SpeechX.load().{self.task.name}(\n    {arguments},\n)"


NUMBERS = ("seed", "temperature", "top_p", "best_of")


def _number(value: object) -> object:
    """The number that a text field holds, else the text, which the request refuses by name."""
    try:
        return json.loads(str(value))
    except ValueError:
        return value


def _literal(value: object) -> str:
    return repr(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _toggle(count: int) -> Any:
    """A handler that shows so many components for a recording, and hides them for a known voice."""

    def show(choice: str | None) -> Any:
        updates = [gr.update(visible=choice == OWN_VOICE)] * count
        return updates if count > 1 else updates[0]

    return show


def _recorder(label: str, about: str, visible: bool) -> Any:
    return gr.Audio(
        sources=["upload", "microphone"], type="filepath", label=f"{label} ({about})" if about else label,
        editable=False, buttons=[], elem_classes="sx-recorder", visible=visible,
    )  # fmt: skip
