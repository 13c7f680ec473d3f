"""The server as it runs, with mail, a Zammad and a webhook set up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import shelf
from served import running
from servers.smtp import SmtpServer
from servers.webhook import WebhookServer
from servers.zammad import ZammadServer

from rag.store import Store

ASKED = {"question": "May our clinic share old samples?", "email": "ada@clinic.example",
         "country": "PT", "consent": True}  # fmt: skip
PUBLIC = "http://helpdesk.example"


def _until(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_ticket_is_told_everywhere_and_the_link_in_the_mail_leads_to_it(
    real_store: Store, tmp_path: Path
) -> None:
    with SmtpServer() as mails, ZammadServer() as zammad, WebhookServer() as webhook:
        settings = {
            "HELPDESK_DESK__DATABASE_URL": f"sqlite:///{tmp_path / 'desk.sqlite'}",
            "HELPDESK_SERVER__PUBLIC_URL": PUBLIC,
            "HELPDESK_MAIL__HOST": "127.0.0.1",
            "HELPDESK_MAIL__PORT": str(mails.port),
            "HELPDESK_MAIL__SECURITY": "none",
            "HELPDESK_MAIL__SENDER": "desk@nmg.example",
            "HELPDESK_MAIL__TEAM": "team@nmg.example",
            "HELPDESK_ZAMMAD__URL": zammad.address,
            "HELPDESK_ZAMMAD__TOKEN": zammad.token,
            "HELPDESK_WEBHOOK__URL": webhook.address,
            "HELPDESK_WEBHOOK__SECRET": "a-secret-of-both-sides",
        }
        with running(shelf.ROOT, real_store.directory, **settings) as (address, process):
            told = httpx.post(f"{address}/v1/tickets", json=ASKED).json()
            _until(lambda: len(mails.taken) == 2 and bool(webhook.taken and zammad.tickets))
            to_person = next(each for each in mails.taken if each.recipients[0] == ASKED["email"])
            link = re.search(r"http://\S+", to_person.text)
            assert link
            assert link[0] == told["link"]
            # A proxy would lead there.
            followed = link[0].replace(PUBLIC, address)
            assert ASKED["question"] in httpx.get(followed).text
            process.terminate()
            said = "".join(process.communicate())
    ticket_id = told["ticket"]["id"]
    assert zammad.tickets[0]["title"].startswith(f"[{ticket_id}]")
    # It was sorted by then.
    assert webhook.taken[0].told["intent"]
    assert "ada@" not in said
