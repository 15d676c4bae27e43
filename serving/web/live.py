"""A live WebSocket: events as JSON and sound as binary messages, within limits of size, silence and time.

Errors are an event of the same JSON as over HTTP, then the socket closes, with the code 1008 (4xx), 1013 (429, 503) or
1011. They come after the handshake, since browsers and proxies hide the body of a refused one.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TypeAlias
from urllib.parse import urlsplit

import numpy as np
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState

from speechx.audio.writing import StreamEncoder
from speechx.serving.errors import ApiError, Disconnected, as_api_error
from speechx.serving.settings import Limits
from speechx.serving.types import JsonObject
from speechx.serving.web.stream import SEND_SECONDS

__all__ = ["LiveMessage", "LiveSocket", "samples_of"]

LiveMessage: TypeAlias = "JsonObject | bytes"
"""An event, or sound."""

SOUND_BYTES = 1 << 20
"""Longest binary message: half a minute at 16 kHz."""

OVER, POLICY, FAILED, TRY_AGAIN = 1000, 1008, 1011, 1013


class LiveSocket:
    """One connection. `receive` may be called again after it has timed out: no message is lost."""

    def __init__(self, socket: WebSocket, limits: Limits, origins: list[str]) -> None:
        """origins: those that browsers may come from beside this server's own; "*" is any."""
        self._socket, self._limits, self._origins = socket, limits, origins
        self._receiving: asyncio.Future[Message] | None = None
        self._ends_at = time.monotonic() + limits.live_seconds
        self.used_at = time.monotonic()  # when something last came or went

    async def accept(self) -> None:
        """The handshake. Raises ApiError 403 where a page of another server opens it."""
        await self._socket.accept()
        origin = self._socket.headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return
        if urlsplit(origin).netloc != self._socket.headers.get("host", ""):
            raise ApiError(403, f"pages of {origin} may not use this server: see --cors", field="origin")

    async def receive(self, seconds: float) -> LiveMessage | None:
        """The next message; None where none comes within so long.

        Raises Disconnected. Raises ApiError: 400 not JSON, 408 idle or open for too long, 413 too large.
        """
        now = time.monotonic()
        if now > self._ends_at:
            limit = self._limits.live_seconds
            raise ApiError(408, f"the socket was open for {limit:g} s, which is the limit", limit=limit)
        if now - self.used_at > self._limits.live_idle_seconds:
            limit = self._limits.live_idle_seconds
            raise ApiError(408, f"nothing came or went for {limit:g} s", code="idle", limit=limit)
        if self._receiving is None:
            self._receiving = asyncio.ensure_future(self._socket.receive())
        await asyncio.wait({self._receiving}, timeout=seconds)
        if not self._receiving.done():
            return None
        message, self._receiving = self._receiving.result(), None
        self.used_at = time.monotonic()
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        data: bytes | str = message.get("bytes") or message.get("text") or b""
        most = SOUND_BYTES if isinstance(data, bytes) else self._limits.upload_bytes
        if len(data) > most:
            raise ApiError(413, f"the message is larger than {most:,} bytes", field="message", limit=most)
        return data if isinstance(data, bytes) else _event(data)

    async def send(self, event: JsonObject) -> None:
        await self._put({"type": "websocket.send", "text": json.dumps(event, ensure_ascii=False)})

    async def send_sound(self, wav_T: np.ndarray) -> None:
        """(T,) samples as 16-bit PCM, little endian."""
        if len(wav_T):
            await self._put({"type": "websocket.send", "bytes": StreamEncoder("pcm", 16000).push(wav_T)})

    async def close(self, failure: BaseException | None = None) -> None:
        """Ends the connection, with the error if there is one. Never raises: it may have ended already."""
        if self._receiving is not None:
            self._receiving.cancel()
        if isinstance(failure, Disconnected) or self._socket.client_state != WebSocketState.CONNECTED:
            return
        code = OVER
        try:
            if failure is not None:
                error = as_api_error(failure)
                code = TRY_AGAIN if error.status in (429, 503) else POLICY if error.status < 500 else FAILED
                body = error.body(self._socket.scope.get("speechx_request_id"))
                await self.send({"type": "error", **body, "retry_after": error.retry_after})
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.close(code)
        except (Disconnected, TimeoutError, RuntimeError):
            return

    async def _put(self, message: Message) -> None:
        """Raises Disconnected, also where the client reads nothing for too long."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.send(message)
        except Exception as error:  # servers have various ones for a closed connection
            raise Disconnected from error
        self.used_at = time.monotonic()


def _event(text: str) -> JsonObject:
    try:
        event = json.loads(text)
        json.dumps(event, ensure_ascii=False).encode()  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise ApiError(
            400, f"the message is not JSON: {error}", code="invalid_json", field="message"
        ) from None
    if not (isinstance(event, dict) and isinstance(event.get("type"), str)):
        raise ApiError(400, "a message must be a JSON object with a type", code="invalid_json", field="type")
    return event


def samples_of(data: bytes) -> np.ndarray:
    """16-bit PCM, little endian, to float32 (T,). Raises ApiError 400 for half a sample."""
    if len(data) % 2:
        raise ApiError(400, f"sound is 16-bit PCM: {len(data)} bytes hold half a sample", field="sound")
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768
