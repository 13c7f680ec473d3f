"""The page of the console on which admins keep the list of staff."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from conftest import app_over
from console import Colleague, sign_in
from fastapi.testclient import TestClient
from pages import one, read

from api.desk.models import Role
from rag.store import Store

NEW: dict[str, Any] = {
    "name": "Ana Sousa", "email": "Ana@Clinic.example", "role": "lead", "country": ["PT", "ES"],
}  # fmt: skip


@pytest.fixture
def http(store: Store, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(app_over(store, data_dir=tmp_path / "data")) as opened:
        yield opened


@pytest.fixture
def admin(http: TestClient) -> Colleague:
    return sign_in(http, "Grace", "admin")


def _send(admin: Colleague, path: str = "", **fields: Any) -> tuple[int, BeautifulSoup, str]:
    response = admin.http.post(f"/desk/staff{path}", data={"proof": admin.proof, **fields})
    return response.status_code, read(response.text), str(response.url)


def _rows(page: BeautifulSoup) -> dict[str, list[str]]:
    return {
        one(row, "th").get_text(strip=True): [cell.get_text(strip=True) for cell in row("td")]
        for row in page.select("tbody tr")
    }


def _alert(page: BeautifulSoup) -> str:
    return one(page, "main [role=alert]").get_text(strip=True)


def _ticked(page: BeautifulSoup) -> list[str]:
    return [str(each["value"]) for each in page.select("main form [checked]")]


def test_an_admin_adds_changes_and_lets_go(admin: Colleague) -> None:
    status, page, address = _send(admin, **NEW)
    assert (status, address) == (200, "http://testserver/desk/staff")
    rows = _rows(page)
    assert rows["Ana Sousa"] == ["ana@clinic.example", "Lead", "Spain, Portugal", "Never"]
    assert rows["Grace"][3].endswith("UTC")
    ana = admin.desk.staff.member("ana@clinic.example")
    form = admin.page(f"/desk/staff/{ana.staff_id}")
    assert _ticked(form) == ["lead", "PT", "ES"]
    changed = {"name": "Ana S.", "role": "agent"}
    assert _rows(_send(admin, f"/{ana.staff_id}", **changed)[1])["Ana S."][1:3] == ["Agent", "All"]
    session = admin.desk.sessions.start(ana.staff_id)
    left = _rows(_send(admin, f"/{ana.staff_id}", **changed, left="yes")[1])
    assert left["Ana S."][1].startswith("Agent, left ")
    assert admin.desk.sessions.member(session) is None
    assert "yes" in _ticked(admin.page(f"/desk/staff/{ana.staff_id}"))
    _send(admin, f"/{ana.staff_id}", **changed)
    assert admin.desk.staff.member(ana.staff_id).left_at is None


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", " ", "empty"),
        ("name", "", "empty"),
        ("name", "x" * 201, "200"),
        ("email", "nobody", "e-mail"),
        ("email", "taken@clinic.example", "already"),
        ("role", "boss", "agent"),
        ("country", ["PT", "XX"], "ISO 3166-1"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_is_kept(
    admin: Colleague, field: str, value: Any, told: str
) -> None:
    admin.desk.staff.add(admin.by, "Bob", "taken@clinic.example", "agent", ())
    status, page, _ = _send(admin, **{**NEW, field: value})
    assert status in (409, 422)
    assert told in _alert(page)
    assert one(page, f"#wrong-{field}")
    for name in ("name", "email"):
        typed = one(page, f"main [name={name}]")
        assert typed["value"] == (value if name == field else NEW[name])
        assert (typed.get("aria-invalid") == "true") == (name == field)
    assert ("PT" in _ticked(page), "lead" in _ticked(page)) == (True, field != "role")
    assert len(admin.desk.staff.everyone()) == 2


def test_the_last_admin_is_told_why_they_stay(admin: Colleague) -> None:
    path = f"/{admin.member.staff_id}"
    status, page, _ = _send(admin, path, name="Grace H.", role="agent", left="yes")
    assert status == 409
    assert "Nobody would be left" in _alert(page)
    assert one(page, "main [name=name]")["value"] == "Grace H."
    assert _ticked(page) == ["agent", "yes"]
    status, page, _ = _send(admin, path, name="", role="admin")
    assert (status, "empty" in _alert(page)) == (422, True)
    assert admin.desk.staff.member(admin.member.staff_id) == admin.member


def test_what_was_typed_is_shown_as_it_was(admin: Colleague) -> None:
    _, page, _ = _send(admin, name='"><script>alert(1)</script>', role="agent")
    assert one(page, "main [name=name]")["value"] == '"><script>alert(1)</script>'
    assert page.select("main script") == []


def test_nobody_of_another_id_is_changed(admin: Colleague) -> None:
    for staff_id in ("S-NOBODY", "%00"):
        admin.page(f"/desk/staff/{staff_id}", status=404)
    assert _send(admin, "/S-NOBODY", name="Ana", role="agent")[0] == 404


def test_an_admin_lets_somebody_in_by_a_new_account(admin: Colleague) -> None:
    ada = admin.desk.staff.add(admin.by, "Ada", "ada@clinic.example", "agent", ())
    path, sent = f"/{ada.staff_id}", {"name": "Ada", "role": "agent"}
    assert not admin.page(f"/desk/staff{path}").select("[name=anew]")

    def signs_in(subject: str) -> bool:
        service = "https://login.example"
        return admin.desk.staff.identified(service, subject, "ada@clinic.example") is not None

    assert signs_in("old")
    assert not one(admin.page(f"/desk/staff{path}"), "[name=anew]").has_attr("checked")
    _send(admin, path, **sent)
    assert not signs_in("new")
    _send(admin, path, **sent, anew="yes")
    assert signs_in("new")


@pytest.mark.parametrize("role", ["agent", "lead"])
def test_others_neither_read_nor_change_the_list(http: TestClient, role: Role) -> None:
    other = sign_in(http, "Ada", role)
    for path in ("", f"/{other.member.staff_id}"):
        other.page(f"/desk/staff{path}", status=403)
        assert _send(other, path, **{**NEW, "role": "admin"})[0] == 403
    assert other.desk.staff.everyone() == (other.member,)


@pytest.mark.parametrize("proof", ["", "another"])
def test_a_form_that_is_none_of_ours_changes_nothing(admin: Colleague, proof: str) -> None:
    refused = admin.http.post("/desk/staff", data={**NEW, "proof": proof})
    assert refused.status_code == 401
    assert "Nothing was changed" in refused.text
    assert len(admin.desk.staff.everyone()) == 1
