"""A route for every task of the registry, and the list of them. No route is written by hand."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from speechx.audio.writing import FORMATS, MEDIA_TYPES
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.result import Speech, collect
from speechx.serving.errors import ApiError, documented
from speechx.serving.routes.request import body_schema, read_fields, to_request
from speechx.serving.service import AdmittedRequest, Service
from speechx.serving.web.stream import (
    Disconnected,
    StartedStream,
    StreamedResponse,
    encoded,
    events,
    until_disconnect,
)
from speechx.task import registry
from speechx.task.task import AnyTask

__all__ = ["route_of", "speak", "task_router"]

MAX_WORDS_HEADER = 6000  # bytes: servers and proxies refuse long headers
EVENT_STREAM = "text/event-stream"


def route_of(name: str) -> str:
    """The path of a task."""
    return f"/v1/{name.replace('_', '-')}"


def task_router(service: Service) -> APIRouter:
    """All task routes, and GET /v1/tasks."""
    router = APIRouter(tags=["tasks"])
    for name, task in registry.tasks().items():
        router.add_api_route(
            route_of(name), _handler(service, task), methods=["POST"], name=name, summary=task.summary,
            response_class=Response, openapi_extra={"requestBody": body_schema(task)},
            responses={200: SOUND, **documented(400, 401, 408, 413, 415, 422, 429, 500, 503, 504)},
        )  # fmt: skip

    @router.get("/v1/tasks", summary="the tasks, with the JSON schema of each request",
                responses=documented(401))  # fmt: skip
    def tasks(request: Request) -> dict[str, Any]:
        service.caller(request)
        return {
            "tasks": [
                {
                    "name": name,
                    "route": route_of(name),
                    "summary": task.summary,
                    "audio_fields": registry.audio_fields(task),
                    "request": task.Request.model_json_schema(),
                }
                for name, task in registry.tasks().items()
            ]
        }

    return router


def _handler(service: Service, task: AnyTask) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        admitted = service.admit(request, task.name)
        wants = request.headers.get("accept", "")

        async def asked() -> Any:
            return await to_request(service, task, await read_fields(request, service.limits))

        return await speak(service, admitted, request, asked, sse=lambda: EVENT_STREAM in wants,
                           in_json="application/json" in wants and "*/*" not in wants)  # fmt: skip

    return handle


async def speak(
    service: Service,
    admitted: AdmittedRequest,
    request: Request,
    asked: Callable[[], Awaitable[Any]],
    *,
    sse: Callable[[], bool] = lambda: False,
    in_json: bool = False,
    rate: Callable[[str], int | None] = lambda format: None,
) -> Response:
    """From an admitted admitted to its answer: the whole sound, JSON, chunks, or events.

    asked: reads the body. sse: whether events are wanted, asked afterwards. rate: of the sound in a format, where
    it must be another than the model's.
    """
    try:
        req = await asked()
        seconds = _deadline(request, service.limits.request_seconds)
        wants_events = sse()
        if wants_events:
            req = req.model_copy(update={"stream": True})
        job = Job(admitted.task, req, admitted.id, time.monotonic() + seconds)
        stream = await until_disconnect(request.receive, StartedStream.start(service.engine, job, seconds))
        admitted.note_first_audio()
        format = req.format or "wav"
        if wants_events:
            body = events(stream, format, rate(format), req.timestamps)
            return StreamedResponse(body, _headers(stream.first.info), EVENT_STREAM, admitted.finish)
        if req.stream:
            body = encoded(stream, format, rate(format))
            return StreamedResponse(body, _headers(stream.first.info), MEDIA_TYPES[format], admitted.finish)
        try:
            speech = await until_disconnect(request.receive, _whole(stream))
        finally:
            await stream.close()
        answer = await asyncio.to_thread(_answer, speech, format, req.timestamps, in_json)
        admitted.finish(_last(speech))
        return answer
    except Disconnected as error:
        admitted.finish(None, error)
        return Response(status_code=499)  # nobody reads it
    except BaseException as error:
        admitted.finish(None, error)
        raise


async def _whole(stream: StartedStream) -> Speech:
    return collect([chunk async for chunk in stream.chunks()])


def _last(speech: Speech) -> Chunk:
    return Chunk(speech.wav_T[:0], speech.sample_rate, speech.words, True, speech.info)


def _answer(speech: Speech, format: str, timestamps: bool, in_json: bool) -> Response:
    data = speech.encode(format)
    if in_json:
        said = {"audio": base64.b64encode(data).decode(), "format": format, **speech.info}
        said["words"] = [word.as_dict() for word in speech.words] if timestamps else None
        return JSONResponse(said, headers=_headers(speech.info))
    headers = _headers(speech.info)
    if timestamps:
        words = json.dumps([word.as_dict() for word in speech.words], separators=(",", ":"))
        if len(words) <= MAX_WORDS_HEADER:
            headers["X-SpeechX-Words"] = words
        else:
            headers["X-SpeechX-Words-Omitted"] = "too long for a header: send Accept: application/json"
    return Response(data, 200, headers, MEDIA_TYPES[format])


def _headers(info: dict[str, Any]) -> dict[str, str]:
    """What is known of a sound when its headers go out."""
    named = {
        "X-SpeechX-Seed": info.get("seed"),
        "X-SpeechX-Model": info.get("model"),
        "X-SpeechX-Audio-Seconds": info.get("audio_seconds"),
        "X-SpeechX-Processing-Seconds": info.get("seconds"),
        "X-SpeechX-Truncated": "true" if info.get("truncated") else None,
        "X-SpeechX-Watermark": info.get("watermark", "none"),
    }
    return {name: str(value) for name, value in named.items() if value is not None}


def _deadline(request: Request, most: float) -> float:
    """Seconds that the request may take: the server's, or fewer by X-SpeechX-Timeout."""
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
SOUND: dict[str, Any] = {
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
            "X-SpeechX-Watermark": "what marks the sound as generated, or none",
            "X-Request-Id": "the request's id in the log",
        }.items()
    },
}
