"""A remote voice: text to speech by any OpenAI-compatible server, behind the `SpeechEngine` protocol.

    engine = RemoteEngine(RemoteOptions(url="http://gpu:8880/v1", model="kokoro"))
    async for chunk in engine.stream(job): ...

One router so serves our other tasks beside the voice of vLLM-Omni, SGLang-Omni, Kokoro-FastAPI or another SpeechX.
Samples are passed on as they arrive. Shapes: T samples.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from speechx.audio import reading, writing
from speechx.errors import InputError
from speechx.pipeline.job import Chunk, Job
from speechx.serving.errors import ApiError
from speechx.serving.types import JsonObject

if TYPE_CHECKING:
    import httpx


__all__ = ["RemoteEngine", "RemoteOptions", "WavReader"]

KEY_VARIABLE = "SPEECHX_REMOTE_KEY"
SHORTEST = 0.04
"""Seconds of a chunk at least, but for the last one."""
ENDLESS = 0x7FFFFFFF
"""Sizes from here on in a WAV header stand for a stream whose length is not known yet."""


class RemoteOptions(BaseModel):
    """Where speech is made. The key of the API is $SPEECHX_REMOTE_KEY of the process that asks."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    url: str = Field(
        pattern=r"^https?://", description="address that /audio/speech follows, such as http://host:8880/v1"
    )
    model: str = Field("tts-1", description="`model` of its requests")
    voices: dict[str, str] = Field({}, description="id here -> name there; others have the same name there")
    reference: str | None = Field(
        None,
        description="field for the recording of a voice as a data URL, such as ref_audio; default: names alone",
    )
    tasks: tuple[str, ...] = Field(("tts",), description="tasks that it does")
    seconds: float = Field(120.0, gt=0, description="longest request")


