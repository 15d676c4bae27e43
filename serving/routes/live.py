"""Live sockets: WS /v1/<task>/live, for tasks that say a text and tasks that mask a sound while it still arrives.

    client: start, then text ... (flush, cancel) ... end       or start, then sound ... end
    server: started, then sentence, sound, words ... done      or started, then sound ... done

A socket is one request: it takes a place until it closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter, WebSocket

from speechx.errors import InputError, did_you_mean
from speechx.pipeline.job import Chunk
from speechx.pipeline.languages import in_language_of_voice
from speechx.pipeline.live_mask import LATENCY_SECONDS
from speechx.serving.errors import ApiError
from speechx.serving.routes.live_sessions import BLOCK_SECONDS, LiveMasking, LiveSession, LiveSpeech
from speechx.serving.routes.request import to_request
from speechx.serving.routes.tasks import route_of
from speechx.serving.service import AdmittedRequest, Service
from speechx.serving.types import JsonObject
from speechx.serving.web.live import LiveSocket
from speechx.task import registry
from speechx.task.task import AnyTask
from speechx.task.voices import known_voice

if TYPE_CHECKING:
    from speechx.audio.types import AudioSource
    from speechx.models.lora import LoRAAdapter

__all__ = ["live_router"]

LOWEST_RATE, HIGHEST_RATE = 8000, 48_000


def live_router(service: Service) -> APIRouter:
    """A socket for every task that has one."""
    router = APIRouter()
    for task in registry.tasks().values():
        if task.live is not None:
            router.add_api_websocket_route(f"{route_of(task.name)}/live", _handler(service, task))
    return router


def _handler(service: Service, task: AnyTask) -> Callable[[WebSocket], Awaitable[None]]:
    begin = _speech if task.live == "text" else _masking

    async def handle(websocket: WebSocket) -> None:
        socket = LiveSocket(websocket, service.limits, service.settings.cors_origins)
        admitted: AdmittedRequest | None = None
        session: LiveSession | None = None
        failure: BaseException | None = None
        try:
            await socket.accept()
            admitted = service.admit(websocket, task.name)
            admitted.live = True
            admitted.begin()
            session = await begin(service, socket, admitted, task, await _start(socket, service))
            await session.run()
        except Exception as error:
            failure = error
        except BaseException as error:
            failure = error
            raise
        finally:
            await socket.close(failure)
            if admitted is not None:
                admitted.finish(_last(session), failure)

    return handle


def _last(session: LiveSession | None) -> Chunk | None:
    return None if session is None else Chunk(session.nothing_T, 16000, (), True, session.info)


async def _start(socket: LiveSocket, service: Service) -> JsonObject:
    """The fields of the first message. Raises ApiError where another one, or none, comes."""
    seconds = service.limits.live_start_seconds
    message = await socket.receive(seconds)
    if message is None:
        raise ApiError(408, f"no message within {seconds:g} s: send start", field="start", limit=seconds)
    if isinstance(message, bytes) or message.pop("type") != "start":
        raise ApiError(400, 'the first message must be {"type": "start", ...}', field="type")
    return message


async def _speech(
    service: Service, socket: LiveSocket, admitted: AdmittedRequest, task: AnyTask, fields: JsonObject
) -> LiveSession:
    """fields: those of the task but for text, stream and format."""
    for name, problem in (("text", "comes in messages of its own"), ("stream", "is what a socket does")):
        if name in fields:
            raise InputError(f"{name} {problem}: leave it out of start", field=name)
    if fields.get("format") not in (None, "pcm"):
        raise InputError(f"format is {fields['format']!r}: live sound is pcm", field="format")
    given = {**fields, "text": "A.", "format": "pcm", "stream": True}
    asked = await to_request(service, task, given)

    def adapter_of(voice: AudioSource) -> LoRAAdapter | None:
        voice_id = known_voice(voice, service.voices.ids()) if isinstance(voice, str) else None
        found = None if voice_id is None else service.voices.adapter(voice_id)
        return None if found is None else found[1]

    request = await asyncio.to_thread(in_language_of_voice, asked, adapter_of)
    session = LiveSpeech(service, socket, admitted, request)
    if request is not asked:
        session.info["language"] = getattr(request, "language", None)
    await socket.send({"type": "started", "request_id": admitted.id, "format": "pcm", "seed": session.seed})
    return session


async def _masking(
    service: Service, socket: LiveSocket, admitted: AdmittedRequest, task: AnyTask, fields: JsonObject
) -> LiveSession:
    """fields: sample_rate, of the sound in both directions."""
    for name in fields:
        if name != "sample_rate":
            hint = did_you_mean(name, ["sample_rate"])
            raise InputError(f"{name} is not a field of live sound; it has sample_rate{hint}", field=name)
    rate = fields.get("sample_rate", 16000)
    if type(rate) is not int or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise ApiError(
            422, f"sample_rate must be a whole number from {LOWEST_RATE:,} to {HIGHEST_RATE:,}",
            code="invalid_field", field="sample_rate",
        )  # fmt: skip
    latency = round(LATENCY_SECONDS + BLOCK_SECONDS, 3)
    await socket.send(
        {"type": "started", "request_id": admitted.id, "format": "pcm", "sample_rate": rate, "latency_seconds": latency}
    )  # fmt: skip
    return LiveMasking(service, socket, admitted, rate)
