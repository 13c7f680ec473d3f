"""How much a client may send."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import reply

BODY_TIMEOUT_S = 15
"""How long the next piece of a body may take."""
MAX_BODY = 2_000_000
"""Bytes; a full question with twenty full turns stays below it."""
MAX_FORM = 64_000
"""Bytes of a form: a full question or message, each letter of it as up to twelve. Empty fields
cost time, and are not counted by what reads forms."""
MAX_DESK = 500_000
"""Bytes of a form of staff: a full reply and a full note."""
_FORMS = {"/ask": MAX_FORM, "/tickets/": MAX_FORM, "/desk": MAX_DESK}
"""Of forms, by how their addresses begin."""


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
        path: str = scope["path"]
        most = next((each for top, each in _FORMS.items() if path.startswith(top)), MAX_BODY)
        chunks: list[bytes] = []
        size = 0
        while True:
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    message = await receive()
            except TimeoutError:
                late = reply(scope["path"], 408, "the body did not arrive in time")
                await late(scope, receive, send)
                return
            if message["type"] != "http.request":
                return
            size += len(message.get("body", b""))
            if size > most:
                detail = f"the body is larger than {most} bytes"
                refusal = reply(scope["path"], 413, detail)
                await refusal(scope, receive, send)
                return
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        waiting: list[Message] = [
            {"type": "http.request", "body": b"".join(chunks), "more_body": False}
        ]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)
