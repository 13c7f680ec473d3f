"""The mailbox looked at again and again, and what is in it taken, mail by mail."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import NoReturn

from anyio import to_thread
from imapclient import IMAPClient

from api.desk.inbox.intake import Intake, Taken
from api.desk.inbox.mailbox import LOST, Account, Mailbox, opened
from api.desk.inbox.reading import read_mail
from api.desk.models import Ticket
from rag.errors import HelpdeskError

_AT_A_TIME = 50
"""Mails that are taken before their tickets are sorted."""
_LATER_S = 600
"""When a mail that has to wait is looked at again."""
_LOG = logging.getLogger(__name__)


@dataclass
class Polled:
    """What one look at the mailbox came to."""

    became: Counter[str] = field(default_factory=Counter)
    """How many mails became what; ``unreadable``: they are left to people, flagged."""
    tickets: list[Ticket] = field(default_factory=list)
    """New ones."""
    more: bool = False
    """There are mails that were not looked at yet."""
    why: str = ""
    """Why it ended early, if it did."""


class Inbox:
    """Takes the mails of an account."""

    def __init__(
        self,
        account: Account,
        intake: Intake,
        own: Collection[str],
        tickets_per_hour: int,
        every_s: float,
    ):
        """Take them; nothing is opened yet.

        Args:
            account: Where they come in.
            intake: Makes tickets of them.
            own: Addresses of the helpdesk: what they send is not taken.
            tickets_per_hour: Of one sender; 0: as many as are bearable.
            every_s: Seconds between two looks.
        """
        self._account = account
        self._intake = intake
        self._own = frozenset(address.lower() for address in own)
        self._tickets_per_hour = tickets_per_hour
        self._every_s = every_s
        self._one_at_a_time = threading.Lock()
        self._client: IMAPClient | None = None
        self._ended = False
        # By number: until when they wait, and how often the server failed over them.
        self._waiting: dict[int, float] = {}
        self._failed: Counter[int] = Counter()

    def poll(self) -> Polled:
        """Take the mails that nobody has looked at, some at a time.

        A mail is marked as read when its ticket is stored, never before; one that is marked by
        nobody, as this process died, is known by the note that it was taken.
        """
        polled = Polled()
        with self._one_at_a_time:
            try:
                with opened(self._account, self._use) as mailbox:
                    self._look(mailbox, polled)
            except HelpdeskError as error:
                polled.why = str(error)
            except Exception as error:  # noqa: BLE001 - what was taken is told all the same
                polled.why = type(error).__name__
            finally:
                self._client = None
        return polled

    def stop(self) -> None:
        """Cut the connection, if there is one, and make no other."""
        self._ended = True
        if self._client is not None:
            self._client.shutdown()

    async def polling(self, received: Callable[[Ticket], Awaitable[None]]) -> NoReturn:
        """Look every so often, until cancelled.

        Args:
            received: Does with a new ticket what nobody waits for.
        """
        while True:
            try:
                polled = await to_thread.run_sync(self.poll, abandon_on_cancel=True)
                if polled.became:
                    _LOG.info("inbox: %s", dict(polled.became))
                if polled.why:
                    _LOG.warning("inbox: %s; it is tried again", polled.why)
                for ticket in polled.tickets:
                    await received(ticket)
                more = polled.more
            except asyncio.CancelledError:
                self.stop()
                raise
            except Exception as error:  # noqa: BLE001 - it is tried again
                _LOG.warning("inbox: %s", type(error).__name__)
                more = False
            await asyncio.sleep(0 if more else self._every_s)

    def _use(self, client: IMAPClient) -> None:
        self._client = client
        if self._ended:
            client.shutdown()

    def _look(self, mailbox: Mailbox, polled: Polled) -> None:
        now = time.monotonic()
        self._waiting = {uid: until for uid, until in self._waiting.items() if until > now}
        # Those over which the server fails come last: the others do not wait for them.
        unread = sorted(
            (uid for uid in mailbox.unread() if uid not in self._waiting),
            key=lambda uid: (self._failed[uid], uid),
        )
        for uid in unread[:_AT_A_TIME]:
            try:
                self._one(mailbox, uid, polled)
            except Exception:
                self._failed[uid] += 1
                raise
            self._failed.pop(uid, None)
        polled.more = len(unread) > _AT_A_TIME
        if polled.became:
            self._intake.forget()

    def _one(self, mailbox: Mailbox, uid: int, polled: Polled) -> None:
        try:
            fetched = mailbox.fetch(uid)
            if fetched is None:
                # Were it looked for again at once, a server that has it and gives nothing of it
                # would be asked without a pause.
                self._waiting[uid] = time.monotonic() + _LATER_S
                return
            mail = read_mail(fetched.raw, self._own, flags=fetched.flags, received=fetched.received)
        except LOST:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a mail does, the others are taken
            self._leave(mailbox, uid, polled, error)
            return
        try:
            taken: Taken = self._intake.take(mail, self._tickets_per_hour)
        except HelpdeskError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._leave(mailbox, uid, polled, error)
            return
        polled.became[taken.became] += 1
        if taken.ticket:
            polled.tickets.append(taken.ticket)
        if taken.became == "waits":
            self._waiting[uid] = time.monotonic() + _LATER_S
        else:
            mailbox.taken(uid)

    def _leave(self, mailbox: Mailbox, uid: int, polled: Polled, error: Exception) -> None:
        """Leave a mail to people."""
        _LOG.warning("inbox: mail %d cannot be taken: %s", uid, type(error).__name__)
        mailbox.flag(uid)
        polled.became["unreadable"] += 1
