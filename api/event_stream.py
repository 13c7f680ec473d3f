"""Server-sent events: what goes over the wire while an answer is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from sse_starlette import EventSourceResponse, ServerSentEvent

PING_S = 15
"""Proxies close a connection that stays silent for long."""
_TO_ITS_END_S = 3600
"""When the server is told to stop, a stream is not: the server itself sets the time for all that
is under way."""


class EventStream(EventSourceResponse):
    """A reply that is sent piece by piece, with a comment line while there is nothing to say.

    When the client goes, the events are closed; one that reads nothing is sent away
    (`api.connections`).
    """

    def __init__(self, events: AsyncGenerator[ServerSentEvent] | AsyncGenerator[bytes]):
        """Send events as they come."""
        super().__init__(
            events,
            headers={"Cache-Control": "no-cache"},
            sep="\n",
            ping=PING_S,
            ping_message_factory=lambda: ServerSentEvent(comment="still here", sep="\n"),
            shutdown_grace_period=_TO_ITS_END_S,
        )
