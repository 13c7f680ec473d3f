"""A backup, and the way back: nothing is lost, and nothing is half."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shelf
from actors import STAFF
from backups import (
    ASKED,
    OWN,
    back_up,
    bring_back,
    changed_since,
    filled_desk,
    held,
    of_revision,
    same,
)
from conftest import app_over
from fastapi.testclient import TestClient
from sqlalchemy import inspect
from typer.testing import CliRunner, Result

import api
from api.desk.__main__ import app as desk_command
from api.desk.audit import verify
from api.desk.backup import backup as making
from api.desk.backup import restore as restoring
from api.desk.backup.archive import BadBackup, Reader, writing
from api.desk.backup.rows import Misfit
from api.desk.backup.settling import alone
from api.desk.database import DESK, Database, known_revisions
from api.desk.desk import open_desk
from api.desk.models import Seen
from api.desk.persons import Persons
from api.desk.tables import METADATA
from rag.store import Store
from rag.usage import USAGE


@pytest.mark.parametrize("seed", range(2))
def test_a_backup_brings_back_every_row_of_every_table(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    database = filled_desk(database_url, tmp_path / "data", seed)
    before = held(database)
    assert all(before.values()), "a table without rows proves nothing"
    made = back_up(database, tmp_path / "data", tmp_path / "it.zip")
    assert {each.name: each.rows for each in made.members} == {
        f"desk/{name}.jsonl": len(rows) for name, rows in before.items()
    }
    done = bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    assert (done.audit.broken_at, done.audit.rows) == (None, len(before["audit"]))
    same(before, held(database))
    assert verify(database).broken_at is None
    database.close()


def test_from_sqlite_to_postgresql_and_back_nothing_changes(postgres: Any, tmp_path: Path) -> None:
    own, moved, back = tmp_path / "own", tmp_path / "moved", tmp_path / "back"
    database = filled_desk("", own, seed=7)
    before = held(database)
    back_up(database, own, tmp_path / "first.zip")
    there = Database(postgres.fresh(), moved)
    bring_back(tmp_path / "first.zip", there, moved)
    between = held(there)
    same(before, between)
    back_up(there, moved, tmp_path / "second.zip")
    again = Database("", back)
    bring_back(tmp_path / "second.zip", again, back)
    same(between, held(again))
    assert verify(again).rows == len(before["audit"]) + 2
    for each in (database, there, again):
        each.close()


def test_tables_of_others_are_in_no_backup_and_no_restore_touches_them(
    database_url: str, tmp_path: Path
) -> None:
    database = filled_desk(database_url, tmp_path / "data")
    kind = "BLOB" if database.engine == "sqlite" else "UUID[]"
    with database.writing() as connection:
        # Of a kind that JSON has no word for.
        connection.exec_driver_sql(f"CREATE TABLE theirs (name TEXT PRIMARY KEY, value {kind})")
        connection.exec_driver_sql("INSERT INTO theirs (name) VALUES ('kept')")
    before = held(database)
    made = back_up(database, tmp_path / "data", tmp_path / "it.zip")
    assert "desk/theirs.jsonl" not in {each.name for each in made.members}
    bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    same(before, held(database))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT name FROM theirs").scalar_one() == "kept"
    database.close()


def test_what_another_engine_cannot_take_is_told_and_nothing_changes(
    postgres: Any, tmp_path: Path
) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    database = filled_desk("", own)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE tickets SET question = 'a' || char(0) || 'b'")
    back_up(database, own, tmp_path / "it.zip")
    there = Database(postgres.fresh(), other)
    with pytest.raises(Misfit, match=r"tickets: .* postgresql cannot take"):
        bring_back(tmp_path / "it.zip", there, other)
    assert there.revision() is None
    for each in (database, there):
        each.close()


def test_articles_counts_and_index_come_back_and_are_answered_from_at_once(
    store: Store, tmp_path: Path
) -> None:
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    # Others of these tests ask over the same store, and their answers are counted there.
    shutil.copytree(store.directory, own, ignore=shutil.ignore_patterns(f"{USAGE}*", f"{DESK}*"))
    (own / OWN).parent.mkdir(parents=True)
    (own / OWN).write_text("An article.", encoding="utf-8")
    with TestClient(app_over(Store(own), data_dir=own)) as client:
        said = client.post("/v1/answers", json={"question": "Who decides?"}).json()["text"]
        # While it runs and answers.
        made = back_up(Database("", own), own, tmp_path / "it.zip")
    assert made.generation == shelf.FIRST
    bring_back(tmp_path / "it.zip", Database("", elsewhere), elsewhere)
    assert (elsewhere / OWN).read_text(encoding="utf-8") == "An article."
    assert stat.S_IMODE((elsewhere / DESK).stat().st_mode) == 0o600
    with closing(sqlite3.connect(elsewhere / USAGE)) as counts:
        assert counts.execute("SELECT sum(count) FROM answers").fetchone() == (1,)
    with TestClient(app_over(Store(elsewhere), data_dir=elsewhere)) as client:
        assert client.post("/v1/answers", json={"question": "Who decides?"}).json()["text"] == said
    assert not (elsewhere / ".restore").exists()


def test_without_the_index_the_one_that_is_there_stays(store: Store, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(store.directory, own)
    database = filled_desk("", own)
    made = back_up(database, own, tmp_path / "it.zip", index=False)
    assert made.generation is None
    assert not made.below("index")
    done = bring_back(tmp_path / "it.zip", database, own, replace=True)
    assert Store(own).current() == shelf.FIRST
    assert any("ingest run" in note for note in done.notes)
    database.close()


def test_what_is_written_while_a_backup_is_made_is_in_it_whole_or_not_at_all(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    desk = open_desk(database_url, data, 30)
    desk.tickets.open(ASKED)
    written = making.written

    def meanwhile(connection: Any, table: Any, sink: Any, progress: Any) -> int:
        # Between two tables somebody sends a ticket: it is in neither.
        desk.tickets.open(ASKED)
        return written(connection, table, sink, progress)

    monkeypatch.setattr(making, "written", meanwhile)
    made = back_up(desk.database, data, tmp_path / "it.zip")
    rows = {each.name.removesuffix(".jsonl"): each.rows for each in made.members}
    assert rows["desk/tickets"] == rows["desk/audit"], rows
    monkeypatch.undo()
    bring_back(tmp_path / "it.zip", desk.database, data, replace=True)
    assert verify(desk.database).broken_at is None
    desk.close()


def test_where_the_tables_change_meanwhile_it_is_of_the_revision_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = of_revision("", tmp_path / "old", "0007")

    def meanwhile() -> frozenset[str]:
        # A server of a later version starts.
        Database("", tmp_path / "old").migrate()
        return known_revisions()

    monkeypatch.setattr(making, "known_revisions", meanwhile)
    made = back_up(old, tmp_path / "old", tmp_path / "it.zip")
    assert (made.revision, old.revision()) == ("0007", max(known_revisions()))
    new = Database("", tmp_path / "new")
    bring_back(tmp_path / "it.zip", new, tmp_path / "new")
    assert new.revision() == max(known_revisions())
    new.close()
    old.close()


def test_nobody_else_can_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    database = filled_desk("", tmp_path / "data")
    place = tmp_path / "backups"
    place.mkdir()
    # As a backup that was killed leaves it, and one that runs has it.
    (place / ".old.zip.backup-draft").write_text("ada@clinic.example")
    old = os.umask(0)
    try:
        with writing(place / "running.zip"):
            back_up(database, tmp_path / "data", place / "it.zip")
            assert (place / ".running.zip.backup-draft").exists()
            raise InterruptedError
    except InterruptedError:
        pass
    finally:
        os.umask(old)
    assert [each.name for each in place.iterdir()] == ["it.zip"]
    assert stat.S_IMODE((place / "it.zip").stat().st_mode) == 0o600
    with pytest.raises(BadBackup, match="there already"):
        back_up(database, tmp_path / "data", place / "it.zip")
    database.close()


@pytest.mark.parametrize("revision", sorted(known_revisions()))
def test_a_desk_of_any_earlier_revision_is_backed_up_as_it_is_and_brought_up_to_date(
    tmp_path: Path, revision: str
) -> None:
    _brought_up_to_date("", tmp_path, revision)


@pytest.mark.parametrize("revision", sorted(known_revisions()))
def test_no_revision_has_a_table_that_a_backup_would_take_for_that_of_others(
    tmp_path: Path, revision: str
) -> None:
    database = of_revision("", tmp_path / "data", revision)
    with database.snapshot() as connection:
        there = set(inspect(connection).get_table_names())
    assert there - METADATA.tables.keys() == {"alembic_version"}
    database.close()


@pytest.mark.parametrize("revision", ["0001", "0004"])
def test_one_in_postgresql_is_too(postgres: Any, tmp_path: Path, revision: str) -> None:
    _brought_up_to_date(postgres.fresh(), tmp_path, revision)


def _brought_up_to_date(url: str, tmp_path: Path, revision: str) -> None:
    old = of_revision(url, tmp_path / "old", revision)
    before = held(old)
    assert all(before.values())
    made = back_up(old, tmp_path / "old", tmp_path / "it.zip")
    assert (made.revision, old.revision()) == (revision, revision)
    new = Database("", tmp_path / "new")
    bring_back(tmp_path / "it.zip", new, tmp_path / "new")
    assert new.revision() == max(known_revisions())
    after = held(new)
    for name, rows in before.items():
        if name not in ("audit", "audit_head", "ticket_words"):
            assert len(after[name]) == len(rows), name
    assert [row[0] for row in after["tickets"]] == [row[0] for row in before["tickets"]]
    assert verify(new).broken_at is None
    # And in place, as a server does that starts.
    old.migrate()
    in_place = held(old)
    assert {name: len(rows) for name, rows in in_place.items() if name != "audit"} == {
        name: len(rows) for name, rows in after.items() if name != "audit"
    }
    old.close()
    new.close()


def test_who_was_erased_since_is_erased_again(database_url: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    desk = open_desk(database_url, data, 30)
    kept, _ = desk.tickets.open(replace(ASKED, email="bob@clinic.example"))
    gone, _ = desk.tickets.open(ASKED)
    back_up(desk.database, data, tmp_path / "it.zip")
    Persons(desk.database).erase(ASKED.email)
    done = bring_back(tmp_path / "it.zip", desk.database, data, replace=True)
    assert done.erased == 1
    assert [row[0] for row in held(desk.database)["tickets"]] == [kept.ticket_id]
    assert verify(desk.database).broken_at is None
    # Where nothing tells of it they are back.
    elsewhere = Database("", tmp_path / "elsewhere")
    assert bring_back(tmp_path / "it.zip", elsewhere, tmp_path / "elsewhere").erased == 0
    assert gone.ticket_id in [row[0] for row in held(elsewhere)["tickets"]]
    elsewhere.close()
    desk.close()


def test_a_running_server_goes_on_with_what_was_restored(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with TestClient(app_over(store, data_dir=data)) as client:
        desk = client.app.state.services.desk  # type: ignore[attr-defined]
        ticket, token = desk.tickets.open(ASKED)
        back_up(Database("", data), data, tmp_path / "it.zip")
        desk.handling.reply(STAFF, Seen(ticket.ticket_id, 1), "They do.")
        bring_back(tmp_path / "it.zip", Database("", data), data, replace=True)
        seen = client.get(f"/v1/tickets/{ticket.ticket_id}", params={"token": token}).json()
        assert seen["messages"] == []
        desk.handling.reply(STAFF, Seen(ticket.ticket_id, 1), "They do, again.")


def _damaged(place: Path, how: str) -> None:
    content = place.read_bytes()
    if how == "cut short":
        place.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        place.write_bytes(b"")
    elif how == "nothing of ours":
        with zipfile.ZipFile(place, "w") as other:
            other.writestr("readme.txt", "Hello")
    elif how == "another row":
        with zipfile.ZipFile(place) as old:
            files = {name: old.read(name) for name in old.namelist()}
        files["desk/tickets.jsonl"] += files["desk/tickets.jsonl"].splitlines(keepends=True)[-1]
        with zipfile.ZipFile(place, "w") as new:
            for name, each in files.items():
                new.writestr(name, each)
    else:
        at = content.index(b"desk/tickets.jsonl") + 60
        place.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])


@pytest.mark.parametrize("how", ["cut short", "empty", "nothing of ours", "another row", "one bit"])
def test_a_damaged_backup_changes_nothing(tmp_path: Path, how: str) -> None:
    database = filled_desk("", tmp_path / "data")
    back_up(database, tmp_path / "data", tmp_path / "it.zip")
    _damaged(tmp_path / "it.zip", how)
    before = held(database)
    with pytest.raises(BadBackup) as caught:
        bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    assert "\n" not in str(caught.value)
    assert held(database) == before
    assert not (tmp_path / "data" / ".restore").exists()
    database.close()


def _altered(place: Path, **values: Any) -> None:
    """Have another list of contents, as a program of another version would write it."""
    with zipfile.ZipFile(place) as old:
        files = {name: old.read(name) for name in old.namelist()}
    told = json.loads(files["manifest.json"]) | values
    with zipfile.ZipFile(place, "w") as new:
        for name, each in files.items():
            new.writestr(name, json.dumps(told) if name == "manifest.json" else each)


@pytest.mark.parametrize("values", [{"revision": "9999"}, {"format": 99}])
def test_a_backup_of_a_later_version_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    database = filled_desk("", tmp_path / "data")
    back_up(database, tmp_path / "data", tmp_path / "it.zip")
    _altered(tmp_path / "it.zip", **values)
    with pytest.raises(BadBackup, match="later version"):
        bring_back(tmp_path / "it.zip", Database("", tmp_path / "new"), tmp_path / "new")
    assert not (tmp_path / "new" / DESK).exists()
    database.close()


def test_a_file_that_would_lie_elsewhere_is_refused(tmp_path: Path) -> None:
    database = filled_desk("", tmp_path / "data")
    made = back_up(database, tmp_path / "data", tmp_path / "it.zip")
    for name in ("articles/../../outside.md", "/outside.md", "articles\\..\\outside.md"):
        member = {"name": name, "size": 0, "sha256": "", "rows": None}
        own = [vars(each) for each in made.members]
        _altered(tmp_path / "it.zip", members=[*own, member])
        with pytest.raises(BadBackup, match="cannot be"):
            bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    database.close()


def test_a_backup_is_made_of_one_state_after_a_restore_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, database = changed_since(tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "settle", lambda *_: None)
        patched.setattr(restoring, "take_up", killed)
        with pytest.raises(KeyboardInterrupt):
            bring_back(tmp_path / "it.zip", database, data, replace=True)
    database.close()
    # While another is at it, nobody can tell which state there will be.
    with alone(data):
        refused = _run("backup", tmp_path / "early.zip")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "back up after it" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "early.zip").exists()
    assert _run("backup", tmp_path / "after.zip").exit_code == 0
    assert not list(data.rglob(".restore"))
    with zipfile.ZipFile(tmp_path / "after.zip") as made:
        assert made.read(OWN) == b"Of the backup."


def test_an_index_of_another_format_is_left_out_and_its_cure_told(
    store: Store, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(store.directory, own)
    back_up(filled_desk("", own), own, tmp_path / "it.zip")
    _altered(tmp_path / "it.zip", index_format=2)
    new = tmp_path / "new"
    done = bring_back(tmp_path / "it.zip", Database("", new), new)
    assert Store(new).current() is None
    assert any("format 2" in note and "ingest run" in note for note in done.notes)


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(desk_command, [str(each) for each in arguments])


def test_a_folder_that_is_not_there_is_no_file_to_write(tmp_path: Path) -> None:
    filled_desk("", tmp_path / "data").close()
    made = _run("backup", f"{tmp_path}/nightly/")
    assert made.exit_code == 1
    assert made.stderr.startswith("api.desk: there is no folder")
    assert not (tmp_path / "nightly").exists()


def test_the_commands_say_in_lines_what_they_did(tmp_path: Path) -> None:
    data = tmp_path / "data"
    filled_desk("", data).close()
    folder = tmp_path / "backups"
    folder.mkdir()
    made = _run("backup", folder)
    assert made.exit_code == 0, made.output
    [place] = folder.iterdir()
    assert place.name.startswith("helpdesk-")
    assert str(place) in made.stdout
    assert "tickets 8, answers 8" in made.stdout
    refused = _run("restore", place)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "nothing has changed" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    done = _run("restore", place, "--replace")
    assert done.exit_code == 0, done.output
    assert "erase them again" in done.stdout
    assert _run("verify").exit_code == 0
    for nothing in (("backup", place), ("restore", tmp_path / "nothing.zip")):
        failed = _run(*nothing)
        assert (failed.exit_code, failed.stdout) == (1, "")
        assert len(failed.stderr.splitlines()) == 1


def test_the_manifest_tells_the_versions(tmp_path: Path) -> None:
    database = filled_desk("", tmp_path / "data")
    back_up(database, tmp_path / "data", tmp_path / "it.zip")
    with Reader(tmp_path / "it.zip") as read:
        told = read.manifest
    assert (told.program, told.revision, told.engine) == (
        api.__version__, max(known_revisions()), "sqlite",
    )  # fmt: skip
    assert f'version = "{api.__version__}"' in (shelf.ROOT / "pyproject.toml").read_text()
    database.close()
