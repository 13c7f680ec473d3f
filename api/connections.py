"""What is done about connections before there is a request: uvicorn's protocol, with less patience.

uvicorn waits as long as it takes for the head of a request, and for whoever only connects; a few
hundred such connections are all that a process can hold. In front of strangers stands a proxy that
does the same for each of them; this is for where none does.
"""

from __future__ import annotations

import asyncio
import json

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.errors import problem_body, reply

HEAD_S = 15
"""How long the head of a request may take, from the connection or its first byte on; also the rest
of a body that nobody reads any more."""
MAX_CONNECTIONS = 600
"""Open at a time in one process; who comes then is told to come back."""
MOST_CONNECTIONS = 800
"""Beyond these nobody is listened to, as a process has 1,024 files by default."""
_FULL = "there are too many connections; try again later"


class Connection(H11Protocol):
    """A connection of a client that has to get to the point."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many who wait."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._end(503, "Service Unavailable", _FULL)
        elif len(self.connections) > MAX_CONNECTIONS:
            self.app = _full
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._unwatch()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of a body that was refused."""
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn calls it so
        """Tell that what was sent is no HTTP, in the form of every other error."""
        self._end(400, "Bad Request", "what was sent is no request of HTTP/1.1")

    def _watch(self) -> None:
        """Give whoever has something to send a time for it, counted once."""
        begun = self.cycle is not None and not self.cycle.response_complete
        if begun or self.transport.is_closing():
            self._unwatch()
        # Between two requests uvicorn closes what stays silent.
        elif self._overdue is None and self.timeout_keep_alive_task is None:
            self._overdue = self.loop.call_later(HEAD_S, self._give_up)

    def _unwatch(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _give_up(self) -> None:
        self._overdue = None
        # Browsers open connections ahead, and would show a reply to what they never sent.
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self._end(408, "Request Timeout", "the request did not arrive in time")
        else:
            self.transport.close()

    def _end(self, status: int, reason: str, detail: str) -> None:
        """Send the last reply of a connection, unless one has begun, and close it."""
        told = self.cycle and self.cycle.response_started and not self.cycle.response_complete
        if not told and not self.transport.is_closing():
            body = json.dumps(problem_body(status, detail)).encode()
            head = (
                f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/problem+json\r\n"
                f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
                "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()


async def _full(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand in for the app while there are too many connections."""
    path = scope.get("path", "")
    refused = reply(path, 503, _FULL)
    refused.headers.update({"Connection": "close", "Retry-After": "5", "Cache-Control": "no-store"})
    await refused(scope, receive, send)
