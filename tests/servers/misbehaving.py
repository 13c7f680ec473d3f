"""A server on 127.0.0.1 that does what it is told to, however badly."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from servers import running

Behaviour = Callable[["Handler"], None]


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    connection: int
    """Which connection it came on."""


class Handler(running.Handler):
    def do_GET(self) -> None:  # noqa: N802
        owner = self.server.owner
        owner.requests.append(Seen(self.path, self.fields, self.client_address[1]))
        behaviours = owner.behaviours.get(self.path.partition("?")[0])
        if not behaviours:
            answer(404, b"no such page")(self)
            return
        behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        behaviour(self)

    def raw(self, content: bytes) -> None:
        """Send bytes as they are, and close."""
        self.close_connection = True
        self.wfile.write(content)
        self.wfile.flush()

    def rest(self, seconds: float) -> bool:
        """Wait; returns False where the test is over meanwhile."""
        return not self.server.owner.over.wait(seconds)


class Misbehaving(running.RunningServer):
    """The server."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.requests: list[Seen] = []
        self.behaviours: dict[str, list[Behaviour]] = {}

    def on(self, path: str, *behaviours: Behaviour) -> str:
        """Behave so at a path, in turn, the last one for ever; returns the address."""
        self.behaviours[path] = list(behaviours)
        return self.url(path)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


def answer(status: int = 200, body: bytes = b"", headers: Mapping[str, str] = {}) -> Behaviour:
    """An answer as it should be."""
    return lambda handler: handler.reply(status, body, headers)


def redirect(to: str, status: int = 302) -> Behaviour:
    return answer(status, b"elsewhere", {"Location": to})


def raw(content: bytes) -> Behaviour:
    """Any bytes, and the end of the connection."""
    return lambda handler: handler.raw(content)


def hang_up(handler: Handler) -> None:
    """No word at all."""
    handler.close_connection = True


def short(body: bytes, claimed: int) -> Behaviour:
    """Less than its Content-Length says."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (claimed, body))


def claim(size: int) -> Behaviour:
    """Announces a body and sends it slowly, so that whoever reads it is kept."""

    def behave(handler: Handler) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        handler.rest(30)

    return behave


def stall(handler: Handler) -> None:
    """Takes the request and says nothing."""
    handler.close_connection = True
    handler.rest(30)


def drip(begin: bytes, every_s: float = 0.02) -> Behaviour:
    """Begins, and then sends a byte now and then, for ever."""

    def behave(handler: Handler) -> None:
        handler.raw(begin)
        while handler.rest(every_s):
            handler.raw(b"x")

    return behave


def endless(handler: Handler) -> None:
    """A body without length that does not end."""
    handler.raw(b"HTTP/1.1 200 OK\r\n\r\n")
    while handler.rest(0):
        handler.raw(b"x" * 65_536)


def packed(body: bytes, encoding: str = "gzip", status: int = 200) -> Behaviour:
    """Bytes that are said to be packed."""
    return answer(status, body, {"Content-Encoding": encoding})


def bomb(megabytes: int) -> Behaviour:
    """A small body that unpacks to a large one."""
    return packed(gzip.compress(bytes(megabytes * 2**20)))
