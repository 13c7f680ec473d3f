"""The server as it runs: a process of its own, on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
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
            "HELPDESK_LIMITS__PER_MINUTE": "0",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(root: Path, directory: Path, **environment: str) -> Iterator[tuple[str, Any]]:
    """The server over a data directory, once it is ready: its address, and the process."""
    port = free_port()
    process = start(root, directory, PORT=str(port), **environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, process.communicate()[1]
            try:
                if httpx.get(f"{address}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            pytest.fail("the server was not ready within a minute")
        yield address, process
    finally:
        process.kill()
        process.communicate()
