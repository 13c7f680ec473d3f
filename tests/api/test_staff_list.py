"""The list of staff, in the database and by commands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from actors import STAFF
from sqlalchemy import select
from typer.testing import CliRunner, Result

from api.desk.__main__ import app as command
from api.desk.audit import verify
from api.desk.database import Database
from api.desk.desk import Desk, open_desk
from api.desk.models import Member
from api.desk.staff import AlreadyListed, LastAdmin, NoSuchMember
from api.desk.tables import AUDIT

ADA, SERVICE = "Ada@Clinic.example", "https://login.example"


@pytest.fixture
def ada(opened: Desk) -> Member:
    return opened.staff.add(STAFF, "Ada", ADA, "agent", ("PT", "ES"))


@pytest.fixture
def database(opened: Desk) -> Database:
    """Beneath the desk."""
    return opened.database


def _audit(database: Database) -> list[tuple[str, str, str, str]]:
    wanted = select(AUDIT.c.who, AUDIT.c.action, AUDIT.c.ticket_id, AUDIT.c.fields)
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(wanted.order_by(AUDIT.c.number))]  # type: ignore[misc]


def test_who_is_added_is_found_by_id_and_by_address(opened: Desk, ada: Member) -> None:
    assert (ada.email, ada.countries, ada.signed_in) == ("ada@clinic.example", {"PT", "ES"}, False)
    for named in (ada.staff_id, "ada@clinic.example", ADA):
        assert opened.staff.member(named) == ada
    assert opened.staff.everyone() == (ada,)
    for named in ("nobody", "\0"):
        with pytest.raises(NoSuchMember):
            opened.staff.member(named)


def test_an_address_stands_on_the_list_once(opened: Desk, ada: Member) -> None:
    def add(_: int) -> bool:
        try:
            opened.staff.add(STAFF, "Grace", "grace@clinic.example", "agent", ())
        except AlreadyListed:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 1
    with pytest.raises(AlreadyListed):
        opened.staff.add(STAFF, "Other", ADA.upper(), "agent", ())
    assert len(opened.staff.everyone()) == 2


def test_every_change_stands_in_the_audit_and_no_name(
    opened: Desk, database: Database, ada: Member
) -> None:
    change = opened.staff.change
    change(STAFF, ada.staff_id, "Ada Lovelace", "lead", (), left=False)
    change(STAFF, ada.staff_id, "Ada Lovelace", "lead", (), left=False)
    change(STAFF, ada.staff_id, "Ada Lovelace", "lead", (), left=True)
    opened.staff.identified(SERVICE, "1", ADA)
    assert _audit(database) == [
        ("staff", "add", ada.staff_id, "countries email name role"),
        ("staff", "change", ada.staff_id, "countries name role"),
        ("staff", "change", ada.staff_id, "left_at"),
    ]
    assert verify(database).broken_at is None


def test_a_change_counts_from_the_next_call_on(opened: Desk, ada: Member) -> None:
    token = opened.sessions.start(ada.staff_id)
    opened.staff.change(STAFF, ada.staff_id, "Ada", "lead", ("DE",), left=False)
    member = opened.sessions.member(token)
    assert member is not None
    assert (member.role, member.countries) == ("lead", {"DE"})


def test_who_has_left_is_signed_out_and_does_not_get_in(opened: Desk, ada: Member) -> None:
    token, link = opened.sessions.start(ada.staff_id), opened.sessions.expect({}, ada.staff_id)
    left = opened.staff.change(STAFF, ada.staff_id, "Ada", "agent", (), left=True)
    assert left.left_at
    assert opened.sessions.member(token) is None
    assert opened.sessions.expected(link) is None
    assert opened.staff.identified(SERVICE, "1", ADA) is None
    again = opened.staff.change(STAFF, ada.staff_id, "A.", "agent", (), left=True)
    assert again.left_at == left.left_at
    back = opened.staff.change(STAFF, ada.staff_id, "Ada", "agent", (), left=False)
    assert back.left_at is None
    assert opened.sessions.member(token) is None
    assert opened.staff.identified(SERVICE, "1", ADA)


@pytest.mark.parametrize(("role", "left"), [("lead", False), ("admin", True)])
def test_the_last_admin_stays(opened: Desk, role: str, left: bool) -> None:
    only = opened.staff.add(STAFF, "Grace", "grace@clinic.example", "admin", ())
    with pytest.raises(LastAdmin):
        opened.staff.change(STAFF, only.staff_id, "Grace", role, (), left=left)  # type: ignore[arg-type]
    assert opened.staff.member(only.staff_id) == only


def test_two_admins_who_put_each_other_off_at_once_leave_one(opened: Desk) -> None:
    def put_off(member: Member) -> None:
        with suppress(LastAdmin):
            opened.staff.change(STAFF, member.staff_id, "Former", "agent", (), left=False)

    for turn in range(5):
        opened.staff.add(STAFF, "Admin", f"{turn}@clinic.example", "admin", ())
        admins = [each for each in opened.staff.everyone() if each.role == "admin"]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(put_off, admins))
        assert len([each for each in opened.staff.everyone() if each.role == "admin"]) == 1


def test_a_person_is_known_by_address_first_and_by_the_service_s_id_then(
    opened: Desk, database: Database, ada: Member
) -> None:
    identified = opened.staff.identified
    assert identified(SERVICE, "1", None) is None
    assert identified(SERVICE, "1", "other@clinic.example") is None
    found = identified(SERVICE, "1", ADA)
    assert found is not None
    assert found.staff_id == ada.staff_id
    assert opened.staff.member(ada.staff_id).signed_in
    assert _audit(database)[-1] == (ada.staff_id, "identify", ada.staff_id, "issuer subject")
    # Their address may have changed there, or be another's by now.
    for email in (None, ADA, "new@clinic.example"):
        assert identified(SERVICE, "1", email) == found
    assert identified(SERVICE, "2", ADA) is None
    assert identified("https://other.example", "1", None) is None
    # The helpdesk has moved to another service.
    moved = identified("https://other.example", "1", ADA)
    assert moved is not None
    assert moved.staff_id == ada.staff_id


def test_who_has_a_new_account_there_is_known_by_address_once_more(
    opened: Desk, database: Database, ada: Member
) -> None:
    def anew() -> Member:
        return opened.staff.change(
            STAFF, ada.staff_id, "Ada", "agent", ("PT", "ES"), left=False, anew=True
        )

    rows = len(_audit(database))
    anew()
    assert len(_audit(database)) == rows
    assert opened.staff.identified(SERVICE, "1", ADA)
    assert opened.staff.identified(SERVICE, "2", ADA) is None
    assert not anew().signed_in
    assert _audit(database)[-1] == ("staff", "change", ada.staff_id, "issuer subject")
    assert opened.staff.identified(SERVICE, "1", None) is None
    found = opened.staff.identified(SERVICE, "2", ADA)
    assert found is not None
    assert found.staff_id == ada.staff_id
    assert opened.staff.identified(SERVICE, "1", ADA) is None


def test_it_is_told_when_somebody_signed_in_last(opened: Desk, ada: Member) -> None:
    assert opened.staff.last_sign_ins() == {}
    opened.sessions.start(ada.staff_id)
    opened.sessions.end(opened.sessions.start(ada.staff_id))
    ((staff_id, at),) = opened.staff.last_sign_ins().items()
    assert staff_id == ada.staff_id
    assert datetime.now(UTC) - at < timedelta(minutes=1)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PORT", "8123")
    return tmp_path / "data"


def _run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, words)
    assert result.exit_code == code, result.output
    return result


def _signed_in_by(link: str, data_dir: Path) -> str:
    """Who uses a link."""
    desk = open_desk("", data_dir, 30)
    expected = desk.sessions.expected(parse_qs(urlsplit(link).query)["token"][0])
    assert expected is not None
    assert expected[1] is not None
    name = desk.staff.member(expected[1]).name
    desk.close()
    return name


def test_a_first_try_needs_one_command(data_dir: Path) -> None:
    link = _run("admin").stdout.strip()
    assert link.startswith("http://127.0.0.1:8123/desk/sign-in/link?token=")
    assert _signed_in_by(link, data_dir) == "Local admin"
    again = _run("admin").stdout.strip()
    assert again != link
    assert _signed_in_by(again, data_dir) == "Local admin"
    assert len(_run("staff", "list").stdout.splitlines()) == 1


def test_links_lead_where_people_reach_the_helpdesk(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELPDESK_SERVER__PUBLIC_URL", "https://desk.example/help")
    _run("staff", "add", "--name", "Ada", "--email", ADA, "--role", "lead")
    link = _run("staff", "link", ADA).stdout.strip()
    assert link.startswith("https://desk.example/help/desk/sign-in/link?token=")
    assert _signed_in_by(link, data_dir) == "Ada"
    monkeypatch.setenv("HELPDESK_SERVER__PUBLIC_URL", "")
    monkeypatch.setenv("HELPDESK_SERVER__HOST", "::1")
    assert _run("admin").stdout.startswith("http://[::1]:8123/")


@pytest.mark.usefixtures("data_dir")
def test_the_list_is_kept_by_commands() -> None:
    told = _run(
        "staff", "add", "--name", "Ada", "--email", ADA, "--role", "agent",
        "--country", "uk", "--country", "PT",
    ).stdout  # fmt: skip
    staff_id = told.split()[0]
    assert told.strip().endswith("Ada <ada@clinic.example>  GB PT")
    again = _run("staff", "add", "--name", "A", "--email", ADA, "--role", "agent", code=1)
    assert "on the list already" in again.stderr
    assert "DE" in _run("staff", "change", staff_id, "--country", "de").stdout
    changed = _run("staff", "change", staff_id, "--role", "lead").stdout
    assert ("lead" in changed, "Ada" in changed, "DE" in changed) == (True, True, True)
    assert "all countries" in _run("staff", "change", ADA, "--everywhere").stdout
    assert "left" in _run("staff", "leave", staff_id).stdout
    assert "left" in _run("staff", "change", staff_id, "--name", "Lovelace").stdout
    assert "--back" in _run("staff", "link", staff_id, code=1).stderr
    assert "left" not in _run("staff", "change", staff_id, "--back").stdout
    _run("staff", "change", staff_id, "--anew")
    assert "whole: 7 rows" in _run("verify").stdout


@pytest.mark.usefixtures("data_dir")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "--name", "Ada", "--email", "nobody", "--role", "agent"), 2),
        (("add", "--name", " ", "--email", ADA, "--role", "agent"), 2),
        (("add", "--name", "A\nB", "--email", ADA, "--role", "agent"), 2),
        (("add", "--name", "Ada", "--email", ADA, "--role", "boss"), 2),
        (("add", "--name", "Ada", "--email", ADA, "--role", "agent", "--country", "XX"), 2),
        (("change", "S-NOBODY", "--role", "boss"), 2),
        (("change", "S-NOBODY", "--role", "lead"), 1),
        (("leave", "S-NOBODY"), 1),
        (("link", "nobody@clinic.example"), 1),
    ],
)
def test_what_is_wrong_is_told_in_a_line(words: tuple[str, ...], code: int) -> None:
    result = _run("staff", *words, code=code)
    [line] = result.output.splitlines()
    assert line.startswith("api.desk: ")
    assert _run("staff", "list").stdout == ""


def test_a_command_forgets_an_account_at_the_service(data_dir: Path) -> None:
    staff_id = _run(
        "staff", "add", "--name", "Ada", "--email", ADA, "--role", "agent"
    ).stdout.split()[0]  # fmt: skip
    desk = open_desk("", data_dir, 30)
    assert desk.staff.identified(SERVICE, "1", ADA)
    _run("staff", "change", staff_id, "--anew")
    assert desk.staff.identified(SERVICE, "2", ADA)
    desk.close()


@pytest.mark.usefixtures("data_dir")
def test_the_last_admin_cannot_leave_by_a_command() -> None:
    _run("admin")
    assert "nobody would be left" in _run("staff", "leave", "admin@localhost", code=1).stderr
