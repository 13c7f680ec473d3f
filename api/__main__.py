"""Serve the helpdesk: ``python -m api``, without arguments.

Serves the helpdesk; builds the index from the starter corpus first if there is none.
Settings come from the environment or a .env file: README.md lists them.
"""

from __future__ import annotations

import ctypes
import errno
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import uvicorn

from api.desk.database import DeskUnavailable
from api.main import build_desk
from api.settings import ApiSettings
from rag.errors import BadSetting
from rag.index import Store
from rag.settings import Settings, read_settings
from rag.wiring import check_corpus

_PR_SET_PDEATHSIG = 1
_STOP_S = 10
"""What is at hand (replies, a sync) is given to end when the server ends; killed, it harms none."""


def main() -> int:
    """Serve until stopped; returns the exit code."""
    if any(argument in ("-h", "--help") for argument in sys.argv[1:]):
        print(__doc__)
        return 0
    if sys.argv[1:]:
        print("api: takes no arguments; see python -m api --help", file=sys.stderr)
        return 2
    try:
        server, core = read_settings(ApiSettings), read_settings(Settings)
        check_corpus(core)
    except BadSetting as error:
        print(f"api: {error}", file=sys.stderr)
        return 2
    host, port = server.server.host, server.port
    if trouble := _port_trouble(host, port):
        print(f"api: {trouble}", file=sys.stderr)
        return 1
    try:
        # The server opens it anew; what is wrong is told here in a line.
        build_desk(core, server).close()
    except (BadSetting, DeskUnavailable) as error:
        print(f"api: {error}", file=sys.stderr)
        return 2 if isinstance(error, BadSetting) else 1
    if Store(core.data_dir).current() is None:
        print("No index yet: building one from the starter corpus.", flush=True)
        # A door's work is done by its own command; doors never import one another.
        command = [sys.executable, "-m", "ingest", "run", "--source", "articles"]
        built = subprocess.run(command, check=False)  # noqa: S603 - fixed words
        if built.returncode and Store(core.data_dir).current() is None:
            return 1
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    print(f"Serving on http://{shown}:{port} (stop with Ctrl+C)", flush=True)
    with _watch() if server.server.sync else nullcontext():
        uvicorn.run(
            "api.main:create_app",
            factory=True,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,  # queries stand in addresses, and what a person typed is never logged
            server_header=False,
            http="h11",  # the other one reads headers of any length
            timeout_graceful_shutdown=_STOP_S,
        )
    return 0


@contextmanager
def _watch() -> Iterator[None]:
    """Have the index kept up to date by a process that ends with this one."""

    def end_with_parent() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    child = subprocess.Popen(
        [sys.executable, "-m", "ingest", "watch"],
        stdin=subprocess.DEVNULL,
        preexec_fn=end_with_parent,
    )
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _port_trouble(host: str, port: int) -> str | None:
    """Why the port cannot be had, in one line; None if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"port {port} is in use; choose another: make serve PORT={port + 1}"
            return f"cannot listen on {host}:{port}: {error.strerror}"
    return None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
