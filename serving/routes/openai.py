"""The speech part of OpenAI's API: POST /v1/audio/speech and GET /v1/models, as its clients use them.

`model` is any of MODELS. `voice` is the id of a known voice, or one of OpenAI's names, which map to built-in voices.
A request may also have language, seed, temperature, top_p and best_of (`extra_body` in OpenAI's clients).
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from speechx.errors import InputError
from speechx.serving.errors import ApiError, documented
from speechx.serving.routes.answer import AUDIO_RESPONSE, speak
from speechx.serving.routes.request import to_request
from speechx.serving.service import Service
from speechx.serving.types import JsonObject
from speechx.task import registry
from speechx.task.fields import TaskRequest

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
    response_format: Literal["mp3", "opus", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(1.0, ge=1.0, le=1.0, description="1 only")
    instructions: str | None = Field(None, description="not used")
    stream_format: Literal["audio", "sse"] = "audio"
    language: str | None = Field(None, description="language of the input (default en)")
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

    @router.post(
        "/v1/audio/speech", summary="say a text, as OpenAI's API does", response_class=Response,
        openapi_extra={"requestBody": body},
        responses={200: AUDIO_RESPONSE, **documented(400, 401, 404, 408, 413, 415, 422, 429, 500, 503, 504)},
    )  # fmt: skip
    async def speech(request: Request) -> Response:
        admitted = service.admit(request, "tts")
        sse = False

        async def read() -> TaskRequest:
            nonlocal sse
            parsed = _parse(await admitted.read(request))
            sse = parsed.stream_format == "sse"
            return await to_request(service, registry.task("tts"), _tts_fields(parsed))

        return await speak(service, admitted, request, read, sse=lambda: sse, rate=_rate)

    return router


def _rate(format: str) -> int | None:
    return PCM_RATE if format == "pcm" else None


def _parse(fields: JsonObject) -> SpeechRequest:
    from pydantic import ValidationError

    try:
        body = SpeechRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "body"
        limit = first.get("ctx", {}).get("le")
        raise ApiError(
            422, f"{field}: {first['msg']}", field=field, limit=limit, code="invalid_field"
        ) from None
    if body.model not in MODELS:
        raise _no_model(body.model)
    return body


def _tts_fields(body: SpeechRequest) -> JsonObject:
    """Fields of the tts task. The response is streamed, but for flac: other programs need the length in its header."""
    voice = body.voice if isinstance(body.voice, str) else body.voice.id
    if len(voice) > 64:
        raise InputError("voice must be the id of a known voice; GET /v1/voices lists them", field="voice")
    fields = {
        "text": body.input,
        "voice": NAMES.get(voice, voice),
        "format": body.response_format,
        "stream": body.response_format != "flac",
        **{k: getattr(body, k) for k in ("language", "seed", "temperature", "top_p", "best_of")},
    }
    return {k: v for k, v in fields.items() if v is not None}


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "speechx"}


def _no_model(name: str) -> ApiError:
    return ApiError(
        404, f"model {name[:80]!r} is not one of {', '.join(MODELS)}", code="model_not_found", field="model"
    )
