"""The desk's database: its tables, how it is opened, and many at once."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import shelf
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import app_over
from fastapi.testclient import TestClient
from served import start
from sqlalchemy import create_engine

from api.desk.database import DESK, Database, DeskUnavailable
from api.desk.desk import Desk, open_desk
from api.desk.models import NewTicket
from api.desk.retention import Counts
from api.desk.tables import METADATA
from rag.errors import BadSetting
from rag.models import Answer
from rag.store import Store

ASKED = NewTicket("Who decides?", (), None, None, "a@b.example", None, None)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = open_desk("", tmp_path, 30)
    yield opened
    opened.close()


def _read(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as read:
        return read.execute(query).fetchall()


def test_the_revisions_make_the_tables_that_the_code_knows(desk: Desk, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / DESK}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()
    made = {name for (name,) in _read(tmp_path / DESK, "SELECT name FROM sqlite_master")}
    assert {index.name for table in METADATA.tables.values() for index in table.indexes} <= made


def test_sqlite_writes_ahead_and_minds_foreign_keys(desk: Desk, tmp_path: Path) -> None:
    desk.tickets.open(ASKED)
    assert _read(tmp_path / DESK, "PRAGMA journal_mode") == [("wal",)]
    database = Database("", tmp_path)
    with database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
    with database.writing(durable=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    database.close()


def test_what_raises_is_not_kept(desk: Desk, tmp_path: Path) -> None:
    database = Database("", tmp_path)

    def spoil() -> None:
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
            connection.exec_driver_sql("DELETE FROM nothing")

    with pytest.raises(DeskUnavailable):
        spoil()
    database.close()
    assert len(_read(tmp_path / DESK, "SELECT * FROM alembic_version")) == 1


def test_servers_that_start_together_make_the_tables_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from api.desk.desk import open_desk;"
        "sys.stdin.readline(); open_desk('', Path(sys.argv[1]), 30)"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=shelf.ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    time.sleep(1)
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("\n")
        worker.stdin.flush()
    told = [(worker.communicate(timeout=60)[1], worker.returncode) for worker in workers]
    assert told == [("", 0)] * 4


def test_a_migration_that_is_cut_short_leaves_nothing_and_is_done_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic.operations import Operations

    def cut(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(Operations, "create_index", cut, raising=False)
        with pytest.raises(DeskUnavailable):
            Database("", tmp_path).migrate()
    assert _read(tmp_path / DESK, "SELECT name FROM sqlite_master WHERE name = 'answers'") == []
    open_desk("", tmp_path, 30).close()
    assert _read(tmp_path / DESK, "SELECT * FROM answers") == []


HEAD = ScriptDirectory(str(shelf.ROOT / "api" / "desk" / "migrations")).get_current_head()
_REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{head}"

def upgrade():
    {change}
"""
_COPIES = """with op.batch_alter_table("answers") as batch:
        batch.alter_column("model", type_=sa.String(200))"""
_LOSES = 'op.execute("DELETE FROM answers")'


