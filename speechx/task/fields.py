"""Requests: the fields of every task, and field types (audio, voice, text, language).

Each type checks what can be checked without reading a file.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import core_schema

from speechx.audio.aac import check_aac
from speechx.audio.coercion import as_source
from speechx.audio.types import AudioFormat, AudioSource
from speechx.errors import InputError
from speechx.text.languages import is_language_code, known_languages, language_code, unsupported

__all__ = ["MAX_TEXT", "Audio", "Language", "Span", "TaskRequest", "Text", "Voice"]

MAX_TEXT = 20_000
"""Longest text of one request, in characters: about half an hour of speech."""

ABOUT_AUDIO = {
    "audio": "a sound file (wav, flac, ogg, opus, mp3)",
    "voice": "2-30 s of the voice as a sound file, or the id of a known voice",
}


class _AudioField:
    """Schema of an audio field. JSON shows a binary string marked `x-speechx`, from which CLI and HTTP know it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(as_source)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {
            "type": "string",
            "format": "binary",
            "x-speechx": self.kind,
            "description": ABOUT_AUDIO[self.kind],
        }


def _check_text(value: str) -> str:
    """Something to say, and not more than the limit. Emoji and punctuation alone are nothing to say."""
    if any("\ud800" <= c <= "\udfff" for c in value):  # from a command line in another encoding
        raise InputError("holds bytes that are not UTF-8")
    if len(value) > MAX_TEXT:
        raise InputError(f"has {len(value):,} characters; the limit is {MAX_TEXT:,}: split it")
    if not any(c.isalnum() for c in value):
        raise InputError("has nothing to speak: it needs at least one letter or digit")
    return value


def _check_language(value: str) -> str:
    """The code of a language; a region is dropped (en-US is en). Whether a model has it, its frontend tells."""
    code = language_code(value)
    if not is_language_code(code):
        raise InputError(unsupported(value))
    return code


def _check_format(value: AudioFormat) -> AudioFormat:
    if value == "aac":
        check_aac()
    return value


def _check_span(value: tuple[float, float]) -> tuple[float, float]:
    start, end = value
    if not (0 <= start < end):
        raise InputError(f"must be a start and a later end in seconds, got {start:g} and {end:g}")
    return value


class _LanguageSchema:
    """Schema of a language field: the languages that are known when it is asked for."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "enum": list(known_languages()), "x-speechx": "language"}


Audio = Annotated[AudioSource, _AudioField("audio")]
Voice = Annotated[AudioSource, _AudioField("voice")]
Text = Annotated[str, AfterValidator(_check_text), Field(json_schema_extra={"x-speechx": "text"})]
Language = Annotated[
    str,
    AfterValidator(_check_language),
    _LanguageSchema(),
]
Span = Annotated[tuple[float, float], AfterValidator(_check_span)]


class TaskRequest(BaseModel):
    """Fields of every task. The first required field of a subclass is the command line's positional argument."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    seed: int | None = Field(
        None, ge=0, lt=2**31, description="same seed, same audio; chosen and reported if not given"
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="how much the speech varies from seed to seed; 0: not at all; default by task",
    )
    top_p: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of the likeliest sounds to draw from: less is steadier; default by task",
    )
    best_of: int | None = Field(
        None,
        ge=1,
        le=16,
        description="candidates of each phrase, of which the best is kept: more is better and slower; default by task",
    )
    format: Annotated[AudioFormat, AfterValidator(_check_format)] | None = Field(
        None, description="audio format of the result (default wav, or the output's suffix)"
    )
    stream: bool = Field(False, description="give out audio while it is generated")
    timestamps: bool = Field(False, description="return the time of each word")
