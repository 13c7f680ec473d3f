"""A site on 127.0.0.1 that has the helpdesk on its pages, and can answer in its place."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from servers.running import Handler, RunningServer

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

    def write_to(self, handler: Handler) -> None:
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
    def _say(handler: Handler, text: str) -> None:
        handler.wfile.write(text.encode())
        handler.wfile.flush()


class _Handler(Handler):
    # A connection is closed where its answer ends.
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:  # noqa: N802
        page = self.server.owner.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(404)
            return
        self._head(page.media_type, page.headers)
        self.wfile.write(page.body.encode())

    def do_POST(self) -> None:  # noqa: N802
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._head("text/event-stream", {})
        self.server.owner.answer.write_to(self)

    def _head(self, media_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class HostSite(RunningServer):
    """The site."""

    answer: SlowAnswer

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.origin = self.address
        self.pages: dict[str, HostPage] = {}
