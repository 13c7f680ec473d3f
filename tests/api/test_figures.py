"""The figures of the desk, on each engine: what is counted, in which week, and of whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert

from api.desk.database import Database
from api.desk.figures import DeskFigures, Figures, Part, first_monday
from api.desk.tables import ANSWERS, FEEDBACK, TICKETS

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = datetime(2026, 3, 19, 12, tzinfo=UTC)
"""In the third week."""
DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(days=7)
MOMENT = timedelta(microseconds=1)
ALL: frozenset[str] = frozenset()


class Books:
    """A database, and what is written into it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written = 0

    def ticket(self, at: datetime, **other: Any) -> None:
        """A ticket that was opened at a time."""
        self._written += 1
        row = {
            "ticket_id": f"NMG-{self._written}", "created_at": at, "state": "new",
            "question": "Who signs?", "history": [], "answer_id": None, "name": None,
            "email": "ada@clinic.example", "country": "PT", "language": "pt", "consent_at": at,
            "token_sha256": "0" * 64, "title": "Who signs?", "intent": "share_data",
            "priority": "normal", "tags": [], "first_reply_at": None, "updated_at": at,
            "version": 1, "cited": [],
        }  # fmt: skip
        with self._database.writing() as connection:
            connection.execute(insert(TICKETS).values({**row, **other}))

    def answer(self, at: datetime, *, helpful: bool | None = None, **other: Any) -> str:
        """An answer that was given at a time, and whether it was helpful; returns its id."""
        self._written += 1
        row = {
            "answer_id": f"a{self._written}", "created_at": at, "status": "answered",
            "reason": None, "strength": "strong", "language": "pt", "country": "PT",
            "model": "extractive", "generation": "g1", "cited": [], "timings_ms": {},
        }  # fmt: skip
        with self._database.writing() as connection:
            connection.execute(insert(ANSWERS).values({**row, **other}))
            if helpful is not None:
                # Long after, as people do: it counts with its answer.
                told = {"answer_id": row["answer_id"], "created_at": UNTIL, "helpful": helpful}
                connection.execute(insert(FEEDBACK).values(told))
        return str(row["answer_id"])

    def read(self, countries: frozenset[str] = ALL) -> DeskFigures:
        return Figures(self._database).read(countries, SINCE, UNTIL)


@pytest.fixture
def books(database_url: str, tmp_path: Path) -> Iterator[Books]:
    database = Database(database_url, tmp_path / "data")
    database.migrate()
    yield Books(database)
    database.close()


def test_of_nothing_there_are_no_shares_and_no_hours(books: Books) -> None:
    found = books.read()
    assert (found.opened, found.states, found.intents, found.countries) == (0, (), (), ())
    assert [week.starts for week in found.weeks] == [SINCE, SINCE + WEEK, SINCE + 2 * WEEK]
    assert {(week.opened, week.asked, week.helpful_share) for week in found.weeks} == {
        (0, None, None)
    }
    replies, answers = found.first_replies, found.answers
    assert (replies.median_h, replies.ninetieth_h) == (None, None)
    assert (replies.within_day, replies.within_three_days) == (None, None)
    assert (replies.waiting, replies.oldest_waiting) == (0, None)
    assert (answers.asked, answers.known_since) == (0, None)
    shares = answers.answered_share, answers.without_person_share, answers.helpful_share
    assert shares == (None, None, None)


def test_each_counts_in_the_week_in_which_it_came(books: Books) -> None:
    second = SINCE + WEEK
    times = [SINCE - MOMENT, SINCE, second - MOMENT, second, UNTIL - MOMENT, UNTIL]
    for at in times:
        books.ticket(at)
        books.answer(at, helpful=True)
    # The same moment as somebody far from Greenwich writes it.
    books.ticket(second.astimezone(timezone(9 * HOUR)))
    found = books.read()
    assert [week.opened for week in found.weeks] == [2, 2, 1]
    assert [week.asked for week in found.weeks] == [2, 1, 1]
    assert [week.helpful for week in found.weeks] == [2, 1, 1]
    assert (found.opened, found.answers.asked) == (5, 4)


