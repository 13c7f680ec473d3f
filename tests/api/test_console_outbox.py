"""The page of what has not arrived elsewhere, the command that tells the same, and its settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import app_over
from console import Colleague, sign_in
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pages import one
from pydantic import ValidationError
from telling import ASKED, EVERYWHERE, Noted, deliver, rows, telling
from typer.testing import CliRunner, Result

from api.app import Services
from api.desk.__main__ import app as command
from api.desk.delivery.models import Undelivered
from api.desk.desk import Desk
from api.settings import ApiSettings, MailSettings, WebhookSettings, ZammadSettings
from rag.store import Store


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with telling("", tmp_path / "data", EVERYWHERE) as opened:
        yield opened


@pytest.fixture
def http(store: Store, tmp_path: Path, desk: Desk) -> Iterator[TestClient]:
    app: FastAPI = app_over(store, data_dir=tmp_path / "data")
    services: Services = app.state.services
    services.desk.close()
    app.state.services = replace(services, desk=desk)
    with TestClient(app) as opened:
        yield opened


def _dead(desk: Desk, country: str = "PT") -> str:
    ticket, _ = desk.tickets.open(replace(ASKED, country=country))
    deliver(desk, {"mail": Noted(lambda _: Undelivered("mail refused, 554", for_good=True))})
    return ticket.ticket_id


def _send_again(lead: Colleague, delivery_id: str, proof: str | None = None) -> int:
    sent = {"proof": lead.proof if proof is None else proof}
    return lead.http.post(f"/desk/outbox/{delivery_id}", data=sent).status_code


def test_a_lead_sees_what_was_given_up_and_sends_it_again(http: TestClient, desk: Desk) -> None:
    ticket_id = _dead(desk)
    lead = sign_in(http, "Grace", "lead")
    page = lead.page("/desk/outbox")
    assert "3 waiting, 1 given up" in one(page, "main").get_text()
    first = page.select("tbody tr")[0]
    said = first.get_text(" ", strip=True)
    for told in (ticket_id, "Mail to the person", "1 time", "Given up", "mail refused, 554"):
        assert told in said
    action = str(one(first, "form")["action"]).replace("../", "")
    assert lead.http.post(f"/{action}", data={"proof": lead.proof}).status_code == 200
    assert {each["state"] for each in rows(desk)} == {"waiting"}
    assert "had it sent again" in lead.page(f"/desk/tickets/{ticket_id}").get_text()


def test_only_leads_and_only_of_their_countries(http: TestClient, desk: Desk) -> None:
    ours, theirs = _dead(desk), _dead(desk, "ES")
    lead = sign_in(http, "Ana", "lead", "PT")
    page = lead.page("/desk/outbox").get_text()
    assert ours in page
    assert theirs not in page
    of_theirs = next(each["delivery_id"] for each in rows(desk) if each["ticket_id"] == theirs)
    assert _send_again(lead, of_theirs) == 404
    agent = sign_in(http, "Eve", "agent")
    assert agent.http.get("/desk/outbox").status_code == 403
    assert _send_again(agent, of_theirs) == 403
    assert "Outbox" not in agent.page("/desk").get_text()


def test_a_form_of_another_session_sends_nothing(http: TestClient, desk: Desk) -> None:
    _dead(desk)
    lead = sign_in(http, "Grace", "lead")
    dead = next(each["delivery_id"] for each in rows(desk) if each["state"] == "dead")
    assert _send_again(lead, dead, "wrong") == 401
    assert sum(each["state"] == "dead" for each in rows(desk)) == 1


def test_where_everything_has_arrived_the_page_says_so(http: TestClient) -> None:
    lead = sign_in(http, "Grace", "lead")
    assert "Everything has arrived." in lead.page("/desk/outbox").get_text()


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["outbox", *arguments])


def test_the_command_lists_and_tries_again(desk: Desk) -> None:
    ticket_id = _dead(desk)
    listed = _run("list")
    assert "waiting 3, given up 1" in listed.stderr
    first = listed.stdout.splitlines()[0]
    assert ticket_id in first
    assert first.endswith("given up  mail refused, 554")
    assert ASKED.email not in listed.output
    assert _run("retry", "--dead").stdout == "tried again: 1\n"
    assert {each["state"] for each in rows(desk)} == {"waiting"}
    assert _run("retry", first.split()[0]).exit_code == 0
    assert _run("retry", "unknown").exit_code == 1
    assert _run("retry").exit_code == 2


@pytest.mark.parametrize(
    "values",
    [
        {"host": "smtp.example.org"},
        {"host": "smtp.example.org", "sender": "no address"},
        {"host": "smtp.example.org", "sender": "a@b.example\r\nBcc: c@d.example"},
        {"host": "smtp.example.org", "sender": "desk@nmg.example", "user": "desk"},
        {
            "host": "smtp.example.org", "sender": "desk@nmg.example", "security": "none",
            "user": "desk", "password": "x",
        },
        {"name": "two\nlines"},
        {"team": "ädä@nmg.example"},
    ],
)  # fmt: skip
def test_mail_settings_that_cannot_work_are_refused_at_start(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        MailSettings.model_validate(values)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (ZammadSettings, {"url": "https://zammad.example.org"}),
        (ZammadSettings, {"token": "x"}),
        (ZammadSettings, {"url": "http://zammad.example.org", "token": "x"}),
        (WebhookSettings, {"url": "https://example.org/hook", "secret": "short"}),
        (WebhookSettings, {"url": "http://example.org/hook", "secret": "long-enough-a-secret"}),
        (WebhookSettings, {"url": "ftp://example.org", "secret": "long-enough-a-secret"}),
    ],
)
def test_nothing_is_sent_where_others_can_read_it(
    section: type[ZammadSettings | WebhookSettings], values: dict[str, str]
) -> None:
    with pytest.raises(ValidationError):
        section.model_validate(values)


def test_addresses_of_services_may_have_a_path_and_a_query(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HELPDESK_SERVER__PUBLIC_URL", "https://help.example.org")
    monkeypatch.setenv("HELPDESK_ZAMMAD__URL", "https://desk.example.org/zammad/")
    monkeypatch.setenv("HELPDESK_ZAMMAD__TOKEN", "of-an-agent")
    monkeypatch.setenv("HELPDESK_WEBHOOK__URL", "http://127.0.0.1:9/hook?for=nmg")
    monkeypatch.setenv("HELPDESK_WEBHOOK__SECRET", "long-enough-a-secret")
    settings = ApiSettings()
    assert settings.zammad.url == "https://desk.example.org/zammad"
    assert settings.webhook.url == "http://127.0.0.1:9/hook?for=nmg"
    assert "long-enough" not in repr(settings)
