"""The page /docs, with a form for every route, and the way there from /. Everything on it comes from this server.

FastAPI's own page loads its programs from the internet, which many servers cannot reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from speechx.cli.pages import render
from speechx.serving.types import JsonObject

__all__ = ["docs_router"]

TEMPLATE = Path(__file__).with_name("docs.html.j2")
FORM, JSON = "multipart/form-data", "application/json"


@dataclass(frozen=True)
class DocsField:
    """A parameter or a field of a body. kind: audio, voice, text, or none of them; type: as in JSON schema."""

    name: str
    type: str
    kind: str
    required: bool
    about: str
    choices: tuple[str, ...]
    default: str


@dataclass(frozen=True)
class DocsOperation:
    """A method of a path. body: the type in which the page sends the fields; empty where there is none."""

    method: str
    path: str
    summary: str
    body: str
    parameters: tuple[DocsField, ...]
    fields: tuple[DocsField, ...]


def docs_router(app: FastAPI, shown: bool, page: bool) -> APIRouter:
    """GET /docs where it is shown, and GET /, which leads to the page, to /docs, or names the routes to begin with."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def root() -> Response:
        if page:
            return RedirectResponse("page/")
        if shown:
            return RedirectResponse("docs")
        return JSONResponse({"name": app.title, "version": app.version, "tasks": "/v1/tasks"})

    @router.get("/favicon.ico", status_code=204)
    def icon() -> Response:
        return Response(status_code=204)  # browsers ask for it

    if shown:

        @router.get("/docs")
        def docs() -> HTMLResponse:
            described = app.openapi()
            return HTMLResponse(render(TEMPLATE, info=described["info"], groups=_groups(described)))

    return router


def _groups(described: JsonObject) -> dict[str, list[DocsOperation]]:
    """The operations of an OpenAPI description, by tag."""
    groups: dict[str, list[DocsOperation]] = {}
    for path, operations in described["paths"].items():
        for method, about in operations.items():
            content = about.get("requestBody", {}).get("content", {})
            body = FORM if FORM in content else JSON if content else ""
            schema = content[body]["schema"] if body else {}
            required = schema.get("required", ())
            fields = [
                _field(name, its, name in required) for name, its in schema.get("properties", {}).items()
            ]
            parameters = [
                _field(its["name"], its["schema"], True)
                for its in about.get("parameters", ())
                if its["in"] == "path"
            ]
            operation = DocsOperation(
                method.upper(), path, about.get("summary", ""), body, tuple(parameters),
                tuple(sorted(fields, key=lambda field: not field.required)),
            )  # fmt: skip
            groups.setdefault(about["tags"][0], []).append(operation)
    return groups


def _field(name: str, schema: JsonObject, required: bool) -> DocsField:
    variants: list[dict[str, Any]] = [schema, *schema.get("anyOf", ())]

    def first(key: str) -> Any:
        return next((its[key] for its in variants if key in its), None)

    default = schema.get("default")
    return DocsField(
        name=name,
        type=first("type") or "string",
        kind=first("x-speechx") or ("audio" if first("format") == "binary" else ""),
        required=required,
        about=schema.get("description", ""),
        choices=tuple(first("enum") or ()),
        default="" if default is None or default is False else str(default),
    )
