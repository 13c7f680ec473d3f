"""Pages of SQLite files that rot, one file after the other: a clear state, and a cure."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import shelf
from fakes import HashingEmbedder
from fastapi.testclient import TestClient
from over import app_over
from problems import problem_of

from api.desk.backup.backup import Places, make_backup
from api.desk.backup.restore import restore
from api.desk.backup_commands import Bars
from api.desk.database import DESK, Database
from api.desk.doctor import of_desk
from api.settings import ApiSettings
from ingest.cache import EmbeddingCache
from rag.store import Store
from rag.usage import USAGE

QUESTION = {"question": "Who decides about access?"}
ASKED = {"question": "May we share old samples?", "email": "ada@clinic.example", "consent": True}
_PAGE = 4096


def _rot(file: Path, first: int, count: int = 10_000) -> None:
    """Overwrite pages, from one on to the last."""
    size = file.stat().st_size // _PAGE
    with file.open("r+b") as spoilt:
        for page in range(first, min(size, first + count)):
            spoilt.seek(page * _PAGE)
            spoilt.write(b"\xa5" * _PAGE)


def _faults(database: Database) -> str:
    return " ".join(
        each.said for each in of_desk(database, ApiSettings()) if each.verdict == "fault"
    )


def test_a_rotten_desk_leaves_answers_alone_and_a_backup_heals_it_under_the_running_server(
    store: Store, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    app = app_over(store, data)
    with TestClient(app, raise_server_exceptions=False) as client:
        ticket = client.post("/v1/tickets", json=ASKED).json()["ticket"]["id"]
        database = Database("", data)
        places = Places(data, data)
        make_backup(database, places, tmp_path / "it.zip", Bars())
        app.state.services.desk.database.scrub()  # all of it is in the file
        app.state.services.desk.close()
        database.close()
        _rot(data / DESK, 2)

        assert client.post("/v1/answers", json=QUESTION).status_code == 200
        problem_of(client.post("/v1/tickets", json=ASKED), 503)
        assert "restore FILE --replace" in _faults(Database("", data))

        restore(tmp_path / "it.zip", Database("", data), places, Bars(), replace=True)
        assert client.post("/v1/tickets", json=ASKED).status_code == 201
        with closing(sqlite3.connect(data / DESK)) as desk:
            ids = [row[0] for row in desk.execute("SELECT ticket_id FROM tickets")]
        assert (ticket in ids, len(ids)) == (True, 2)
        assert "damaged" not in _faults(Database("", data))


def test_a_server_does_not_start_over_what_is_no_database_and_names_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / DESK).write_bytes(b"\xa5" * _PAGE * 4)
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path))
    started, asked = (
        subprocess.run(
            [sys.executable, "-m", *module], cwd=shelf.ROOT, capture_output=True, text=True,
            check=False,
        )
        for module in (("api",), ("api.desk", "doctor"))
    )  # fmt: skip
    assert started.returncode == 1
    assert "python -m api.desk doctor" in started.stderr.splitlines()[-1]
    assert asked.returncode == 1
    assert "damaged" in asked.stdout
    assert "restore FILE --replace" in asked.stdout


def test_a_rotten_index_is_told_and_the_one_before_answers_when_somebody_goes_back(
    tmp_path: Path,
) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    with TestClient(app_over(store, tmp_path), raise_server_exceptions=False) as client:
        assert client.post("/v1/answers", json=QUESTION).status_code == 200
    shutil.copytree(store.generations / shelf.FIRST, store.generations / shelf.SECOND)
    store.use(shelf.SECOND)
    _rot(store.generations / shelf.SECOND / "index.sqlite", 1)
    with TestClient(app_over(store, tmp_path), raise_server_exceptions=False) as client:
        assert "ingest rollback" in problem_of(client.get("/readyz"), 503)["detail"]
        assert "damaged" in problem_of(client.post("/v1/answers", json=QUESTION), 503)["detail"]
        # Tickets are taken all the same.
        assert client.post("/v1/tickets", json=ASKED).status_code == 201
        store.use(shelf.FIRST)  # as the command does
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/answers", json=QUESTION).status_code == 200


def test_pages_that_rot_under_a_running_server_end_in_a_line_and_no_error_of_ours(
    tmp_path: Path,
) -> None:
    store = shelf.written(tmp_path, shelf.framework())
    with TestClient(app_over(store, tmp_path), raise_server_exceptions=False) as client:
        serving = client.app.state.services.index.answerer().generation  # type: ignore[attr-defined]
        _rot(store.generations / shelf.FIRST / "index.sqlite", 1)
        # What is parsed already would answer from memory.
        serving._chunks_read.clear()
        serving._documents_read.clear()
        with serving._file._lock:
            serving._file._database.execute("PRAGMA shrink_memory")
        told = client.get("/v1/documents")
        assert "damaged" in problem_of(told, 503)["detail"]


def test_rotten_counts_keep_no_answer_back_and_may_be_removed(store: Store, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with TestClient(app_over(store, data), raise_server_exceptions=False) as client:
        assert client.post("/v1/answers", json=QUESTION).status_code == 200
        with closing(sqlite3.connect(data / USAGE)) as counts:
            counts.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (data / USAGE).write_bytes(b"\xa5" * _PAGE)
        assert client.post("/v1/answers", json=QUESTION).status_code == 200
        assert f"remove {data / USAGE}" in _faults(Database("", data))
        made = make_backup(Database("", data), Places(data, data), tmp_path / "it.zip", Bars())
        assert any(USAGE in each for each in made.left_out)
        (data / USAGE).unlink()
        assert client.post("/v1/answers", json=QUESTION).status_code == 200
        with closing(sqlite3.connect(data / USAGE)) as counts:
            assert counts.execute("SELECT sum(count) FROM answers").fetchone() == (1,)


def test_a_rotten_cache_is_put_aside_and_computed_anew(tmp_path: Path) -> None:
    file = tmp_path / "embeddings.sqlite"
    texts = [f"text {number}" for number in range(200)]
    before = EmbeddingCache(file).passages(texts, HashingEmbedder())
    with closing(sqlite3.connect(file)) as cache:
        cache.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _rot(file, 1)
    again = EmbeddingCache(file)
    assert (again.passages(texts, HashingEmbedder()) == before).all()
    assert again.embedded == len(texts)
    assert file.with_suffix(".damaged").exists()
