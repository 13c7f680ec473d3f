"""A PostgreSQL of the tests' own: started by an ordinary user, on a socket that only it has."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateSchema

from api.desk.desk import open_desk
from api.desk.tables import METADATA

_START_S = 60


class Cluster:
    """A running server, which makes an empty schema for each test.

    A database for each takes 0.1 s where the disk is busy, a schema less than 1 ms.
    """

    def __init__(self, directory: Path) -> None:
        self.url = f"postgresql+psycopg://desk@/postgres?host={directory}"
        self._made = 0
        self._laid = ""
        self._begun: dict[str, list[dict[str, Any]]] = {}

    def fresh(self) -> str:
        """The address of a new schema, as SQLAlchemy writes it."""
        self._made += 1
        name = f"desk_{self._made}"
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.execute(CreateSchema(name))
        engine.dispose()
        return f"{self.url}&options=-csearch_path%3D{name}"

    def laid(self) -> str:
        """The address of a schema with the tables of a desk, holding what a new desk holds.

        All tests have the same one after each other: to make the tables takes 0.3 s, to empty
        them a tenth of it.
        """
        if not self._laid:
            self._laid = self.fresh()
            with tempfile.TemporaryDirectory() as data:
                open_desk(self._laid, Path(data), 30).close()
        engine = create_engine(self._laid)
        with engine.begin() as connection:
            if not self._begun:
                for table in METADATA.sorted_tables:
                    rows = connection.execute(select(table)).mappings()
                    self._begun[table.name] = [dict(row) for row in rows]
            else:
                # Who still holds one of them has not been closed.
                connection.execute(text("SET lock_timeout = '10s'"))
                connection.execute(text(f"TRUNCATE {', '.join(self._begun)}"))
                for table in METADATA.sorted_tables:
                    if rows := self._begun[table.name]:
                        connection.execute(insert(table), rows)
        engine.dispose()
        return self._laid


def program(name: str) -> str | None:
    """Where Debian or anybody else keeps a program of PostgreSQL."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(kept[-1]) if kept else None)


@contextmanager
def running_postgres() -> Iterator[Cluster]:
    """The server; skipped where it is not installed, a failure under NO_SKIPS."""
    if missing := _missing():
        if os.environ.get("NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    # Not below TMPDIR: a socket's path has 107 letters at most, and its user has to get there.
    directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    user = _ordinary(directory)
    data, log = directory / "data", directory / "log"
    make = [program("initdb"), "-D", data, "-U", "desk", "-A", "trust", "-E", "UTF8"]
    serve = [program("postgres"), "-D", data, "-k", directory, "-c", "listen_addresses="]
    try:
        with log.open("wb") as said:
            how: dict[str, Any] = {"stdout": said, "stderr": said, "cwd": directory, **user}
            # Without a locale: machines have different ones.
            made = subprocess.run([*make, "--no-locale", "--no-sync"], **how)
            assert made.returncode == 0, log.read_text()
            server = subprocess.Popen([*serve, "-c", "fsync=off"], **how)
        try:
            cluster = Cluster(directory)
            _wait(cluster, server, log)
            yield cluster
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    finally:
        shutil.rmtree(directory)


def _missing() -> str:
    """What there is no server for; empty: nothing is missing."""
    try:
        # Without its binary it wants a library of the system.
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed"
    return "" if program("initdb") and program("postgres") else "postgresql is not installed"


def _ordinary(directory: Path) -> dict[str, Any]:
    """How to run a program as an ordinary user: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait(cluster: Cluster, server: subprocess.Popen[bytes], log: Path) -> None:
    engine = create_engine(cluster.url)
    until = time.monotonic() + _START_S
    while True:
        try:
            engine.connect().close()
            break
        except OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.05)
    engine.dispose()
