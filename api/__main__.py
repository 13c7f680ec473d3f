"""Serve the helpdesk: ``python -m api``, without arguments.

Serves the helpdesk; builds the index from the starter corpus first if there is none.
Settings come from the environment or a .env file: docs/operators/settings.md lists them.
"""

from __future__ import annotations

import errno
import socket
import sys

from api.settings import ApiSettings
from rag.errors import BadSetting
from rag.settings import Settings, read_settings
from rag.wiring import check_corpus, check_models


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
        check_models(core)
    except BadSetting as error:
        print(f"api: {error}", file=sys.stderr)
        return 2
    host, port = server.server.host, server.port
    if trouble := _port_trouble(host, port):
        print(f"api: {trouble}", file=sys.stderr)
        return 1
    # To import what serves takes longer than all of the above.
    from api.serving import serve

    return serve(server, core)


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
