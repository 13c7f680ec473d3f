"""Where a restore puts things, and what it leaves as it is."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
import shelf
from backups import OWN, back_up, bring_back, filled_desk
from filled import everything, fill

from api.desk.backup import restore as restoring
from api.desk.backup.backup import Places
from api.desk.backup.rows import Misfit
from api.desk.backup.settling import finish
from api.desk.database import Database
from rag.store import Store


class Killed(BaseException):
    """Nobody catches it, and nothing is tidied up."""


def test_a_file_of_sqlite_is_for_its_owner_alone_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.sqlite"
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{file}", tmp_path / "data")
        database.migrate()
        with database.writing() as connection:
            fill(connection, 1)
            found = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("e*")}
    finally:
        os.umask(before)
    assert set(found.values()) == {0o600}, found
    database.close()


def test_a_file_put_in_its_place_is_written_into_whatever_its_name(tmp_path: Path) -> None:
    file, other = tmp_path / "elsewhere.sqlite", tmp_path / "other.sqlite"
    database = filled_desk(f"sqlite:///{file}", tmp_path / "data", count=1)
    anew = Database(f"sqlite:///{other}", tmp_path / "data")
    anew.migrate()
    anew.close()
    for tail in ("-wal", "-shm"):
        (tmp_path / f"{file.name}{tail}").unlink()
    other.replace(file)
    with database.writing() as connection:
        assert not any(
            rows for name, rows in everything(connection).items() if name != "audit_head"
        ), "it is the new one, which is empty"
    database.close()


def _with_an_index(store: Store, tmp_path: Path) -> tuple[Database, Path]:
    """A desk beside an index, and a backup of them; returns the file that the index reads first."""
    data = tmp_path / "data"
    shutil.copytree(store.directory, data)
    database = filled_desk("", data, count=2)
    (data / OWN).parent.mkdir(parents=True)
    (data / OWN).write_text("Of the backup.")
    back_up(database, data, tmp_path / "it.zip")
    (data / OWN).write_text("Of later.")
    return database, data / "generations" / shelf.FIRST / "index.sqlite"


def test_an_index_that_is_there_whole_is_left_to_those_who_read_it(
    store: Store, tmp_path: Path
) -> None:
    database, file = _with_an_index(store, tmp_path)
    # As it is when somebody has looked after the vectors.
    (file.parent / "chroma" / "chroma.sqlite3").open("ab").write(b"\0" * 512)
    before = (file.parent.stat().st_ino, file.stat().st_ino)
    bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    assert (file.parent.stat().st_ino, file.stat().st_ino) == before
    assert not (tmp_path / "data" / "generations" / ".restore").exists()
    database.close()


@pytest.mark.parametrize("missing", [True, False])
def test_an_index_that_is_not_whole_is_replaced(
    store: Store, tmp_path: Path, missing: bool
) -> None:
    database, file = _with_an_index(store, tmp_path)
    whole = file.read_bytes()
    if missing:
        file.unlink()
    else:
        file.write_bytes(whole[:-1] + b"\xa5")
    bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    assert file.read_bytes() == whole
    assert Store(tmp_path / "data").current() == shelf.FIRST
    assert not (tmp_path / "data" / "generations" / ".restore").exists()
    database.close()


@pytest.mark.parametrize("step", range(4))
def test_killed_between_any_two_steps_the_index_in_use_is_there_after_the_next_start(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    database, file = _with_an_index(store, tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\xa5")
    rename, left = Path.rename, [step]

    def renamed(*arguments: Any) -> Path:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return rename(*arguments)

    take_up = restoring.take_up

    def killed(*arguments: Any) -> None:
        patched.setattr(Path, "rename", renamed)
        take_up(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "settle", lambda *_: None)
        patched.setattr(restoring, "take_up", killed)
        with pytest.raises(Killed):
            bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    Store(tmp_path / "data").prune()  # as an ingest does
    finish(database, Places(tmp_path / "data", tmp_path / "data"))
    assert Store(tmp_path / "data").current() == shelf.FIRST
    assert file.read_bytes() == whole
    assert (tmp_path / "data" / OWN).read_text() == "Of the backup."
    assert not list((tmp_path / "data").rglob(".restore"))
    database.close()


def test_one_that_fails_leaves_even_a_damaged_index_as_it_was(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, file = _with_an_index(store, tmp_path)
    file.write_bytes(b"damaged")

    def failing(*_: object) -> int:
        raise Misfit("tickets: its rows are not those of its revision")

    monkeypatch.setattr(restoring, "stored", failing)
    with pytest.raises(Misfit):
        bring_back(tmp_path / "it.zip", database, tmp_path / "data", replace=True)
    assert file.read_bytes() == b"damaged"
    assert not list((tmp_path / "data" / "generations").glob(".*"))
    database.close()
