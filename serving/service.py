"""What all routes share: engine, limits, voices, metrics; and the record of one request from admission to last byte."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from fastapi import Request
from starlette.requests import HTTPConnection

from speechx.errors import InputError
from speechx.pipeline.job import Chunk
from speechx.pipeline.local_engine import SpeechEngine
from speechx.serving.errors import ApiError, Disconnected, as_api_error
from speechx.serving.limits import ApiKeys, Permit, RequestLimiter
from speechx.serving.logs import request_log
from speechx.serving.metrics import Metrics
from speechx.serving.recognizer import ServedRecognizer
from speechx.serving.settings import Settings
from speechx.serving.types import JsonObject, Sound
from speechx.serving.web.body import BodyReader
from speechx.serving.web.sandbox import SandboxedDecoder
from speechx.serving.web.uploads import Uploads
from speechx.task.voices import VoiceStore

if TYPE_CHECKING:
    import numpy as np

    from speechx.pipeline.live_mask import LiveMask
    from speechx.text.types import WordTime

__all__ = ["AdmittedRequest", "Service"]

T = TypeVar("T")
CHECK_SECONDS = 10.0
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass
class AdmittedRequest:
    """A request that may send its body. `read` reads that and takes a place; `finish` releases the place, counts and logs.

    Only the first call of `finish` counts.
    """

    service: Service
    task: str
    id: str
    caller: str
    permit: Permit | None = None
    started: float = field(default_factory=time.monotonic)
    first_audio: float | None = None
    finished: bool = False
    live: bool = False  # a live socket lasts as long as its talk: its times are none of the server's

    async def read(self, request: Request) -> JsonObject:
        """The fields of the body. A place is taken when all of it is there, so that a slow body holds none.

        Raises ApiError: 400, 408, 413, 415, 429, 503. Raises Disconnected.
        """
        fields = await self.service.bodies.read(request)
        self.begin()
        return fields

    def begin(self) -> None:
        """Take a place. Raises ApiError 429, 503."""
        self.permit = self.service.limited(lambda: self.service.limiter.acquire(self.caller), self.task)
        self.service.metrics.under_way.labels(self.task).inc()

    def note_first_audio(self) -> None:
        """Record the time of the first audio."""
        if self.first_audio is None:
            self.first_audio = time.monotonic() - self.started

    def finish(self, last: Chunk | None = None, failure: BaseException | None = None) -> None:
        """last: the last chunk that was sent. failure: the exception that ended the request early."""
        if self.finished:
            return
        self.finished = True
        metrics, took = self.service.metrics, time.monotonic() - self.started
        if self.permit is not None:
            self.permit.release()
            metrics.under_way.labels(self.task).dec()
        gone = isinstance(failure, Disconnected | asyncio.CancelledError | GeneratorExit)
        status = 200 if failure is None else 499 if gone else as_api_error(failure).status
        metrics.requests.labels(self.task, str(status)).inc()
        if gone:
            metrics.aborted.labels(self.task).inc()
        info = last.info if last is not None else {}
        if failure is None and self.first_audio is not None and not self.live:
            metrics.first_audio.labels(self.task).observe(self.first_audio)
        if audio := info.get("audio_seconds"):
            metrics.audio_seconds.labels(self.task).inc(audio)
            if not self.live:
                metrics.rtf.labels(self.task).observe(took / audio)
        facts: JsonObject = {
            "request_id": self.id,
            "task": self.task,
            "status": status,
            **({"live": True} if self.live else {}),
            "caller": self.caller,
            "seconds": round(took, 4),
            "first_audio_seconds": self.first_audio and round(self.first_audio, 4),
            **{k: info[k] for k in ("audio_seconds", "seed", "model", "truncated") if k in info},
        }
        self.service.log("request", facts, failure if status >= 500 else None)


class Service:
    """State shared by the routes of one app.

    An engine may have `async status() -> dict`, for /readyz. An engine over several replicas may have
    `async statuses() -> list[dict]`, for /metrics. One with a model may have `async voice_warning(sound)`, for enrollment,
    `async push_live(task, mask, wav_T, last)`, for live sound, and `async align(sound, text, language)`, for the page.
    """

    def __init__(self, engine: SpeechEngine, settings: Settings, voices: VoiceStore | None = None) -> None:
        self.engine, self.settings = engine, settings
        self.limits = settings.limits
        self.voices = voices or VoiceStore(settings.voices)
        self.uploads = Uploads(f"{self.voices.root.rstrip('/')}/uploads", self.limits.uploads_bytes)
        self.decoder = SandboxedDecoder(self.limits)
        self.keys = ApiKeys.load(settings)
        self.limiter = RequestLimiter(self.limits)
        self.bodies = BodyReader(self.limits)
        self.metrics = Metrics()

    def caller(self, request: HTTPConnection, task: str = "") -> str:
        """The caller of a request: the name of its key, else its address. Raises ApiError 401."""
        address = request.client.host if request.client else ""
        return self.limited(lambda: self.keys.caller(request.headers, address), task)

    def admit(self, request: HTTPConnection, task: str) -> AdmittedRequest:
        """Admit a request, before its body is read. Raises ApiError 401, 429, 503."""
        caller = self.caller(request, task)
        self.limited(lambda: self.limiter.check(caller), task)
        return AdmittedRequest(self, task, request_id(request), caller)

    def limited(self, check: Callable[[], T], task: str = "") -> T:
        """The result of a check of keys or limits, whose refusals are counted. task: "" for a route of no task."""
        try:
            return check()
        except ApiError as error:
            self.metrics.rejected.labels(task, error.code).inc()
            raise

    async def status(self) -> JsonObject:
        """The status of the engine. Raises ApiError 503 where it does not respond within 5 s."""
        method = getattr(self.engine, "status", None)
        if method is None:
            return {}
        try:
            async with asyncio.timeout(5):
                return dict(await method())
        except Exception as error:
            raise ApiError(503, f"the engine is not ready: {error or type(error).__name__}", code="not_ready",
                           retry_after=5) from error  # fmt: skip

    async def voice_warning(self, sound: Sound) -> str | None:
        """A sentence where a voice's recording holds hardly any speech, or no replica could look into it."""
        method = getattr(self.engine, "voice_warning", None)
        if method is None:
            return None
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                found: str | None = await method(sound)
                return found
        except Exception as error:
            self.log("voice_check", {"error": type(error).__name__}, error)
            return "audio was not checked for speech: no replica answered"

    async def push_live(
        self, task: str, mask: LiveMask | None, wav_T: np.ndarray, last: bool
    ) -> tuple[np.ndarray, LiveMask]:
        """See `live_mask.push_live`. Raises InputError, and ApiError 503 where the engine has no live sound."""
        method = getattr(self.engine, "push_live", None)
        if method is None:
            raise ApiError(503, "the engine takes no live sound", code="no_live_sound")
        async with asyncio.timeout(CHECK_SECONDS):
            masked: tuple[np.ndarray, LiveMask] = await method(task, mask, wav_T, last)
            return masked

    async def align(self, sound: Sound, text: str, language: str) -> tuple[WordTime, ...]:
        """When each word is spoken in a recording. Raises InputError, and ApiError 503 where the engine cannot tell."""
        method = getattr(self.engine, "align", None)
        if method is None:
            raise ApiError(503, "the engine has no aligner", code="no_aligner")
        async with asyncio.timeout(self.limits.request_seconds):
            words: tuple[WordTime, ...] = await method(sound, text, language)
            return words

    @cached_property
    def recognizer(self) -> ServedRecognizer:
        """The recognizer of the page, of this process."""
        return ServedRecognizer()

    async def transcribe(self, sound: Sound, language: str) -> str:
        """What is said in a recording. Raises InputError where nothing is, or the recognizer is not installed."""
        async with asyncio.timeout(self.limits.request_seconds):
            text = await self.recognizer.transcribe(sound, language)
        if not text:
            raise InputError("audio has no words that the recognizer understands: type them", field="audio")
        return text

    async def statuses(self) -> list[JsonObject]:
        """The status of every replica that responds."""
        try:
            method = getattr(self.engine, "statuses", None)
            return [await self.status()] if method is None else list(await method())
        except (ApiError, TimeoutError):
            return []

    def log(self, event: str, facts: JsonObject, failure: BaseException | None = None) -> None:
        if self.settings.log_requests or failure is not None:
            level = logging.ERROR if failure is not None else logging.INFO
            request_log().log(level, event, extra={"facts": facts}, exc_info=failure)

    def close(self) -> None:
        self.decoder.close()


def request_id(request: HTTPConnection) -> str:
    """The client's X-Request-Id where it is valid, else a new one; kept in the request's scope."""
    known = request.scope.get("speechx_request_id")
    if known is None:
        given = request.headers.get("x-request-id", "")
        known = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.scope["speechx_request_id"] = known
    return str(known)
