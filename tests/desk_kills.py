"""Killing whoever writes tickets, changes tables, backs up or restores, at any moment.

A few times in `make test`; more by hand, in SQLite or in an empty schema of another database:

    python tests/desk_kills.py 200 [DATABASE_URL]
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from alembic import command
from alembic.config import Config
from filled import everything, fill
from sqlalchemy import MetaData

from api.desk.audit import verify
from api.desk.backup.archive import Reader
from api.desk.backup.backup import Places, make_backup
from api.desk.backup.restore import restore
from api.desk.backup.settling import finish
from api.desk.database import Database, known_revisions
from api.desk.models import NewTicket
from api.desk.outbox import Outbox
from api.desk.tickets import Tickets
from rag.index_files import INDEX_FORMAT
from rag.store import Store

logging.getLogger("api.desk").addHandler(logging.NullHandler())
ASKED = NewTicket("Who decides?", (), None, None, "ada@clinic.example", None, None)
KINDS = ("ticket", "migration", "backup", "restore")
_ROWS = 40
_OLDEST = "0004"
"""Of the revisions that are brought up to date."""


class Silence:
    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None


class Rounds:
    """Kills one kind of work again and again, and looks what that leaves."""

    def __init__(self, folder: Path, url: str, chance: random.Random):
        self._folder = folder
        self._url = url
        self._chance = chance
        self._within = dict.fromkeys(KINDS, 0.5)
        self.came: Counter[str] = Counter()
        self.faults: list[str] = []

    def once(self, kind: str) -> None:
        """Prepare, kill, look."""
        data = self._folder / "data"
        shutil.rmtree(self._folder, ignore_errors=True)
        data.mkdir(parents=True)
        if self._url:
            self._emptied()
        prepare = getattr(self, f"_{kind}")
        work, look = prepare(data)
        pid = os.fork()
        if pid == 0:
            code = 1
            with suppress(BaseException):
                work()
                code = 0
            os._exit(code)
        time.sleep(self._chance.uniform(0, self._within[kind]))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            self._within[kind] *= 1.05  # so that the end is hit as well
        else:
            self._within[kind] *= 0.8
        if code > 0:
            self.faults.append(f"{kind}: it failed by itself")
        try:
            found = look()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what must not be
            self.faults.append(f"{kind}: {type(error).__name__}: {error}")
            found = "fault"
        self.came[f"{kind}, {'killed' if code < 0 else 'done'}: {found}"] += 1

    def _open(self, data: Path) -> Database:
        return Database(self._url, data)

    def _emptied(self) -> None:
        database = self._open(self._folder)
        with database._transaction() as connection:
            there = MetaData()
            there.reflect(connection)
            there.drop_all(connection)
        database.close()

    def _filled(self, data: Path, seed: int, revision: str = "head") -> dict[str, Any]:
        database = self._open(data)
        config = Config()
        config.set_main_option("script_location", str(ROOT / "api" / "desk" / "migrations"))
        with database._alone() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            fill(connection, _ROWS, seed)
        with database.snapshot() as connection:
            there = everything(connection)
        database.close()
        return there

    def _now(self, data: Path) -> dict[str, Any]:
        """What a server finds that starts."""
        database = self._open(data)
        database.migrate()
        finish(database, Places(data, data))
        with database.snapshot() as connection:
            there = everything(connection)
        assert database.damage() is None
        assert verify(database).broken_at is None
        database.close()
        return there

    def _ticket(self, data: Path) -> tuple[Callable[[], None], Callable[[], str]]:
        self._filled(data, 0)
        given = data / "given"

        def work() -> None:
            database = self._open(data)
            tickets = Tickets(database, Outbox(database))
            with given.open("a") as told:
                for _ in range(30):
                    ticket, _ = tickets.open(ASKED)
                    # The link is given from here on.
                    told.write(f"{ticket.ticket_id}\n")
                    told.flush()

        def look() -> str:
            told = given.read_text().split() if given.exists() else []
            there = {row[0] for row in self._now(data)["tickets"]}
            lost = set(told) - there
            assert not lost, f"{len(lost)} tickets lost"
            return "every ticket whose link was given is there"

        return work, look

    def _migration(self, data: Path) -> tuple[Callable[[], None], Callable[[], str]]:
        before = self._filled(data, 1, _OLDEST)

        def look() -> str:
            database = self._open(data)
            found = database.revision()
            database.close()
            assert found in (_OLDEST, max(known_revisions())), found
            after = self._now(data)
            for name, rows in before.items():
                assert [row[:3] for row in after[name]] == [row[:3] for row in rows], name
            return f"left at {'the first' if found == _OLDEST else 'the last'} revision, then done"

        return lambda: self._open(data).migrate(), look

    def _backup(self, data: Path) -> tuple[Callable[[], None], Callable[[], str]]:
        before, place = self._filled(data, 2), self._folder / "it.zip"
        again = self._folder / "again.zip"

        def work() -> None:
            make_backup(self._open(data), Places(data, data), place, Silence())

        def look() -> str:
            found = "no file"
            if place.exists():
                with Reader(place) as read:
                    read.check(lambda _: None)
                found = "a whole file"
            make_backup(self._open(data), Places(data, data), again, Silence())
            assert not list(self._folder.glob(".*")), "a draft was left"
            assert self._now(data) == before
            return found

        return work, look

    def _restore(self, data: Path) -> tuple[Callable[[], None], Callable[[], str]]:
        old = self._filled(data, 3)
        self._files(data, "old")
        make_backup(self._open(data), Places(data, data), self._folder / "it.zip", Silence())
        if self._url:
            self._emptied()
        shutil.rmtree(data)
        data.mkdir()
        new = self._filled(data, 4)
        self._files(data, "new")

        def work() -> None:
            place = self._folder / "it.zip"
            restore(place, self._open(data), Places(data, data), Silence(), replace=True)

        def look() -> str:
            there = self._now(data)
            told = [row for row in there["audit"] if row[3] == "restore"]
            wanted, files = (old, "old") if told else (new, "new")
            for name, rows in wanted.items():
                if name not in ("audit", "audit_head"):
                    assert there[name] == rows, f"{name} is of neither"
            assert (data / "articles" / "own.md").read_text() == files, "articles are of neither"
            assert Store(data).current() == f"2026-{files}", "the index is of neither"
            assert not (data / ".restore").exists()
            return "the state of the backup" if told else "the state before"

        return work, look

    def _files(self, data: Path, name: str) -> None:
        (data / "articles").mkdir()
        (data / "articles" / "own.md").write_text(name)
        folder = data / "generations" / f"2026-{name}"
        folder.mkdir(parents=True)
        (folder / "large.npy").write_bytes(os.urandom(3_000_000))
        with closing(sqlite3.connect(folder / "index.sqlite")) as index, index:
            index.execute("CREATE TABLE meta (key TEXT, value TEXT)")
            index.execute("INSERT INTO meta VALUES ('format', ?)", (str(INDEX_FORMAT),))
        Store(data).use(f"2026-{name}")


def kill(
    times: int,
    folder: Path,
    url: str = "",
    seed: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> Rounds:
    """Kill each kind of work that many times.

    Args:
        times: Kills of each.
        folder: To work in; it is emptied.
        url: Of an empty database; empty: SQLite.
        seed: Of the moments.
        tell: Called with how many of each are done.
    """
    rounds = Rounds(folder, url, random.Random(seed))
    for count in range(times):
        for kind in KINDS:
            rounds.once(kind)
        tell(count + 1)
    return rounds


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        own = sys.argv[2] if len(sys.argv) > 2 else ""
        done = kill(
            int(sys.argv[1]), Path(place) / "work", own, seed=int(time.time()),
            tell=lambda count: print(f"\r{count} of each", end="", file=sys.stderr, flush=True),
        )  # fmt: skip
        print(file=sys.stderr)
        for found, count in sorted(done.came.items()):
            print(f"{count:5} {found}")
        print(f"{time.monotonic() - started:.0f} s; faults: {done.faults or 'none'}")
        sys.exit(bool(done.faults))
