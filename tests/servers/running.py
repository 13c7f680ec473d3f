"""What the servers on 127.0.0.1 have in common: they run in a thread, and clients may leave."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Http(ThreadingHTTPServer):
    """The server of the standard library, known to its handlers as `owner`'s."""

    owner: Any


class Handler(BaseHTTPRequestHandler):
    """Prints nothing, whatever a client does."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Http

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True
            self.hung_up()

    def hung_up(self) -> None:
        """Called where the client went before the end."""

    @property
    def fields(self) -> dict[str, str]:
        """The headers of the request, names in lower case."""
        return {name.lower(): value for name, value in self.headers.items()}

    def whole_body(self) -> bytes:
        """What was sent; a client that went before the end has sent nothing."""
        length = int(self.headers["Content-Length"])
        body: bytes = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        return body

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] = {}) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class RunningServer:
    """A server on a port of its own; as a context manager it runs."""

    def __init__(self, handler: type[Handler]) -> None:
        self._http = Http(("127.0.0.1", 0), handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.port = self._http.server_port
        self.address = f"http://127.0.0.1:{self.port}"
        self.over = threading.Event()
        """Set when it ends: whoever keeps a client waiting stops."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No longer listen; may be called twice."""
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
