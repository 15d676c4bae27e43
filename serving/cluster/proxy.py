"""What Ray's HTTP proxy runs of ours: errors of Ray itself as our JSON, and an end with its raylet.

Ray calls `middlewares` in each proxy whose environment names it: see `local.SERVE_ENVIRONMENT`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from fastapi import Request
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechx.serving.cluster.guard import watch_raylet
from speechx.serving.errors import ApiError, error_response

__all__ = ["JsonErrors", "middlewares"]

LOST = "the process that handled the request was lost: try again"
MESSAGES = {404: "there is no such route, or the server is not ready", 429: "the server is full: try again"}


def middlewares() -> list[Middleware]:
    """The middlewares of a proxy."""
    watch_raylet(_give_up)
    return [Middleware(JsonErrors)]


class JsonErrors:
    """Errors in the place of Ray's plain text, and of the response that Ray does not give where a router was killed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        response = _Response(scope, receive, send)
        task = asyncio.current_task()
        assert task is not None
        try:
            if not _state.ray_lost:
                _state.requests.add(task)
                await self.app(scope, receive, response.send)
        except asyncio.CancelledError:
            if response.started or not _state.ray_lost:
                raise
            task.uncancel()
        except Exception:
            if response.started:
                raise
            logging.getLogger("ray.serve").exception("the proxy failed")
        finally:
            _state.requests.discard(task)
        if not response.started:
            code = "ray_lost" if _state.ray_lost else "router_lost"
            await response.fail(ApiError(503, LOST, code=code, retry_after=2))


@dataclass
class _ProxyState:
    """The requests in progress of this process."""

    requests: set[asyncio.Task[None]] = field(default_factory=set)
    ray_lost: bool = False


_state = _ProxyState()


def _give_up() -> None:
    """The raylet has died: end all requests, now and from now on. Called in another thread."""
    _state.ray_lost = True
    for task in list(_state.requests):
        task.get_loop().call_soon_threadsafe(task.cancel)


class _Response:
    """The response to one request, with errors of Ray replaced."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.started = self._replaced = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if error := _error_of_ray(message):
                self._replaced = True
                await self.fail(error)
        if not self._replaced:
            await self._send(message)

    async def fail(self, error: ApiError) -> None:
        response = error_response(error, Request(self._scope).headers.get("x-request-id"))
        del response.headers["x-request-id"]  # Ray adds it
        await response(self._scope, self._receive, self._send)


def _error_of_ray(start: Message) -> ApiError | None:
    """The error in the place of a response that has one as plain text; the app has them as JSON only."""
    headers = {name.lower(): value for name, value in start.get("headers", [])}
    if start["status"] < 400 or headers.get(b"content-type", b"").startswith(b"application/json"):
        return None
    status = start["status"] if start["status"] in (404, 408, 429) else 503
    return ApiError(status, MESSAGES.get(status, LOST), retry_after=None if status == 404 else 2)
