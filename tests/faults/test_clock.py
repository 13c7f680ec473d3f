"""A clock that is years ahead, and set back: nothing is deleted too early, nobody is shut out."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shelf
from actors import STAFF
from sqlalchemy import select, update

from api.desk.clock import JUMP, WAITS, Clock
from api.desk.desk import Desk, open_desk
from api.desk.models import NewTicket
from api.desk.outbox import Outlets
from api.desk.tables import ANSWERS, OUTBOX, SESSIONS, TICKETS
from api.rate_limit import RateLimit
from rag.models import Answer

ASKED = NewTicket("Who decides?", (), None, None, "ada@clinic.example", None, None)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAR = datetime(2040, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _filled(data: Path) -> Desk:
    desk = open_desk("", data, 30, 365, outlets=Outlets("nmg.example"))
    desk.conversations.remember(
        Answer(id="answer", status="answered", language="en", text="…"), None, "generation"
    )
    desk.tickets.open(ASKED)
    return desk


def test_a_clock_that_jumps_ahead_is_believed_after_a_day_and_not_before(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    assert clock.look(NOW) is None
    assert clock.look(NOW + HOUR) is None
    assert clock.look(FAR) == FAR + WAITS
    # Whoever starts anew remembers it.
    assert Clock(tmp_path).look(FAR + 23 * HOUR) == FAR + WAITS
    assert Clock(tmp_path).look(NOW + 2 * HOUR) is None, "it was set right"
    assert clock.look(FAR) == FAR + WAITS, "and the next jump waits as long"
    assert clock.look(FAR + WAITS) is None, "a machine that was off for years"
    assert clock.look(FAR + WAITS + HOUR) is None


def test_a_clock_that_is_set_back_deletes_nothing_and_is_doubted_when_it_returns(
    tmp_path: Path,
) -> None:
    clock = Clock(tmp_path)
    assert clock.look(NOW) is None
    # What has expired by then had expired before.
    assert clock.look(datetime(1970, 1, 1, tzinfo=UTC)) is None
    assert clock.look(NOW) == NOW + WAITS
    clock.believe(NOW)
    assert clock.look(NOW + JUMP) is None


def test_whoever_only_asks_about_the_clock_notes_nothing(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    assert clock.doubted_until(NOW) is None
    assert not list(tmp_path.iterdir())
    clock.look(NOW)
    noted = (tmp_path / "clock.json").read_bytes()
    assert clock.doubted_until(FAR) == FAR + WAITS
    assert clock.doubted_until(NOW + HOUR) is None
    assert (tmp_path / "clock.json").read_bytes() == noted


_FAKED = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from api.desk.desk import open_desk
desk = open_desk("", Path(sys.argv[1]), 30, 365)
print(datetime.now(UTC).year, desk.retention.kept().rows)
"""


def _faked(data: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run something that takes it for the year 2040."""
    program = shutil.which("faketime")
    if program is None:
        missing = "faketime is not installed"
        if os.environ.get("NO_SKIPS"):
            pytest.fail(missing)
        pytest.skip(missing)
    return subprocess.run(
        [program, "2040-01-01 00:00:00", sys.executable, *command],
        cwd=shelf.ROOT, env={**os.environ, "HELPDESK_DATA_DIR": str(data), "TZ": "UTC"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_server_and_a_command_that_believe_it_is_2040_delete_nothing(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    server = _faked(tmp_path, "-c", _FAKED, str(tmp_path))
    assert server.stdout == "2040 answers 1, feedback 0, tickets 1\n", server.stderr
    assert "--clock-is-right" in server.stderr
    by_hand = _faked(tmp_path, "-m", "api.desk", "forget")
    assert by_hand.returncode == 1
    assert "--clock-is-right" in by_hand.stderr
    desk = open_desk("", tmp_path, 30, 365)
    assert desk.retention.kept().rows.tickets == 1
    assert not desk.retention.forget()
    desk.close()


def test_what_is_dated_in_the_future_is_found_and_expires_as_if_it_were_of_now(
    tmp_path: Path,
) -> None:
    desk = _filled(tmp_path)
    with desk.database.writing() as connection:
        connection.execute(update(ANSWERS).values(created_at=FAR))
        connection.execute(update(TICKETS).values(updated_at=FAR, closed_at=FAR))
    assert str(desk.retention.of_the_future()) == "answers 1, feedback 0, tickets 1"
    desk.retention.redate()
    assert not desk.retention.of_the_future()
    with desk.database.reading() as connection:
        assert connection.scalar(select(ANSWERS.c.created_at)) < datetime.now(UTC)
    desk.close()


def test_news_that_a_clock_put_off_for_years_is_sent_when_it_is_right(tmp_path: Path) -> None:
    desk = _filled(tmp_path)
    with desk.database.writing() as connection:
        connection.execute(update(OUTBOX).values(due_at=FAR, claimed_until=FAR))
    assert desk.outbox.claim("mail", datetime.now(UTC)) is not None
    desk.close()


def test_a_session_of_the_future_lets_nobody_in(tmp_path: Path) -> None:
    desk = _filled(tmp_path)
    member = desk.staff.add(STAFF, "Ada", "ada@nmg.example", "admin", ())
    token = desk.sessions.start(member.staff_id)
    assert desk.sessions.member(token) is not None
    with desk.database.writing() as connection:
        connection.execute(update(SESSIONS).values(created_at=FAR, seen_at=FAR))
    assert desk.sessions.member(token) is None
    desk.close()


def test_a_client_is_not_refused_for_years_when_the_clock_is_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit = RateLimit(2, 0)
    scope = {"type": "http", "path": "/v1/answers", "client": ("192.0.2.1", 1)}
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 14 * 365 * 86400)
    for _ in range(2):
        assert asyncio.run(limit.call(scope)) is None
    assert asyncio.run(limit.call(scope))
    monkeypatch.setattr(time, "time", real)
    assert asyncio.run(limit.call(scope)) is None
    assert asyncio.run(limit.call(scope)) is None
    assert 0 < (asyncio.run(limit.call(scope)) or 0) <= 61


def test_where_it_is_not_known_what_the_clock_said_it_is_believed(tmp_path: Path) -> None:
    (tmp_path / "clock.json").write_text("{")
    assert Clock(tmp_path).look(NOW) is None
    assert Clock(tmp_path).look(FAR) == FAR + WAITS
