"""Articles that staff write: drafts, changed by one at a time, published and withdrawn.

A draft walks from ``draft`` to ``publishing`` and from there to ``published`` or, with
what was found wrong, to ``refused``; what was published comes out of the index by way of
``withdrawing``. Whoever changes one says which version they saw.

What is to be published has the name of its article before anything is done, and keeps it
until it is known that nothing of that is left: whatever is broken off can be withdrawn.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, update

from api.desk.audit import HELPDESK, history, last_change, record
from api.desk.database import Database
from api.desk.models import Actor, Event
from api.desk.tables import DRAFTS
from api.desk.tickets import CROCKFORD, locked
from rag.article_drafts import file_name
from rag.errors import HelpdeskError
from rag.models import Evidence

DraftState = Literal["draft", "publishing", "published", "refused", "withdrawing", "withdrawn"]
BUSY: tuple[DraftState, ...] = ("publishing", "withdrawing")
"""The index is being changed; nothing else is, meanwhile."""
_MOST = 500
"""Drafts that are listed."""
_INTERRUPTED = "the server stopped before this was done; do it again"


@dataclass(frozen=True)
class DraftStatement:
    """A statement with the sentences that carry it, by their keys in `Content.evidence`."""

    text: str
    evidence: tuple[str, ...] = ()
    """Those that somebody has chosen, or that were cited for it."""
    offered: tuple[str, ...] = ()
    """Those that a search found for it, and nobody has chosen yet."""


@dataclass(frozen=True)
class Content:
    """What becomes of an article."""

    intent: str
    audience: tuple[str, ...]
    country: str | None
    """ISO 3166-1 alpha-2, where it holds in one country only."""
    asks: Mapping[str, tuple[str, ...]]
    """The ways people ask, by language, ISO 639-1."""
    statements: tuple[DraftStatement, ...]
    evidence: Mapping[str, Evidence]
    """Sentences of the sources by key; none is taken out again, so that keys stay good."""
    reviewed_by: str = ""
    """The role of who signs."""
    answered_by: str | None = None
    """The article that answered the question already when this one was begun."""


@dataclass(frozen=True)
class Found:
    """Something that was found wrong when it was to be published."""

    kind: str
    said: str
    """One line."""


@dataclass(frozen=True)
class ListedDraft:
    """What of a draft a list shows."""

    draft_id: str
    ticket_id: str | None
    country: str | None
    """Whose staff see it, as those of its ticket."""
    created_at: datetime
    updated_at: datetime
    author: str
    """Of staff; who began it."""
    state: DraftState
    version: int
    """Rises with each change."""
    title: str
    article_id: str | None
    """Of what is in the index, or may be; None: nothing of it is."""
    generation: str | None
    """Of the index, that it came in with."""


@dataclass(frozen=True)
class Draft(ListedDraft):
    """An article that staff write."""

    content: Content
    findings: tuple[Found, ...]
    """When it was to be published last."""


@dataclass(frozen=True)
class Outcome:
    """What came of publishing or withdrawing."""

    state: DraftState
    findings: tuple[Found, ...] = ()
    generation: str | None = None
    """Of the index that the article came in with."""
    gone: bool = False
    """Whether nothing of the article is in the index, nor will be by itself."""


class SeenDraft(NamedTuple):
    """A draft as somebody saw it before they changed it."""

    draft_id: str
    version: int


class NoSuchDraft(HelpdeskError):
    """No draft has this id, or it is none of theirs."""

    def __init__(self) -> None:
        """Tell no more: who may not see it is not to know of it."""
        super().__init__("there is no such draft of an article")


class DraftChanged(HelpdeskError):
    """Somebody else changed the draft first, or it is being published."""

    def __init__(self, draft: Draft, who: str | None):
        """Tell how it is now, and who made it so, as the audit names them."""
        super().__init__("this draft has been changed since; read it again before you change it")
        self.draft = draft
        self.who = who


_CONTENT = TypeAdapter(Content)
_FINDINGS = TypeAdapter(tuple[Found, ...])
_LISTED = [DRAFTS.c[each.name] for each in fields(ListedDraft)]


class Drafts:
    """The table of drafts."""

    def __init__(self, database: Database):
        """Keep them in a database."""
        self._database = database

    def begin(
        self, by: Actor, ticket_id: str, country: str | None, title: str, content: Content
    ) -> Draft:
        """Store a new draft; where the ticket has one that was not withdrawn, return that.

        Args:
            by: Begins it.
            ticket_id: What it is made from.
            country: Of the ticket.
            title: What it begins with, as does `content`.
            content: The rest.

        Raises:
            NoSuchDraft: It would be none of theirs.
            DeskUnavailable: It is not stored.
        """
        if not by.sees(country):
            raise NoSuchDraft
        now = datetime.now(UTC)
        draft_id = "D-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))
        row = {
            "draft_id": draft_id, "ticket_id": ticket_id, "country": country, "created_at": now,
            "updated_at": now, "author": by.who, "state": "draft", "version": 1, "title": title,
            "content": _stored(content), "findings": [],
        }  # fmt: skip
        with self._database.writing() as connection:
            # Who presses the button twice makes one draft.
            locked(connection, ticket_id)
            there = _of_ticket(connection, ticket_id)
            if there is not None:
                return _one(connection, by, there)
            connection.execute(insert(DRAFTS).values(row))
            record(connection, by.who, "draft", [draft_id], ["content", "title"])
            return _one(connection, by, draft_id)

    def read(self, by: Actor, draft_id: str) -> Draft:
        """Return a draft.

        Raises:
            NoSuchDraft: Nobody knows it, or it is none of theirs.
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            return _one(connection, by, draft_id)

    def of_ticket(self, by: Actor, ticket_id: str) -> str | None:
        """Return the id of the draft that was made from a ticket, unless it was withdrawn.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        with self._database.reading() as connection:
            draft_id = _of_ticket(connection, ticket_id)
            return _one(connection, by, draft_id).draft_id if draft_id else None

    def history(self, by: Actor, draft_id: str) -> tuple[Event, ...]:
        """Return what was done to a draft, the earliest first.

        Raises:
            NoSuchDraft: Nobody knows it, or it is none of theirs.
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            _one(connection, by, draft_id)
            return history(connection, draft_id)

    def page(self, by: Actor) -> Sequence[ListedDraft]:
        """Return the drafts that somebody may see, those changed last first.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        wanted = select(*_LISTED).order_by(DRAFTS.c.updated_at.desc(), DRAFTS.c.draft_id)
        if by.countries:
            wanted = wanted.where(DRAFTS.c.country.in_(sorted(by.countries)))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.limit(_MOST))
            return [ListedDraft(**row._mapping) for row in rows]

    def save(self, by: Actor, seen: SeenDraft, title: str, content: Content) -> Draft:
        """Write a draft anew; what is in the index stays as it is until it is published again.

        Raises:
            NoSuchDraft: Nobody knows it, or it is none of theirs.
            DraftChanged: Somebody else changed it first, or it is being published.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            draft = _held(connection, by, seen)
            if (draft.title, draft.content) == (title, content):
                return draft
            changed = replace(draft, title=title, content=content, state="draft")
            return _store(connection, changed, by.who, "edit", draft)

    def publish(self, by: Actor, seen: SeenDraft) -> Draft:
        """Say that a draft is on its way into the index; what comes of it is told to `finish`.

        Raises:
            NoSuchDraft: Nobody knows it, or it is none of theirs.
            DraftChanged: Somebody else changed it first, or it is being published.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            draft = _held(connection, by, seen)
            name = draft.article_id or _article_name(draft)
            changed = replace(draft, state="publishing", findings=(), article_id=name)
            return _store(connection, changed, by.who, "publish", draft)

    def withdraw(self, by: Actor, seen: SeenDraft) -> Draft:
        """Give a draft up; what is in the index has to come out of it, as `finish` is told.

        Raises:
            NoSuchDraft: Nobody knows it, or it is none of theirs.
            DraftChanged: Somebody else changed it first, or it is being published.
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            draft = _held(connection, by, seen)
            state: DraftState = "withdrawing" if draft.article_id else "withdrawn"
            changed = replace(draft, state=state, findings=())
            return _store(connection, changed, by.who, "withdraw", draft)

    def waits(self, seen: SeenDraft) -> bool:
        """Whether a draft is still to be published or withdrawn, as it was when that was said.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            return _on_its_way(_row(connection, seen.draft_id), seen)

    def finish(self, seen: SeenDraft, outcome: Outcome) -> None:
        """Note what came of publishing or withdrawing, unless the draft was given back since.

        Raises:
            DeskUnavailable: It is not stored.
        """
        with self._database.writing() as connection:
            draft = _row(connection, seen.draft_id, lock=True)
            if draft is None or not _on_its_way(draft, seen):
                return
            changed = replace(draft, state=outcome.state, findings=outcome.findings)
            if outcome.gone:
                changed = replace(changed, article_id=None, generation=None)
            elif outcome.generation:
                changed = replace(changed, generation=outcome.generation)
            _store(connection, changed, HELPDESK, outcome.state, draft)

    def busy(self) -> frozenset[SeenDraft]:
        """Return the drafts that are to be published or withdrawn, by whomever.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        wanted = select(DRAFTS.c.draft_id, DRAFTS.c.version).where(DRAFTS.c.state.in_(BUSY))
        with self._database.reading() as connection:
            return frozenset(SeenDraft(*row) for row in connection.execute(wanted))

    def resume(self, left: Collection[SeenDraft]) -> Sequence[str]:
        """Give back to staff what a server that has gone was publishing or withdrawing.

        Args:
            left: Drafts that nobody is at any more.

        Returns:
            Ids of those given back: the ones that are still as they were.

        Raises:
            DeskUnavailable: They are not changed.
        """
        found = []
        with self._database.writing() as connection:
            for seen in sorted(left):
                draft = _row(connection, seen.draft_id, lock=True)
                if draft is None or not _on_its_way(draft, seen):
                    continue
                state: DraftState = "draft" if draft.state == "publishing" else "published"
                told = (Found("interrupted", _INTERRUPTED),)
                changed = replace(draft, state=state, findings=told)
                _store(connection, changed, HELPDESK, "resume", draft)
                found.append(seen.draft_id)
        return found


