"""What has expired or is erased: gone, down to the bytes in the files."""

from __future__ import annotations

import json
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shelf
from actors import STAFF
from conftest import app_over
from fastapi.testclient import TestClient
from sqlalchemy import insert
from typer.testing import CliRunner, Result

from api.desk.__main__ import app as command
from api.desk.database import DESK, Database, DeskUnavailable, known_revisions, owe_scrub
from api.desk.desk import Desk, open_desk
from api.desk.models import Limits, NewTicket, Seen
from api.desk.persons import Persons
from api.desk.retention import Counts
from api.desk.tables import ANSWERS
from rag.models import Answer, Turn
from rag.store import Store

DAYS, TICKET_DAYS = 30, 365
MARKER = "zwiebelkuchen"
ADA, BOB = "Ada@Clinic.example", "bob@clinic.example"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the settings of every test have it."""
    return tmp_path / "data"


@pytest.fixture
def desk(data_dir: Path) -> Iterator[Desk]:
    opened = open_desk("", data_dir, DAYS, TICKET_DAYS)
    yield opened
    opened.close()


def _answer(desk: Desk, answer_id: str, question: str = MARKER, comment: str = MARKER) -> None:
    answer = Answer(id=answer_id, status="answered", language="en", text="…", question=question)
    desk.conversations.remember(answer, None, "generation")
    assert desk.conversations.rate(answer_id, True, comment)


def _ticket(
    desk: Desk, email: str = ADA, question: str = MARKER, answer_id: str | None = None
) -> str:
    history = (Turn("user", f"{question}, as I said"),)
    asked = NewTicket(question, history, answer_id, "Somebody", email, None, None)
    return desk.tickets.open(asked)[0].ticket_id


def _age(data_dir: Path, table: str, days: float, where: str = "1") -> None:
    """Have rows been there, unchanged, for some days."""
    then = (datetime.now(UTC) - timedelta(days=days)).replace(tzinfo=None).isoformat(" ")
    column = "updated_at" if table == "tickets" else "created_at"
    with closing(sqlite3.connect(data_dir / DESK)) as write, write:
        write.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (then,))  # noqa: S608


def _files_with(marker: str, data_dir: Path) -> list[str]:
    return [each.name for each in data_dir.iterdir() if marker.encode() in each.read_bytes()]


def test_nothing_of_what_has_expired_is_left_in_any_file(desk: Desk, data_dir: Path) -> None:
    _answer(desk, "answer")
    _ticket(desk)
    assert _files_with(MARKER, data_dir)
    _age(data_dir, "answers", DAYS + 0.1)
    _age(data_dir, "tickets", TICKET_DAYS + 0.1)
    assert desk.retention.forget() == Counts(1, 1, 1)
    assert _files_with(MARKER, data_dir) == []


def test_what_has_not_expired_is_kept(desk: Desk, data_dir: Path) -> None:
    _answer(desk, "answer")
    _ticket(desk)
    _age(data_dir, "answers", DAYS - 0.1)
    _age(data_dir, "tickets", TICKET_DAYS - 0.1)
    assert not desk.retention.forget()
    assert desk.retention.kept().rows == Counts(1, 1, 1)


def test_a_ticket_is_kept_from_its_last_change_on_and_a_closed_one_from_its_closing(
    desk: Desk, data_dir: Path
) -> None:
    changed, closed, noted = _ticket(desk), _ticket(desk), _ticket(desk)
    for ticket_id in (closed, noted):
        desk.handling.close(STAFF, Seen(ticket_id, 1))
    long_ago = (datetime.now(UTC) - timedelta(days=TICKET_DAYS + 1)).replace(tzinfo=None)
    with closing(sqlite3.connect(data_dir / DESK)) as write, write:
        write.execute("UPDATE tickets SET created_at = ?", (long_ago.isoformat(" "),))
        write.execute(
            "UPDATE tickets SET closed_at = ? WHERE ticket_id = ?", (long_ago.isoformat(" "), noted)
        )
    desk.handling.note(STAFF, Seen(noted, 2), "What is written later keeps none of them.")
    assert desk.retention.forget() == Counts(0, 0, 1)
    left = {changed, closed}
    assert {each.ticket_id for each in desk.queue.page(STAFF, Limits(), 9, None)} == left


def test_messages_and_words_of_a_ticket_go_with_it(desk: Desk, data_dir: Path) -> None:
    ticket_id = _ticket(desk, question="Something else")
    desk.handling.note(STAFF, Seen(ticket_id, 1), MARKER)
    desk.handling.reply(STAFF, Seen(ticket_id, 2), f"{MARKER} again")
    desk.handling.change(STAFF, Seen(ticket_id, 3), {"tags": (MARKER,), "title": MARKER})
    assert _files_with(MARKER, data_dir)
    _age(data_dir, "tickets", TICKET_DAYS + 0.1)
    assert desk.retention.forget() == Counts(0, 0, 1)
    assert _files_with(MARKER, data_dir) == []
    assert _files_with(ticket_id, data_dir), "the audit still tells that there was one"


def test_tickets_without_a_limit_are_kept(data_dir: Path) -> None:
    desk = open_desk("", data_dir, DAYS, 0)
    _ticket(desk)
    _age(data_dir, "tickets", 3650)
    assert not desk.retention.forget()
    desk.close()


@pytest.mark.parametrize("seed", range(3))
def test_letters_that_stayed_behind_where_rows_were_moved_go_too(
    desk: Desk, data_dir: Path, seed: int
) -> None:
    chosen, now = random.Random(seed), datetime.now(UTC)
    expires = {f"{MARKER}-{number:04}": number % 3 > 0 for number in range(1500)}
    row = {"status": "", "strength": "", "language": "", "model": "", "generation": ""}
    with desk.database.writing() as connection:
        for name in chosen.sample(list(expires), len(expires)):
            question = f"{name} " * chosen.choice((1, 2, 5, 20, 300))
            then = now - timedelta(days=DAYS + 1 if expires[name] else 1)
            told = {"answer_id": chosen.randbytes(16).hex(), "created_at": then, "cited": []}
            connection.execute(
                insert(ANSWERS).values(**row, **told, question=question, timings_ms={})
            )
    assert desk.retention.forget().answers == sum(expires.values())
    everything = b"".join(each.read_bytes() for each in data_dir.iterdir())
    left = {name for name in expires if name.encode() in everything}
    assert left == {name for name, gone in expires.items() if not gone}


def test_while_somebody_reads_it_is_not_said_to_be_gone_and_done_next_time(
    desk: Desk, data_dir: Path
) -> None:
    desk.retention.forget()
    _answer(desk, "answer")
    _age(data_dir, "answers", DAYS + 1)
    with closing(sqlite3.connect(data_dir / DESK, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM answers").fetchall()
        with pytest.raises(DeskUnavailable):
            desk.retention.forget()
        reader.execute("ROLLBACK")
    assert not desk.retention.forget()
    assert _files_with(MARKER, data_dir) == []


def _scrubbed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows when a database is written anew."""
    times: list[str] = []
    scrub = Database.scrub
    monkeypatch.setattr(Database, "scrub", lambda self: (times.append("once"), scrub(self)))
    return times


