"""Tickets sorted as they come in, so that staff find them with their draft."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NoReturn

from api.answering import Answering
from api.desk.audit import HELPDESK
from api.desk.desk import Desk
from api.desk.models import Actor, Findings, NoSuchTicket, Ticket
from api.triage_schemas import TriageOut
from rag.errors import HelpdeskError
from rag.triage.triager import Triager

ITSELF = Actor(HELPDESK, "agent")
"""The server, as it reads tickets."""
_AGAIN_S = 3600
"""How often tickets are looked for that could not be sorted when they came in."""
_AT_A_TIME = 50
_LOG = logging.getLogger(__name__)


class Sorting:
    """Writes into tickets what triage finds."""

    def __init__(self, answering: Answering, triager: Triager, desk: Desk):
        """Sort by a triager, whose drafts the current index answers."""
        self._answering = answering
        self._triager = triager
        self._desk = desk
        # One at a time: whoever waits for an answer shall not wait for this.
        self._turn = asyncio.Lock()

    async def received(self, ticket: Ticket) -> None:
        """Do with a new ticket what nobody waits for."""
        await self._desk.beside(partial(self._desk.similar.note, ticket))
        await self.sort(ticket.ticket_id)

    async def sort(self, ticket_id: str, *, anew: bool = False) -> bool:
        """Sort a ticket; it does not fail where this does, and is sorted later.

        Args:
            ticket_id: Which.
            anew: Whether one that is sorted already is sorted again.

        Returns:
            Whether others could be sorted now.
        """
        async with self._turn:
            try:
                await self._sort(ticket_id, anew=anew)
            except NoSuchTicket:
                pass  # erased meanwhile
            except Exception as error:  # noqa: BLE001 - the ticket is there, and is handled
                _LOG.warning("ticket %s is not sorted: %s", ticket_id, type(error).__name__)
                # No index, no model, no database; anything else has to do with this ticket.
                return not isinstance(error, HelpdeskError)
        return True

    async def catching_up(self) -> NoReturn:
        """Sort what could not be sorted before, now and every hour, until cancelled."""
        while True:
            try:
                left = await self._desk.beside(partial(self._desk.queue.unsorted, _AT_A_TIME))
            except Exception as error:  # noqa: BLE001 - it is tried again in an hour
                _LOG.warning("tickets cannot be sorted: %s", type(error).__name__)
                left = ()
            for ticket_id in left:
                if not await self.sort(ticket_id):
                    break
            await asyncio.sleep(_AGAIN_S)

    async def _sort(self, ticket_id: str, *, anew: bool) -> None:
        read = partial(self._desk.tickets.read, ITSELF, ticket_id)
        ticket = (await self._desk.beside(read)).ticket
        # Whoever catches up has found it as its first sorter was still at work.
        if ticket.triage is not None and not anew:
            return
        answerer = await self._answering.answerer()
        told = await self._answering.triage(
            self._triager, answerer, "", ticket.question, ticket.history
        )
        out = TriageOut.of(told, answerer.generation.info, None)
        whole = out.model_dump(mode="json", exclude={"similar"})
        found = Findings(out.intent, out.priority, out.country, out.language, whole)
        await self._desk.beside(partial(self._desk.handling.sort, ticket_id, found, once=not anew))
