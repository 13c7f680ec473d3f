"""A site on 127.0.0.1 that has the helpdesk on its pages, and can answer in its place."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_PATIENCE_S = 20
_KNOCK_S = 0.05


@dataclass(frozen=True)
class HostPage:
    """What is sent for a path."""

    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "text/html; charset=utf-8"


class SlowAnswer:
    """A stream of events that halts after its first piece until it is told to go on."""

    def __init__(self, first: str, rest: str):
        self._first, self._rest = first, rest
        self.go_on = threading.Event()
        self.left = threading.Event()
        """Set where the listener went before the end."""

    def write_to(self, handler: BaseHTTPRequestHandler) -> None:
        try:
            self._say(handler, self._first)
            for _ in range(int(_PATIENCE_S / _KNOCK_S)):
                if self.go_on.wait(_KNOCK_S):
                    break
                # Only writing tells whether anybody listens.
                self._say(handler, ": waiting\n\n")
            self._say(handler, self._rest)
        except OSError:
            self.left.set()

    @staticmethod
    def _say(handler: BaseHTTPRequestHandler, text: str) -> None:
        handler.wfile.write(text.encode())
        handler.wfile.flush()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        page = self.server.site.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
            return
        self._head(page.media_type, page.headers)
        self.wfile.write(page.body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._head("text/event-stream", {})
        self.server.site.answer.write_to(self)

    def _head(self, media_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: HostSite


class HostSite:
    """The site; as a context manager it runs."""

    answer: SlowAnswer

    def __init__(self) -> None:
        self.pages: dict[str, HostPage] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.site = self
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
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
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