@pytest.fixture
def revised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Adds a revision that makes a change."""

    def revise(change: str) -> None:
        copied = shutil.copytree(
            shelf.ROOT / "api" / "desk" / "migrations", tmp_path / "migrations"
        )
        (copied / "versions" / "next.py").write_text(_REVISION.format(head=HEAD, change=change))
        monkeypatch.setattr("api.desk.database._MIGRATIONS", copied)

    return revise


def _rated(desk: Desk) -> None:
    answer = Answer(id="answer", status="answered", language="en", text="…")
    desk.conversations.remember(answer, None, "generation")
    assert desk.conversations.rate(answer.id, True, None)


def test_a_table_that_is_copied_to_be_changed_takes_no_feedback_with_it(
    desk: Desk, tmp_path: Path, revised: Callable[[str], None]
) -> None:
    _rated(desk)
    desk.close()
    revised(_COPIES)
    again = open_desk("", tmp_path, 30)
    assert _read(tmp_path / DESK, "SELECT version_num FROM alembic_version") == [("next",)]
    assert _read(tmp_path / DESK, "SELECT answer_id FROM feedback") == [("answer",)]
    # On the connection that altered the tables, too, foreign keys are minded from then on.
    with again.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM answers")
    assert _read(tmp_path / DESK, "SELECT * FROM feedback") == []
    again.close()


def test_a_migration_that_leaves_rows_without_what_they_refer_to_is_not_kept(
    desk: Desk, tmp_path: Path, revised: Callable[[str], None]
) -> None:
    _rated(desk)
    revised(_LOSES)
    with pytest.raises(DeskUnavailable, match="rows would be lost"):
        open_desk("", tmp_path, 30)
    assert _read(tmp_path / DESK, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert _read(tmp_path / DESK, "SELECT answer_id FROM answers") == [("answer",)]
    assert _read(tmp_path / DESK, "SELECT answer_id FROM feedback") == [("answer",)]


def test_many_at_once_are_all_noted(desk: Desk, tmp_path: Path) -> None:
    def work(number: int) -> bool:
        answer = Answer(id=f"answer-{number}", status="answered", language="en", text="…")
        desk.conversations.remember(answer, None, "generation")
        desk.tickets.open(ASKED)
        return desk.conversations.rate(answer.id, True, None) and desk.conversations.rate(
            "answer-0", bool(number % 2), None
        )

    work(0)
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(1, 100)))
    for table, count in (("answers", 100), ("feedback", 100), ("tickets", 100)):
        assert _read(tmp_path / DESK, f"SELECT count(*) FROM {table}") == [(count,)]  # noqa: S608


def test_what_has_expired_is_deleted_though_nobody_asks_and_it_failed_before(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.desk.desk.FORGET_EVERY_S", 0.05)
    app = app_over(store, data_dir=tmp_path)
    desk: Desk = app.state.services.desk
    forget, tried = desk.retention.forget, []

    def fails_at_first() -> Counts:
        tried.append("once")
        if len(tried) == 1:
            raise DeskUnavailable("not now")
        return forget()

    monkeypatch.setattr(desk.retention, "forget", fails_at_first)
    with TestClient(app):
        _rated(desk)
        with closing(sqlite3.connect(tmp_path / DESK)) as write, write:
            write.execute("UPDATE answers SET created_at = '2020-01-01 00:00:00.000000'")
        until = time.monotonic() + 10
        while _read(tmp_path / DESK, "SELECT 1 FROM answers") and time.monotonic() < until:
            time.sleep(0.02)
        assert _read(tmp_path / DESK, "SELECT 1 FROM feedback") == []
    assert "DeskUnavailable" in caplog.text
    ended = len(tried)
    time.sleep(0.2)
    assert len(tried) == ended, "the server has gone, and its task with it"


def test_a_database_in_another_place_is_used(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    desk = open_desk(f"sqlite:///{other}", tmp_path, 30)
    desk.tickets.open(ASKED)
    desk.close()
    assert not (tmp_path / DESK).exists()
    assert _read(other, "SELECT count(*) FROM tickets") == [(1,)]


@pytest.mark.parametrize(
    "url", ["nonsense", "nobodys://u:secret@h/d", "postgresql+nobodys://u:secret@h/d", "://"]
)
def test_a_url_that_names_no_database_is_told_without_its_password(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSetting, match="DESK__DATABASE_URL") as caught:
        open_desk(url, tmp_path, 30)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_told_when_the_server_starts(tmp_path: Path) -> None:
    (tmp_path / DESK).write_text("Once upon a time there was a database. " * 100)
    process = start(shelf.ROOT, tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "desk" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_database_of_a_later_version_is_told(desk: Desk, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DESK)) as write, write:
        write.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DeskUnavailable, match="later version"):
        open_desk("", tmp_path, 30)


def test_a_staff_token_that_is_too_short_stops_the_server_with_a_line(tmp_path: Path) -> None:
    process = start(shelf.ROOT, tmp_path, HELPDESK_STAFF_TOKEN="short")  # noqa: S106
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "STAFF_TOKEN" in err
    assert "short" not in err


def test_a_ticket_is_not_taken_where_the_file_has_gone(desk: Desk, tmp_path: Path) -> None:
    desk.tickets.open(ASKED)
    aside = tmp_path / "aside"
    aside.mkdir()
    for file in tmp_path.glob(f"{DESK}*"):
        file.rename(aside / file.name)
    with pytest.raises(DeskUnavailable):
        desk.tickets.open(ASKED)
    for file in aside.iterdir():
        file.rename(tmp_path / file.name)
    desk.tickets.open(ASKED)
    assert _read(tmp_path / DESK, "SELECT count(*) FROM tickets") == [(2,)]


def test_a_backup_put_in_place_of_the_file_is_taken_up(desk: Desk, tmp_path: Path) -> None:
    desk.tickets.open(ASKED)
    with (
        closing(sqlite3.connect(tmp_path / DESK)) as now,
        closing(sqlite3.connect(tmp_path / "copy")) as copy,
    ):
        now.backup(copy)
    desk.tickets.open(ASKED)
    for file in tmp_path.glob(f"{DESK}*"):
        file.unlink()
    (tmp_path / "copy").rename(tmp_path / DESK)
    desk.tickets.open(ASKED)
    assert _read(tmp_path / DESK, "SELECT count(*) FROM tickets") == [(2,)]
