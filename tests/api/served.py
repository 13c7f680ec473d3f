"""The server as it runs: a process of its own, on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import shelf


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(root: Path, directory: Path, *arguments: str, **environment: str) -> Any:
    """Begin ``python -m api`` over a data directory."""
    return subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        cwd=root,
        env={
            **os.environ,
            "HELPDESK_DATA_DIR": str(directory),
            "HELPDESK_ANSWER__CONTACT": shelf.CONTACT,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