def test_tickets_are_counted_by_what_is_known_of_them(books: Books) -> None:
    books.ticket(SINCE, state="closed", intent=None, country=None, language=None)
    books.ticket(SINCE, state="solved", priority="high", language="de")
    books.ticket(SINCE + WEEK, state="closed", intent="elsi", country="ES")
    found = books.read()
    assert found.states == (Part("closed", 2), Part("solved", 1))
    assert found.intents == (Part(None, 1), Part("elsi", 1), Part("share_data", 1))
    assert found.countries == (Part(None, 1), Part("ES", 1), Part("PT", 1))
    assert found.languages == (Part(None, 1), Part("de", 1), Part("pt", 1))
    assert found.priorities == (Part("normal", 2), Part("high", 1))


def test_what_came_of_the_tickets_of_a_week_is_told_with_it(books: Books) -> None:
    for state in ("new", "open", "pending", "solved", "closed"):
        # However much later they were.
        books.ticket(SINCE, state=state, closed_at=UNTIL if state == "closed" else None)
    first, second, _ = books.read().weeks
    assert (first.opened, first.finished) == (5, 2)
    assert (second.opened, second.finished) == (0, 0)


def test_first_replies_are_told_by_their_median_and_the_slowest_tenth(books: Books) -> None:
    for hours in range(1, 12):
        books.ticket(SINCE, state="pending", first_reply_at=SINCE + hours * HOUR)
    replies = books.read().first_replies
    assert replies.replied == 11
    assert replies.median_h == pytest.approx(6)
    assert replies.ninetieth_h == pytest.approx(10)


def test_whether_a_reply_came_in_time_is_asked_once_it_can_be_told(books: Books) -> None:
    for opened, replied_after, state in (
        (SINCE, DAY, "pending"),
        (SINCE, DAY + MOMENT, "pending"),
        (SINCE, 3 * DAY, "open"),
        (SINCE, None, "new"),
        # Two days old: whether it takes three is not known yet.
        (UNTIL - 2 * DAY, HOUR, "solved"),
        # Hours old, and so in time by no limit.
        (UNTIL - 2 * HOUR, HOUR, "solved"),
        # Finished otherwise, as by telephone, or nothing to reply to.
        (SINCE, None, "closed"),
    ):
        replied = opened + replied_after if replied_after else None
        books.ticket(opened, first_reply_at=replied, state=state)
    replies = books.read().first_replies
    assert replies.within_day == pytest.approx(2 / 5)
    assert replies.within_three_days == pytest.approx(3 / 4)
    assert replies.finished_without == 1


def test_whoever_waits_is_counted_however_long_they_have(books: Books) -> None:
    for at, state in ((SINCE - 400 * DAY, "new"), (SINCE, "open"), (UNTIL, "new")):
        books.ticket(at, state=state)
    books.ticket(SINCE - 500 * DAY, state="closed")
    books.ticket(SINCE - 500 * DAY, state="open", first_reply_at=SINCE)
    found = books.read()
    assert found.first_replies.waiting == 2
    assert found.first_replies.oldest_waiting == SINCE - 400 * DAY
    assert found.opened == 1


def test_answers_are_counted_by_what_came_of_them(books: Books) -> None:
    alone = books.answer(SINCE)
    handed_over = books.answer(SINCE, country="ES")
    declined = books.answer(SINCE, status="abstained", reason="unsafe")
    for _ in range(2):
        books.answer(SINCE + WEEK, status="abstained", reason="no_evidence")
    # Of another country, and after the window: it is the same person's.
    books.ticket(UNTIL + DAY, answer_id=handed_over, country="FI")
    books.ticket(SINCE, answer_id=declined)
    books.ticket(SINCE, answer_id="forgotten")
    books.ticket(SINCE, answer_id=None)
    answers = books.read().answers
    assert alone != handed_over
    assert (answers.asked, answers.answered, answers.without_person) == (5, 2, 1)
    assert answers.answered_share == pytest.approx(2 / 5)
    assert answers.without_person_share == pytest.approx(1 / 2)
    assert answers.abstained == (Part("no_evidence", 2), Part("unsafe", 1))


