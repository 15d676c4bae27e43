"""A task's request out of an HTTP body, multipart or JSON, within the limits; and its description for OpenAPI.

In JSON a sound is base64 (a data: URI will do), in multipart a file; either may be the id of an
upload, and a voice that of a known voice.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from speechx.errors import InputError
from speechx.serving.errors import ApiError
from speechx.serving.service import Service
from speechx.serving.settings import Limits
from speechx.serving.web.stream import Disconnected
from speechx.serving.web.uploads import UPLOAD_ID
from speechx.task import registry
from speechx.task.task import AnyTask

__all__ = ["body_schema", "read_fields", "to_request"]

VOICE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
JSON_TYPES = ("application/json",)
FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


async def read_fields(request: Request, limits: Limits) -> dict[str, Any]:
    """The body's fields as they came: str, numbers, lists, and bytes for files.

    Raises ApiError: 400 broken, 408 too slow, 413 too large, 415 another type.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (*JSON_TYPES, *FORM_TYPES):
        said = f"content type {kind!r} is not taken" if kind else "the content type is missing"
        raise ApiError(415, f"{said}: send {JSON_TYPES[0]} or {FORM_TYPES[0]}", field="content-type")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.upload_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            counted = Request(request.scope, _LimitedReceive(request, limits))
            return await (_json(counted) if kind in JSON_TYPES else _form(counted, limits))
    except TimeoutError:
        raise ApiError(
            408, f"the body did not arrive within {limits.upload_seconds:g} s", limit=limits.upload_seconds
        ) from None
    except ClientDisconnect:
        raise Disconnected from None


class _LimitedReceive:
    """receive() that refuses what is more than the limit, whatever the header said."""

    def __init__(self, request: Request, limits: Limits) -> None:
        self._receive, self._limits, self._bytes = request.receive, limits, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._limits.upload_bytes:
            raise _too_large(self._limits)
        return message


def _too_large(limits: Limits) -> ApiError:
    most = limits.upload_bytes
    return ApiError(413, f"the body is larger than {most:,} bytes", field="body", limit=most)


async def _json(request: Request) -> dict[str, Any]:
    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    try:
        fields = json.loads(await request.body(), parse_constant=no_constant)
        json.dumps(fields, ensure_ascii=False).encode()  # no halves of surrogate pairs
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json", field="body") from None
    if not isinstance(fields, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_json", field="body")
    return fields


async def _form(request: Request, limits: Limits) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    try:
        async with request.form(max_files=8, max_fields=64, max_part_size=limits.upload_bytes) as form:
            for name in form:
                values: list[Any] = []
                for value in form.getlist(name):
                    values.append(await value.read() if isinstance(value, UploadFile) else value)
                fields[name] = values[0] if len(values) == 1 else values
    except (MultiPartException, ValueError) as error:
        raise ApiError(400, f"the form is broken: {error}", code="invalid_form", field="body") from None
    except Exception as error:  # Starlette wraps the parser's error where an app is around
        if getattr(error, "status_code", None) == 400:
            raise ApiError(400, f"the form is broken: {error}", code="invalid_form", field="body") from None
        raise
    return fields


_KINDS: dict[type, dict[str, str]] = {}


def audio_kinds(task: AnyTask) -> dict[str, str]:
    """registry.audio_fields, made once for each request model."""
    if task.Request not in _KINDS:
        _KINDS[task.Request] = registry.audio_fields(task)
    return _KINDS[task.Request]


async def to_request(service: Service, task: AnyTask, fields: dict[str, Any]) -> Any:
    """The validated request of a task, its sound decoded. Raises InputError and ApiError that name the field."""
    fields, limits = dict(fields), service.limits
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > limits.text_chars and name not in audio_kinds(task):
            raise ApiError(
                422, f"{name} has {len(value):,} characters; the limit is {limits.text_chars:,}",
                code="too_long", field=name, limit=limits.text_chars,
            )  # fmt: skip
    if "span" in fields and isinstance(fields["span"], str):
        fields["span"] = fields["span"].strip("[] ").split(",")
    kinds = {k: v for k, v in audio_kinds(task).items() if fields.get(k) is not None}
    placeholder = dict.fromkeys(kinds, b"?")  # what is wrong elsewhere is said before any sound is decoded
    request = registry.parse_request(task.name, fields | placeholder)
    if (request.best_of or 1) > limits.best_of:
        raise ApiError(
            422, f"best_of is {request.best_of}; the limit is {limits.best_of}",
            code="too_large", field="best_of", limit=limits.best_of,
        )  # fmt: skip
    sounds = {name: await sound(service, fields[name], name, kind) for name, kind in kinds.items()}
    return request.model_copy(update=sounds)


async def sound(service: Service, value: Any, field: str, kind: str) -> Any:
    """An id of a voice as it is; an upload's samples; anything else decoded to (samples, rate)."""
    limits = service.limits
    most = limits.voice_seconds if kind == "voice" else limits.audio_seconds
    if isinstance(value, str) and UPLOAD_ID.fullmatch(value):
        kept = await asyncio.to_thread(service.uploads.get, value, field)
        if len(kept[0]) > most * kept[1]:
            seconds = len(kept[0]) / kept[1]
            raise ApiError(
                422, f"{field} is {seconds:.1f} s long, the limit is {most:g} s", field=field, limit=most
            )
        return kept
    if isinstance(value, str) and kind == "voice" and VOICE_ID.fullmatch(value):
        ids = await asyncio.to_thread(service.voices.ids)
        if value not in ids:
            raise InputError(
                f"{field} {value!r} is not a known voice; GET /v1/voices lists them", field=field
            )
        return value
    if isinstance(value, str):
        value = from_base64(value, field)
    if not isinstance(value, bytes):
        raise InputError(f"{field} must be a sound: a file, or base64 in JSON", field=field)
    if not value:
        raise InputError(f"{field} is empty: give a sound file", field=field)
    return await service.decoder.decode(value, field, most)


def from_base64(text: str, field: str) -> bytes:
    """The bytes of base64 or of a data: URI. Raises InputError."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{field} is no base64 of a sound file", field=field) from None


def body_schema(task: AnyTask) -> dict[str, Any]:
    """OpenAPI's requestBody of a task's route."""
    form = task.Request.model_json_schema(ref_template="#/components/schemas/{model}")
    in_json = json.loads(json.dumps(form))
    for name, kind in audio_kinds(task).items():
        about = in_json["properties"][name]
        about.pop("format", None)
        about["description"] = about.get("description", "") + (
            "; base64 of the file, or the id of an upload" + (", or of a voice" if kind == "voice" else "")
        )
    return {
        "required": True,
        "content": {FORM_TYPES[0]: {"schema": form}, JSON_TYPES[0]: {"schema": in_json}},
    }
