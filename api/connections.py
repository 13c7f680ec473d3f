"""What is done about connections before and after a request: uvicorn's protocol, less patient.

uvicorn waits as long as it takes for the head of a request, for whoever only connects, and for who
does not read their reply; a few hundred such connections are all that a process can hold. In front
of strangers stands a proxy that does the same for each of them; this is for where none does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.errors import problem_body, reply

if TYPE_CHECKING:
    from api.metrics import Metrics

HEAD_S = 15
"""How long the head of a request may take, from the connection or its first byte on; also the rest
of a body that nobody reads any more."""
READ_S = 60
"""How long nothing of what was sent may be read. What the system takes from us to send it, it takes
in pieces of some 30,000 bytes or more: whoever reads less than that in the time is gone, too."""
MAX_CONNECTIONS = 600
"""Open at a time in one process; who comes then is told to come back."""
MOST_CONNECTIONS = 800
"""Beyond these nobody is listened to, as a process has 1,024 files by default."""
_FULL = "there are too many connections; try again later"
_TOLD_EVERY_S = 10.0
_LOG = logging.getLogger(__name__)


class _Teller:
    """Writes a line about many refusals: who floods a server does not flood its log."""

    def __init__(self) -> None:
        self._untold = 0
        self._told_at = -_TOLD_EVERY_S

    def note(self, status: int) -> None:
        self._untold += 1
        if time.monotonic() - self._told_at >= _TOLD_EVERY_S:
            _LOG.warning("connections refused: %d, the last with %d", self._untold, status)
            self._untold, self._told_at = 0, time.monotonic()


_TELLER = _Teller()


class Connection(H11Protocol):
    """A connection of a client that has to get to the point."""

    _overdue: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many who wait."""
        super().connection_made(transport)
        # Or up to 64 kB could be left unread, and nobody told.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > MOST_CONNECTIONS:
            self._end(503, "Service Unavailable", _FULL)
        elif len(self.connections) > MAX_CONNECTIONS:
            self.app = self._full
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
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give whoever has something to read a time for it."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """All was read, as far as the system takes it."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

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

    def _await_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(READ_S, self._look_for_reader, left)

    def _look_for_reader(self, left: int) -> None:
        # Nothing is written meanwhile: who sends waits until all was taken.
        if self.transport.get_write_buffer_size() < left:
            self._await_reader()
        else:
            self.transport.abort()

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
            self._note(status)
        self.transport.close()

    async def _full(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stand in for the app while there are too many connections."""
        refused = reply(scope.get("path", ""), 503, _FULL)
        refused.headers.update(
            {"Connection": "close", "Retry-After": "5", "Cache-Control": "no-store"}
        )
        self._note(503)
        await refused(scope, receive, send)

    def _note(self, status: int) -> None:
        """What the app never sees is noted here."""
        # The app leaves it when it starts, see `api.app`.
        metrics: Metrics | None = self.app_state.get("metrics")
        if metrics:
            metrics.refused(status)
        _TELLER.note(status)
