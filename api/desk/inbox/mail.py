"""A mail as it is read."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from api.desk.inbox.nature import Nature
from rag.errors import HelpdeskError

LEFT_OUT = f"X-Left-Out-{secrets.token_hex(8)}"
"""Header of a part that was not fetched, with its size. Nobody who sends a mail knows its name."""


class UnreadableMail(HelpdeskError):
    """Nothing can be made of a mail: somebody has to look at it in the mailbox."""


@dataclass(frozen=True)
class Attachment:
    """What a mail carries beside its text; it is not kept."""

    name: str
    media_type: str
    size: int | None
    """Bytes; None: nobody knows."""


@dataclass(frozen=True)
class Mail:
    """What of a mail matters here."""

    sha256: str
    """Of what tells it from others: the same mail delivered twice has the same."""
    message_id: str
    """With its angle brackets; empty: it has none."""
    references: tuple[str, ...]
    """Ids of the mails that it answers, the nearest first."""
    nature: Nature
    sender: str
    """Its address; empty where the nature is not ``person``, and it has none."""
    name: str | None
    answer_to: str
    """Where it wants answers to go; empty: to the sender."""
    subject: str
    text: str
    """With quotes and signature; empty: there is none."""
    attachments: tuple[Attachment, ...]
    encrypted: bool
    """So the text is not what was written."""
    reported: tuple[str, ...] = ()
    """Of a bounce: ids of the mails that were not delivered."""
    status: str = ""
    """Of a bounce: why, as RFC 3463 numbers it; empty: it does not say, or is only late."""
