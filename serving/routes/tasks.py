"""A route for every task of the registry, and GET /v1/tasks. No task route is written by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response

from speechx.serving.errors import documented
from speechx.serving.routes.answer import AUDIO_RESPONSE, EVENT_STREAM, speak
from speechx.serving.routes.request import body_schema, to_request
from speechx.serving.service import Service
from speechx.serving.types import JsonObject
from speechx.task import registry
from speechx.task.fields import TaskRequest
from speechx.task.task import AnyTask

__all__ = ["route_of", "task_router"]


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
            responses={200: AUDIO_RESPONSE, **documented(400, 401, 408, 413, 415, 422, 429, 500, 503, 504)},
        )  # fmt: skip

    @router.get("/v1/tasks", summary="the tasks, with the JSON schema of each request",
                responses=documented(401))  # fmt: skip
    def tasks(request: Request) -> JsonObject:
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
        accept = request.headers.get("accept", "")

        async def read() -> TaskRequest:
            return await to_request(service, task, await admitted.read(request))

        return await speak(service, admitted, request, read, sse=lambda: EVENT_STREAM in accept,
                           in_json="application/json" in accept and "*/*" not in accept)  # fmt: skip

    return handle
