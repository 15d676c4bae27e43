"""Routes of enrolled voices, and of uploads: audio that several requests use by its id.

Both are stored in a folder or behind an fsspec URL, which all routers and replicas share.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import Response

from speechx.errors import InputError, did_you_mean
from speechx.serving.errors import ApiError, Disconnected, documented
from speechx.serving.routes.request import VOICE_ID, decode_audio
from speechx.serving.service import Service
from speechx.serving.types import JsonObject
from speechx.task.voices import MAX_ENROLL_SECONDS, Voice, VoiceTaken, known_voice
from speechx.text.languages import LANGUAGES, check_language, is_language_code, language_code

__all__ = ["enroll_voice", "upload_router", "voice_router"]

FIELDS = ("audio", "id", "name", "language", "consent", "license")
LONGEST = 200  # characters of a name or license

_SCHEMA: JsonObject = {
    "type": "object",
    "required": ["audio", "name", "consent"],
    "additionalProperties": False,
    "properties": {
        "audio": {"type": "string", "format": "binary", "description": "2-30 s of the voice alone"},
        "name": {"type": "string", "maxLength": LONGEST},
        "id": {
            "type": "string",
            "pattern": f"^{VOICE_ID.pattern}$",
            "description": "made of the name if not given",
        },
        "language": {
            "type": "string",
            "default": "en",
            "description": f"code of the language that is spoken: {', '.join(LANGUAGES)}, or another such as nl",
        },
        "consent": {"type": "boolean", "description": "true: the speaker has agreed to be enrolled"},
        "license": {"type": "string", "maxLength": LONGEST},
    },
}


def voice_router(service: Service) -> APIRouter:
    """POST, GET and DELETE of /v1/voices."""
    router = APIRouter(tags=["voices"])
    body = {"required": True, "content": {kind: {"schema": _SCHEMA} for kind in
            ("multipart/form-data", "application/json")}}  # fmt: skip

    @router.get("/v1/voices", summary="the known voices", responses=documented(401))
    async def list_voices(request: Request) -> JsonObject:
        service.caller(request)
        return {"voices": [asdict(v) for v in await asyncio.to_thread(service.voices.list)]}

    @router.get("/v1/voices/{voice_id}", summary="one voice", responses=documented(401, 404))
    async def get_voice(voice_id: str, request: Request) -> JsonObject:
        service.caller(request)
        return asdict(await _known(service, voice_id))

    @router.post("/v1/voices", status_code=201, summary="enroll a voice", openapi_extra={"requestBody": body},
                 responses=documented(400, 401, 408, 409, 413, 415, 422, 429, 503))  # fmt: skip
    async def enroll(request: Request) -> JsonObject:
        async def keep(fields: JsonObject) -> JsonObject:
            voice, warning = await enroll_voice(service, fields)
            return asdict(voice) | ({"warning": warning} if warning else {})

        return await _with_fields(service, request, "voices", keep)

    @router.delete("/v1/voices/{voice_id}", status_code=204, summary="forget a voice, its recording too",
                   responses=documented(401, 403, 404))  # fmt: skip
    async def remove(voice_id: str, request: Request) -> Response:
        service.caller(request)
        voice = await _known(service, voice_id)
        if voice.builtin:
            raise ApiError(403, f"{voice.id!r} is a built-in voice and cannot be removed", field="voice_id")
        try:
            await asyncio.to_thread(service.voices.remove, voice.id)
        except KeyError:
            raise _unknown(voice_id) from None
        return Response(status_code=204)

    return router


def upload_router(service: Service) -> APIRouter:
    """POST /v1/uploads."""
    router = APIRouter(tags=["uploads"])
    schema = {"type": "object", "required": ["audio"], "additionalProperties": False,
              "properties": {"audio": {"type": "string", "format": "binary"}}}  # fmt: skip
    body = {"required": True, "content": {kind: {"schema": schema} for kind in
            ("multipart/form-data", "application/json")}}  # fmt: skip

    @router.post("/v1/uploads", status_code=201, summary="keep a sound for a day; its id stands for it in requests",
                 openapi_extra={"requestBody": body},
                 responses=documented(400, 401, 408, 413, 415, 422, 429, 503))  # fmt: skip
    async def upload(request: Request) -> JsonObject:
        async def keep(fields: JsonObject) -> JsonObject:
            if set(fields) != {"audio"}:
                wrong = next((name for name in fields if name != "audio"), None)
                problem = f"{wrong} is not a field of an upload" if wrong else "audio is missing"
                raise InputError(f"{problem}: it has audio alone", field=wrong or "audio")
            kept = await decode_audio(service, fields["audio"], "audio", service.limits.audio_seconds)
            upload_id = await asyncio.to_thread(service.uploads.put, kept)
            return {"id": upload_id, "seconds": round(len(kept[0]) / kept[1], 3), "sample_rate": kept[1]}

        return await _with_fields(service, request, "uploads", keep)

    return router


async def _with_fields(
    service: Service, request: Request, name: str, act: Callable[[JsonObject], Awaitable[JsonObject]]
) -> JsonObject:
    """The result of `act` on the fields of the body, as one admitted request."""
    admitted = service.admit(request, name)
    failure: BaseException | None = None
    try:
        return await act(await admitted.read(request))
    except Disconnected as error:
        failure = error
        raise ApiError(400, "the body ended early", field="body") from error
    except BaseException as error:
        failure = error
        raise
    finally:
        admitted.finish(None, failure)


async def _known(service: Service, voice_id: str) -> Voice:
    ids = await asyncio.to_thread(service.voices.ids)
    try:
        return await asyncio.to_thread(service.voices.get, known_voice(voice_id, ids) or voice_id)
    except KeyError:
        raise _unknown(voice_id, did_you_mean(voice_id, ids)) from None


def _unknown(voice_id: str, hint: str = "") -> ApiError:
    return ApiError(
        404, f"there is no voice {voice_id[:80]!r}; GET /v1/voices lists them{hint}", field="voice_id"
    )


async def enroll_voice(service: Service, fields: JsonObject) -> tuple[Voice, str | None]:
    """The voice that the fields describe, and a sentence where hardly any speech is found in it.

    Raises InputError, ApiError.
    """
    for field in fields:
        if field not in FIELDS:
            known = f"it has {', '.join(FIELDS)}{did_you_mean(field, FIELDS)}"
            raise InputError(f"{field} is not a field of a voice; {known}", field=field)
    for field in ("audio", "name"):
        if not fields.get(field):
            raise InputError(f"{field} is missing", field=field)
    for field in ("name", "id", "language", "license"):
        value = fields.get(field)
        if value is not None and not (isinstance(value, str) and len(value) <= LONGEST):
            raise ApiError(
                422, f"{field} must be a text of up to {LONGEST} characters", field=field, limit=LONGEST
            )
    if str(fields.get("consent")).lower() not in ("true", "1", "yes"):
        raise InputError("consent must be true: the speaker has agreed to be enrolled", field="consent")
    language = language_code(fields.get("language") or "en")
    if not is_language_code(language):
        check_language(language)
    voice_id = fields.get("id") or _slug(fields["name"])
    if voice_id in await asyncio.to_thread(service.voices.ids):
        raise ApiError(409, f"id {voice_id!r} is taken", code="taken", field="id")
    data = await decode_audio(service, fields["audio"], "audio", service.limits.audio_seconds)
    if len(data[0]) > MAX_ENROLL_SECONDS * data[1]:
        seconds = len(data[0]) / data[1]
        raise ApiError(
            422, f"audio is {seconds:.1f} s long, the limit is {MAX_ENROLL_SECONDS:g} s", field="audio",
            limit=MAX_ENROLL_SECONDS,
        )  # fmt: skip
    more = {"license": fields["license"]} if fields.get("license") else {}
    try:
        voice = await asyncio.to_thread(
            service.voices.enroll,
            data,
            voice_id,
            name=fields["name"],
            language=language,
            consent=True,
            **more,
        )
        return voice, await service.voice_warning(data)
    except VoiceTaken as error:  # by another request in the meantime
        raise ApiError(409, str(error), code="taken", field="id") from error
    except InputError as error:
        raise InputError(str(error), field="audio" if error.field == "voice" else error.field) from error


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64]
