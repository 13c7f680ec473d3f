"""What people asked and were not told, and which of it asks for the same.

A question is read where it is kept already, among the answers and the tickets; here stand its
vector and the gap that it belongs to, which go with it.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from api.desk.database import Database
from api.desk.tables import ANSWERS, FEEDBACK, GAPS, TICKETS, UNANSWERED
from api.desk.tickets import CROCKFORD
from rag.gaps.clustering import Asked
from rag.gaps.places import Place, PlaceKind
from rag.models import Citation
from rag.personal import find_personal, mask

Why = Literal["no_evidence", "not_written_yet", "weak", "not_helpful", "passed_on"]
"""Abstained for one of two reasons; answered, and not surely; rated so; left to staff."""
MOST = 4000
"""Questions that are put together, the newest ones: see `rag.gaps.clustering.grouped`."""
_MISSING = ("no_evidence", "not_written_yet")
_NO_GAPS = ("out_of_scope", "unsafe")
"""Reasons for which nothing is to be written, whatever somebody thinks of it."""
_FOREIGN = ("out_of_scope", "spam")
"""The same among the intents of tickets."""
_STORED = "<f2"


@dataclass(frozen=True)
class Unanswered:
    """A question that was not answered, or not well."""

    question_id: str
    """Of the answer, or of the ticket where there is none."""
    ticket: bool
    asked_at: datetime
    text: str
    """Personal data masked."""
    country: str | None
    why: tuple[Why, ...]
    comment: str | None
    """What was said of the answer, personal data masked."""
    generation: str | None
    """Of the index that did not answer it; None: nobody knows."""
    cited: frozenset[str]
    """Names of the sections that a sure answer to it cited all the same."""


@dataclass(frozen=True)
class Compared:
    """What is known of a question, to compare it with others."""

    question_id: str
    ticket: bool
    asked: Asked
    gap_id: str | None = None


@dataclass(frozen=True)
class Closing:
    """What answers a gap now: the first section that the answer cites."""

    generation: str
    title: str
    section: tuple[str, ...]
    url: str | None


@dataclass(frozen=True)
class KnownGap:
    """A gap, as long as any of its questions is kept."""

    gap_id: str
    first_seen_at: datetime
    closed_at: datetime | None
    asked_in: str | None
    """The generation that its questions were put to last; None: to none yet; empty: it was
    closed, and is open again."""
    cited: frozenset[str]
    """Names of the sections that sure answers to them cited when they were first put to one, and
    which had not helped."""
    place: Place | None
    closed_by: Closing | None


def section_name(document_id: str, section: Iterable[str]) -> str:
    """What a section is known by from one index to the next."""
    return " > ".join((document_id, *section))


class Gaps:
    """The questions that nothing answers, and the gaps that they make."""

    def __init__(self, database: Database):
        """Keep them in a database."""
        self._database = database

    def unanswered(self, since: datetime, until: datetime) -> list[Unanswered]:
        """Return what was not answered in a window of time, the newest `MOST`, newest first.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            answers = _answers(connection, since, until)
            tickets = _tickets(connection, since, until)
        found = {each.question_id: each for each in answers}
        for answer_id, ticket in tickets:
            # The same question, asked twice: of the helpdesk, then of staff.
            answered = found.get(answer_id or "")
            if answered:
                country = ticket.country or answered.country
                why = (*answered.why, "passed_on")
                found[answered.question_id] = replace(answered, country=country, why=why)
            else:
                found[ticket.question_id] = ticket
        newest = sorted(found.values(), key=lambda each: (each.asked_at, each.question_id))
        return newest[: -MOST - 1 : -1]

    def placed(self, model: str) -> dict[str, str | None]:
        """Return the gap of each question that the vectors of a model tell of, by their ids.

        None: it has not been put together with others yet.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        wanted = select(UNANSWERED.c.question_id, UNANSWERED.c.gap_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.where(UNANSWERED.c.model == model))
            return {row.question_id: row.gap_id for row in rows}

    def compared(self, model: str) -> dict[str, Compared]:
        """Return what is known of questions by the vectors of a model, by their ids.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        with self._database.reading() as connection:
            rows = connection.execute(select(UNANSWERED).where(UNANSWERED.c.model == model)).all()
        if not rows:
            return {}
        vectors = np.frombuffer(b"".join(row.vector for row in rows), _STORED)
        return {
            row.question_id: Compared(
                row.question_id,
                row.ticket_id is not None,
                Asked(vector, row.language, tuple(row.countries)),
                row.gap_id,
            )
            for row, vector in zip(
                rows, vectors.reshape(len(rows), -1).astype(np.float32), strict=True
            )
        }

    def note(self, model: str, questions: Sequence[Compared]) -> None:
        """Keep what is known of questions; those that have gone meanwhile are left out.

        A question that another model has compared stays in its gap.

        Raises:
            DeskUnavailable: It is not kept.
        """
        with self._database.writing(durable=False) as connection:
            ids = [each.question_id for each in questions]
            of_them = UNANSWERED.c.question_id.in_(ids)
            before = connection.execute(
                select(UNANSWERED.c.question_id, UNANSWERED.c.gap_id).where(of_them)
            )
            gaps = {row.question_id: row.gap_id for row in before}
            # With the vectors of another model nothing can be compared.
            connection.execute(delete(UNANSWERED).where(of_them))
            there = _there(connection, ids)
            rows = [
                _row(model, each, gaps.get(each.question_id))
                for each in questions
                if each.question_id in there
            ]
            if rows:
                connection.execute(insert(UNANSWERED), rows)

    def regroup(self, groups: Sequence[Sequence[str]]) -> None:
        """Say which questions ask for the same; a gap stays the same while most of it does.

        A closed gap that questions come to is open again: they were not answered.

        Args:
            groups: Ids of questions that are noted, each in one group, the largest group first.

        Raises:
            DeskUnavailable: It is not kept.
        """
        with self._database.writing(durable=False) as connection:
            rows = connection.execute(select(UNANSWERED.c.question_id, UNANSWERED.c.gap_id))
            before: dict[str, str | None] = {row.question_id: row.gap_id for row in rows}
            moved: list[dict[str, str]] = []
            taken: set[str] = set()
            grown: list[str] = []
            made: list[str] = []
            for group in groups:
                there = [question for question in group if question in before]
                if not there:
                    continue
                votes = Counter(gap for each in there if (gap := before[each]) is not None)
                gap = next((gap for gap, _ in votes.most_common() if gap not in taken), None)
                if gap is None:
                    gap = "GAP-" + "".join(secrets.choice(CROCKFORD) for _ in range(6))
                    made.append(gap)
                taken.add(gap)
                came = [each for each in there if before[each] != gap]
                if came and gap not in made:
                    grown.append(gap)
                moved += [{"question": each, "gap": gap} for each in came]
            _make(connection, made)
            _move(connection, moved, grown)
            left = select(UNANSWERED.c.gap_id).where(UNANSWERED.c.gap_id.is_not(None))
            connection.execute(delete(GAPS).where(GAPS.c.gap_id.not_in(left)))

    def known(self) -> dict[str, KnownGap]:
        """Return all gaps, by their ids.

        Raises:
            DeskUnavailable: They cannot be read.
        """
        with self._database.reading() as connection:
            return {
                row.gap_id: _gap(dict(row._mapping)) for row in connection.execute(select(GAPS))
            }

    def told(
        self,
        gap: KnownGap,
        generation: str,
        cited: Iterable[str],
        place: Place | None,
        closing: Closing | None,
    ) -> None:
        """Keep what became of a gap's questions when they were put to an index.

        Args:
            gap: Whose.
            generation: Of the index.
            cited: Names of the sections that sure answers cited before it was closed.
            place: Where the answer should stand.
            closing: What answers them now; None: nothing does.

        Raises:
            DeskUnavailable: It is not kept.
        """
        values: dict[str, Any] = {
            "asked_in": generation,
            "cited": sorted(cited),
            "place": asdict(place) if place else None,
        }
        if closing:
            values |= {"closed_at": datetime.now(UTC), "closed_by": asdict(closing)}
        with self._database.writing(durable=False) as connection:
            connection.execute(update(GAPS).where(GAPS.c.gap_id == gap.gap_id).values(values))


