"""No request at all is answered by an error of the server."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from bad_inputs import Bad, every
from conftest import app_over
from console import ASKED, BY
from listening import Address, listening

from api import connections, limits
from api.app import Access
from api.desk.sessions import proof_of
from rag.store import Store

TOKEN = "a-token-of-these-tests"  # noqa: S105 - invented
_OPENAI = ("/v1/chat/", "/v1/models")


@pytest.fixture(scope="module")
def served(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Address, list[Bad]]]:
    """A server over real connections, and what it is sent."""
    app = app_over(store, Access(staff_token=TOKEN), tmp_path_factory.mktemp("desk"))
    desk = app.state.services.desk
    with pytest.MonkeyPatch.context() as patch, listening(app) as address:
        # Some promise more than they send.
        patch.setattr(connections, "HEAD_S", 0.2)
        patch.setattr(limits, "BODY_TIMEOUT_S", 0.2)
        ticket, token = desk.tickets.open(ASKED)
        member = desk.staff.add(BY, "Grace", "grace@desk.example", "admin", ())
        session = desk.sessions.start(member.staff_id)
        staff = {"Authorization": f"Bearer {TOKEN}"}
        cookie = {"Cookie": f"desk={session}"}
        yield address, list(every(ticket.ticket_id, token, staff, cookie, proof_of(session)))


def _answered(address: Address, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the reply."""
    with socket.create_connection(address, timeout=20) as connection:
        received = b""
        try:
            connection.sendall(sent)
            while piece := connection.recv(65536):
                received += piece
        except ConnectionError:
            pass  # it has said what it had to, and reads no further
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split(" ")[1]), headers, body


def _wrong(bad: Bad, status: int, headers: dict[str, str], body: bytes) -> str:
    """What a reply should not be; empty: nothing is wrong with it."""
    kind = headers.get("content-type", "").partition(";")[0]
    if status >= 500:
        return f"{status} {body[:200]!r}"
    if b"Traceback" in body or "x-evil" in headers or "evil" in headers.get("location", ""):
        return "it gives something away, or takes something over"
    if headers.get("x-content-type-options") != "nosniff":
        return "without its headers"
    # A part of a file that there is not is told by the status alone.
    if status < 400 or bad.method == "HEAD" or (status == 416 and not body):
        return ""
    if kind == "application/problem+json":
        problem: dict[str, Any] = json.loads(body)
        fits = problem["status"] == status and problem["title"] and problem["detail"]
        return "" if fits else f"no whole problem: {problem}"
    if bad.page and kind == "text/html":
        return ""
    if kind == "application/json" and (bad.path.startswith(("/mcp", *_OPENAI))):
        return "" if "error" in json.loads(body) else "no error of the protocol"
    return f"{status} as {kind or 'nothing'}: {body[:100]!r}"


def test_nothing_that_is_sent_is_answered_by_an_error_of_the_server(
    served: tuple[Address, list[Bad]],
) -> None:
    address, requests = served
    assert len(requests) >= 500
    wrong, statuses = [], Counter[int]()
    for bad in requests:
        reply = _answered(address, bad.over_the_wire())
        statuses[reply[0]] += 1
        if told := _wrong(bad, *reply):
            wrong.append(
                f"{bad.method} {bad.path[:80]} {dict(bad.headers)} {bad.body[:60]!r}: {told}"
            )
    assert "\n".join(wrong) == ""
    # They did reach what they were made for.
    assert {200, 400, 401, 404, 405, 408, 409, 413, 414, 422, 431} <= set(statuses)
