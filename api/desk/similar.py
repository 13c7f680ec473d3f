"""Earlier tickets that ask much the same as a message."""

from __future__ import annotations

import logging
import re

import numpy as np
from sqlalchemy import insert, select

from api.desk.database import Database
from api.desk.models import Actor, SimilarTicket, Ticket
from api.desk.tables import TICKET_VECTORS, TICKETS
from rag.embedder import Embedder, Vectors
from rag.personal import TOKENS, find_personal, mask

_ALIKE = 0.87
"""Cosine from which on two questions are taken to be alike, for the default model: 33 of 45 of
the same questions in other words or languages reach it, 8 of 30 other questions on the same
topic, and 1 % of those on other topics (15 questions written for that). Cosines of most other
models are lower: with those fewer are found."""
_COMPARED = 20_000
"""Tickets that a message is compared with, the newest ones: 0.15 s."""
_LONGEST = 1000
"""Characters of a question that are compared; what is asked mostly stands before."""
_STORED = "<f2"
_MASKED = re.compile("|".join(map(re.escape, TOKENS.values())))
_LOG = logging.getLogger(__name__)


class Similar:
    """The vectors of tickets."""

    def __init__(self, database: Database, embedder: Embedder | None):
        """Keep them in a database; without an embedder none are made, and nothing is alike."""
        self._database = database
        self._embedder = embedder

    def note(self, ticket: Ticket) -> None:
        """Keep the vector of a ticket's question; the ticket does not fail where this does."""
        if self._embedder is None:
            return
        try:
            masked = mask(ticket.question, find_personal(ticket.question))
            vector = _vector(self._embedder, masked).astype(_STORED).tobytes()
            row = {"ticket_id": ticket.ticket_id, "model": self._embedder.name, "vector": vector}
            with self._database.writing(durable=False) as connection:
                connection.execute(insert(TICKET_VECTORS).values(row))
        except Exception as error:  # noqa: BLE001 - the ticket is there, and is followed
            _LOG.warning(
                "ticket %s is not compared with others: %s",
                ticket.ticket_id,
                type(error).__name__,
            )

    def near(self, by: Actor, masked: str, count: int = 3) -> tuple[SimilarTicket, ...]:
        """Return tickets that ask much the same, the most alike first.

        Args:
            by: May see them.
            masked: A message, personal data masked.
            count: How many at most.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        if self._embedder is None:
            return ()
        newest = (
            select(
                TICKETS.c.ticket_id, TICKETS.c.state, TICKETS.c.created_at, TICKET_VECTORS.c.vector
            )
            .join(TICKET_VECTORS, TICKET_VECTORS.c.ticket_id == TICKETS.c.ticket_id)
            .where(TICKET_VECTORS.c.model == self._embedder.name)
            .order_by(TICKETS.c.created_at.desc())
            .limit(_COMPARED)
        )
        if by.countries:
            newest = newest.where(TICKETS.c.country.in_(sorted(by.countries)))
        with self._database.reading() as connection:
            rows = connection.execute(newest).all()
        if not rows:
            return ()
        held = np.frombuffer(b"".join(row.vector for row in rows), _STORED)
        cosines = held.reshape(len(rows), -1).astype(np.float32) @ _vector(self._embedder, masked)
        best = np.argsort(-cosines, kind="stable")[:count].tolist()
        return tuple(
            SimilarTicket(
                rows[at].ticket_id, rows[at].state, rows[at].created_at, float(cosines[at])
            )
            for at in best
            if cosines[at] >= _ALIKE
        )


def _vector(embedder: Embedder, masked: str) -> Vectors:
    """The unit vector of a text, without what was masked: that makes no two alike."""
    vector: Vectors = embedder.queries([_MASKED.sub(" ", masked)[:_LONGEST]])[0]
    return vector
