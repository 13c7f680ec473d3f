"""Serve the helpdesk: ``python -m api``, without arguments.

Serves the helpdesk; builds the index from the starter corpus first if there is none.
Settings come from the environment or a .env file: README.md lists them.
"""

from __future__ import annotations

import errno
import socket
import subprocess
import sys

import uvicorn

from api.settings import ApiSettings
from rag.errors import BadSetting
from rag.index import Store
from rag.settings import Settings, read_settings


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
    except BadSetting as error:
        print(f"api: {error}", file=sys.stderr)
        return 2
    host, port = server.server.host, server.port
    if trouble := _port_trouble(host, port):
        print(f"api: {trouble}", file=sys.stderr)
        return 1
    if Store(core.data_dir).current() is None:
        print("No index yet: building one from the starter corpus.", flush=True)
        # A door's work is done by its own command; doors never import one another.
        built = subprocess.run([sys.executable, "-m", "ingest", "run"], check=False)
        if built.returncode and Store(core.data_dir).current() is None:
            return 1
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
    print(f"Serving on http://{shown}:{port} (stop with Ctrl+C)", flush=True)
    uvicorn.run(
        "api.main:create_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # queries stand in addresses, and what a person typed is never logged
        server_header=False,
    )
    return 0


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
