"""An OpenAI-like chat server on 127.0.0.1 that writes what it is told, however badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from servers import running

Turn = Callable[["Handler"], None]


class Handler(running.Handler):
    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner = self.server.owner
        owner.requests.append(body)
        turn = owner.turns.pop(0) if len(owner.turns) > 1 else owner.turns[0]
        turn(self)

    def hung_up(self) -> None:
        self.server.owner.left.set()

    def begin(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def piece(self, text: str | None) -> None:
        choice = {"index": 0, "delta": {"content": text} if text else {}}
        choice["finish_reason"] = None if text else "stop"  # type: ignore[assignment]
        event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "scripted"}
        self.send(f"data: {json.dumps({**event, 'choices': [choice]})}\n\n")

    def send(self, text: str) -> None:
        content = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def end(self) -> None:
        self.piece(None)
        self.send("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")


def writes(text: str, wait_s: float = 0.0) -> Turn:
    """A reply in pieces of a few characters."""

    def turn(handler: Handler) -> None:
        handler.begin()
        for at in range(0, len(text), 5):
            handler.piece(text[at : at + 5])
            if handler.server.owner.over.wait(wait_s):
                return
        handler.end()

    return turn


def stalls(text: str) -> Turn:
    """Writes, and then says no more."""

    def turn(handler: Handler) -> None:
        handler.begin()
        handler.piece(text)
        handler.server.owner.over.wait(60)

    return turn


def dies(text: str) -> Turn:
    """Writes, and hangs up."""

    def turn(handler: Handler) -> None:
        handler.begin()
        handler.piece(text)
        handler.connection.close()

    return turn


def fails(status: int) -> Turn:
    """An error instead of a reply."""

    content = b'{"error": {"message": "no", "type": "server_error"}}'
    return lambda handler: handler.reply(status, content, {"Content-Type": "application/json"})


class ChatServer(running.RunningServer):
    """The server; its last turn serves all further requests."""

    def __init__(self, *turns: Turn) -> None:
        super().__init__(Handler)
        self.base_url = f"{self.address}/v1"
        self.turns = list(turns)
        self.requests: list[dict[str, Any]] = []
        self.left = threading.Event()
        """Set when a reader hung up before the end."""
