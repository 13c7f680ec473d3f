"""A disk that is full, or read-only: questions are answered, and nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
from cramped import Cramped, cramped
from problems import problem_of

from rag.store import Store

QUESTION = {"question": "How can I share my data?"}
ASKED = {"question": "May we share old samples?", "email": "ada@clinic.example", "consent": True}

_LOOKED = """
import sqlite3, sys
desk = sqlite3.connect(sys.argv[1])
print(desk.execute("PRAGMA integrity_check").fetchone()[0])
print(*[row[0] for row in desk.execute("SELECT ticket_id FROM tickets")])
"""


def _answered(server: Cramped) -> dict[str, Any]:
    response = server.post("/v1/answers", QUESTION)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["article"]["id"] == "share"
    return answer


def _troubles(server: Cramped) -> str:
    ready = httpx.get(f"{server.address}/readyz", timeout=60)
    assert ready.status_code == 200
    return " ".join(ready.json()["troubles"])


def _line(text: str) -> str:
    [line] = text.strip().splitlines()
    assert "Traceback" not in line
    return line


def test_on_a_full_disk_questions_are_answered_and_what_was_taken_is_kept(
    real_store: Store, tmp_path: Path
) -> None:
    place, elsewhere = tmp_path / "disk", tmp_path / "elsewhere.zip"
    place.mkdir()
    with cramped(real_store.directory, place) as server:
        _answered(server)
        taken = server.post("/v1/tickets", ASKED)
        assert taken.status_code == 201, taken.text
        index = Store(server.seen).current()
        server.fill()

        # The answer is given; that it was, is noted nowhere.
        answer = _answered(server)
        # What fits into the pages that are there already may still be taken, but not for long.
        for _ in range(40):
            refused = server.post("/v1/tickets", {**ASKED, "question": "x" * 4000})
            if refused.status_code != 201:
                break
        assert "try again" in problem_of(refused, 503)["detail"]
        assert "disk" in _troubles(server)

        backup = server.python("api.desk", "backup", str(place / "it.zip"))
        assert backup.returncode == 1
        assert "No space left" in _line(backup.stderr)
        assert not (server.seen / "it.zip").exists()
        assert not list(server.seen.glob(".*backup-draft")), "nothing is left of it"
        # On another disk there is room for it.
        saved = server.python("api.desk", "backup", str(elsewhere))
        assert saved.returncode == 0, saved.stderr

        pages = tmp_path / "pages"
        pages.mkdir()
        (pages / "page.md").write_text("# Tides\n\nThe tide table is kept by the harbour master.\n")
        ingest = server.python("ingest", "run", "--source", str(pages), "--no-articles", "--accept")
        assert ingest.returncode == 1
        assert "No space left" in ingest.stderr or "is full" in ingest.stderr
        assert "Traceback" not in ingest.stderr
        assert Store(server.seen).current() == index
        _answered(server)

        server.empty()
        server.until(lambda: server.post("/v1/tickets", ASKED).status_code == 201)
        server.until(
            lambda: server.post(
                "/v1/feedback", {"answer_id": _answered(server)["id"], "helpful": True}
            ).status_code == 204
        )  # fmt: skip
        assert answer["text"] == _answered(server)["text"]
        found = server.inside(sys.executable, "-c", _LOOKED, str(place / "desk.sqlite"))
        assert found.stdout.split()[0] == "ok", found.stderr
        assert taken.json()["ticket"]["id"] in found.stdout
        assert ASKED["email"] not in server.said()


def test_from_a_read_only_disk_questions_are_answered_and_tickets_are_taken_when_it_is_not(
    real_store: Store, tmp_path: Path
) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    with cramped(real_store.directory, place, "ro") as server:
        _answered(server)
        assert "try again" in problem_of(server.post("/v1/tickets", ASKED), 503)["detail"]
        troubles = _troubles(server)
        assert "database cannot be had" in troubles
        assert "cannot be written" in troubles
        doctor = server.python("api.desk", "backup", "/nowhere.zip")
        assert doctor.returncode == 1
        assert "Traceback" not in doctor.stderr

        server.inside("mount", "-o", "remount,rw", str(place))
        server.until(lambda: server.post("/v1/tickets", ASKED).status_code == 201)
        _answered(server)
        assert "read-only" in server.said().lower()
