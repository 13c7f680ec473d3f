"""One request and its reply, as the log and the figures see it: no word of either."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

from rag.models import Answer

_PLAIN = re.compile(r"[A-Za-z0-9-]{8,64}")
"""Ids of others that are taken over; whatever else comes as one may be anything."""


@dataclass
class Exchange:
    """What is noted while a request is handled, by whoever handles it."""

    request_id: str
    error: str | None = None
    """The kind of error that ended it, with where it was raised if nobody expected it."""
    answer: dict[str, str] = field(default_factory=dict)
    """What kind of answer was given, and from which generation."""

    @classmethod
    def begun(cls, named: str | None) -> Exchange:
        """One that begins.

        Args:
            named: The id that it came with, if any.
        """
        return cls(named if named and _PLAIN.fullmatch(named) else uuid.uuid4().hex)

    def answered(self, answer: Answer, generation: str) -> None:
        """Note what kind of answer was given."""
        self.answer = {
            "answer": answer.status,
            "detail": answer.reason or answer.strength,
            "generation": generation,
        }


CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
"""The exchange that is under way; None outside of any."""


def request_id() -> str | None:
    """The id of the request that is handled here, if one is."""
    exchange = CURRENT.get()
    return exchange.request_id if exchange else None
