"""What Ray's HTTP proxy runs of ours: errors of Ray itself as our JSON, and an end with its raylet.

Ray calls `middlewares` in each proxy whose environment names it: see `local.SERVE_ENVIRONMENT`.
"""

from __future__ import annotations

import logging

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
    watch_raylet()
    return [Middleware(JsonErrors)]


class JsonErrors:
    """Errors in the place of Ray's plain text, and of the response that Ray does not give where a router was killed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = replaced = False

        async def respond(error: ApiError) -> None:
            request_id = Request(scope).headers.get("x-request-id")
            response = error_response(error, request_id)
            del response.headers["x-request-id"]  # Ray adds it
            await response(scope, receive, send)

        async def checked(message: Message) -> None:
            nonlocal started, replaced
            if message["type"] == "http.response.start":
                started = True
                if error := _error_of_ray(message):
                    replaced = True
                    await respond(error)
            if not replaced:
                await send(message)

        try:
            await self.app(scope, receive, checked)
        except Exception:
            if started:
                raise
            logging.getLogger("ray.serve").exception("the proxy failed")
        if not started:
            await respond(ApiError(503, LOST, code="router_lost", retry_after=2))


def _error_of_ray(start: Message) -> ApiError | None:
    """The error in the place of a response that has one as plain text; the app has them as JSON only."""
    headers = {name.lower(): value for name, value in start.get("headers", [])}
    if start["status"] < 400 or headers.get(b"content-type", b"").startswith(b"application/json"):
        return None
    status = start["status"] if start["status"] in (404, 408, 429) else 503
    return ApiError(status, MESSAGES.get(status, LOST), retry_after=None if status == 404 else 2)
