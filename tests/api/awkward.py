"""What an awkward mail is, and how it is to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mail_parts import ASKED, DESK, mail


@dataclass(frozen=True)
class World:
    """What there is before a mail comes: a ticket of Ada's, one of Cal's that is closed."""

    number: str
    """Of Ada's ticket."""
    sent: str
    """Message-ID of the mail that she was sent about it."""
    closed: str
    closed_sent: str


@dataclass(frozen=True)
class Awkward:
    """Mails that come one after the other, and how the last of them ends."""

    name: str
    mails: Callable[[World], list[bytes]]
    became: str
    holds: tuple[str, ...] = ()
    """What the text of the ticket or message has."""
    lacks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What notes of staff have, one each; there are no others."""
    title: str = ""
    """Of a new ticket; empty: any."""
    sender: str = ""
    """Of a new ticket; empty: any."""
    named: str | None = None
    """The name of its sender; None: any."""


class Collected(list[Awkward]):
    """Awkward mails of one kind."""

    def one(self, name: str, raw: bytes, became: str = "ticket", **expected: object) -> None:
        """Add a single mail, which needs nothing of the world."""
        self.some(name, lambda _: [raw], became, **expected)

    def some(
        self, name: str, made: Callable[[World], list[bytes]], became: str, **expected: object
    ) -> None:
        """Add mails that come one after the other."""
        self.append(Awkward(name, made, became, **expected))  # type: ignore[arg-type]


def reply(world: World, body: str, **more: str) -> bytes:
    """Ada answers the mail that she was sent."""
    return mail(body, f"Re: [{world.number}] {ASKED}", more={"In-Reply-To": world.sent}, **more)


BOTH = "multipart/alternative; boundary=b1"
MIXED = "multipart/mixed; boundary=b1"
QUOTED = (
    f"On Mon, 2 Nov 2026 at 09:12, NMG Helpdesk <{DESK}> wrote:\n> Dear Ada,\n> it is under way.\n"
)
