"""Turns the fields of a request body into a task's validated request, and describes the body for OpenAPI.

In JSON an audio field is base64 or a data: URL, in multipart a file. In both it may be the id of an upload, and a voice
may be the id of a known voice. A short text is always a name.
"""

from __future__ import annotations

import asyncio
import json
import re

from speechx.errors import InputError, did_you_mean
from speechx.serving.errors import ApiError
from speechx.serving.service import Service
from speechx.serving.types import JsonObject, Sound
from speechx.serving.web.base64_audio import from_base64, is_name
from speechx.serving.web.body import FORM_TYPES, JSON_TYPES
from speechx.serving.web.uploads import UPLOAD_ID
from speechx.task import registry
from speechx.task.fields import TaskRequest
from speechx.task.task import AnyTask
from speechx.task.voices import known_voice

__all__ = ["VOICE_ID", "body_schema", "decode_audio", "to_request", "voice_id"]

VOICE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
FILE_NAME = re.compile(r"[/\\]|\.(wav|flac|mp3|ogg|opus|m4a|aac|webm|aiff?)$", re.IGNORECASE)


async def to_request(service: Service, task: AnyTask, fields: JsonObject) -> TaskRequest:
    """The validated request of a task, its audio decoded. Raises InputError and ApiError that name the field."""
    fields, limits = dict(fields), service.limits
    for name, value in fields.items():
        if (
            isinstance(value, str)
            and len(value) > limits.text_chars
            and name not in registry.audio_fields(task)
        ):
            raise ApiError(
                422, f"{name} has {len(value):,} characters; the limit is {limits.text_chars:,}",
                code="too_long", field=name, limit=limits.text_chars,
            )  # fmt: skip
    if "span" in fields and isinstance(fields["span"], str):
        fields["span"] = fields["span"].strip("[] ").split(",")
    kinds = {k: v for k, v in registry.audio_fields(task).items() if fields.get(k) is not None}
    placeholder = dict.fromkeys(kinds, b"?")  # other fields are validated before any audio is decoded
    request = registry.parse_request(task.name, fields | placeholder)
    if (request.best_of or 1) > limits.best_of:
        raise ApiError(
            422, f"best_of is {request.best_of}; the limit is {limits.best_of}",
            code="too_large", field="best_of", limit=limits.best_of,
        )  # fmt: skip
    sounds = {name: await _voice_or_audio(service, fields[name], name, kind) for name, kind in kinds.items()}
    return request.model_copy(update=sounds)


async def _voice_or_audio(service: Service, value: object, field: str, kind: str) -> Sound | str:
    """The id of a known voice as it is; else (samples, rate). kind: "audio" or "voice"."""
    if isinstance(value, str) and kind == "voice" and is_name(value) and not UPLOAD_ID.fullmatch(value):
        return await voice_id(service, value, field)
    limits = service.limits
    limit = limits.voice_seconds if kind == "voice" else limits.audio_seconds
    return await decode_audio(service, value, field, limit)


async def voice_id(service: Service, name: str, field: str) -> str:
    """The id of the known voice of this name, compared without case. Raises InputError where there is none."""
    ids = await asyncio.to_thread(service.voices.ids)
    found = known_voice(name, ids)
    if found is not None:
        return found
    shown = repr(name[:80])
    if FILE_NAME.search(name):
        raise InputError(
            f"{field} {shown} is a file name: send the file itself, as a form or base64, or the id of a known voice",
            field=field,
        )
    hint = did_you_mean(name, ids)
    raise InputError(f"{field} {shown} is not a known voice; GET /v1/voices lists them{hint}", field=field)


async def decode_audio(service: Service, value: object, field: str, max_seconds: float) -> Sound:
    """(samples, rate) of the id of an upload, of base64 or of the bytes of a file. Raises InputError, ApiError."""
    if isinstance(value, str) and UPLOAD_ID.fullmatch(value):
        upload = await asyncio.to_thread(service.uploads.get, value, field)
        if len(upload[0]) > max_seconds * upload[1]:
            seconds = len(upload[0]) / upload[1]
            raise ApiError(
                422, f"{field} is {seconds:.1f} s long, the limit is {max_seconds:g} s", field=field,
                limit=max_seconds,
            )  # fmt: skip
        return upload
    if isinstance(value, str):
        value = from_base64(value, field)
    if not isinstance(value, bytes):
        raise InputError(f"{field} must be a sound: a file, or base64 in JSON", field=field)
    if not value:
        raise InputError(f"{field} is empty: give a sound file", field=field)
    return await service.decoder.decode(value, field, max_seconds)


def body_schema(task: AnyTask) -> JsonObject:
    """The requestBody of a task's route in OpenAPI."""
    form = task.Request.model_json_schema(ref_template="#/components/schemas/{model}")
    in_json = json.loads(json.dumps(form))
    for name, kind in registry.audio_fields(task).items():
        about = in_json["properties"][name]
        about.pop("format", None)
        about["description"] = about.get("description", "") + (
            "; base64 of the file, or the id of an upload" + (", or of a voice" if kind == "voice" else "")
        )
    return {
        "required": True,
        "content": {FORM_TYPES[0]: {"schema": form}, JSON_TYPES[0]: {"schema": in_json}},
    }