def _of_ticket(connection: Connection, ticket_id: str) -> str | None:
    of_it = (DRAFTS.c.ticket_id == ticket_id) & (DRAFTS.c.state != "withdrawn")
    newest = select(DRAFTS.c.draft_id).where(of_it).order_by(DRAFTS.c.created_at.desc())
    found: str | None = connection.scalar(newest.limit(1))
    return found


def _article_name(draft: Draft) -> str:
    """What its file is called, and with it the article.

    Titles may be alike, and one that was withdrawn may come back: the draft's own letters are in
    it, so that no article ever takes another's place.
    """
    return f"{file_name(draft.title)}-{draft.draft_id[2:].lower()}"


def _on_its_way(draft: Draft | None, seen: SeenDraft) -> bool:
    return draft is not None and draft.version == seen.version and draft.state in BUSY


def _one(connection: Connection, by: Actor, draft_id: str, *, lock: bool = False) -> Draft:
    draft = _row(connection, draft_id, lock=lock)
    if draft is None or not by.sees(draft.country):
        raise NoSuchDraft
    return draft


def _held(connection: Connection, by: Actor, seen: SeenDraft) -> Draft:
    """Return a draft that nobody else changes until the transaction ends.

    Raises:
        NoSuchDraft: Nobody knows it, or it is none of theirs.
        DraftChanged: It is another version than was seen, or is being published.
    """
    draft = _one(connection, by, seen.draft_id, lock=True)
    if draft.version != seen.version or draft.state in BUSY:
        last = last_change(connection, seen.draft_id)
        raise DraftChanged(draft, last.who if last else None)
    return draft


