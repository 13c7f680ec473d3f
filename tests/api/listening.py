"""A server of any app within the process of a test: real connections, as `python -m api` has."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from served import free_port

from api.connections import Connection
from api.limits import MAX_HEAD

Address = tuple[str, int]


@contextmanager
def listening(app: Any, **settings: Any) -> Iterator[Address]:
    """Serve an app; `settings` are uvicorn's."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=port,
            http=Connection,
            h11_max_incomplete_event_size=MAX_HEAD,
            ws="none",
            server_header=False,
            **{"log_level": "critical", **settings},
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield "127.0.0.1", port
    finally:
        server.should_exit = True
        thread.join()
