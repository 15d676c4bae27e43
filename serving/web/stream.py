"""Streams an engine's chunks: awaits the first, encodes each, and aborts the job when the client disconnects.

Shapes: T samples.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import soxr
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from speechx.audio.stretch import TimeStretch
from speechx.audio.writing import StreamEncoder, supported_rate
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.local_engine import SpeechEngine
from speechx.serving.errors import ApiError, Disconnected, as_api_error
from speechx.serving.types import JsonObject

__all__ = [
    "SEND_SECONDS",
    "StartedStream",
    "StreamResampler",
    "StreamedResponse",
    "encoded",
    "events",
    "until_disconnect",
]

SEND_SECONDS = 60.0
"""A client that reads nothing for this long is disconnected."""

T = TypeVar("T")


class StreamAborted(RuntimeError):
    """A response failed after its headers were sent: the server closes the connection."""


class StartedStream:
    """A stream whose first chunk has arrived, so that request errors still became an error status.

    `chunks` yields all chunks, the first included. Raises TimeoutError at the deadline (event loop time).
    stretch: changes the speed of the speech where it is set.
    """

    stretch: TimeStretch | None = None

    def __init__(self, source: AsyncGenerator[Chunk, None], first: Chunk, deadline: float) -> None:
        self._source, self.first, self._deadline = source, first, deadline

    @classmethod
    async def start(cls, engine: SpeechEngine, job: Job, seconds: float) -> StartedStream:
        """Run a job for at most `seconds`. Raises the engine's errors: InputError, TimeoutError, ApiError."""
        source: Any = engine.stream(job)
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            return cls(source, await _next(source, deadline), deadline)
        except BaseException:
            await source.aclose()
            raise

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        async with aclosing(self._source):
            yield self._stretched(self.first)
            last = self.first
            while not last.final:
                last = await _next(self._source, self._deadline)
                yield self._stretched(last)

    def _stretched(self, chunk: Chunk) -> Chunk:
        if self.stretch is None or self.stretch.speed == 1:
            return chunk
        speed, info = self.stretch.speed, dict(chunk.info)
        words = tuple(replace(w, start=w.start / speed, end=w.end / speed) for w in chunk.words)
        if audio_seconds := info.get("audio_seconds"):
            info |= {"audio_seconds": audio_seconds / speed, "rtf": info["rtf"] and info["rtf"] * speed}
        wav_T = self.stretch.push(chunk.wav_T, last=chunk.final)
        return replace(chunk, wav_T=wav_T, words=words, info=info)

    async def close(self) -> None:
        await self._source.aclose()


async def _next(source: AsyncGenerator[Chunk, None], deadline: float) -> Chunk:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(source)
    except StopAsyncIteration:
        raise ApiError(500, "the engine ended without a result", code="internal") from None


class StreamResampler:
    """Streaming resampler."""

    def __init__(self, rate: int, to: int) -> None:
        self.to = to
        self._stream = None if rate == to else soxr.ResampleStream(rate, to, 1, dtype="float32")

    def push(self, wav_T: np.ndarray, last: bool) -> np.ndarray:
        if self._stream is None:
            return wav_T
        return self._stream.resample_chunk(np.ascontiguousarray(wav_T, np.float32), last=last)


async def encoded(
    stream: StartedStream, format: str, rate: int | None = None
) -> AsyncGenerator[tuple[Chunk, bytes], None]:
    """Each chunk with the bytes that are ready after it. rate: of the encoded audio; default the chunks' rate."""
    rate_in = stream.first.sample_rate
    to = rate or supported_rate(rate_in, format)
    encoder, resampler = StreamEncoder(format, to), StreamResampler(rate_in, to)
    async with aclosing(stream.chunks()) as chunks:
        async for chunk in chunks:
            data = encoder.push(resampler.push(chunk.wav_T, chunk.final))
            yield chunk, data + encoder.close() if chunk.final else data


async def events(
    stream: StartedStream,
    format: str,
    rate: int | None = None,
    words: bool = False,
    as_error: Callable[[BaseException], ApiError] = as_api_error,
) -> AsyncGenerator[tuple[Chunk, bytes], None]:
    """Server-sent events: speech.audio.delta with base64, speech.words with new word times, speech.audio.done or error.

    Event names are those of OpenAI's API, but for speech.words. as_error: the error to tell of an exception.
    """
    sent_words = 0
    chunk = stream.first
    try:
        async with aclosing(encoded(stream, format, rate)) as parts:
            async for chunk, data in parts:
                batch: list[JsonObject] = []
                if data:
                    batch.append({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
                if words and len(chunk.words) > sent_words:
                    new = [word.as_dict() for word in chunk.words[sent_words:]]
                    batch.append({"type": "speech.words", "words": new})
                    sent_words = len(chunk.words)
                if chunk.final:
                    done = {"type": "speech.audio.done", **chunk.info, "usage": _usage(chunk)}
                    if words:  # the time of a part's last word may have been corrected
                        done["words"] = [word.as_dict() for word in chunk.words]
                    batch.append(done)
                yield chunk, b"".join(_event(event) for event in batch)
    except Exception as error:  # the status line was sent already
        yield replace(chunk, final=True), _event({"type": "error", **as_error(error).body()})


def _event(data: JsonObject) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _usage(chunk: Chunk) -> dict[str, int]:
    """OpenAI's token counts: 40 ms of audio count as a token, whatever the codec."""
    tokens = round(float(chunk.info.get("audio_seconds") or 0) * TOKENS_PER_SECOND)
    return {"input_tokens": 0, "output_tokens": tokens, "total_tokens": tokens}


TOKENS_PER_SECOND = 25


async def until_disconnect(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`. When the client disconnects first, `work` is cancelled and Disconnected raised.

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
        await asyncio.gather(task, watch, return_exceptions=True)  # wait for their `finally`


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class StreamedResponse(Response):
    """Sends parts as they come. An error after the headers closes the connection, so that a client sees the truncation."""

    def __init__(
        self,
        parts: AsyncGenerator[tuple[Chunk, bytes], None],
        headers: dict[str, str],
        media_type: str,
        on_end: Callable[[Chunk | None, BaseException | None], None],
    ) -> None:
        """on_end: called once, with the last chunk that was sent and the error, if any."""
        super().__init__(None, 200, headers, media_type)
        del self.headers["content-length"]
        self._parts, self._on_end = parts, on_end
        self._last: Chunk | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure: BaseException | None = None
        try:
            await until_disconnect(receive, self._send(send))
        except Disconnected as error:
            failure = error
        except Exception as error:
            failure = error
            raise StreamAborted(str(error)) from None  # logged with the request
        except BaseException as error:
            failure = error
            raise
        finally:
            await self._parts.aclose()
            self._on_end(self._last, failure)

    async def _send(self, send: Send) -> None:
        async def put(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):  # a client that does not read must not hold its permit
                await send(message)

        await put({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for chunk, data in self._parts:
            if data:
                await put({"type": "http.response.body", "body": data, "more_body": True})
            self._last = chunk
        await put({"type": "http.response.body", "body": b"", "more_body": False})
