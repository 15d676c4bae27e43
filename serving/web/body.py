"""Reads a request body, multipart or JSON, into fields, within the limits of bytes and time."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from speechx.errors import InputError
from speechx.serving.errors import ApiError, Disconnected
from speechx.serving.settings import Limits
from speechx.serving.types import JsonObject

__all__ = ["FORM_TYPES", "JSON_TYPES", "from_base64", "read_fields"]

JSON_TYPES = ("application/json",)
FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


async def read_fields(request: Request, limits: Limits) -> JsonObject:
    """The fields of the body: str, numbers, lists, and bytes for files.

    Raises ApiError: 400 broken, 408 too slow, 413 too large, 415 another type.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (*JSON_TYPES, *FORM_TYPES):
        problem = f"content type {kind!r} is not taken" if kind else "the content type is missing"
        raise ApiError(415, f"{problem}: send {JSON_TYPES[0]} or {FORM_TYPES[0]}", field="content-type")
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
    """receive() with a limit of bytes, whatever Content-Length says. Raises ApiError 413."""

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


async def _json(request: Request) -> JsonObject:
    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    try:
        fields = json.loads(await request.body(), parse_constant=no_constant)
        json.dumps(fields, ensure_ascii=False).encode()  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json", field="body") from None
    if not isinstance(fields, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_json", field="body")
    return fields


async def _form(request: Request, limits: Limits) -> JsonObject:
    fields: JsonObject = {}
    try:
        async with request.form(max_files=8, max_fields=64, max_part_size=limits.upload_bytes) as form:
            for name in form:
                values: list[object] = []
                for value in form.getlist(name):
                    values.append(await value.read() if isinstance(value, UploadFile) else value)
                fields[name] = values[0] if len(values) == 1 else values
    except (MultiPartException, ValueError) as error:
        raise ApiError(400, f"the form is broken: {error}", code="invalid_form", field="body") from None
    except Exception as error:  # inside an app, Starlette wraps the parser's error
        if getattr(error, "status_code", None) == 400:
            raise ApiError(400, f"the form is broken: {error}", code="invalid_form", field="body") from None
        raise
    return fields


def from_base64(text: str, field: str) -> bytes:
    """The bytes of base64 or of a data: URI. Raises InputError."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{field} is no base64 of a sound file", field=field) from None
