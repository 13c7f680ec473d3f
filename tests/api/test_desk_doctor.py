"""The desk's doctor: nothing is wrong, or what is told is the cure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filled import fill
from sqlalchemy import delete, insert, update
from typer.testing import CliRunner

from api.desk.__main__ import app as command
from api.desk.clock import Clock
from api.desk.database import DESK
from api.desk.desk import Desk, open_desk
from api.desk.doctor import of_desk
from api.desk.models import NewTicket
from api.desk.outbox import Outlets
from api.desk.tables import ANSWERS, AUDIT, OUTBOX, TICKETS
from api.settings import ApiSettings
from rag.models import Answer

ASKED = NewTicket("Who decides?", (), None, None, "ada@clinic.example", None, None)
LONG_AGO = datetime.now(UTC) - timedelta(days=400)


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Desk:
    opened = open_desk(database_url, tmp_path / "data", 30, 365, outlets=Outlets("nmg.example"))
    opened.conversations.remember(
        Answer(id="answer", status="answered", language="en", text="…"), None, "generation"
    )
    opened.tickets.open(ASKED)
    if file := opened.database.file:
        file.chmod(0o600)  # that of the fixture is a copy
    return opened


def _faults(desk: Desk, settings: ApiSettings | None = None) -> dict[str, str]:
    found = of_desk(desk.database, settings or ApiSettings())
    return {each.name: each.said for each in found if each.verdict == "fault"}


def test_a_desk_in_order_has_no_fault_and_is_left_as_it_is(desk: Desk) -> None:
    assert _faults(desk) == {}
    assert {each.name for each in of_desk(desk.database, ApiSettings())} >= {
        "settings", "disk", "database", "audit", "retention", "outbox", "staff",
    }  # fmt: skip


def test_what_has_outlived_its_time_is_told_with_the_command_that_deletes_it(desk: Desk) -> None:
    with desk.database.writing() as connection:
        connection.execute(update(ANSWERS).values(created_at=LONG_AGO))
    assert "python -m api.desk forget" in _faults(desk)["retention"]
    # While the clock is in doubt it is that.
    Clock(desk.database.data_dir).believe(LONG_AGO)
    noted = (desk.database.data_dir / "clock.json").read_bytes()
    assert "--clock-is-right" in _faults(desk)["clock"]
    assert (desk.database.data_dir / "clock.json").read_bytes() == noted


def test_what_is_dated_in_the_future_is_told(desk: Desk) -> None:
    with desk.database.writing() as connection:
        connection.execute(update(TICKETS).values(updated_at=datetime(2040, 1, 1, tzinfo=UTC)))
    assert "forget --redate" in _faults(desk)["clock"]


@pytest.mark.parametrize(
    ("state", "cure"), [("dead", "outbox retry --dead"), ("waiting", "outbox list")]
)
def test_news_that_do_not_arrive_are_told(desk: Desk, state: str, cure: str) -> None:
    with desk.database.writing() as connection:
        connection.execute(update(OUTBOX).values(state=state, since=LONG_AGO))
    assert cure in _faults(desk)["outbox"]


def test_a_broken_audit_is_told(desk: Desk) -> None:
    with desk.database.writing() as connection:
        fill(connection, 3)
        connection.execute(update(AUDIT).where(AUDIT.c.number == 2).values(who="nobody"))
    assert "row 2" in _faults(desk)["audit"]


def test_rows_that_belong_to_nothing_are_told(tmp_path: Path) -> None:
    desk = open_desk("", tmp_path / "data", 30)
    with desk.database._transaction(sync="FULL", foreign_keys="OFF") as connection:
        fill(connection, 2)
        connection.execute(delete(TICKETS))
    assert "belong to nothing" in _faults(desk)["database"]
    desk.close()


def test_a_file_that_others_can_read_and_a_full_disk_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk("", tmp_path / "data", 30)
    (tmp_path / "data" / DESK).chmod(0o644)
    assert f"chmod 600 {tmp_path / 'data' / DESK}" in _faults(desk)["folder"]
    full = type("Usage", (), {"free": 1})
    monkeypatch.setattr("api.desk.doctor.shutil.disk_usage", lambda _: full)
    assert "make room" in _faults(desk)["disk"]
    desk.close()


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        (
            {
                "server": {"public_url": "https://help.example"},
                "mail": {"host": "m", "sender": "d@e.example"},
                "inbox": {"host": "i", "user": "u", "password": "of-both-sides-5c1e"},
            },
            "REPLY_TO",
        ),
        (
            {
                "sign_in": {
                    "issuer": "https://id.example",
                    "client_id": "c",
                    "client_secret": "of-both-sides-5c1e",
                }
            },
            "PUBLIC_URL",
        ),
    ],
)
def test_settings_that_contradict_one_another_are_told(
    tmp_path: Path, settings: dict[str, object], cure: str
) -> None:
    desk = open_desk("", tmp_path / "data", 30)
    assert cure in _faults(desk, ApiSettings.model_validate(settings))["settings"]
    desk.close()


def test_the_host_of_the_public_address_need_not_be_named_twice(tmp_path: Path) -> None:
    desk = open_desk("", tmp_path / "data", 30)
    settings = ApiSettings.model_validate({"server": {"public_url": "https://help.example"}})
    assert "settings" not in _faults(desk, settings)
    desk.close()


def test_the_command_ends_with_one_where_there_is_a_fault(tmp_path: Path) -> None:
    desk = open_desk("", tmp_path / "data", 30, 365)
    fine = CliRunner().invoke(command, ["doctor"])
    assert (fine.exit_code, fine.output.count("fault")) == (0, 0)
    with desk.database.writing() as connection:
        row = {
            "answer_id": "a", "created_at": LONG_AGO, "status": "", "strength": "", "language": "",
            "model": "", "generation": "", "cited": [], "timings_ms": {},
        }  # fmt: skip
        connection.execute(insert(ANSWERS).values(row))
    ill = CliRunner().invoke(command, ["doctor"])
    assert ill.exit_code == 1
    assert "fault   retention" in ill.stdout
    desk.close()
    nothing = CliRunner().invoke(
        command, ["doctor"], env={"HELPDESK_DATA_DIR": str(tmp_path / "no")}
    )
    assert (nothing.exit_code, len(nothing.stderr.splitlines())) == (1, 1)
