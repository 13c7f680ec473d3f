"""What is delivered, and what can become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from api.desk.models import Case
from rag.errors import HelpdeskError

Channel = Literal["mail", "team", "zammad", "webhook"]
"""``mail``: to the person who asked; ``team``: mail to the helpdesk's own people."""
What = Literal["opened", "replied", "written"]
"""Happened to a ticket; ``written``: by the person who asked."""


@dataclass(frozen=True)
class Delivery:
    """Something that is to be told of a ticket, as the outbox has it."""

    delivery_id: str
    ticket_id: str
    channel: Channel
    what: What
    payload: Mapping[str, Any]
    """What the ticket does not tell: `token`, `in_reply_to`, or the `number` of a message."""
    message_id: str | None
    """Of the mail, the same at every attempt."""
    created_at: datetime
    attempts: int
    """With this one."""
    earlier: tuple[str, ...]
    """Message-IDs of what was sent about the ticket before, the earliest first."""
    reference: str | None
    """What the receiver calls the ticket, once it is there."""


class Carrier(Protocol):
    """Takes deliveries to where they go."""

    async def carry(self, delivery: Delivery, case: Case) -> str | None:
        """Deliver, once.

        Args:
            delivery: What to tell.
            case: The ticket as it is now.

        Returns:
            What the receiver calls what was made there, where that is needed later.

        Raises:
            Undelivered: It has not arrived, as far as anybody knows.
        """


class Undelivered(HelpdeskError):
    """The receiver did not confirm that it has taken something."""

    def __init__(self, kind: str, *, for_good: bool = False, wait_s: float = 0):
        """Tell why, and whether to try again.

        Args:
            kind: One of few words for it; nothing that a person or a server wrote.
            for_good: Trying again is of no use.
            wait_s: Seconds that should pass before, at least.
        """
        super().__init__(kind)
        self.kind = kind
        self.for_good = for_good
        self.wait_s = wait_s