def test_ratings_are_counted_with_the_answers_that_they_are_of(books: Books) -> None:
    for at, helpful in ((SINCE, True), (SINCE, False), (SINCE, None), (SINCE + WEEK, True)):
        books.answer(at, helpful=helpful)
    found = books.read()
    assert (found.answers.rated, found.answers.helpful) == (3, 2)
    assert found.answers.helpful_share == pytest.approx(2 / 3)
    assert [week.helpful_share for week in found.weeks] == [0.5, 1, None]
    assert [week.rated for week in found.weeks] == [2, 1, 0]


def test_of_weeks_whose_answers_are_forgotten_no_number_is_told(books: Books) -> None:
    books.answer(SINCE + WEEK, country="ES")
    found = books.read(frozenset({"PT"}))
    assert found.answers.known_since == SINCE + WEEK
    assert [week.asked for week in found.weeks] == [None, 0, 0]


def test_whoever_has_some_countries_learns_of_no_other(books: Books) -> None:
    for country in ("PT", "PT", "ES", "FI", None):
        answer = books.answer(SINCE, country=country, helpful=True, language=f"{country}"[:2])
        books.ticket(SINCE, country=country, language=f"{country}"[:2], intent=country)
        books.ticket(SINCE, country=country, first_reply_at=SINCE + HOUR, answer_id=answer)
    found = books.read(frozenset({"PT", "ES"}))
    assert (found.opened, found.weeks[0].opened) == (6, 6)
    assert found.countries == (Part("PT", 4), Part("ES", 2))
    assert {part.kind for part in found.intents} == {"PT", "ES", "share_data"}
    assert {part.kind for part in found.languages} == {"PT", "ES", "pt"}
    assert sum(part.count for part in (*found.states, *found.priorities)) == 12
    assert (found.first_replies.replied, found.first_replies.waiting) == (3, 3)
    assert (found.answers.asked, found.answers.rated, found.weeks[0].asked) == (3, 3, 3)
    assert found.answers.without_person == 0
    everybody = books.read()
    assert (everybody.opened, everybody.answers.asked) == (10, 5)


@pytest.mark.parametrize("countries", [ALL, frozenset({"PT"})])
def test_no_figure_reads_a_whole_table(tmp_path: Path, countries: frozenset[str]) -> None:
    # PostgreSQL reads small tables as a whole, whatever indexes there are.
    database = Database("", tmp_path)
    database.migrate()
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        Figures(database).read(countries, SINCE, UNTIL)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    selects = [each for each in asked if each[0].startswith("SELECT")]
    assert len(selects) >= 8
    with database.reading() as connection:
        for statement, parameters in selects:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [str(row[-1]) for row in plan]
            assert not [step for step in steps if step.startswith("SCAN")], (statement, steps)
    database.close()


@pytest.mark.parametrize(
    ("now", "weeks", "monday"),
    [
        (datetime(2026, 3, 19, 12, tzinfo=UTC), 1, datetime(2026, 3, 16, tzinfo=UTC)),
        (datetime(2026, 3, 19, 12, tzinfo=UTC), 3, datetime(2026, 3, 2, tzinfo=UTC)),
        (datetime(2026, 3, 16, tzinfo=UTC), 1, datetime(2026, 3, 16, tzinfo=UTC)),
        (datetime(2026, 3, 15, 23, 59, tzinfo=UTC), 1, datetime(2026, 3, 9, tzinfo=UTC)),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), 2, datetime(2025, 12, 22, tzinfo=UTC)),
    ],
)
def test_weeks_begin_on_mondays_and_the_last_is_the_one_that_runs(
    now: datetime, weeks: int, monday: datetime
) -> None:
    assert first_monday(now, weeks) == monday
