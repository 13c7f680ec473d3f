"""One table from error to HTTP status; every error is an RFC 9457 problem."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag.errors import (
    BadSetting,
    HelpdeskError,
    IndexLocked,
    IndexMismatch,
    ModelUnavailable,
    NoIndex,
    SourceUnavailable,
    UnknownCitation,
    UnknownTopic,
    UnreadableDocument,
)

STATUS: Mapping[type[HelpdeskError], int] = {
    NoIndex: 503,
    IndexMismatch: 503,
    BadSetting: 500,
    IndexLocked: 503,
    ModelUnavailable: 503,
    SourceUnavailable: 502,
    UnreadableDocument: 500,
    UnknownTopic: 422,
    UnknownCitation: 500,
}

_TITLES = {
    400: "Bad request",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid input",
    500: "Internal error",
    502: "Source unavailable",
    503: "Not ready",
}
_LOG = logging.getLogger(__name__)


def problem(status: int, detail: str, **more: object) -> JSONResponse:
    """Build an RFC 9457 problem document."""
    body = {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Turn every error of an app into a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(HelpdeskError, _ours)
    app.add_exception_handler(Exception, _unexpected)


async def _invalid(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Name the fields that are wrong; never repeat what was typed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(400, "the body is not valid JSON")
    fields = [
        {"field": ".".join(str(part) for part in each["loc"][1:]), "detail": _plain(each["msg"])}
        for each in found
    ]
    first = fields[0]
    detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return problem(422, detail, errors=fields)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


async def _http(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    response = problem(error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _ours(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    assert isinstance(error, HelpdeskError)  # noqa: S101 - registered for it
    return problem(STATUS.get(type(error), 500), str(error))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # The path and the kind of error only: its text may hold what a person wrote.
    _LOG.error("%s %s: %s", request.method, request.url.path, type(error).__name__)
    return problem(500, "something went wrong here; it has been noted")
