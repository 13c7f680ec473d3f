"""What comes before a request, and who does not read the reply to one, over real connections."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest
from conftest import app_over
from listening import Address, listening
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from api import connections
from api.event_stream import EventStream
from api.limits import MAX_HEAD
from rag.store import Store

GOOD = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LONG = 20_000_000
"""Bytes: more than the system keeps for who does not read."""


async def _said(request: Request) -> PlainTextResponse:
    body = await request.body() if request.method == "POST" else b""
    return PlainTextResponse(f"fine {len(body)}")


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(LONG // 50_000):
        yield b"x" * 50_000


async def _long(request: Request) -> Response:
    if request.path_params["how"] == "at_once":
        return PlainTextResponse("x" * LONG)
    if request.path_params["how"] == "as_events":
        return EventStream(_pieces())
    return StreamingResponse(_pieces())


def _serving(**settings: Any) -> AbstractContextManager[Address]:
    app = Starlette(
        routes=[Route("/", _said, methods=["GET", "POST"]), Route("/long/{how}", _long)]
    )
    return listening(app, timeout_keep_alive=1, **settings)


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    """A server that waits for a head as long as a test does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "HEAD_S", 0.5)
        with _serving() as found:
            yield found


def _told(connection: socket.socket) -> tuple[bytes, dict[str, Any]]:
    """The status line and the problem of a reply after which the connection is closed."""
    connection.settimeout(10)
    received = b""
    while piece := connection.recv(65536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return head.split(b"\r\n")[0], json.loads(body)


def _until(connection: socket.socket, word: bytes, times: int = 1) -> bytes:
    """What is received until a word has come so many times, or the connection ends."""
    connection.settimeout(10)
    received = b""
    while received.count(word) < times and (piece := connection.recv(4096)):
        received += piece
    return received


def _fine(address: Address) -> bool:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(GOOD)
        return connection.recv(4096).startswith(b"HTTP/1.1 200")


def _closed_while_sending(connection: socket.socket, piece: bytes) -> bool:
    """Whether a connection ends while something is sent piece by piece."""
    try:
        for _ in range(200):
            connection.sendall(piece)
            time.sleep(0.05)
    except OSError:
        return True
    return False


def test_who_connects_and_says_nothing_is_not_waited_for(address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        assert connection.recv(4096) == b""
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost:")
        status, problem = _told(connection)
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert problem["status"] == 408


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(address: Address) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n")
        assert _closed_while_sending(connection, b"X-A: b\r\n")
    assert _fine(address)


def test_the_second_head_of_a_connection_is_not_waited_for_either(address: Address) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(GOOD)
        assert b"fine 0" in _until(connection, b"fine 0")
        connection.sendall(b"GET / HT")
        assert _told(connection)[0] == b"HTTP/1.1 408 Request Timeout"


def test_requests_one_after_the_other_are_served_over_one_connection(address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        for _ in range(4):
            connection.sendall(GOOD)
            assert b"fine 0" in _until(connection, b"fine 0")
            time.sleep(0.3)
        connection.sendall(GOOD * 3)
        assert _until(connection, b"fine 0", 3).count(b"fine 0") == 3


def test_a_request_that_has_arrived_is_not_hurried(address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(0.8)
        connection.sendall(b"cd")
        assert b"fine 4" in _until(connection, b"fine")


def test_a_body_that_nobody_reads_does_not_keep_a_connection(address: Address) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nContent-Length: 999999\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        assert _closed_while_sending(connection, b"x")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\nBad Name: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (MAX_HEAD + 1),
    ],
)
def test_what_is_no_request_is_told_as_a_problem(address: Address, sent: bytes) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(sent)
        status, problem = _told(connection)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert problem["status"] == 400
    assert problem["detail"]


def test_a_body_that_is_none_after_a_good_head_ends_the_connection(address: Address) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"
        )
        assert _told(connection)[1]["status"] == 400
    assert _fine(address)


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def unhurried(request: pytest.FixtureRequest) -> Iterator[Address]:
    """A server that waits a second for who does not read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "READ_S", 1)
        with _serving(loop=request.param) as found:
            yield found


def _asking(address: Address, how: str, ending: str = "close") -> socket.socket:
    """A connection over which a long reply was asked for, with little room for it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(10)
    connection.connect(address)
    head = f"GET /long/{how} HTTP/1.1\r\nHost: here\r\nConnection: {ending}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def _received(connection: socket.socket, pause_s: float = 0.0) -> int:
    """Bytes that come until it ends, read with pauses."""
    count = 0
    with suppress(ConnectionError):
        while piece := connection.recv(1_000_000):
            count += len(piece)
            time.sleep(pause_s)
    return count


@pytest.mark.parametrize("ending", ["close", "keep-alive"])
@pytest.mark.parametrize("how", ["at_once", "in_pieces", "as_events"])
def test_who_does_not_read_the_reply_is_not_waited_for(
    unhurried: Address, how: str, ending: str
) -> None:
    with _asking(unhurried, how, ending) as connection:
        time.sleep(3)
        assert _received(connection) < LONG
    assert _fine(unhurried)


@pytest.mark.parametrize("how", ["at_once", "in_pieces", "as_events"])
def test_who_reads_the_reply_slowly_gets_all_of_it(unhurried: Address, how: str) -> None:
    began = time.monotonic()
    with _asking(unhurried, how) as connection:
        assert _received(connection, 0.02) > LONG
    assert time.monotonic() - began > 2


def test_connections_that_are_refused_are_counted_and_told_once_in_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "_TELLER", connections._Teller())
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 0)
    with listening(app_over(store)) as address:
        for _ in range(3):
            with socket.create_connection(address) as connection:
                connection.sendall(GOOD)
                assert _told(connection)[0].startswith(b"HTTP/1.1 503")
        monkeypatch.setattr(connections, "MAX_CONNECTIONS", 9)
        with socket.create_connection(address) as connection:
            connection.sendall(b"no request\r\n\r\n")
            assert _told(connection)[0].startswith(b"HTTP/1.1 400")
        with socket.create_connection(address) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            figures = _until(connection, b"never comes").decode()
    assert 'helpdesk_connections_refused_total{status="503"} 3.0' in figures
    assert 'helpdesk_connections_refused_total{status="400"} 1.0' in figures
    told = [each.message for each in caplog.records if each.name == "api.connections"]
    assert told == ["connections refused: 1, the last with 503"]


def test_too_many_connections_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    with _serving() as address:
        opened = [socket.create_connection(address) for _ in range(2)]
        time.sleep(0.1)
        with socket.create_connection(address) as third:
            third.sendall(GOOD)
            assert _told(third)[0].startswith(b"HTTP/1.1 503")
        while not _room(address):
            time.sleep(0.05)
        opened += [socket.create_connection(address)]
        time.sleep(0.1)
        with socket.create_connection(address) as fourth:
            assert _told(fourth)[1]["status"] == 503
        for each in opened:
            each.close()
        time.sleep(0.2)
        assert _fine(address)


def _room(address: Address) -> bool:
    """Whether the server has noticed that the last connection was closed: it reads a head again."""
    with socket.create_connection(address) as probe:
        probe.sendall(GOOD)
        return b"503" in probe.recv(4096)