def cited_names(citations: Iterable[Citation]) -> list[str]:
    """Names of the sections that an answer cites, in order."""
    return [section_name(each.document_id, each.section) for each in citations]


def _answers(connection: Connection, since: datetime, until: datetime) -> list[Unanswered]:
    missing = and_(ANSWERS.c.status == "abstained", ANSWERS.c.reason.in_(_MISSING))
    weak = and_(ANSWERS.c.status == "answered", ANSWERS.c.strength == "weak")
    reasonable = or_(ANSWERS.c.reason.is_(None), ANSWERS.c.reason.not_in(_NO_GAPS))
    wanted = (
        select(ANSWERS, FEEDBACK.c.helpful, FEEDBACK.c.comment)
        .select_from(ANSWERS.outerjoin(FEEDBACK))
        .where(
            ANSWERS.c.created_at >= since,
            ANSWERS.c.created_at < until,
            ANSWERS.c.question.is_not(None),
            or_(missing, weak, and_(FEEDBACK.c.helpful.is_(False), reasonable)),
        )
        .order_by(ANSWERS.c.created_at.desc())
        .limit(MOST)
    )
    found = []
    for row in connection.execute(wanted):
        sure = row.status == "answered" and row.strength == "strong"
        why: list[Why] = []
        if row.status == "abstained" and row.reason in _MISSING:
            why.append(row.reason)
        elif row.status == "answered" and not sure:
            why.append("weak")
        if row.helpful is False:
            why.append("not_helpful")
        cited = (section_name(each["document_id"], each["section"]) for each in row.cited)
        found.append(
            Unanswered(
                question_id=row.answer_id,
                ticket=False,
                asked_at=row.created_at,
                text=row.question,
                country=row.country,
                why=tuple(why),
                comment=row.comment if row.helpful is False else None,
                generation=row.generation,
                cited=frozenset(cited if sure else ()),
            )
        )
    return found