class RemoteEngine:
    """A `SpeechEngine`. transport: of httpx, in tests."""

    def __init__(self, options: RemoteOptions, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.options, self._transport = options, transport
        self.tasks = frozenset(options.tasks)
        self.name = f"{options.model} at {urlsplit(options.url).netloc}"

    async def stream(self, job: Job) -> AsyncGenerator[Chunk, None]:
        """See SpeechEngine. Raises ApiError 502, 503 where the server fails or is not there; nothing is tried twice."""
        if job.task not in self.tasks:
            raise InputError(f"task {job.task!r} is not done by {self.name}", field="task")
        started, first, made, samples = time.monotonic(), None, [np.zeros(0, np.float32)], 0
        wav, seed = WavReader(), job.request.seed
        info: JsonObject = {"task": job.task, "seed": seed, "model": self.name}
        async with self._response(job) as response:
            async for data in response.aiter_bytes():
                made.append(wav.push(data))
                if wav.rate and sum(map(len, made)) >= SHORTEST * wav.rate:
                    first = first or time.monotonic() - started
                    wav_T, made = np.concatenate(made), []
                    samples += len(wav_T)
                    yield Chunk(wav_T, wav.rate, (), False, dict(info))
        rest_T = np.concatenate([*made, self._end(wav)])
        samples += len(rest_T)
        seconds, audio = time.monotonic() - started, samples / wav.rate
        if not samples:
            raise ApiError(502, f"{self.name} sent no sound", code="remote")
        info |= {
            "audio_seconds": round(audio, 3),
            "seconds": round(seconds, 4),
            "rtf": round(seconds / audio, 4),
        }
        info["first_audio_seconds"] = round(first or seconds, 4)
        yield Chunk(rest_T, wav.rate, (), True, info)

    def _end(self, wav: WavReader) -> np.ndarray:
        try:
            return wav.close()
        except ValueError as error:
            raise ApiError(502, f"{self.name} sent no whole sound: {error}", code="remote") from error

    @asynccontextmanager
    async def _response(self, job: Job) -> AsyncGenerator[httpx.Response, None]:
        """The response, once its status is known to be good."""
        import httpx

        key = os.environ.get(KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limit = self.options.seconds
        if job.deadline is not None:
            limit = min(limit, max(0.01, job.deadline - time.monotonic()))
        address = f"{self.options.url.rstrip('/')}/audio/speech"
        try:
            async with (
                httpx.AsyncClient(transport=self._transport, timeout=limit, headers=headers) as client,
                client.stream("POST", address, json=self._body(job)) as response,
            ):
                if response.status_code != 200:
                    raise _as_error(self.name, response, await response.aread())
                yield response
        except httpx.TimeoutException as error:
            raise TimeoutError(f"{self.name} was not done within {limit:.1f} s") from error
        except httpx.ConnectError as error:
            raise ApiError(503, f"{self.name} cannot be reached", code="remote", retry_after=5) from error
        except httpx.HTTPError as error:
            raise ApiError(502, f"{self.name} broke the connection: {error}", code="remote") from error

    def _body(self, job: Job) -> JsonObject:
        """The JSON of the request. Raises InputError for a voice that the server cannot be told."""
        request: Any = job.request
        body: JsonObject = {
            "model": self.options.model, "input": request.text, "response_format": "wav", "stream": True,
        }  # fmt: skip
        if getattr(request, "language", "en") != "en":
            body["language"] = request.language
        if request.seed is not None:
            body["seed"] = request.seed
        voice = request.voice
        if isinstance(voice, str):
            return body | {"voice": self.options.voices.get(voice, voice)}
        if self.options.reference is None:
            raise InputError(
                f"voice: {self.name} knows voices by name, and was not told how to send it a recording",
                field="voice",
            )
        wav_T = reading.read(voice, field="voice")
        sound = base64.b64encode(writing.encode(wav_T, reading.SAMPLE_RATE, "wav")).decode()
        return body | {"voice": "default", self.options.reference: f"data:audio/wav;base64,{sound}"}


def _as_error(name: str, response: httpx.Response, data: bytes) -> Exception:
    """The error of a response that is not 200: the client's own fault stays one, with the field's name here."""
    try:
        told: Mapping[str, Any] = json.loads(data)
    except ValueError:
        told = {}
    error = told.get("error", told)
    about: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
    message = str(about.get("message") or about.get("detail") or response.reason_phrase or "no reason given")[
        :300
    ]
    status = response.status_code
    if status in (400, 404, 413, 422):
        field = {"input": "text", "voice": "voice", "language": "language", "seed": "seed"}.get(
            str(about.get("param"))
        )
        return InputError(f"{name}: {message}", field=field)
    if status in (429, 503):
        after = response.headers.get("Retry-After", "")
        return ApiError(
            429,
            f"{name} is busy: {message}",
            code="overloaded",
            retry_after=float(after) if after.isdecimal() else 1,
        )
    return ApiError(502, f"{name} failed with status {status}: {message}", code="remote")


class WavReader:
    """Samples of a WAV file as its bytes arrive; of any other format at the end. rate: 0 until it is known."""

    def __init__(self) -> None:
        self.rate = 0
        self._data = b""
        self._width = self._channels = 0
        self._left: int | None = None  # bytes of samples that are still to come; None in an endless stream
        self._in_samples = False

    def push(self, data: bytes) -> np.ndarray:
        """(T,) float32, the channels averaged."""
        self._data += data
        if not self._in_samples and not self._find_samples():
            return np.zeros(0, np.float32)
        whole = len(self._data) // (self._width * self._channels) * self._width * self._channels
        if self._left is not None:
            whole = min(whole, self._left)
            self._left -= whole
        part, self._data = self._data[:whole], self._data[whole:]
        if self._width == 4:
            values = np.frombuffer(part, "<f4").astype(np.float32)
        else:
            values = np.frombuffer(part, "<i2").astype(np.float32) / np.float32(32768)
        return values.reshape(-1, self._channels).mean(1, dtype=np.float32)

    def close(self) -> np.ndarray:
        """The rest. Raises ValueError where the sound ends early, or is none."""
        if self._in_samples:
            if self._left:
                raise ValueError(f"{self._left} bytes are missing at its end")
            return np.zeros(0, np.float32)
        try:
            self.rate = reading.probe(self._data).rate
            return reading.read(self._data, rate=self.rate)
        except InputError as error:
            raise ValueError(str(error)) from error

    def _find_samples(self) -> bool:
        """Reads the header up to the samples, whose format must be 16-bit or float: others are read at the end."""
        at = 12 if self._data[:4] == b"RIFF" else len(self._data)
        while len(self._data) >= at + 8:
            name, size = self._data[at : at + 4], int.from_bytes(self._data[at + 4 : at + 8], "little")
            if name == b"data":
                if not self._width:
                    return False
                self._in_samples, self._left = True, None if size >= ENDLESS else size
                self._data = self._data[at + 8 :]
                return True
            if name == b"fmt " and len(self._data) >= at + 24:
                kind, channels, rate = (
                    int.from_bytes(self._data[at + a : at + b], "little")
                    for a, b in ((8, 10), (10, 12), (12, 16))
                )
                bits = int.from_bytes(self._data[at + 22 : at + 24], "little")
                if (kind, bits) in ((1, 16), (3, 32)) and channels:
                    self.rate, self._channels, self._width = rate, channels, bits // 8
            at += 8 + size + size % 2
        return False
