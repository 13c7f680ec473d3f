"""How much a client may send."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.refusing import FORMS, at_desk, refuse

BODY_TIMEOUT_S = 15
"""How long the next piece of a body may take."""
BODY_S = 60
"""How long all of it may take."""
MAX_BODY = 2_000_000
"""Bytes; a full question with twenty full turns stays below it."""
MAX_FORM = 64_000
"""Bytes of a form: a full question or message, each letter of it as up to twelve. Empty fields
cost time, and are not counted by what reads forms."""
MAX_DESK = 500_000
"""Bytes of a form of staff: a full reply and a full note."""
MAX_ADDRESS = 50_000
"""Bytes of path and query: a full search, each letter of it as up to twelve."""
MAX_PARAMETERS = 200
"""Of a query; the desk's longest has a dozen."""
MAX_HEADERS = 100
MAX_HEADER_BYTES = 16_000
"""Of all of them, cookies of a whole domain included."""
MAX_HEAD = MAX_ADDRESS + MAX_HEADER_BYTES
"""Bytes that are kept of a head that has not ended."""


class HeadLimit:
    """Refuses longer addresses, and more headers; what does not end at all the server refuses."""

    def __init__(self, app: ASGIApp):
        """Stand before an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and (wrong := _too_much(scope)):
            await refuse(scope, *wrong)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _too_much(scope: Scope) -> tuple[int, str] | None:
    """Status and detail of what is too long; None: nothing is."""
    query: bytes = scope["query_string"]
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(scope.get("raw_path") or b"") + len(query) > MAX_ADDRESS:
        return 414, f"the address is longer than {MAX_ADDRESS} bytes"
    if query.count(b"&") >= MAX_PARAMETERS:
        return 414, f"the address has more than {MAX_PARAMETERS} parameters"
    if len(headers) > MAX_HEADERS:
        return 431, f"there are more than {MAX_HEADERS} headers"
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        return 431, f"the headers are larger than {MAX_HEADER_BYTES} bytes"
    return None


class BodyLimit:
    """Refuses larger bodies before they are read into memory."""

    def __init__(self, app: ASGIApp):
        """Stand before an app."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body read up to the limit."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        most = _most(scope["path"])
        try:
            async with asyncio.timeout(BODY_S):
                body = await _body(receive, most)
        except TimeoutError:
            late = refuse(scope, 408, "the body did not arrive in time")
            await late(scope, receive, send)
            return
        except _TooLarge:
            large = refuse(scope, 413, f"the body is larger than {most} bytes")
            await large(scope, receive, send)
            return
        if body is None:
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)


def _most(path: str) -> int:
    """Bytes that a body may have."""
    if at_desk(path):
        return MAX_DESK
    return MAX_FORM if path.startswith(FORMS) else MAX_BODY


class _TooLarge(Exception):
    """A body has more bytes than it may."""


async def _body(receive: Receive, most: int) -> bytes | None:
    """Read a body; None: the client went away.

    Raises:
        TimeoutError: Nothing came for too long.
        _TooLarge: It has more than `most` bytes.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            message = await receive()
        if message["type"] != "http.request":
            return None
        size += len(message.get("body", b""))
        if size > most:
            raise _TooLarge
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)
