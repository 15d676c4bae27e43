"""`build_app(engine)`: the HTTP server over any `SpeechEngine`, with or without Ray."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import speechx
from speechx.pipeline.local_engine import SpeechEngine
from speechx.serving import errors
from speechx.serving.routes.docs import docs_router
from speechx.serving.routes.live import live_router
from speechx.serving.routes.openai import openai_router
from speechx.serving.routes.tasks import task_router
from speechx.serving.routes.voices import upload_router, voice_router
from speechx.serving.service import Service, request_id
from speechx.serving.settings import Settings
from speechx.task.voices import VoiceStore

__all__ = ["build_app", "shows_page", "welcome"]


def build_app(
    engine: SpeechEngine,
    settings: Settings | None = None,
    voices: VoiceStore | None = None,
    *,
    behind_ray: bool = False,
) -> FastAPI:
    """The app. `app.state.service` is the state that its routes share.

    behind_ray: Ray's proxy sets X-Request-Id. Raises InputError where a file of the settings cannot be used.
    """
    settings = settings or Settings.from_env()
    service = Service(engine, settings, voices)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.decoder.warm()
        yield
        service.limiter.draining = True
        service.close()

    app = FastAPI(
        title="SpeechX", version=speechx.__version__, description="Speech tasks of one model. See /v1/tasks.",
        lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/openapi.json" if settings.docs else None,
    )  # fmt: skip
    app.state.service = service
    for router in (
        task_router(service),
        live_router(service),
        openai_router(service),
        voice_router(service),
        upload_router(service),
        docs_router(app, settings.docs, shows_page(settings)),
    ):
        app.include_router(router)
    if shows_page(settings):
        from speechx.serving.page.page import mount_page

        mount_page(app, service)
    _operations(app, service)
    errors.install(app)
    app.add_middleware(RequestIdMiddleware, set_by_proxy=behind_ray)
    app.add_middleware(HeadMiddleware)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["*"], allow_headers=["*"],
            expose_headers=["X-Request-Id", "X-SpeechX-Seed", "X-SpeechX-Words"],
        )  # fmt: skip
    return app


def shows_page(settings: Settings) -> bool:
    """Whether there is a page: it is wanted, and its extra is installed."""
    return settings.page and find_spec("gradio") is not None


def welcome(settings: Settings, address: str) -> str:
    """What a server says when it is ready."""
    found = ": a page for every task, and /docs for programs" if shows_page(settings) else ", try /docs"
    return f"SpeechX at {address}{found}; Ctrl-C ends it"


def _operations(app: FastAPI, service: Service) -> None:
    """/healthz, /readyz, /metrics. They need no key: keep them behind the proxy."""

    @app.get("/healthz", tags=["operations"], summary="this process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"], summary="a replica has its weights, and its engine answers",
             responses=errors.documented(503))  # fmt: skip
    async def readyz() -> Response:
        if service.limiter.draining:
            raise errors.ApiError(503, "the server is shutting down", code="draining")
        return JSONResponse(
            {"status": "ready", "under_way": service.limiter.under_way, **await service.status()}
        )

    @app.get("/metrics", tags=["operations"], summary="counters, for Prometheus", response_class=Response,
             responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def metrics() -> Response:
        service.metrics.note_engines(await service.statuses())
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


class RequestIdMiddleware:
    """Sets X-Request-Id on every response. Plain ASGI, since Starlette's BaseHTTPMiddleware hides disconnects."""

    def __init__(self, app: ASGIApp, set_by_proxy: bool) -> None:
        """set_by_proxy: only remove the header, since the proxy in front adds it."""
        self.app, self.set_by_proxy = app, set_by_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        header = b"x-request-id", request_id(Request(scope)).encode()

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [h for h in message.get("headers", []) if h[0].lower() != b"x-request-id"]
                message["headers"] = headers if self.set_by_proxy else [*headers, header]
            await send(message)

        await self.app(scope, receive, with_id)


class HeadMiddleware:
    """Answers HEAD as GET without the body: monitors and load balancers ask so whether a server is alive."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self.app({**scope, "method": "GET"}, receive, without_body)
