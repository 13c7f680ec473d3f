"""An OpenAI-like chat server on 127.0.0.1 that writes what it is told, however badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Turn = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner = self.server.owner
        owner.requests.append(body)
        turn = owner.turns.pop(0) if len(owner.turns) > 1 else owner.turns[0]
        turn(self)

    def log_message(self, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.server.owner.left.set()
            self.close_connection = True

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

    def turn(handler: Handler) -> None:
        content = b'{"error": {"message": "no", "type": "server_error"}}'
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return turn


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: ChatServer


class ChatServer:
    """The server; as a context manager it runs. The last turn serves all further requests."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.requests: list[dict[str, Any]] = []
        self.over = threading.Event()
        self.left = threading.Event()
        """Set when a reader hung up before the end."""
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.owner = self
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
