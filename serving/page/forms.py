"""The inputs of a task on the page, built from its request model: a new task and a new field get theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic.fields import FieldInfo

from speechx.audio.writing import FORMATS
from speechx.errors import InputError
from speechx.serving.types import JsonObject
from speechx.task import registry
from speechx.task.task import AnyTask
from speechx.task.voices import VoiceStore
from speechx.text.languages import known_languages

__all__ = ["OWN_LABEL", "OWN_VOICE", "TaskForm", "language_choices", "recorder", "voice_choices"]

OWN_VOICE = "a recording below"
"""The value of a voice field that is no known voice."""
OWN_LABEL = "Record or upload a voice"

HIDDEN = ("stream", "timestamps")
LANGUAGE_NAMES = {
    "en": "English", "es": "Spanish", "fr": "French", "de": "German", "it": "Italian", "pt": "Portuguese",
}  # fmt: skip
CONSENT = "The speaker of this recording has agreed that a program says new words in this voice"
CLONES = f"; to clone one, choose “{OWN_LABEL}”"


@dataclass
class TaskForm:
    """The components of one task by field, in the order of the page. Call `build` inside its tab.

    recordings: the recorder of each voice field. consent: of those whose voice is to say new words.
    below_transcript: where there is a transcript, room for more about it.
    """

    task: AnyTask
    inputs: dict[str, Any] = field(default_factory=dict)
    recordings: dict[str, Any] = field(default_factory=dict)
    consent: dict[str, Any] = field(default_factory=dict)
    below_transcript: Any = None

    def build(self, voices: list[tuple[str, str]]) -> None:
        """voices: labels and ids of known voices."""
        shared = registry.shared_fields(self.task)
        own = [name for name in self.task.Request.model_fields if name not in shared]
        first = sorted((name for name in own if self._is_first(name)), key=self._place)
        for name in first:
            self._add(name, voices)
            if name == "transcript":
                self.below_transcript = gr.Column()
        with gr.Accordion("More settings", open=False):
            for name in [*own, *shared]:
                if name not in first and name not in HIDDEN and not self._schema(name).get("deprecated"):
                    self._add(name, voices)

    def _schema(self, name: str) -> JsonObject:
        schema: JsonObject = self.task.Request.model_json_schema()["properties"][name]
        return schema

    def _is_first(self, name: str) -> bool:
        """Whether a field is shown at once: required ones, choices, the language of a required text."""
        fields = self.task.Request.model_fields
        kind = registry.field_kinds(self.task.Request).get(name)
        speaks = "text" in fields and fields["text"].is_required()
        return (
            fields[name].is_required()
            or name == "transcript"
            or self._schema(name).get("type") == "boolean"
            or (kind == "language" and speaks and name == "language")
        )

    def _place(self, name: str) -> int:
        kind = "transcript" if name == "transcript" else registry.field_kinds(self.task.Request).get(name)
        order = ("audio", "voice", "transcript", "text", "language")
        return order.index(kind) if kind in order else len(order)

    def _add(self, name: str, voices: list[tuple[str, str]]) -> None:
        info = self.task.Request.model_fields[name]
        kind = registry.field_kinds(self.task.Request).get(name)
        label = name.replace("_", " ").capitalize()
        about = info.description or ""
        if kind == "audio":
            made = recorder(f"{label} ({about})" if about else label)
        elif kind == "voice":
            here = about.replace("the id of a known voice", "a voice of the list")
            made = self._add_voice(name, label, here + CLONES * self._speaks, voices)
        elif kind == "text":
            made = gr.Textbox(label=label, info=about, lines=2, max_lines=12)
        elif kind == "language":
            made = _language(label, about, info, "voice" in registry.field_kinds(self.task.Request).values())
        elif self._schema(name).get("type") == "boolean":
            made = gr.Checkbox(bool(info.default), label=label, info=about)
        elif name == "format":
            made = gr.Dropdown(
                [f for f in FORMATS if f not in ("pcm", "aac")], value="wav", label=label,
                info="of the file to download",
            )  # fmt: skip
        else:
            default = None if info.is_required() or info.default is None else str(info.default)
            made = gr.Textbox(label=label, info=about, placeholder=default, max_lines=1)
        self.inputs[name] = made

    def _add_voice(self, name: str, label: str, about: str, voices: list[tuple[str, str]]) -> Any:
        """A choice of voices with the recorder of another one, and its tick of consent where it is to speak."""
        known = voices[0][1] if voices and self._speaks else OWN_VOICE
        made = gr.Dropdown([(OWN_LABEL, OWN_VOICE), *voices], value=known, label=label, info=about)
        shown = [recorder(f"{label}: 2-30 s of one speaker", visible=known == OWN_VOICE)]
        self.recordings[name] = shown[0]
        if self._speaks:
            shown.append(gr.Checkbox(False, label=CONSENT, visible=known == OWN_VOICE))
            self.consent[name] = shown[1]
        made.change(_toggle(len(shown)), made, shown, show_progress="hidden", api_visibility="private")
        return made

    def is_number(self, name: str) -> bool:
        """Whether a text field holds a number."""
        schema = self._schema(name)
        return any(kind.get("type") in ("integer", "number") for kind in (schema, *schema.get("anyOf", ())))

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
                found[name] = _number(value) if self.is_number(name) else value
        return found

    def python(self, fields: JsonObject, seed: int | None) -> str:
        """The call of the Python API that repeats a request."""
        audio = registry.audio_fields(self.task)
        shown = {
            name: f'"{name}.wav"' if name in audio and isinstance(value, bytes) else _literal(value)
            for name, value in {**fields, "seed": seed}.items()
            if name != "format" and value is not None and value is not False
        }
        arguments = ",\n    ".join(f"{name}={value}" for name, value in shown.items())
        return f"SpeechX.load().{self.task.name}(\n    {arguments},\n)"


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


def _language(label: str, about: str, info: FieldInfo, has_voice: bool) -> Any:
    """The one that a request has to name is chosen by the person alone; one beside a voice, by an adapted voice."""
    choices = language_choices()
    if info.is_required():
        return gr.Dropdown([("choose one", ""), *choices], value="", label=label, info=about)
    if info.default is None:
        choices = [("not given", ""), *choices]
    elif has_voice:
        default = {code: name for name, code in choices}[info.default]
        choices = [(f"{default}, or that of an adapted voice", ""), *choices]
        return gr.Dropdown(choices, value="", label=label, info=about)
    return gr.Dropdown(choices, value=info.default or "", label=label, info=about)


def language_choices() -> list[tuple[str, str]]:
    """Name and code of each language."""
    return [(LANGUAGE_NAMES.get(code, code), code) for code in known_languages()]


def recorder(label: str, visible: bool = True) -> Any:
    return gr.Audio(
        sources=["upload", "microphone"], type="filepath", label=label, editable=False, buttons=[],
        elem_classes="sx-recorder", visible=visible,
    )  # fmt: skip


def voice_choices(store: VoiceStore) -> list[tuple[str, str]]:
    """Label and id of each known voice. Where two have the same name, the later one shows its id, too."""
    labels: dict[str, str] = {}
    for voice in store.list():
        name = voice.name or voice.id
        labels[f"{name} ({voice.id})" if name in labels else name] = voice.id
    return list(labels.items())
