"""A visitor of the real server: one connection, plain HTTP/1.1, next to no work of its own.

The libraries for HTTP take as much of the processor for a call as the server does for an easy one,
and what is measured is the server.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 120
"""How long a visitor waits for a reply; longer counts as broken."""
_ANSWER = b"event: answer\n"
_ERROR = b"event: error\n"


class BrokenOff(Exception):
    """The server went, or its reply makes no sense."""


@dataclass(frozen=True)
class Reply:
    """What came of a call."""

    status: int
    body: bytes
    seconds: float
    """From the first byte sent to the last byte read; of events to the one named `answer`."""
    first_s: float
    """Until the first bytes of the body."""

    @property
    def answered(self) -> bool:
        """Whether events ended as they should."""
        return _ANSWER in self.body and _ERROR not in self.body

    def json(self) -> Any:
        """The body; of events what the one named `answer` holds."""
        if _ANSWER in self.body:
            data = self.body.split(_ANSWER, 1)[1].split(b"data: ", 1)[1]
            return json.loads(data.split(b"\n", 1)[0])
        return json.loads(self.body)


class Visitor:
    """Calls one after the other; connects anew where the server hung up."""

    def __init__(self, port: int):
        """Visit a server on this machine."""
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(
        self, method: str, path: str, sent: Any = None, *, leaving: bool = False, **headers: str
    ) -> Reply:
        """Send a request and read the reply.

        Args:
            method: Of HTTP.
            path: With its query.
            sent: Bytes as they are, a mapping of text as a form, anything else as JSON.
            leaving: Go after the first bytes of the body.
            headers: Further ones; `_` stands for a hyphen.

        Raises:
            BrokenOff: There was no whole reply.
        """
        request = _request(self._port, method, path, sent, headers)
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._streams is None:
                    return await self._exchanged(request, leaving)
                try:
                    return await self._exchanged(request, leaving)
                except (OSError, asyncio.IncompleteReadError):
                    # An idle connection that the server closed meanwhile.
                    self.leave()
                    return await self._exchanged(request, leaving)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.leave()
            raise BrokenOff(f"{method} {path.partition('?')[0]}: {type(error).__name__}") from error

    def leave(self) -> None:
        """Hang up."""
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].transport.abort()
            self._streams = None

    async def _exchanged(self, request: bytes, leaving: bool) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        reader, writer = self._streams
        started = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        pieces: list[bytes] = []
        first = answered = 0.0
        if fields.get("transfer-encoding") == "chunked":
            while size := int(await reader.readuntil(b"\r\n"), 16):
                pieces.append((await reader.readexactly(size + 2))[:-2])
                first = first or time.perf_counter()
                if not answered and _ANSWER in pieces[-1]:
                    answered = time.perf_counter()
                if leaving:
                    self.leave()
                    break
            else:
                await reader.readexactly(2)
        elif length := int(fields.get("content-length", "0")):
            pieces.append(await reader.readexactly(length))
        ended = time.perf_counter()
        if fields.get("connection") == "close":
            self.leave()
        body = b"".join(pieces)
        return Reply(status, body, (answered or ended) - started, (first or ended) - started)


def _request(port: int, method: str, path: str, sent: Any, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    body = sent if isinstance(sent, bytes) else b""
    if sent is not None:
        if not isinstance(sent, bytes):
            body = json.dumps(sent).encode()
            lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
