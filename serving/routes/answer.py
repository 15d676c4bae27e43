"""Runs the job of an admitted request and builds the response: whole audio, JSON, streamed audio or server-sent events."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from speechx.audio.stretch import TimeStretch
from speechx.audio.writing import FORMATS, MEDIA_TYPES
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.result import Speech, collect
from speechx.serving.errors import ApiError, Disconnected, as_api_error
from speechx.serving.service import AdmittedRequest, Service
from speechx.serving.types import JsonObject
from speechx.serving.web.stream import (
    StartedStream,
    StreamedResponse,
    encoded,
    events,
    until_disconnect,
)
from speechx.task.fields import TaskRequest

__all__ = ["AUDIO_RESPONSE", "EVENT_STREAM", "speak"]

MAX_WORDS_HEADER = 6000  # bytes: servers and proxies refuse long headers
EVENT_STREAM = "text/event-stream"


async def speak(
    service: Service,
    admitted: AdmittedRequest,
    request: Request,
    read: Callable[[], Awaitable[TaskRequest]],
    *,
    sse: Callable[[], bool] = lambda: False,
    in_json: bool = False,
    rate: Callable[[str], int | None] = lambda format: None,
    speed: Callable[[], float] = lambda: 1.0,
    as_error: Callable[[BaseException], ApiError] = as_api_error,
) -> Response:
    """Run an admitted request and respond.

    read: reads the body. sse: whether to send events, called after `read`. in_json: send a JSON object.
    rate: the sample rate that a format must have, None for the model's own. speed: of the speech, called after `read`.
    as_error: the error that an event tells of an exception.
    """
    try:
        req = await read()
        seconds = _deadline(request, service.limits.request_seconds)
        wants_events = sse()
        if wants_events:
            req = req.model_copy(update={"stream": True})
        job = Job(admitted.task, req, admitted.id, time.monotonic() + seconds)
        stream = await until_disconnect(request.receive, StartedStream.start(service.engine, job, seconds))
        stream.stretch = TimeStretch(stream.first.sample_rate, speed())
        admitted.note_first_audio()
        format = req.format or "wav"
        if wants_events:
            body = events(stream, format, rate(format), req.timestamps, as_error)
            return StreamedResponse(body, _headers(stream.first.info), EVENT_STREAM, admitted.finish)
        if req.stream:
            body = encoded(stream, format, rate(format))
            return StreamedResponse(body, _headers(stream.first.info), MEDIA_TYPES[format], admitted.finish)
        try:
            speech = await until_disconnect(request.receive, _whole(stream))
        finally:
            await stream.close()
        response = await asyncio.to_thread(_respond, speech, format, req.timestamps, in_json)
        admitted.finish(_last(speech))
        return response
    except Disconnected as error:
        admitted.finish(None, error)
        return Response(status_code=499)  # the client has disconnected
    except BaseException as error:
        admitted.finish(None, error)
        raise


async def _whole(stream: StartedStream) -> Speech:
    return collect([chunk async for chunk in stream.chunks()])


def _last(speech: Speech) -> Chunk:
    """The final chunk, without its samples: what `finish` logs."""
    return Chunk(speech.wav_T[:0], speech.sample_rate, speech.words, True, speech.info)


def _respond(speech: Speech, format: str, timestamps: bool, in_json: bool) -> Response:
    """The response with the whole audio."""
    data = speech.encode(format)
    if in_json:
        content = {"audio": base64.b64encode(data).decode(), "format": format, **speech.info}
        content["words"] = [word.as_dict() for word in speech.words] if timestamps else None
        return JSONResponse(content, headers=_headers(speech.info))
    headers = _headers(speech.info)
    if timestamps:
        words = json.dumps([word.as_dict() for word in speech.words], separators=(",", ":"))
        if len(words) <= MAX_WORDS_HEADER:
            headers["X-SpeechX-Words"] = words
        else:
            headers["X-SpeechX-Words-Omitted"] = "too long for a header: send Accept: application/json"
    return Response(data, 200, headers, MEDIA_TYPES[format])


def _headers(info: JsonObject) -> dict[str, str]:
    """Response headers; those whose value is not known yet are left out."""
    named = {
        "X-SpeechX-Seed": info.get("seed"),
        "X-SpeechX-Model": info.get("model"),
        "X-SpeechX-Audio-Seconds": info.get("audio_seconds"),
        "X-SpeechX-Processing-Seconds": info.get("seconds"),
        "X-SpeechX-Truncated": "true" if info.get("truncated") else None,
        "X-SpeechX-Warning": info.get("warning"),
        "X-SpeechX-Watermark": info.get("watermark", "none"),
    }
    # A warning may quote words of any script; a header is ASCII.
    return {
        name: str(value).encode("ascii", "backslashreplace").decode()
        for name, value in named.items()
        if value is not None
    }


def _deadline(request: Request, most: float) -> float:
    """Time limit in seconds: X-SpeechX-Timeout, at most the server's. Raises ApiError 422."""
    given = request.headers.get("x-speechx-timeout")
    if given is None:
        return most
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ApiError(
            422, "X-SpeechX-Timeout must be a number of seconds above 0", field="X-SpeechX-Timeout"
        )
    return min(seconds, most)


_BINARY = {"schema": {"type": "string", "format": "binary"}}
AUDIO_RESPONSE: JsonObject = {
    "description": "the sound; as it is made with stream=true",
    "content": {
        **{MEDIA_TYPES[format]: _BINARY for format in FORMATS},
        "application/json": {"schema": {"type": "object"}},
        EVENT_STREAM: {"schema": {"type": "string"}},
    },
    "headers": {
        name: {"schema": {"type": "string"}, "description": about}
        for name, about in {
            "X-SpeechX-Seed": "the same request with it gives the same sound",
            "X-SpeechX-Model": "hash of the weights",
            "X-SpeechX-Audio-Seconds": "length of the sound (not when streaming)",
            "X-SpeechX-Processing-Seconds": "time it took (not when streaming)",
            "X-SpeechX-Words": "JSON of word times, where timestamps=true and they fit",
            "X-SpeechX-Warning": "what may be wrong with the result: a voice without speech, letters that cannot be said",
            "X-SpeechX-Watermark": "what marks the sound as generated, or none",
            "X-Request-Id": "the request's id in the log",
        }.items()
    },
}
"""OpenAPI description of a response with audio."""
