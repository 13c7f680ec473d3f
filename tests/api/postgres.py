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
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

_START_S = 60


class Cluster:
    """A running server, which makes an empty database for each test."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory
        self._made = 0

    def url(self, database: str) -> str:
        """The address of a database, as SQLAlchemy writes it."""
        return f"postgresql+psycopg://desk@/{database}?host={self._socket}"

    def fresh(self) -> str:
        """The address of a new database."""
        self._made += 1
        name = f"desk_{self._made}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)


def program(name: str) -> str | None:
    """Where Debian or anybody else keeps a program of PostgreSQL."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(kept[-1]) if kept else None)


@contextmanager
def running_postgres() -> Iterator[Cluster]:
    """The server; skipped where it is not installed, a failure under NO_SKIPS."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        missing = "postgresql is not installed"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    user = _ordinary(directory)
    try:
        data = str(directory / "data")
        _run([initdb, "-D", data, "-U", "desk", "-A", "trust", "-E", "UTF8", "--no-sync"], user)
        options = ["-k", str(directory), "-c", "listen_addresses=", "-c", "fsync=off"]
        server = subprocess.Popen(
            [postgres, "-D", data, *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory, **user,
        )  # fmt: skip
        try:
            cluster = Cluster(directory)
            _wait(cluster, server)
            yield cluster
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)
    finally:
        shutil.rmtree(directory)


def _ordinary(directory: Path) -> dict[str, Any]:
    """How to run a program as an ordinary user: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[str], user: dict[str, Any]) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd="/", **user)


def _wait(cluster: Cluster, server: subprocess.Popen[bytes]) -> None:
    engine = create_engine(cluster.url("postgres"))
    until = time.monotonic() + _START_S
    while True:
        try:
            engine.connect().close()
            break
        except OperationalError:
            assert server.poll() is None, "the server has gone"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.05)
    engine.dispose()
