"""Data of another version: what an operator sees, and that the cure which is named works."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import shelf
from fastapi.testclient import TestClient
from over import app_over
from problems import problem_of
from served import free_port

from api.desk.database import DESK, Database, _upgrade, known_revisions
from api.desk.doctor import of_desk
from api.settings import ApiSettings
from rag.index_files import INDEX_FORMAT
from rag.store import Store

QUESTION = {"question": "Who decides about access?"}
ASKED = {"question": "May we share old samples?", "email": "ada@clinic.example", "consent": True}


def _aged(store: Store) -> None:
    """Have an index be of the format before."""
    assert INDEX_FORMAT > 1
    name = store.current() or ""
    with closing(sqlite3.connect(store.generations / name / "index.sqlite")) as index, index:
        index.execute("UPDATE meta SET value = ? WHERE key = 'format'", (str(INDEX_FORMAT - 1),))


def _run(data: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=shelf.ROOT, capture_output=True, text=True,
        env={**os.environ, "HELPDESK_DATA_DIR": str(data), **more}, check=False, timeout=120,
    )  # fmt: skip


def test_with_an_index_of_an_earlier_format_all_but_answers_goes_on_and_the_cure_is_told(
    tmp_path: Path,
) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    _aged(store)
    with TestClient(app_over(store, tmp_path), raise_server_exceptions=False) as client:
        told = problem_of(client.get("/readyz"), 503)["detail"]
        assert f"format {INDEX_FORMAT - 1}, this program reads {INDEX_FORMAT}" in told
        assert "python -m ingest run" in told
        assert problem_of(client.post("/v1/answers", json=QUESTION), 503)["detail"] == told
        assert client.post("/v1/tickets", json=ASKED).status_code == 201
        # The new index is taken up without a restart.
        store.write(shelf.SECOND, shelf.contents(shelf.framework()))
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/answers", json=QUESTION).status_code == 200


def test_a_server_that_starts_over_such_an_index_says_so_in_a_line(tmp_path: Path) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    _aged(store)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "api"], cwd=shelf.ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "HELPDESK_DATA_DIR": str(tmp_path), "PORT": str(port)},
    )  # fmt: skip
    assert process.stdout
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "format" in line:
                break
    finally:
        process.kill()
        process.communicate()
    assert "python -m ingest run" in said[-1]
    assert all("Traceback" not in line for line in said)


def test_a_database_of_a_later_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    database = Database("", tmp_path)
    database.migrate()
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    started = _run(tmp_path, "api", PORT=str(free_port()))
    assert started.returncode == 1
    assert "later version" in started.stderr.splitlines()[-1]
    assert Database("", tmp_path).revision() == "9999"
    found = [each.said for each in of_desk(Database("", tmp_path), ApiSettings())
             if each.verdict == "fault"]  # fmt: skip
    assert any("9999" in said and "later version" in said for said in found)
    backup = _run(tmp_path, "api.desk", "backup", str(tmp_path / "it.zip"))
    assert (backup.returncode, len(backup.stderr.splitlines())) == (1, 1)
    assert "later version" in backup.stderr


@pytest.mark.parametrize("revision", sorted(known_revisions())[:-1:4])
def test_the_doctor_tells_that_tables_are_older_and_what_to_do_first(
    tmp_path: Path, revision: str
) -> None:
    database = Database("", tmp_path)
    with database._alone() as connection:
        _upgrade(connection, revision)
    told = [each.said for each in of_desk(database, ApiSettings()) if each.name == "database"]
    assert any(revision in said and "backup FILE" in said for said in told)
    assert database.revision() == revision, "it only looks"
    assert (tmp_path / DESK).exists()
    database.close()
