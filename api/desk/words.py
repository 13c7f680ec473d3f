"""The words that tickets are searched by.

Kept as a table, as this is found by an index in SQLite and PostgreSQL alike, in any
language, whatever accents and capitals somebody types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from sqlalchemy import ColumnElement, Connection, and_, delete, false, insert, select

from api.desk.tables import MESSAGES, TICKET_WORDS, TICKETS
from rag.forms import fold

_LONGEST = 40
"""Characters of a word that count."""
_WORD = re.compile(r"\w+")
_KEPT = 5000
"""Different words of a ticket that are kept, the first ones: as many as in a thick booklet."""
_MOST = 8
"""Words of a search that count."""
_SHORT = 3
"""Letters from which on a word may be begun only."""
_END = chr(0x10FFFF)
"""Comes behind every letter."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters without accents, in their order."""
    return [word[:_LONGEST] for word in _WORD.findall(fold(text))]


def first_words(texts: Iterable[str]) -> list[str]:
    """Return the different words of texts, as many as are kept of a ticket."""
    found: dict[str, None] = {}
    for word in chain.from_iterable(map(words_of, texts)):
        found[word] = None
        if len(found) == _KEPT:
            break
    return list(found)


def add_words(connection: Connection, ticket_id: str, words: Iterable[str]) -> None:
    """Add words to those of a ticket, as long as there is room."""
    own = TICKET_WORDS.c.ticket_id == ticket_id
    before = set(connection.scalars(select(TICKET_WORDS.c.word).where(own)))
    new = [word for word in words if word not in before][: max(0, _KEPT - len(before))]
    if new:
        connection.execute(
            insert(TICKET_WORDS), [{"word": word, "ticket_id": ticket_id} for word in new]
        )


def note_words(connection: Connection, ticket_id: str) -> None:
    """Make the words of a ticket anew from all of its texts."""
    now = set(first_words(_texts(connection, ticket_id)))
    own = TICKET_WORDS.c.ticket_id == ticket_id
    before = set(connection.scalars(select(TICKET_WORDS.c.word).where(own)))
    if gone := before - now:
        connection.execute(delete(TICKET_WORDS).where(own, TICKET_WORDS.c.word.in_(gone)))
    if added := now - before:
        rows = [{"word": word, "ticket_id": ticket_id} for word in sorted(added)]
        connection.execute(insert(TICKET_WORDS), rows)


def matching(text: str) -> Sequence[ColumnElement[bool]]:
    """The conditions for tickets that hold all words of a search, each as one may begin.

    A short word is looked for as a whole: too many begin with it. Where somebody searches
    for no word at all, as for "???", nothing fits.
    """
    asked = list(dict.fromkeys(words_of(text)))
    if text.strip() and not asked:
        return [false()]
    return [
        TICKETS.c.ticket_id.in_(
            select(TICKET_WORDS.c.ticket_id).where(
                TICKET_WORDS.c.word == word
                if len(word) < _SHORT
                else and_(TICKET_WORDS.c.word >= word, TICKET_WORDS.c.word < word + _END)
            )
        )
        for word in asked[:_MOST]
    ]


def _texts(connection: Connection, ticket_id: str) -> Iterator[str]:
    own = connection.execute(
        select(
            TICKETS.c.ticket_id, TICKETS.c.title, TICKETS.c.question, TICKETS.c.history,
            TICKETS.c.name, TICKETS.c.email,
        ).where(TICKETS.c.ticket_id == ticket_id)
    ).one()  # fmt: skip
    yield from (own.ticket_id, own.title, own.question, own.name or "", own.email)
    # What the helpdesk said is much the same in all of them.
    yield from (turn["text"] for turn in own.history if turn["role"] == "user")
    yield from connection.scalars(select(MESSAGES.c.text).where(MESSAGES.c.ticket_id == ticket_id))
