"""150 messages with personal data through every door: afterwards a grep finds none of them.

What is planted here is found by `rag.personal`; how much it finds of what people
really write is measured by `eval.personal`.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import shelf
from fastapi.testclient import TestClient
from overheard import Overheard
from parts import services
from planted import Message, messages
from servers.chat import ChatServer, writes

from api.app import Access, build_app
from api.desk.database import DESK
from api.live import LiveIndex
from rag.answerer import Answerer
from rag.author import Author
from rag.guard import Guard
from rag.settings import GeneratorSettings, Settings
from rag.store import Store
from rag.support import Support
from rag.usage import USAGE
from rag.wiring import build_model
from rag.writer import Writer

SHARE = "How can I share my data?"
TOKEN = "a-token-of-staff"  # noqa: S105 - of this test
_MCP = {"Accept": "application/json, text/event-stream"}


@dataclass
class Helpdesk:
    """A server, all that leaves it, and where it keeps its own."""

    client: TestClient
    embedder: Overheard
    model: ChatServer
    data_dir: Path

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        response = self.client.post(path, json=body, headers=headers)
        assert response.is_success, response.text
        return response


@pytest.fixture
def helpdesk(store: Store, tmp_path: Path) -> Iterator[Helpdesk]:
    """The app over the invented framework, with a language model that is a server of its own."""
    embedder, data_dir = Overheard(), tmp_path / "kept"
    with ChatServer(writes(f"{shelf.SIGNS[:-1]} [1].")) as model:

        def build() -> Answerer:
            chosen = GeneratorSettings(model="openai:scripted", base_url=model.base_url)
            writer = Writer(
                build_model(Settings(generator=chosen)), Guard(Support(embedder)), deadline_s=20
            )
            generation = store.open()
            author = Author(generation, writer, embedder, "scripted")
            return shelf.answerer_over(generation, embedder, author)

        parts = services(LiveIndex(store, build), data_dir, embedder)
        app = build_app(parts, Access(staff_token=TOKEN))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Helpdesk(client, embedder, model, data_dir)


def _answers(desk: Helpdesk, text: str) -> None:
    told = desk.post("/v1/answers", {"question": text}).json()
    feedback = {"answer_id": told["id"], "helpful": False, "comment": text}
    desk.post("/v1/feedback", feedback)


def _events(desk: Helpdesk, text: str) -> None:
    desk.post("/v1/answers", {"question": text}, Accept="text/event-stream")


def _search(desk: Helpdesk, text: str) -> None:
    assert desk.client.get("/v1/search", params={"q": text}).json()["query"] == text


def _completions(desk: Helpdesk, text: str) -> None:
    call = {"model": "helpdesk", "messages": [{"role": "user", "content": text}]}
    desk.post("/v1/chat/completions", call)
    desk.post("/v1/chat/completions", {**call, "stream": True})


def _mcp(desk: Helpdesk, text: str) -> None:
    for tool, argument in (("ask", "question"), ("search", "query")):
        params = {"name": tool, "arguments": {argument: text}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        desk.post("/mcp", call, **_MCP)


def _page(desk: Helpdesk, text: str) -> None:
    page = desk.client.post("/ask", data={"question": text})
    assert page.status_code == 200
    # Who asks is shown their own words.
    assert text.split()[-2] in page.text


def _earlier(desk: Helpdesk, text: str) -> None:
    turns = [{"role": role, "text": text} for role in ("user", "assistant")]
    desk.post("/v1/answers", {"question": SHARE, "history": turns})


def _triage(desk: Helpdesk, text: str) -> None:
    told = desk.post("/v1/triage", {"text": text}, Authorization=f"Bearer {TOKEN}").json()
    assert told["contains_personal_data"] is True


def _refused(desk: Helpdesk, text: str) -> None:
    calls = (
        ("/v1/answers", {"question": text * 100}),
        ("/v1/answers", {"question": SHARE, "country": text}),
        ("/v1/chat/completions", {"model": text, "messages": []}),
        ("/v1/feedback", {"answer_id": text[:64], "helpful": True, "comment": text}),
        ("/v1/tickets", {"question": text, "email": text, "consent": True}),
    )
    for path, body in calls:
        assert desk.client.post(path, json=body).is_client_error
    assert desk.client.get("/v1/search", params={"q": text, "k": 1000}).is_client_error


DOORS: tuple[Callable[[Helpdesk, str], None], ...] = (
    _answers, _events, _search, _completions, _mcp, _page, _earlier, _triage, _refused,
)  # fmt: skip


def _handed_over(desk: Helpdesk, text: str) -> None:
    ticket = {"question": text, "history": [{"role": "user", "text": text}], "consent": True}
    desk.post("/v1/tickets", {**ticket, "email": "somebody@clinic.example"})


def _found(planted: Iterable[str], texts: Iterable[str]) -> set[str]:
    everything = "\n".join(texts)
    return {each for each in planted if each in everything}


def _kept(file: Path, *tables: str) -> str:
    with closing(sqlite3.connect(file)) as read:
        queries = [f"SELECT * FROM {table}" for table in tables]  # noqa: S608
        return "\n".join(str(row) for query in queries for row in read.execute(query))


def _logged(records: Iterable[logging.LogRecord]) -> Iterator[str]:
    """What the server logs; the client of this test logs the addresses that it calls."""
    plain = logging.Formatter()
    for record in records:
        if not (record.name.startswith("httpx") and "testserver" in record.getMessage()):
            yield plain.format(record)


def _send(desk: Helpdesk, sent: list[Message]) -> list[Message]:
    """Send each through one of the doors, and some as tickets, too; these are returned."""
    tickets = []
    for number, message in enumerate(sent):
        DOORS[number % len(DOORS)](desk, message.text)
        if number % 10 == 0:
            _handed_over(desk, message.text)
            tickets.append(message)
    return tickets


def test_personal_data_are_nowhere_but_in_tickets(
    helpdesk: Helpdesk, caplog: pytest.LogCaptureFixture
) -> None:
    sent = messages()
    planted = {each for message in sent for each in message.planted}
    for name in ("rag", "api"):
        caplog.set_level(logging.DEBUG, logger=name)
    caplog.set_level(logging.INFO)
    tickets = _send(helpdesk, sent)
    file = helpdesk.data_dir / DESK
    handed_over = {each for message in tickets for each in message.planted}

    assert _found(planted, [_kept(file, "tickets")]) == handed_over
    others = _kept(file, "answers", "feedback", "ticket_vectors", "audit", "alembic_version")
    assert _found(planted, [others]) == set()
    for each in helpdesk.data_dir.iterdir():
        left = planted - handed_over if each.name.startswith(DESK) else planted
        assert _found(left, [each.read_bytes().decode(errors="replace")]) == set(), each.name

    asked = [str(request["messages"]) for request in helpdesk.model.requests]
    assert _found(planted, asked) == set()
    assert _found(planted, helpdesk.embedder.texts) == set()
    assert _found(planted, _logged(caplog.records)) == set()
    told = [helpdesk.client.get(path).text for path in ("/healthz", "/readyz", "/metrics")]
    assert _found(planted, told) == set()

    # All of them have been where they could have been found.
    assert len(asked) > 50
    masked = {"[name]", "[email]", "[phone]", "[id]", "[iban]", "[birth date]", "[health]"}
    assert _found(masked, asked) == masked
    assert "[name]" in _kept(file, "answers")
    assert "[name]" in _kept(file, "feedback")
    assert len(_kept(file, "ticket_vectors").splitlines()) == len(tickets)
    assert {DESK, USAGE} <= {each.name for each in helpdesk.data_dir.iterdir()}


def test_the_grep_finds_what_is_not_masked(
    helpdesk: Helpdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.query.find_personal", lambda *_: ())
    message = messages()[0]
    _answers(helpdesk, message.text)
    _earlier(helpdesk, message.text)
    asked = [str(request["messages"]) for request in helpdesk.model.requests]
    assert _found(message.planted, asked)
    assert _found(message.planted, helpdesk.embedder.texts)
    assert _found(message.planted, [_kept(helpdesk.data_dir / DESK, "answers")])
