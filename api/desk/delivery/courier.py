"""Takes what is due from the outbox to where it goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from api.desk.audit import HELPDESK
from api.desk.database import DeskUnavailable
from api.desk.delivery.models import Carrier, Channel, Delivery, Undelivered
from api.desk.desk import Desk
from api.desk.models import Actor, NoSuchTicket

LOOKS_EVERY_S = 3.0
"""How often it is looked for what is due."""
_FINISHES_S = 10.0
"""How long what is under way may take when the server stops."""
_NOTES_S = 60.0
"""How long it is tried to note what has arrived: where that fails, it is sent again."""
_ITSELF = Actor(HELPDESK, "agent")
_LOG = logging.getLogger(__name__)


class Courier:
    """Delivers by each channel, one after the other: where one is slow the others are not."""

    def __init__(self, desk: Desk, carriers: Mapping[Channel, Carrier]):
        """Deliver what a desk has to tell.

        Args:
            desk: Holds the outbox.
            carriers: By channel; of others nothing is delivered.
        """
        self._desk = desk
        self._carriers = carriers
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to deliver, beside all else."""
        self._tasks = [asyncio.create_task(self._deliver(channel)) for channel in self._carriers]

    async def stop(self) -> None:
        """End; what is under way is finished, unless it takes long."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISHES_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, channel: Channel) -> None:
        while not self._stopping.is_set():
            try:
                if await self.deliver_one(channel, datetime.now(UTC)):
                    continue
            except Exception as error:  # noqa: BLE001 - the others still have to be delivered
                _LOG.warning("%s: nothing can be delivered: %s", channel, type(error).__name__)
            try:
                await asyncio.wait_for(self._stopping.wait(), LOOKS_EVERY_S)
            except TimeoutError:
                continue

    async def deliver_one(self, channel: Channel, now: datetime) -> bool:
        """Try to deliver what is due first; returns whether there was anything.

        Raises:
            DeskUnavailable: The outbox cannot be read.
        """
        outbox = self._desk.outbox
        delivery = await self._desk.beside(partial(outbox.claim, channel, now))
        if delivery is None:
            return False
        began = time.monotonic()
        try:
            read = partial(self._desk.tickets.read, _ITSELF, delivery.ticket_id)
            case = await self._desk.beside(read)
            reference = await self._carriers[channel].carry(delivery, case)
        except NoSuchTicket:
            return True  # erased meanwhile, and the delivery with it
        except Exception as error:  # noqa: BLE001 - it is tried again, whatever it was
            why = error if isinstance(error, Undelivered) else Undelivered(type(error).__name__)
            await self._failed(delivery, why, now + timedelta(seconds=time.monotonic() - began))
        else:
            await self._done(delivery, reference)
        return True

    async def _failed(self, delivery: Delivery, why: Undelivered, now: datetime) -> None:
        _LOG.warning(
            "ticket %s: %s is not delivered: %s", delivery.ticket_id, delivery.channel, why.kind
        )
        await self._desk.beside(partial(self._desk.outbox.failed, delivery, why, now))

    async def _done(self, delivery: Delivery, reference: str | None) -> None:
        """Note that it has arrived; others may be writing, and it must not be sent again."""
        async with asyncio.timeout(_NOTES_S):
            while True:
                try:
                    work = partial(self._desk.outbox.done, delivery, reference)
                    return await self._desk.beside(work)
                except DeskUnavailable:
                    await asyncio.sleep(1)