def _tickets(
    connection: Connection, since: datetime, until: datetime
) -> list[tuple[str | None, Unanswered]]:
    """Tickets that the documents do not answer, or staff did, each with the answer it was after."""
    wanted = (
        select(
            TICKETS.c.ticket_id, TICKETS.c.created_at, TICKETS.c.question, TICKETS.c.country,
            TICKETS.c.answer_id, TICKETS.c.intent, TICKETS.c.triage, TICKETS.c.first_reply_at,
        )
        .where(TICKETS.c.created_at >= since, TICKETS.c.created_at < until)
        .order_by(TICKETS.c.created_at.desc())
        .limit(MOST)
    )  # fmt: skip
    found = []
    for row in connection.execute(wanted):
        triage = row.triage or {}
        needed = triage.get("answerable") is False or row.first_reply_at is not None
        if not needed or row.intent in _FOREIGN:
            continue
        draft = triage.get("draft") or {}
        sure = draft.get("status") == "answered" and draft.get("strength") == "strong"
        cited = (
            section_name(each["document_id"], each["section"])
            for each in (draft.get("citations", ()) if sure else ())
        )
        ticket = Unanswered(
            question_id=row.ticket_id,
            ticket=True,
            asked_at=row.created_at,
            text=mask(row.question, find_personal(row.question)),
            country=row.country,
            why=("passed_on",),
            comment=None,
            generation=(draft.get("index") or {}).get("generation"),
            cited=frozenset(cited),
        )
        found.append((row.answer_id, ticket))
    return found


def _there(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of them are kept still."""
    answers = select(ANSWERS.c.answer_id).where(ANSWERS.c.answer_id.in_(ids))
    tickets = select(TICKETS.c.ticket_id).where(TICKETS.c.ticket_id.in_(ids))
    return {*connection.scalars(answers), *connection.scalars(tickets)}


def _row(model: str, question: Compared, gap_id: str | None) -> dict[str, Any]:
    return {
        "question_id": question.question_id,
        "answer_id": None if question.ticket else question.question_id,
        "ticket_id": question.question_id if question.ticket else None,
        "gap_id": gap_id,
        "language": question.asked.language,
        "countries": list(question.asked.countries),
        "model": model,
        "vector": question.asked.vector.astype(_STORED).tobytes(),
    }


def _make(connection: Connection, gaps: Sequence[str]) -> None:
    now = datetime.now(UTC)
    rows = [{"gap_id": gap, "first_seen_at": now, "cited": []} for gap in gaps]
    if rows:
        connection.execute(insert(GAPS), rows)


def _move(connection: Connection, moved: Sequence[Mapping[str, str]], grown: Sequence[str]) -> None:
    """Put questions into their gaps, and open those again that were closed."""
    if moved:
        into = update(UNANSWERED).where(UNANSWERED.c.question_id == bindparam("question"))
        connection.execute(into.values(gap_id=bindparam("gap")), moved)
    again = update(GAPS).where(GAPS.c.gap_id.in_(grown), GAPS.c.closed_at.is_not(None))
    connection.execute(again.values(closed_at=None, closed_by=None, asked_in=""))


def _gap(row: Mapping[str, Any]) -> KnownGap:
    place, closed_by = row["place"], row["closed_by"]
    kind: PlaceKind | None = place["kind"] if place else None
    return KnownGap(
        gap_id=row["gap_id"],
        first_seen_at=row["first_seen_at"],
        closed_at=row["closed_at"],
        asked_in=row["asked_in"],
        cited=frozenset(row["cited"]),
        place=Place(**{**place, "kind": kind, "section": tuple(place["section"])})
        if place
        else None,
        closed_by=Closing(**{**closed_by, "section": tuple(closed_by["section"])})
        if closed_by
        else None,
    )
