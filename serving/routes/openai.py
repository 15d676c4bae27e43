"""The speech part of OpenAI's API, as its clients use it: POST /v1/audio/speech, GET /v1/models and /v1/audio/voices.

`model` is any of MODELS. `voice` is the id of a known voice, or one of OpenAI's names, which map to built-in voices.
A request may also have language, seed, temperature, top_p and best_of (`extra_body` in OpenAI's clients).
"""

from __future__ import annotations

import asyncio
import re
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from speechx.audio.types import AudioFormat
from speechx.errors import InputError, did_you_mean
from speechx.serving.errors import ApiError, as_api_error, documented
from speechx.serving.routes.answer import AUDIO_RESPONSE, speak
from speechx.serving.routes.request import to_request, voice_id
from speechx.serving.service import Service
from speechx.serving.types import JsonObject
from speechx.task import registry
from speechx.task.fields import TaskRequest
from speechx.task.voices import known_voice

__all__ = ["openai_router"]

MODELS = ("speechx", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")
PCM_RATE = 24_000  # what OpenAI's clients play pcm at
NAMES = {
    "alloy": "heart", "ash": "michael", "ballad": "michael", "coral": "heart", "echo": "michael", "fable": "alex",
    "onyx": "nicola", "nova": "heart", "sage": "siwis", "shimmer": "dora", "verse": "michael", "marin": "heart",
    "cedar": "michael",
}  # fmt: skip
"""OpenAI's voice names -> ids of built-in voices."""


class VoiceRef(BaseModel):
    id: str


class SpeechRequest(BaseModel):
    """The body of POST /v1/audio/speech."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="one of " + ", ".join(MODELS))
    input: str = Field(description="what to say")
    voice: str | VoiceRef = Field(description="id of a known voice, or one of OpenAI's names")
    response_format: AudioFormat = "mp3"
    speed: float = Field(1.0, ge=0.5, le=2.0, description="of the speech; the pitch stays")
    instructions: str | None = Field(None, description="not used")
    stream: bool = Field(True, description="send audio while it is generated (flac is always sent whole)")
    stream_format: Literal["audio", "sse"] = "audio"
    language: str | None = Field(
        None, description="language of the input (default en, or that of an adapted voice)"
    )
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    best_of: int | None = None


def openai_router(service: Service) -> APIRouter:
    """The routes of models and of speech."""
    router = APIRouter(tags=["OpenAI-compatible"])
    schema = SpeechRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    reference = schema.pop("$defs")["VoiceRef"]
    schema["properties"]["voice"]["anyOf"][1] = reference
    body = {"required": True, "content": {"application/json": {"schema": schema}}}

    @router.get("/v1/models", summary="names that `model` may have", responses=documented(401))
    def models(request: Request) -> JsonObject:
        service.caller(request)
        return {"object": "list", "data": [_model(name) for name in MODELS]}

    @router.get("/v1/models/{name}", summary="one of them", responses=documented(401, 404))
    def model(name: str, request: Request) -> JsonObject:
        service.caller(request)
        if name not in MODELS:
            raise _no_model(name)
        return _model(name)

    @router.get("/v1/audio/voices", summary="names that `voice` may have", responses=documented(401))
    async def voices(request: Request) -> JsonObject:
        service.caller(request)
        known = [(v.id, v.name, v.language) for v in await asyncio.to_thread(service.voices.list)]
        taken = {voice_id for voice_id, _, _ in known}
        known += [(name, f"{name} ({its})", "en") for name, its in NAMES.items() if name not in taken]
        return {
            "voices": [
                {"id": id, "object": "voice", "name": name, "language": language}
                for id, name, language in known
            ]
        }

    @router.post(
        "/v1/audio/speech", summary="say a text, as OpenAI's API does", response_class=Response,
        openapi_extra={"requestBody": body},
        responses={200: AUDIO_RESPONSE, **documented(400, 401, 404, 408, 413, 415, 422, 429, 500, 503, 504)},
    )  # fmt: skip
    async def speech(request: Request) -> Response:
        admitted = service.admit(request, "tts")
        asked: SpeechRequest | None = None

        async def read() -> TaskRequest:
            nonlocal asked
            asked = _parse(await admitted.read(request))
            return await to_request(service, registry.task("tts"), await _tts_fields(service, asked))

        try:
            return await speak(
                service, admitted, request, read, sse=lambda: asked is not None and asked.stream_format == "sse",
                rate=_rate, speed=lambda: 1.0 if asked is None else asked.speed, as_error=_in_its_words,
            )  # fmt: skip
        except (InputError, ApiError) as error:
            raise _in_its_words(error) from error

    return router


def _rate(format: str) -> int | None:
    return PCM_RATE if format == "pcm" else None


def _parse(fields: JsonObject) -> SpeechRequest:
    """The body. A null stands for the default, as clients of typed languages send it."""
    try:
        body = SpeechRequest.model_validate({k: v for k, v in fields.items() if v is not None})
    except ValidationError as error:
        raise _problem(error) from None
    if body.model not in MODELS:
        raise _no_model(body.model)
    return body


def _problem(error: ValidationError) -> ApiError:
    """The first thing wrong with a body; an unknown field before a missing one, which it may be, mistyped."""
    first = min(error.errors(), key=lambda its: its["type"] != "extra_forbidden")
    field = str(first["loc"][0]) if first["loc"] else "body"
    known = SpeechRequest.model_fields
    sentence = {
        "missing": f"{field} is missing",
        "extra_forbidden": f"{field} is not a field of this route; it has {', '.join(known)}{did_you_mean(field, known)}",
    }.get(first["type"], f"{field}: {first['msg'][:1].lower()}{first['msg'][1:]}")
    context = first.get("ctx", {})
    return ApiError(
        422, sentence, field=field, limit=context.get("le", context.get("ge")), code="invalid_field"
    )


async def _tts_fields(service: Service, body: SpeechRequest) -> JsonObject:
    """Fields of the tts task. flac is not streamed: other programs need the length in its header."""
    name = body.voice if isinstance(body.voice, str) else body.voice.id
    known = known_voice(name, await asyncio.to_thread(service.voices.ids))
    fields = {
        "text": body.input,
        "voice": known or NAMES.get(name.lower()) or await voice_id(service, name, "voice"),
        "format": body.response_format,
        "stream": body.stream and body.response_format != "flac",
        **{k: getattr(body, k) for k in ("language", "seed", "temperature", "top_p", "best_of")},
    }
    return {k: v for k, v in fields.items() if v is not None}


def _in_its_words(error: BaseException) -> ApiError:
    """An error about a field of the tts task, said of the field that the client sent."""
    told = as_api_error(error)
    sent = {"text": "input", "format": "response_format"}.get(told.field or "")
    if sent is None or told.field is None:
        return told
    message = re.sub(rf"^{told.field}\b", sent, told.message)
    return ApiError(
        told.status, message, code=told.code, field=sent, limit=told.limit, retry_after=told.retry_after
    )


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "speechx"}


def _no_model(name: str) -> ApiError:
    return ApiError(
        404, f"model {name[:80]!r} is not one of {', '.join(MODELS)}", code="model_not_found", field="model"
    )