def test_whoever_opens_a_desk_writes_it_anew_only_where_something_was_deleted(
    desk: Desk, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer(desk, "old")
    _answer(desk, "new")
    times = _scrubbed(monkeypatch)
    for expired, scrubbed in ((False, 0), (True, 1), (False, 1)):
        if expired:
            _age(data_dir, "answers", DAYS + 1, "answer_id = 'old'")
        open_desk("", data_dir, DAYS, TICKET_DAYS).close()
        assert len(times) == scrubbed
    assert desk.retention.kept().rows == Counts(1, 1, 0)


@pytest.mark.parametrize("how", ["forget", "erase"])
def test_what_was_deleted_by_somebody_who_was_killed_then_is_scrubbed_by_the_next(
    desk: Desk, data_dir: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    _answer(desk, "answer")
    _ticket(desk, answer_id="answer")
    _age(data_dir, "answers", DAYS + 1)

    class Killed(BaseException):
        pass

    def killed(_: Database) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Database, "scrub", killed)
        with pytest.raises(Killed):
            desk.retention.forget() if how == "forget" else Persons(desk.database).erase(ADA)
    desk.close()
    times = _scrubbed(monkeypatch)
    open_desk("", data_dir, DAYS, TICKET_DAYS).close()
    assert times == ["once"]


def test_a_restore_that_was_killed_before_its_end_leaves_the_rest_to_whoever_is_next(
    desk: Desk,
) -> None:
    desk.database.rebuild(max(known_revisions()), lambda _: None, lambda _: None)
    assert desk.database.scrub_owed()


def test_a_scrub_pays_for_nothing_that_is_deleted_while_it_goes_on(desk: Desk) -> None:
    other = Database("", desk.database.data_dir)
    seen = []

    def vacuumed(statement: str) -> None:
        if statement.startswith("PRAGMA wal_checkpoint") and not seen:
            seen.append(statement)
            with other._transaction(sync="FULL") as connection:
                owe_scrub(connection)

    with closing(desk.database._engine.raw_connection()) as connection:
        connection.set_trace_callback(vacuumed)  # type: ignore[attr-defined]
    with desk.database.writing() as connection:
        owe_scrub(connection)
    with suppress(DeskUnavailable):
        desk.database.scrub()
    assert seen
    assert desk.database.scrub_owed()
    desk.database.scrub()
    assert not desk.database.scrub_owed()


def _run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(command, arguments, input=typed)


def test_one_persons_data_are_written_as_json_that_nobody_else_can_read(
    desk: Desk, tmp_path: Path
) -> None:
    _answer(desk, "hers")
    _answer(desk, "another's")
    ticket_id = _ticket(desk, answer_id="hers")
    other = _ticket(desk, BOB, question=f"Please ask {ADA}")
    desk.handling.note(STAFF, Seen(ticket_id, 1), "She called.")
    desk.handling.reply(STAFF, Seen(ticket_id, 2), "Yes.")
    named = _ticket(desk, BOB)
    desk.handling.note(STAFF, Seen(named, 1), f"Tell {ADA}, too.")
    out = tmp_path / "ada.json"
    result = _run("export", "--address", ADA.lower(), "--out", str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    told = json.loads(out.read_text())
    [ticket] = told["tickets"]
    assert (ticket["ticket_id"], ticket["email"], ticket["question"]) == (ticket_id, ADA, MARKER)
    assert ticket["history"] == [{"role": "user", "text": f"{MARKER}, as I said"}]
    assert "token_sha256" not in ticket
    assert [each["answer_id"] for each in told["answers"]] == ["hers"]
    assert [each["comment"] for each in told["feedback"]] == [MARKER]
    assert [(each["kind"], each["text"]) for each in told["messages"]] == [
        ("note", "She called."),
        ("reply", "Yes."),
    ]
    assert told["mentioned_in"] == [other, named]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = _run("export", "--address", ADA, "--out", str(out))
    assert (again.exit_code, len(again.stderr.splitlines())) == (1, 1)
    assert json.loads(_run("export", "--address", ADA).stdout)["tickets"] == told["tickets"]


def test_one_persons_data_are_erased_under_a_running_server(store: Store, data_dir: Path) -> None:
    with TestClient(app_over(store, data_dir=data_dir)) as client:
        answer_id = client.post("/v1/answers", json={"question": f"Data for {MARKER}?"}).json()[
            "id"
        ]
        told = {"answer_id": answer_id, "helpful": False, "comment": MARKER}
        assert client.post("/v1/feedback", json=told).is_success
        desk: Desk = client.app.state.services.desk  # type: ignore[attr-defined]
        hers = _ticket(desk, answer_id=answer_id)
        desk.handling.reply(STAFF, Seen(hers, 1), f"About {MARKER}")
        other = _ticket(desk, BOB, question=f"Please ask {ADA}")
        assert _files_with(MARKER, data_dir)
        result = _run("erase", "--address", ADA, "--yes")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[0] == "deleted: answers 1, feedback 1, tickets 1"
        assert other in result.stdout
        assert _files_with(MARKER, data_dir) == []
        assert desk.retention.kept().rows == Counts(0, 0, 1)
        # The server goes on.
        assert client.post("/v1/feedback", json=told).status_code == 404
        _ticket(desk)


def test_nothing_is_erased_unless_somebody_says_yes(desk: Desk) -> None:
    _ticket(desk)
    for typed in ("n\n", ""):
        assert _run("erase", "--address", ADA, typed=typed).exit_code == 1
    assert desk.retention.kept().rows.tickets == 1
    assert _run("erase", "--address", ADA, typed="y\n").exit_code == 0
    assert desk.retention.kept().rows.tickets == 0


@pytest.mark.usefixtures("desk")
def test_of_somebody_unknown_nothing_is_kept() -> None:
    assert json.loads(_run("export", "--address", ADA).stdout)["tickets"] == []
    result = _run("erase", "--address", ADA)
    assert (result.exit_code, result.stdout) == (0, "deleted: answers 0, feedback 0, tickets 0\n")


def test_an_operator_sees_what_is_kept_and_that_nothing_has_outlived_its_time(
    desk: Desk, data_dir: Path
) -> None:
    _answer(desk, "old")
    _age(data_dir, "answers", DAYS + 1)
    _answer(desk, "new")
    status = _run("status").stdout
    assert "kept:    answers 2, feedback 2, tickets 0" in status
    assert "expired: answers 1, feedback 1, tickets 0" in status
    forgotten = _run("forget").stdout
    assert "deleted: answers 1, feedback 1, tickets 0" in forgotten
    assert "expired: answers 0, feedback 0, tickets 0" in forgotten
    assert f"oldest answer: {datetime.now(UTC):%Y-%m-%d}" in forgotten
    assert "oldest ticket: none (kept 365 days)" in forgotten


@pytest.mark.parametrize("name", ["export", "erase"])
def test_what_is_no_address_is_told_in_one_line(desk: Desk, name: str) -> None:
    result = _run(name, "--address", MARKER)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("status",), ("forget",), ("export", "--address", ADA)])
def test_without_a_desk_none_is_made(data_dir: Path, arguments: tuple[str, ...]) -> None:
    result = _run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert not data_dir.exists()


def test_a_damaged_desk_is_told_in_one_line(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / DESK).write_text("This is no database, and was never one.")
    process = subprocess.run(
        [sys.executable, "-m", "api.desk", "status"],
        cwd=shelf.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (process.returncode, process.stdout) == (1, "")
    assert len(process.stderr.splitlines()) == 1


def test_a_desk_that_is_locked_is_told_in_one_line(desk: Desk, data_dir: Path) -> None:
    _ticket(desk)
    with closing(sqlite3.connect(data_dir / DESK)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = _run("erase", "--address", ADA, "--yes")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert desk.retention.kept().rows.tickets == 1
