"""Errors as a client sees them: a status and one JSON shape, that of OpenAI's API with the field and the limit added.

{"error": {"message": "...", "type": "invalid_request", "param": "text", "field": "text", "code": "too_long",
           "limit": 20000, "request_id": "..."}}
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from speechx.errors import InputError

__all__ = ["ApiError", "as_api_error", "error_response", "install"]

TYPES = {
    400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 405: "invalid_request",
    406: "invalid_request", 408: "timeout", 409: "conflict", 413: "too_large", 415: "unsupported_media_type",
    422: "invalid_request", 429: "rate_limit", 499: "disconnected", 500: "server_error", 503: "unavailable", 504: "timeout",
}  # fmt: skip


class ApiError(Exception):
    """An answer other than the one that was asked for. retry_after: seconds, told in a header."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        field: str | None = None,
        limit: float | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code or TYPES.get(status, "error")
        self.field, self.limit, self.retry_after = field, limit, retry_after

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """The JSON of the answer."""
        return {
            "error": {
                "message": self.message,
                "type": TYPES.get(self.status, "error"),
                "code": self.code,
                "param": self.field,
                "field": self.field,
                "limit": self.limit,
                "request_id": request_id,
            }
        }


def as_api_error(error: BaseException) -> ApiError:
    """What an exception of ours, of Starlette's or of anybody's means to a client."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, InputError):
        return ApiError(422, str(error), code="invalid_field", field=error.field)
    if isinstance(error, TimeoutError):
        return ApiError(504, "the request was not done within its time", code="deadline")
    if isinstance(error, InterruptedError):
        return ApiError(503, "the server is shutting down: try again", code="interrupted", retry_after=5)
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, str(error.detail))
    return ApiError(500, "the server failed: the log has the request id", code="internal")


def error_response(error: BaseException, request_id: str | None = None) -> Response:
    """The JSON answer to an error."""
    told = as_api_error(error)
    headers = {} if request_id is None else {"X-Request-Id": request_id}
    if told.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(told.retry_after)))
    if told.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, HTTPException) and error.headers:
        headers |= dict(error.headers)
    return JSONResponse(told.body(request_id), told.status, headers)


def install(app: FastAPI) -> None:
    """Every error of an app in this shape."""

    async def answer(request: Request, error: Exception) -> Response:
        return error_response(error, request.scope.get("speechx_request_id"))

    for kind in (ApiError, InputError, HTTPException, TimeoutError, Exception):
        app.add_exception_handler(kind, answer)


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "field", "limit"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "field": {"type": ["string", "null"], "description": "the field at fault"},
                "limit": {"type": ["number", "null"], "description": "the limit that it passed"},
                "request_id": {"type": ["string", "null"]},
            },
        }
    },
}
"""JSON schema of every error."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These error answers, for a route's `responses`."""
    said = json.loads(json.dumps(SCHEMA))
    return {
        status: {
            "description": TYPES[status].replace("_", " "),
            "content": {"application/json": {"schema": said}},
        }
        for status in statuses
    }
