"""One table from error to HTTP status; every error is an RFC 9457 problem.

Below the paths of OpenAI's interface it has the form that clients of that one read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.desk.database import DeskUnavailable
from api.desk.drafts import DraftChanged, NoSuchDraft
from api.desk.models import Conflict, NoSuchTicket, TicketClosed, TooManyMessages
from api.desk.outbox import NoSuchDelivery
from api.desk.staff import AlreadyListed, LastAdmin, NoSuchMember
from api.exchange import CURRENT, request_id
from api.logs import told_of
from api.sign_in import SignInRefused, SignInUnavailable
from rag.errors import (
    BadSetting,
    HelpdeskError,
    IndexLocked,
    IndexMismatch,
    IndexReadOnly,
    ModelUnavailable,
    NoIndex,
    NothingHolds,
    SourceUnavailable,
    UnknownCitation,
    UnknownTopic,
    UnreadableDocument,
    VectorsUnavailable,
)

STATUS: Mapping[type[HelpdeskError], int] = {
    NoIndex: 503,
    IndexMismatch: 503,
    VectorsUnavailable: 503,
    IndexReadOnly: 503,
    BadSetting: 500,
    IndexLocked: 503,
    ModelUnavailable: 503,
    NothingHolds: 503,
    SourceUnavailable: 502,
    UnreadableDocument: 500,
    UnknownTopic: 422,
    UnknownCitation: 500,
    DeskUnavailable: 503,
    NoSuchTicket: 404,
    TicketClosed: 409,
    TooManyMessages: 409,
    Conflict: 409,
    NoSuchDraft: 404,
    DraftChanged: 409,
    NoSuchDelivery: 404,
    AlreadyListed: 409,
    NoSuchMember: 404,
    LastAdmin: 409,
    SignInRefused: 422,
    SignInUnavailable: 502,
}

_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Request timeout",
    409: "Conflict",
    413: "Too large",
    414: "Address too long",
    415: "Unsupported media type",
    421: "Misdirected",
    422: "Invalid input",
    429: "Too many requests",
    431: "Headers too large",
    500: "Internal error",
    502: "Source unavailable",
    503: "Not ready",
}
OPENAI = ("/v1/chat/", "/v1/models")
_ENDS = "the server was told to stop; try again later"
_UNEXPECTED = "something went wrong here; it has been noted"
_SOON_S = "5"
"""When what passes by itself may have passed."""
_LOG = logging.getLogger(__name__)


class CallRefused(Exception):
    """A call of OpenAI's interface that cannot be served, in its own terms."""

    def __init__(self, status: int, message: str, param: str, code: str | None = None):
        """Name the parameter that is wrong, and OpenAI's word for it."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def problem_body(status: int, detail: str, **more: object) -> dict[str, object]:
    """Build an RFC 9457 problem document, with the id by which the log knows the request."""
    named = request_id()
    return {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        **({"request_id": named} if named else {}),
        **more,
    }


def openai_body(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> dict[str, object]:
    """Build an error as OpenAI's clients read it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    if status == 429:
        kind, code = "requests", "rate_limit_exceeded"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def reply(
    path: str, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()
) -> JSONResponse:
    """Tell what went wrong in the form that belongs to a path."""
    if path.startswith(OPENAI):
        # Its clients know 400 for what is wrong in a call.
        known = 400 if status == 422 else status
        param = errors[0]["field"] or None if errors else None
        return JSONResponse(openai_body(known, detail, param), status_code=known)
    more: dict[str, Any] = {"errors": errors} if errors else {}
    return JSONResponse(
        problem_body(status, detail, **more),
        status_code=status,
        media_type="application/problem+json",
    )


def explained(error: Exception) -> tuple[int, str]:
    """Say of an error that ends an answer what its reader may know; note what nobody expected.

    Returns:
        HTTP status and detail.
    """
    exchange = CURRENT.get()
    if exchange:
        exchange.error = type(error).__name__
    if isinstance(error, HelpdeskError):
        return STATUS.get(type(error), 500), str(error)
    # Neither its text nor the address: what a person wrote may stand in both.
    _LOG.error("unexpected: %s", told_of(error))
    return 500, _UNEXPECTED


def install(app: FastAPI) -> None:
    """Turn every error of an app into a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(CallRefused, _refused)
    for kind in (Conflict, TicketClosed, TooManyMessages, NoSuchTicket):
        app.add_exception_handler(kind, _not_changed)
    app.add_exception_handler(HelpdeskError, _failed)
    app.add_middleware(LastResort)


class LastResort:
    """Tells of an error that nobody expected, and lets it go no further.

    A handler of the framework's would raise it again, and the server then write
    all of it into its log; what a person typed may stand in it.
    """

    def __init__(self, app: ASGIApp):
        """Stand before an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an error becomes a reply, unless one has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            # The server ends, and has waited for the reply as long as it may; a stream breaks off.
            if begun:
                raise
            told = reply(scope["path"], 503, _ENDS)
            told.headers["Retry-After"] = _SOON_S
            await told(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the door
            told = reply(scope["path"], *explained(error))
            if not begun:
                await told(scope, receive, send)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Name the fields that are wrong; never repeat what was typed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return reply(request.url.path, 400, "the body is not valid JSON")
    fields = [
        {"field": ".".join(_named(part) for part in each["loc"][1:]), "detail": _plain(each["msg"])}
        for each in found
    ]
    first = fields[0]
    detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
    return reply(request.url.path, 422, detail, fields)


def _named(part: object) -> str:
    """A field as it can be written; one that we do not know may be called anything."""
    return str(part)[:100].encode("utf-8", "backslashreplace").decode()


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    response = reply(request.url.path, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _refused(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    assert isinstance(error, CallRefused)  # noqa: S101 - registered for it
    body = openai_body(error.status, str(error), error.param, error.code)
    return JSONResponse(body, status_code=error.status)


async def _not_changed(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    """Tell why a ticket was not changed, and give back what was to be written."""
    assert isinstance(error, Conflict | TicketClosed | TooManyMessages | NoSuchTicket)  # noqa: S101 - registered for it
    status, detail = explained(error)
    more: dict[str, object] = {"text": error.text} if error.text else {}
    if isinstance(error, Conflict):
        when = error.when.isoformat().replace("+00:00", "Z")
        more |= {"who": error.who, "when": when, "version": error.version}
    return JSONResponse(
        problem_body(status, detail, **more),
        status_code=status,
        media_type="application/problem+json",
        headers={"Cache-Control": "no-store"},
    )


async def _failed(request: Request, error: Exception) -> JSONResponse:
    response = reply(request.url.path, *explained(error))
    if isinstance(error, VectorsUnavailable):
        response.headers["Retry-After"] = _SOON_S
    return response
