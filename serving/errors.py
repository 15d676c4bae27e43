"""HTTP errors: a status and one JSON shape, that of OpenAI's API with the field and the limit added.

{"error": {"message": "...", "type": "invalid_request", "param": "text", "field": "text", "code": "too_long",
           "limit": 20000, "request_id": "..."}}
"""

from __future__ import annotations

import errno
import json

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from speechx.errors import InputError, did_you_mean
from speechx.serving.types import JsonObject

__all__ = ["ApiError", "Disconnected", "as_api_error", "error_response", "install"]

TYPES = {
    400: "invalid_request", 401: "authentication", 403: "permission", 404: "not_found", 405: "invalid_request",
    406: "invalid_request", 408: "timeout", 409: "conflict", 413: "too_large", 415: "unsupported_media_type",
    422: "invalid_request", 429: "rate_limit", 499: "disconnected", 500: "server_error", 502: "unavailable",
    503: "unavailable", 504: "timeout",
}  # fmt: skip


class Disconnected(Exception):
    """The client closed the connection."""


class ApiError(Exception):
    """An error response. retry_after: seconds, sent as Retry-After. close: the connection, since nobody reads the body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        field: str | None = None,
        limit: float | None = None,
        retry_after: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code or TYPES.get(status, "error")
        self.field, self.limit, self.retry_after, self.close = field, limit, retry_after, close

    def body(self, request_id: str | None = None) -> JsonObject:
        """The JSON of the response."""
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
    """The error response for an exception; 500 for an unexpected one."""
    if isinstance(error, ApiError):
        return error
    if (failure := _storage_failure(error)) is not None:
        full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
        problem, code = ("disk is full", "disk_full") if full else ("storage failed", "storage")
        return ApiError(503, f"the server's {problem}: nothing was stored", code=code, retry_after=60)
    if isinstance(error, InputError):
        return ApiError(422, str(error), code="invalid_field", field=error.field)
    if isinstance(error, TimeoutError):
        return ApiError(504, "the request was not done within its time", code="deadline")
    if isinstance(error, InterruptedError):
        return ApiError(503, "the server is shutting down: try again", code="interrupted", retry_after=5)
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, str(error.detail))
    return ApiError(500, "the server failed: the log has the request id", code="internal")


def _storage_failure(error: BaseException) -> OSError | None:
    """The error of the operating system where the server could not write; not one of reading what a request names."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__
    if cause is None or isinstance(cause, TimeoutError | InterruptedError):
        return None
    is_write = isinstance(error, InputError) and error.field == "output"
    return cause if is_write or cause.errno in (errno.ENOSPC, errno.EDQUOT) else None


def error_response(error: BaseException, request_id: str | None = None) -> Response:
    """The JSON response for an exception."""
    api_error = as_api_error(error)
    headers = {} if request_id is None else {"X-Request-Id": request_id}
    if api_error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(api_error.retry_after)))
    if api_error.close:
        headers["Connection"] = "close"
    if api_error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, HTTPException) and error.headers:
        headers |= dict(error.headers)
    return JSONResponse(api_error.body(request_id), api_error.status, headers)


def install(app: FastAPI) -> None:
    """Install handlers that send every error of an app in this shape."""

    async def respond(request: Request, error: Exception) -> Response:
        return error_response(error, request.scope.get("speechx_request_id"))

    async def respond_unrouted(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code in (404, 405):
            error = HTTPException(error.status_code, _unrouted(app, request, error), error.headers)
        return await respond(request, error)

    for kind in (ApiError, InputError, TimeoutError, Exception):
        app.add_exception_handler(kind, respond)
    app.add_exception_handler(HTTPException, respond_unrouted)


def _unrouted(app: FastAPI, request: Request, error: HTTPException) -> str:
    """What is wrong with a path that no route has, or with its method."""
    path = request.url.path[:80]
    if error.status_code == 405:
        allowed = Headers(error.headers).get("allow")
        return f"{path!r} does not take {request.method}" + (f", but {allowed}" if allowed else "")
    return f"this server has no {path!r}{did_you_mean(path, app.openapi()['paths'])}"


SCHEMA: JsonObject = {
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
"""JSON schema of an error response."""


def documented(*statuses: int) -> dict[int | str, JsonObject]:
    """These error responses, for the `responses` of a route."""
    schema = json.loads(json.dumps(SCHEMA))
    return {
        status: {
            "description": TYPES[status].replace("_", " "),
            "content": {"application/json": {"schema": schema}},
        }
        for status in statuses
    }
