"""The audit: every change in it, and none of its rows changed without a trace."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from actors import STAFF
from sqlalchemy import Connection, delete, event, insert, select, text, update
from typer.testing import CliRunner

from api.desk.__main__ import app as command
from api.desk.audit import verify
from api.desk.database import Database
from api.desk.desk import Desk, open_desk
from api.desk.models import NewTicket, Seen
from api.desk.persons import Persons
from api.desk.tables import AUDIT, AUDIT_HEAD

ADDRESS, WORDS = "ada@clinic.example", "zwiebelkuchen"
ASKED = NewTicket(WORDS, (), None, "Ada", ADDRESS, "GB", "en")


def _rows(desk: Desk) -> list[tuple[str, str, str]]:
    with desk.database.reading() as connection:
        wanted = select(AUDIT.c.who, AUDIT.c.action, AUDIT.c.fields).order_by(AUDIT.c.number)
        return [(row[0], row[1], row[2]) for row in connection.execute(wanted)]


def _busy(desk: Desk) -> str:
    """Have one of each change made."""
    ticket, token = desk.tickets.open(ASKED)
    handling, version = desk.handling, iter(range(1, 20))

    def seen() -> Seen:
        return Seen(ticket.ticket_id, next(version))

    handling.assign(STAFF, seen(), WORDS)
    handling.note(STAFF, seen(), WORDS)
    handling.reply(STAFF, seen(), WORDS)
    desk.tickets.write_back(ticket.ticket_id, token, WORDS)
    next(version)
    handling.change(STAFF, seen(), {"title": f"{WORDS}!", "tags": (WORDS,), "group": WORDS})
    handling.solve(STAFF, seen())
    handling.close(STAFF, seen())
    handling.reopen(STAFF, seen())
    return ticket.ticket_id


def test_every_change_is_there_by_who_and_what_and_the_chain_is_whole(opened: Desk) -> None:
    _busy(opened)
    assert _rows(opened) == [
        ("requester", "open", "state"),
        ("staff", "assign", "assignee state"),
        ("staff", "note", ""),
        ("staff", "reply", "first_reply_at state"),
        ("requester", "write", "state"),
        ("staff", "change", "group tags title"),
        ("staff", "solve", "state"),
        ("staff", "close", "closed_at state"),
        ("staff", "reopen", "closed_at state"),
    ]
    found = verify(opened.database)
    assert (found.rows, found.broken_at) == (9, None)


def test_it_holds_no_text_and_no_address_and_outlives_who_is_erased(opened: Desk) -> None:
    ticket_id = _busy(opened)
    before = _rows(opened)
    Persons(opened.database).erase(ADDRESS)
    assert _rows(opened) == [*before, ("operator", "erase", "")]
    with opened.database.reading() as connection:
        everything = str(connection.execute(select(AUDIT)).all())
    assert WORDS not in everything
    assert "clinic" not in everything
    assert everything.count(ticket_id) == 10
    assert verify(opened.database).broken_at is None


def test_a_change_that_fails_is_not_in_it(opened: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, _ = opened.tickets.open(ASKED)

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("api.desk.handling.case_of", fails)
    with pytest.raises(RuntimeError):
        opened.handling.note(STAFF, Seen(ticket.ticket_id, 1), "…")
    assert len(_rows(opened)) == 1
    assert verify(opened.database).rows == 1


def test_an_audit_that_holds_nothing_is_whole(opened: Desk) -> None:
    found = verify(opened.database)
    assert (found.rows, found.broken_at) == (0, None)


def _set(number: int, **values: object) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(
        update(AUDIT).where(AUDIT.c.number == number).values(values)
    )


def _swap(connection: Connection) -> None:
    for number, then in ((4, 100), (5, 4), (100, 5)):
        connection.execute(update(AUDIT).where(AUDIT.c.number == number).values(number=then))


def _insert(connection: Connection) -> None:
    """Put a row between two others, whose hash fits the one before."""
    for number in range(9, 3, -1):
        connection.execute(update(AUDIT).where(AUDIT.c.number == number).values(number=number + 1))
    row = connection.execute(select(AUDIT).where(AUDIT.c.number == 3)).one()
    connection.execute(insert(AUDIT).values({**row._mapping, "number": 4}))


def _drop(*numbers: int) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(delete(AUDIT).where(AUDIT.c.number.in_(numbers)))


def _drop_and_renumber(connection: Connection) -> None:
    connection.execute(delete(AUDIT).where(AUDIT.c.number == 4))
    for number in range(5, 10):
        connection.execute(update(AUDIT).where(AUDIT.c.number == number).values(number=number - 1))


@pytest.mark.parametrize(
    ("tamper", "first"),
    [
        (_set(4, who="nobody"), 4),
        (_set(4, at="2020-01-01T00:00:00.000000+00:00"), 4),
        (_set(1, action="close"), 1),
        (_set(9, ticket_id="NMG-00000000"), 9),
        (_set(4, fields="title"), 4),
        (_set(4, sha256=hashlib.sha256(b"").hexdigest()), 4),
        (_swap, 4),
        (_insert, 4),
        (_drop(1), 1),
        (_drop(4), 4),
        (_drop(8, 9), 8),
        (_drop_and_renumber, 4),
        (lambda connection: connection.execute(delete(AUDIT)), 1),
        (lambda connection: connection.execute(delete(AUDIT_HEAD)), 10),
        (lambda connection: connection.execute(update(AUDIT_HEAD).values(number=8)), 10),
    ],
)
def test_the_first_row_that_does_not_fit_is_found(
    opened: Desk, tamper: Callable[[Connection], object], first: int
) -> None:
    _busy(opened)
    with opened.database.writing() as connection:
        tamper(connection)
    found = verify(opened.database)
    assert (found.broken_at, found.rows) == (first, first - 1)
    assert found.why


def test_a_row_added_behind_the_last_is_found(opened: Desk) -> None:
    _busy(opened)
    with opened.database.writing() as connection:
        row = connection.execute(select(AUDIT).where(AUDIT.c.number == 9)).one()
        connection.execute(insert(AUDIT).values({**row._mapping, "number": 10}))
    assert verify(opened.database).broken_at == 10


@pytest.mark.parametrize("value", ["x'00ff'", "1.5", "NULL", "'{'"])
def test_no_value_that_is_written_into_a_file_brings_the_check_down(
    tmp_path: Path, value: str
) -> None:
    desk = open_desk("", tmp_path, 30)
    _busy(desk)
    with desk.database.writing() as connection:
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        connection.execute(text("PRAGMA writable_schema = ON"))
        connection.execute(
            text("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'audit'")
        )
    desk.close()
    again = Database("", tmp_path)
    again.migrate()
    with again.writing() as connection:
        connection.execute(text(f"UPDATE audit SET who = {value}, at = {value} WHERE number = 3"))  # noqa: S608
    assert verify(again).broken_at == 3
    again.close()


def test_many_who_write_at_once_keep_one_chain(
    opened: Desk, database_url: str, tmp_path: Path
) -> None:
    # As two servers do: neither knows the other's threads.
    other = open_desk(database_url, tmp_path / "data", 30, 365)

    def work(number: int) -> None:
        desk = (opened, other)[number % 2]
        ticket, _ = desk.tickets.open(ASKED)
        desk.handling.note(STAFF, Seen(ticket.ticket_id, 1), "…")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    found = verify(opened.database)
    assert (found.rows, found.broken_at) == (80, None)
    other.close()


def test_who_verifies_holds_up_nobody_and_sees_one_state(
    opened: Desk, database_url: str, tmp_path: Path
) -> None:
    _busy(opened)
    other, wrote = open_desk(database_url, tmp_path / "data", 30, 365), []

    def write_between(_: object, __: object, statement: str, *___: object) -> None:
        if "FROM audit_head" in statement and not wrote:
            wrote.append(pool.submit(other.tickets.open, ASKED).result(timeout=5))

    event.listen(opened.database._engine, "after_cursor_execute", write_between)
    with ThreadPoolExecutor(1) as pool:
        found = verify(opened.database)
    assert (len(wrote), found.rows, found.broken_at) == (1, 9, None)
    assert verify(opened.database).rows == 10
    other.close()


def test_nothing_is_changed_or_locked_after_the_audit_of_a_change(opened: Desk) -> None:
    engine = opened.database._engine
    said: list[str] = []
    transactions: list[list[str]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    event.listen(engine, "commit", lambda _: transactions.append([*said]) or said.clear())
    _busy(opened)
    Persons(opened.database).erase(ADDRESS)
    audited = 0
    for statements in transactions:
        is_head = [each.startswith("UPDATE audit_head") for each in statements]
        if any(is_head):
            audited += 1
            after = statements[is_head.index(True) + 1 :]
            assert [each for each in after if not each.startswith("SELECT")] == []
            assert "FOR UPDATE" not in " ".join(after)
    assert audited == 10


def test_an_operator_is_told_that_it_is_whole_or_where_it_is_broken(tmp_path: Path) -> None:
    desk = open_desk("", tmp_path / "data", 30)
    _busy(desk)
    whole = CliRunner().invoke(command, ["verify"])
    assert whole.exit_code == 0
    head = verify(desk.database).head
    assert whole.stdout == f"the audit is whole: 9 rows, the last is 9:{head}\n"
    with desk.database.writing() as connection:
        _set(5, who="nobody")(connection)
    broken = CliRunner().invoke(command, ["verify"])
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "broken at row 5" in broken.stderr
    assert len(broken.stderr.splitlines()) == 1
    desk.close()


def test_rows_that_were_taken_from_the_end_show_by_one_that_was_noted(tmp_path: Path) -> None:
    desk = open_desk("", tmp_path / "data", 30)
    _busy(desk)
    last = verify(desk.database).head
    assert CliRunner().invoke(command, ["verify", "--noted", f"9:{last}"]).exit_code == 0
    with desk.database.writing() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.number > 5))
        fifth = connection.execute(select(AUDIT.c.sha256).where(AUDIT.c.number == 5)).scalar_one()
        connection.execute(update(AUDIT_HEAD).values(number=5, sha256=fifth))
    assert CliRunner().invoke(command, ["verify"]).exit_code == 0
    cut = CliRunner().invoke(command, ["verify", "--noted", f"9:{last}"])
    assert (cut.exit_code, cut.stdout) == (1, "")
    assert "broken at row 6: it is missing: row 9 was noted" in cut.stderr
    other = CliRunner().invoke(command, ["verify", "--noted", f"3:{last}"])
    assert "broken at row 3: it is not the one that was noted" in other.stderr
    desk.close()


@pytest.mark.parametrize("noted", ["9", "nine:abc", "9:abc", ":"])
def test_a_row_that_is_no_row_is_told_in_a_line(noted: str) -> None:
    told = CliRunner().invoke(command, ["verify", "--noted", noted])
    assert (told.exit_code, len(told.stderr.splitlines())) == (2, 1)
