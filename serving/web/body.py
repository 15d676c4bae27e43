"""Reads request bodies, multipart or JSON, into fields: how many at once, how large, how slow, and in how much memory."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Message

from speechx.serving.errors import ApiError, Disconnected
from speechx.serving.settings import Limits
from speechx.serving.types import JsonObject

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every broken form
# Files of a form stay in memory, which is bounded: a disk may be full.
MultiPartParser.spool_max_size = 1 << 40

__all__ = ["FORM_TYPES", "JSON_TYPES", "BodyReader"]

JSON_TYPES = ("application/json",)
FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


class BodyReader:
    """The bodies that one process reads at a time. They hold no place of the engine."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.reading = 0
        self.bytes = 0  # of all bodies that are being read
        self._reading_of: Counter[str] = Counter()

    async def read(self, request: Request) -> JsonObject:
        """The fields of the body: str, numbers, lists, and bytes for files.

        Raises ApiError: 400 broken, 408 too slow, 413 too large, 415 another type, 429 too many bodies at once.
        Raises Disconnected.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind not in (*JSON_TYPES, *FORM_TYPES):
            problem = f"content type {kind!r} is not taken" if kind else "the content type is missing"
            raise ApiError(415, f"{problem}: send {JSON_TYPES[0]} or {FORM_TYPES[0]}", field="content-type")
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self.limits.upload_bytes:
            raise _too_large(self.limits)
        with self._counted(network(request.client.host if request.client else "")):
            receive = _LimitedReceive(request, self)
            try:
                limited = Request(request.scope, receive)
                return await (_json(limited) if kind in JSON_TYPES else _form(limited, self.limits))
            except ClientDisconnect:
                raise Disconnected from None
            finally:
                self.bytes -= receive.bytes

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """Raises ApiError 429 where too many bodies are being read."""
        limits = self.limits
        for reading, most, whose in (
            (self.reading, limits.bodies_at_once, "the server"),
            (self._reading_of[address], limits.bodies_per_address, "your address"),
        ):
            if reading >= most:
                raise ApiError(
                    429, f"{most} bodies of {whose} are being read, which is the limit: try again",
                    code="too_many_bodies", field="body", limit=most, retry_after=1,
                )  # fmt: skip
        self.reading += 1
        self._reading_of[address] += 1
        try:
            yield
        finally:
            self.reading -= 1
            self._reading_of[address] -= 1
            if not self._reading_of[address]:
                del self._reading_of[address]


def network(address: str) -> str:
    """Whom an address belongs to: an IPv4 address to one host, the 2^64 of an IPv6 network to one customer."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return str(known)
    return str(known.ipv4_mapped or ip_network((known, 64), strict=False))


class _LimitedReceive:
    """receive() of a body with limits of bytes and of time, whatever Content-Length says."""

    def __init__(self, request: Request, reader: BodyReader) -> None:
        self._receive, self._reader, self._limits = request.receive, reader, reader.limits
        self._started = time.monotonic()
        self.bytes = 0

    async def __call__(self) -> Message:
        """Raises ApiError: 408 too slow, 413 too large, 429 no memory for it now."""
        limits = self._limits
        earned = limits.body_grace_seconds + self.bytes / limits.body_rate
        left = self._started + min(limits.upload_seconds, earned) - time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await self._receive()
        except TimeoutError:
            raise self._too_slow(earned) from None
        size = len(message.get("body", b""))
        self.bytes += size
        self._reader.bytes += size
        if self.bytes > limits.upload_bytes:
            raise _too_large(limits, close=True)  # it may have no end
        if self._reader.bytes > limits.bodies_bytes:
            raise ApiError(
                429, f"the bodies that are being read take {limits.bodies_bytes:,} bytes, which is the limit: try again",
                code="too_many_bodies", field="body", limit=limits.bodies_bytes, retry_after=2, close=True,
            )  # fmt: skip
        return message

    def _too_slow(self, earned: float) -> ApiError:
        limits = self._limits
        if earned < limits.upload_seconds:
            rate = limits.body_rate
            return ApiError(
                408, f"the body came in at less than {rate:,} bytes per second", field="body", limit=rate
            )
        seconds = limits.upload_seconds
        return ApiError(
            408, f"the body did not arrive within {seconds:g} s", field="body", limit=seconds, close=True
        )


def _too_large(limits: Limits, close: bool = False) -> ApiError:
    most = limits.upload_bytes
    return ApiError(413, f"the body is larger than {most:,} bytes", field="body", limit=most, close=close)


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
