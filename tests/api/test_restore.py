"""Where a restore puts things, and what it leaves as it is."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
import shelf
from backups import (
    ASKED,
    OWN,
    Silence,
    back_up,
    bring_back,
    changed_since,
    filled_desk,
    held,
    of_revision,
    same,
)  # fmt: skip
from filled import everything, fill

from api.desk.backup import restore as restoring
from api.desk.backup.backup import Places, make_backup
from api.desk.backup.restore import restore
from api.desk.backup.rows import Misfit
from api.desk.backup.settling import RestoreRefused, finish
from api.desk.database import DESK, Database, DeskUnavailable
from api.desk.desk import open_desk
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


def _damaged_desk(tmp_path: Path, url: str = "") -> tuple[Path, Path]:
    """A desk whose file is damaged, and a backup of it; returns the data directory and the file."""
    data = tmp_path / "data"
    database = filled_desk(url, data, count=100)
    (data / OWN).parent.mkdir(parents=True)
    (data / OWN).write_text("Of the backup.")
    back_up(database, data, tmp_path / "it.zip")
    (data / OWN).write_text("Of later.")
    file = database.file
    assert file
    database.close()
    with file.open("r+b") as spoilt:
        # All but what tells of the tables: it can be opened, and the audit asked.
        spoilt.seek(4096 * 60)
        spoilt.write(b"\xa5" * 4096 * 20)
    return data, file


def test_after_a_damaged_database_the_new_one_tells_whether_the_restore_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _ = _damaged_desk(tmp_path)
    database = Database("", data)

    def failing(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(restoring, "take_up", failing)
    with pytest.raises(OSError, match="full"):
        bring_back(tmp_path / "it.zip", database, data, replace=True)
    # The database is that of the backup; so has to be the rest.
    assert database.damage() is None
    assert (data / OWN).read_text() == "Of the backup."
    assert not list(data.rglob(".restore"))
    database.close()


def test_where_a_damaged_database_was_replaced_nothing_of_it_is_left_to_scrub(
    tmp_path: Path,
) -> None:
    data, _ = _damaged_desk(tmp_path)
    database = Database("", data)
    done = bring_back(tmp_path / "it.zip", database, data, replace=True)
    assert not any("bytes" in note for note in done.notes)
    database.close()


def test_a_damaged_database_is_for_its_owner_alone_while_it_is_copied_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, file = _damaged_desk(tmp_path)
    copy, seen = shutil.copyfile, []

    def copied(source: Path, place: Path, **options: Any) -> Path:
        seen.append(stat.S_IMODE(place.stat().st_mode) if place.exists() else None)
        return copy(source, place, **options)

    monkeypatch.setattr(shutil, "copyfile", copied)
    bring_back(tmp_path / "it.zip", Database("", data), data, replace=True)
    assert seen == [0o600]
    assert {stat.S_IMODE(each.stat().st_mode) for each in data.glob(f"{file.name}*")} == {0o600}


def test_a_damaged_database_on_another_disk_is_replaced_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    url = f"sqlite:///{other / 'own.sqlite'}"
    data, file = _damaged_desk(tmp_path, url)
    move = os.replace

    def moved(source: Path, place: Path) -> None:
        if Path(source).is_relative_to(data) != Path(place).is_relative_to(data):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        move(source, place)

    monkeypatch.setattr(os, "replace", moved)
    database = Database(url, data)
    bring_back(tmp_path / "it.zip", database, data, replace=True)
    assert database.damage() is None
    assert [each.name for each in other.glob("own.sqlite.damaged-*")]
    assert not list(tmp_path.rglob(".restore"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    database.close()


def _disks(monkeypatch: pytest.MonkeyPatch, free: dict[Path, int]) -> None:
    """Have each of some folders be a disk of its own, with so many bytes free."""
    names = list(free)

    class Use:
        def __init__(self, folder: Path):
            self.free = free[folder]

    monkeypatch.setattr(restoring, "_disk", names.index)
    monkeypatch.setattr(shutil, "disk_usage", Use)


def test_room_is_wanted_where_each_part_goes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, index, desk = tmp_path / "data", tmp_path / "index", tmp_path / "desk"
    desk.mkdir()
    shutil.copytree(store.directory, index)
    url = f"sqlite:///{desk / 'own.sqlite'}"
    database, places = filled_desk(url, data, count=2), Places(data, index)
    made = make_backup(database, places, tmp_path / "it.zip", Silence())
    size = {name: sum(each.size for each in made.below(name)) for name in ("desk", "index")}
    fits = {data: 0, index: size["index"], desk: 2 * size["desk"]}
    for folder in (index, desk):
        with monkeypatch.context() as patched:
            _disks(patched, fits | {folder: fits[folder] - 1})
            with pytest.raises(RestoreRefused, match=rf"needed in {folder},"):
                restore(tmp_path / "it.zip", database, places, Silence(), replace=True)
    _disks(monkeypatch, fits)
    restore(tmp_path / "it.zip", database, places, Silence(), replace=True)
    database.close()


def test_a_database_elsewhere_wants_no_room_here(
    postgres: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    database = filled_desk(postgres.fresh(), data, count=2)
    back_up(database, data, tmp_path / "it.zip")
    _disks(monkeypatch, {data: 0})
    bring_back(tmp_path / "it.zip", database, data, replace=True)
    database.close()


def test_what_is_there_is_not_replaced_unless_somebody_says_so(tmp_path: Path) -> None:
    source = filled_desk("", tmp_path / "source")
    back_up(source, tmp_path / "source", tmp_path / "it.zip")
    other = tmp_path / "other"
    desk = open_desk("", other, 30)
    ticket, _ = desk.tickets.open(ASKED)
    (other / OWN).parent.mkdir(parents=True)
    (other / OWN).write_text("Mine.")
    before = held(desk.database)
    with pytest.raises(RestoreRefused, match=r"1 tickets.*1 articles.*--replace"):
        bring_back(tmp_path / "it.zip", desk.database, other)
    assert held(desk.database) == before
    bring_back(tmp_path / "it.zip", desk.database, other, replace=True)
    assert not (other / OWN).exists(), "it is not in the backup"
    assert ticket.ticket_id not in json.dumps(held(desk.database), default=str)
    found = [each.name for each in other.rglob("*") if each.is_file()
             and ASKED.email.encode() in each.read_bytes()]  # fmt: skip
    assert found == [], "the bytes of what was replaced are gone"
    desk.close()
    source.close()


def test_a_damaged_database_is_kept_aside_and_replaced(tmp_path: Path) -> None:
    data = tmp_path / "data"
    database = filled_desk("", data, count=200)
    before = held(database)
    back_up(database, data, tmp_path / "it.zip")
    database.close()
    with (data / DESK).open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xa5" * 4096 * 3)
    damaged = (data / DESK).read_bytes()
    with pytest.raises(RestoreRefused, match=r"damaged.*--replace"):
        bring_back(tmp_path / "it.zip", Database("", data), data)
    done = bring_back(tmp_path / "it.zip", Database("", data), data, replace=True)
    again = Database("", data)
    same(before, held(again))
    [aside] = data.glob(f"{DESK}.damaged-*Z")
    assert aside.read_bytes() == damaged
    assert any(str(aside) in note for note in done.notes)
    assert stat.S_IMODE((data / DESK).stat().st_mode) == 0o600
    again.close()


def test_one_that_fails_midway_leaves_all_as_it_was(
    database_url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(store.directory, data, dirs_exist_ok=True)
    database = filled_desk(database_url, data, seed=1)
    back_up(database, data, tmp_path / "it.zip")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE tickets SET question = 'Another'")
    before = held(database)

    def failing(*_: object) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(restoring, "stored", failing)
    with pytest.raises((OSError, DeskUnavailable)):
        bring_back(tmp_path / "it.zip", database, data, replace=True)
    assert held(database) == before
    assert not (data / ".restore").exists()
    database.close()


@pytest.mark.parametrize("counts", [True, False])
def test_one_that_was_killed_is_brought_to_its_end_or_taken_back_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: bool
) -> None:
    data, database = changed_since(tmp_path)

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        # As it is found after a kill: nothing is tidied up.
        patched.setattr(restoring, "settle", lambda *_: None)
        if counts:
            patched.setattr(restoring, "take_up", killed)
        else:
            patched.setattr(restoring._Restoring, "_commit", killed)
        with pytest.raises(Killed):
            bring_back(tmp_path / "it.zip", database, data, replace=True)
    assert (data / ".restore" / "pending.json").exists()
    assert (data / OWN).read_text() == "Of later."
    finish(database, Places(data, data))
    assert (data / OWN).read_text() == ("Of the backup." if counts else "Of later.")
    assert not (data / ".restore").exists()
    assert ("restore" in [row[3] for row in held(database)["audit"]]) is counts
    database.close()


def test_a_restore_over_an_early_revision_that_was_killed_is_taken_back_without_an_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = of_revision("", tmp_path / "old", "0001")
    back_up(old, tmp_path / "old", tmp_path / "it.zip")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "settle", lambda *_: None)
        patched.setattr(restoring._Restoring, "_commit", killed)
        with pytest.raises(KeyboardInterrupt):
            bring_back(tmp_path / "it.zip", old, tmp_path / "old", replace=True)
    finish(old, Places(tmp_path / "old", tmp_path / "old"))
    assert not list(tmp_path.rglob(".restore"))
    assert old.revision() == "0001"
    old.close()
