"""From an engine's chunks to bytes on the wire: first chunk awaited, encoded as it comes, given up when nobody listens.

Shapes: T samples.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import soxr
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from speechx.audio.writing import RATES, StreamEncoder
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.local_engine import SpeechEngine
from speechx.serving.errors import ApiError, as_api_error

__all__ = [
    "Disconnected",
    "StartedStream",
    "StreamedResponse",
    "coalesce",
    "encoded",
    "events",
    "until_disconnect",
]

FIRST_SECONDS, REST_SECONDS = 0.08, 0.32
"""Chunks are joined up to these lengths: the first early, later ones seldom, as each costs the same to carry."""

SEND_SECONDS = 60.0
"""A client that reads nothing for so long is given up."""

T = TypeVar("T")


class Disconnected(Exception):
    """The client has gone."""


class StreamAborted(RuntimeError):
    """A stream ended early: the server closes the connection."""


async def coalesce(
    chunks: AsyncIterator[Chunk], first: float = FIRST_SECONDS, rest: float = REST_SECONDS
) -> AsyncGenerator[Chunk, None]:
    """Joins short chunks; nothing waits longer than `first`, later `rest`, seconds of audio take to be made."""
    held: list[Chunk] = []
    wanted = first
    async for chunk in chunks:
        held.append(chunk)
        if chunk.final or sum(len(c.wav_T) for c in held) >= wanted * chunk.sample_rate:
            joined = np.concatenate([c.wav_T for c in held]) if len(held) > 1 else chunk.wav_T
            yield replace(chunk, wav_T=joined)
            held.clear()
            wanted = rest


class StartedStream:
    """A stream whose first chunk is there, so that what is wrong with the request has been said.

    `chunks` gives all of them, the first included. Raises TimeoutError at the deadline (time of the event loop).
    """

    def __init__(self, source: AsyncGenerator[Chunk, None], first: Chunk, deadline: float) -> None:
        self._source, self.first, self._deadline = source, first, deadline

    @classmethod
    async def open(cls, engine: SpeechEngine, job: Job, seconds: float) -> StartedStream:
        """Raises what the engine raises for this job: InputError, TimeoutError, ApiError."""
        source: Any = engine.stream(job)
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            return cls(source, await _next(source, deadline), deadline)
        except BaseException:
            await source.aclose()
            raise

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        async with aclosing(self._source):
            yield self.first
            last = self.first
            while not last.final:
                last = await _next(self._source, self._deadline)
                yield last

    async def close(self) -> None:
        await self._source.aclose()


async def _next(source: AsyncGenerator[Chunk, None], deadline: float) -> Chunk:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(source)
    except StopAsyncIteration:
        raise ApiError(500, "the engine ended without a result", code="internal") from None


class _StreamResampler:
    """Samples at one rate to samples at another, as they come."""

    def __init__(self, rate: int, to: int) -> None:
        self.to = to
        self._stream = None if rate == to else soxr.ResampleStream(rate, to, 1, dtype="float32")

    def push(self, wav_T: np.ndarray, last: bool) -> np.ndarray:
        if self._stream is None:
            return wav_T
        return self._stream.resample_chunk(np.ascontiguousarray(wav_T, np.float32), last=last)


def wire_rate(rate: int, format: str) -> int:
    """The rate at which a format can carry sound of `rate`."""
    rates = RATES.get(format, (rate,))
    return rate if rate in rates else min((r for r in rates if r > rate), default=max(rates))


async def encoded(
    opened: StartedStream, format: str, rate: int | None = None
) -> AsyncGenerator[tuple[Chunk, bytes], None]:
    """Each chunk with the bytes that are ready after it. rate: of the bytes, where not the sound's own."""
    rate_in = opened.first.sample_rate
    to = rate or wire_rate(rate_in, format)
    encoder, resampler = StreamEncoder(format, to), _StreamResampler(rate_in, to)
    async with aclosing(opened.chunks()) as chunks:
        async for chunk in chunks:
            data = encoder.push(resampler.push(chunk.wav_T, chunk.final))
            yield chunk, data + encoder.close() if chunk.final else data


async def events(
    opened: StartedStream, format: str, rate: int | None = None, words: bool = False
) -> AsyncGenerator[tuple[Chunk, bytes], None]:
    """Server-sent events: speech.audio.delta with base64, speech.words with new word times, speech.audio.done or error.

    The names are those of OpenAI's API; speech.words is ours.
    """
    told = 0
    chunk = opened.first
    try:
        async with aclosing(encoded(opened, format, rate)) as parts:
            async for chunk, data in parts:
                said: list[dict[str, Any]] = []
                if data:
                    said.append({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
                if words and len(chunk.words) > told:
                    new = [word.as_dict() for word in chunk.words[told:]]
                    said.append({"type": "speech.words", "words": new})
                    told = len(chunk.words)
                if chunk.final:
                    done = {"type": "speech.audio.done", **chunk.info, "usage": _usage(chunk)}
                    if words:  # the last word of a part may have been put right
                        done["words"] = [word.as_dict() for word in chunk.words]
                    said.append(done)
                yield chunk, b"".join(_event(one) for one in said)
    except Exception as error:  # the status is sent already
        yield replace(chunk, final=True), _event({"type": "error", **as_api_error(error).body()})


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _usage(chunk: Chunk) -> dict[str, int]:
    """OpenAI's clients want tokens; ours are codec frames of 40 ms."""
    frames = round(float(chunk.info.get("audio_seconds") or 0) * 25)
    return {"input_tokens": 0, "output_tokens": frames, "total_tokens": frames}


async def until_disconnect(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` gives; when the client leaves first the work is cancelled and Disconnected raised.

    The request's body must have been read.
    """
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Disconnected
    finally:
        for one in (task, watch):
            one.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)  # their own `finally` has run


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class StreamedResponse(Response):
    """Sends parts as they come. A fault after the start breaks the connection off: half a sound must not look whole."""

    def __init__(
        self,
        parts: AsyncGenerator[tuple[Chunk, bytes], None],
        headers: dict[str, str],
        media_type: str,
        ended: Callable[[Chunk | None, BaseException | None], None],
    ) -> None:
        """ended: called once, with the last chunk that was sent, and what went wrong."""
        super().__init__(None, 200, headers, media_type)
        del self.headers["content-length"]
        self._parts, self._ended = parts, ended
        self._last: Chunk | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure: BaseException | None = None
        try:
            await until_disconnect(receive, self._send(send))
        except Disconnected as error:
            failure = error
        except Exception as error:
            failure = error
            raise StreamAborted(str(error)) from None  # told of in the log of requests
        except BaseException as error:
            failure = error
            raise
        finally:
            await self._parts.aclose()
            self._ended(self._last, failure)

    async def _send(self, send: Send) -> None:
        async def put(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):  # a client that does not read must not keep its place
                await send(message)

        await put({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk, data in self._parts:
            if data:
                await put({"type": "http.response.body", "body": data, "more_body": True})
            self._last = chunk
        await put({"type": "http.response.body", "body": b"", "more_body": False})