def _row(connection: Connection, draft_id: str, *, lock: bool = False) -> Draft | None:
    # PostgreSQL takes no such text, not even to look for it.
    if "\0" in draft_id:
        return None
    wanted = select(DRAFTS).where(DRAFTS.c.draft_id == draft_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        return None
    values = dict(row._mapping)
    values["content"] = _CONTENT.validate_python(values["content"])
    values["findings"] = _FINDINGS.validate_python(values["findings"])
    return Draft(**values)


def _stored(content: Content) -> Any:
    return _CONTENT.dump_python(content, mode="json")


def _store(connection: Connection, changed: Draft, who: str, action: str, before: Draft) -> Draft:
    """Store a change of a draft that is locked, and note it in the audit."""
    changed = replace(changed, version=before.version + 1, updated_at=datetime.now(UTC))
    names = [each.name for each in fields(Draft)]
    differing = [name for name in names if getattr(changed, name) != getattr(before, name)]
    values = {name: getattr(changed, name) for name in differing}
    if "content" in values:
        values["content"] = _stored(changed.content)
    if "findings" in values:
        values["findings"] = [asdict(each) for each in changed.findings]
    of_it = DRAFTS.c.draft_id == before.draft_id
    connection.execute(update(DRAFTS).where(of_it).values(values))
    told = [name for name in differing if name not in ("version", "updated_at")]
    record(connection, who, action, [before.draft_id], told)
    return changed
