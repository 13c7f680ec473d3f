"""Where a restore puts things, and what it leaves as it is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from backups import filled_desk
from filled import everything, fill

from api.desk.database import Database


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
