"""A desk that is filled, backed up and brought back, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shelf
from alembic import command
from alembic.config import Config
from filled import everything, fill

from api.desk.backup.archive import Manifest
from api.desk.backup.backup import Places, make_backup
from api.desk.backup.restore import Restored, restore
from api.desk.database import Database
from api.desk.models import NewTicket

ASKED = NewTicket("Who decides?", (), None, None, "ada@clinic.example", None, None)
OWN = "articles/share/own.md"
"""An article of one's own."""


class Silence:
    """Shows nothing."""

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None


def back_up(database: Database, data_dir: Path, place: Path, *, index: bool = True) -> Manifest:
    return make_backup(database, Places(data_dir, data_dir), place, Silence(), index=index)


def bring_back(
    place: Path, database: Database, data_dir: Path, *, replace: bool = False
) -> Restored:
    return restore(place, database, Places(data_dir, data_dir), Silence(), replace=replace)


def held(database: Database) -> dict[str, Any]:
    with database.snapshot() as connection:
        return everything(connection)


def filled_desk(url: str, data_dir: Path, seed: int = 0, count: int = 8) -> Database:
    database = Database(url, data_dir)
    database.migrate()
    with database.writing() as connection:
        fill(connection, count, seed)
    return database


def changed_since(folder: Path) -> tuple[Path, Database]:
    """A data directory, and its desk, whose own article was changed after `it.zip` was made."""
    data = folder / "data"
    database = filled_desk("", data, count=2)
    (data / OWN).parent.mkdir(parents=True)
    (data / OWN).write_text("Of the backup.")
    back_up(database, data, folder / "it.zip")
    (data / OWN).write_text("Of later.")
    return data, database


def same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The same in all tables, but that the audit tells of one restore more."""
    assert before.keys() == after.keys()
    audit = ("audit", "audit_head")
    assert {k: v for k, v in before.items() if k not in audit} == {
        k: v for k, v in after.items() if k not in audit
    }
    assert after["audit"][: len(before["audit"])] == before["audit"]
    [more] = after["audit"][len(before["audit"]) :]
    assert more[2:4] == ("operator", "restore")


def of_revision(url: str, data_dir: Path, revision: str) -> Database:
    """A desk of an earlier revision, with rows in it."""
    data_dir.mkdir(parents=True)
    database = Database(url, data_dir)
    config = Config()
    config.set_main_option("script_location", str(shelf.ROOT / "api" / "desk" / "migrations"))
    with database._altering() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        fill(connection, 5)
    return database
