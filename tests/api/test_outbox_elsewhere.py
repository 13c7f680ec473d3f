"""Tickets brought into a Zammad, and told to a webhook."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from servers.webhook import Way as WebhookWay
from servers.webhook import WebhookServer
from servers.zammad import Way, ZammadServer
from telling import ASKED, SITE, deliver, reply, rows, telling

from api.desk.delivery.webhook import Webhook
from api.desk.delivery.zammad import Zammad
from api.desk.desk import Desk
from api.desk.outbox import Outlets

HOUR = 3600.0
SECRET = "a-secret-of-both-sides"  # noqa: S105
ZAMMAD, WEBHOOK = Outlets(zammad=True), Outlets(webhook=True)


@pytest.fixture
def zammad() -> Iterator[ZammadServer]:
    with ZammadServer() as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with telling("", tmp_path / "data", ZAMMAD) as opened:
        yield opened


@pytest.fixture
def telling_webhooks(tmp_path: Path) -> Iterator[Desk]:
    with telling("", tmp_path / "data", WEBHOOK) as opened:
        yield opened


def _bring(desk: Desk, server: ZammadServer, later_s: float = 20, **how: Any) -> int:
    made = {"token": server.token, "group": "Users", **how}
    return deliver(desk, {"zammad": Zammad(server.address, site=SITE, **made)}, later_s)


def _state(desk: Desk) -> list[tuple[str, str | None]]:
    return [(each["state"], each["last_error"]) for each in rows(desk)]


def test_a_ticket_with_all_that_is_written_about_it_is_brought_there(
    desk: Desk, zammad: ZammadServer
) -> None:
    ticket, token = desk.tickets.open(ASKED)
    _bring(desk, zammad)
    reply(desk, ticket, "They <b>may</b>.")
    desk.tickets.write_back(ticket.ticket_id, token, "Thank you.")
    _bring(desk, zammad)
    assert [each["title"] for each in zammad.tickets] == [f"[{ticket.ticket_id}] {ASKED.question}"]
    assert zammad.customers == {ASKED.email}
    asked, replied, written = zammad.articles
    assert asked["body"] == f"{ASKED.question}\n\n{SITE}/desk/tickets/{ticket.ticket_id}"
    assert (asked["sender"], replied["sender"], written["sender"]) == (
        "Customer", "Agent", "Customer",
    )  # fmt: skip
    assert (replied["body"], replied["content_type"]) == ("They <b>may</b>.", "text/plain")
    assert {each["ticket_id"] for each in zammad.articles} == {1}
    # The first attempt of something new has nothing to look for.
    assert not any("search" in each for each in zammad.asked)
    assert {state for state, _ in _state(desk)} == {"done"}


def test_nothing_is_made_twice_where_zammad_dies_before_it_says_that_it_has_it(
    desk: Desk, zammad: ZammadServer
) -> None:
    ticket, _ = desk.tickets.open(ASKED)
    desk.tickets.open(replace(ASKED, question="Another one?"))
    ways: list[Way] = ["die between", "die before"]
    zammad.behave = lambda: ways.pop(0) if ways else "take"
    _bring(desk, zammad)
    _bring(desk, zammad, HOUR)
    assert len(zammad.tickets) == 2
    reply(desk, ticket)
    ways[:] = ["die between"]
    _bring(desk, zammad)
    _bring(desk, zammad, HOUR)
    assert [each["subject"] for each in zammad.articles[2:]] == [f"{ticket.ticket_id}/1"]
    assert {state for state, _ in _state(desk)} == {"done"}


def test_what_is_told_of_a_ticket_that_is_not_there_brings_it(
    tmp_path: Path, zammad: ZammadServer
) -> None:
    with telling("", tmp_path / "data", Outlets()) as desk:
        ticket, _ = desk.tickets.open(ASKED)
    with telling("", tmp_path / "data", ZAMMAD) as desk:
        reply(desk, ticket)
        _bring(desk, zammad)
    assert len(zammad.tickets) == 1
    assert [each["subject"] for each in zammad.articles] == [
        ticket.ticket_id, f"{ticket.ticket_id}/1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"token": "old"}, "server refuses, 401"),
        ({"group": "Nobody"}, "server refuses, 422"),
    ],
)
def test_what_people_have_to_mend_is_tried_again_after_an_hour(
    desk: Desk, zammad: ZammadServer, how: dict[str, str], error: str
) -> None:
    desk.tickets.open(ASKED)
    _bring(desk, zammad, **how)
    assert _state(desk) == [("waiting", error)]
    assert _bring(desk, zammad, 0.9 * HOUR) == 0
    assert _bring(desk, zammad, 1.1 * HOUR) == 1
    assert _state(desk) == [("done", None)]


def test_what_is_no_zammad_does_not_count_as_one(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    with WebhookServer() as other:
        deliver(desk, {"zammad": Zammad(other.address, "token", "Users", SITE)})
    assert _state(desk) == [("waiting", "answer not understood")]


def test_a_webhook_learns_what_happened_signed_and_without_a_word_of_anybody(
    telling_webhooks: Desk,
) -> None:
    desk = telling_webhooks
    with WebhookServer() as server:
        ticket, token = desk.tickets.open(ASKED)
        reply(desk, ticket)
        desk.tickets.write_back(ticket.ticket_id, token, "Thank you.")
        deliver(desk, {"webhook": Webhook(server.address, SECRET, SITE)})
    events = [each.told["event"] for each in server.taken]
    assert events == ["ticket.opened", "ticket.replied", "ticket.written"]
    first = server.taken[0]
    assert first.told["link"] == f"{SITE}/desk/tickets/{ticket.ticket_id}"
    assert (first.told["ticket"], first.told["country"]) == (ticket.ticket_id, "PT")
    for theirs in ("samples", "Ada", ASKED.email, token):
        assert theirs not in str([each.body for each in server.taken])
    when, _, signed = first.headers["x-helpdesk-signature"].partition(",v1=")
    message = when.removeprefix("t=").encode() + b"." + first.body
    assert signed == hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
    assert abs(time.time() - int(when.removeprefix("t="))) < 60
    assert len({each.headers["x-helpdesk-delivery"] for each in server.taken}) == 3


@pytest.mark.parametrize(
    ("way", "state", "error"),
    [
        ("gone", "dead", "server refuses, 410"),
        ("refuse", "waiting", "server refuses, 503"),
        ("elsewhere", "waiting", "server refuses, 307"),
        ("die before", "waiting", "no connection"),
        ("die between", "waiting", "no connection"),
        ("die after", "done", None),
        ("slow", "done", None),
    ],
)
def test_what_the_receiver_does_decides_what_becomes_of_it(
    telling_webhooks: Desk, way: WebhookWay, state: str, error: str | None
) -> None:
    desk = telling_webhooks
    with WebhookServer(lambda: way) as server:
        desk.tickets.open(ASKED)
        deliver(desk, {"webhook": Webhook(server.address, SECRET, SITE)})
        assert _state(desk) == [(state, error)]
        assert server.tries == 1
        if way == "refuse":  # it asked for two hours
            tried = deliver(desk, {"webhook": Webhook(server.address, SECRET, SITE)}, 1.9 * HOUR)
            assert tried == 0


def test_a_receiver_that_says_nothing_is_not_waited_for(
    telling_webhooks: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = telling_webhooks
    monkeypatch.setattr("api.desk.delivery.http._ALL_S", 0.1)
    with WebhookServer(lambda: "slow", slow_s=0.5) as server:
        desk.tickets.open(ASKED)
        deliver(desk, {"webhook": Webhook(server.address, SECRET, SITE)})
    assert _state(desk) == [("waiting", "server too slow")]
