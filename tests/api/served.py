"""The server as it runs: a process of its own, on a port of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import httpx
import shelf

_START_S = 120


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    root: Path, directory: Path, *arguments: str, before: Sequence[str] = (), **environment: str
) -> Any:
    """Begin ``python -m api`` over a data directory, behind a command that begins it."""
    return _Noted(
        [*before, sys.executable, "-m", "api", *arguments],
        cwd=root,
        env={
            **os.environ,
            "HELPDESK_DATA_DIR": str(directory),
            "HELPDESK_ANSWER__CONTACT": shelf.CONTACT,
            "HELPDESK_LIMITS__PER_MINUTE": "0",
            **environment,
        },
    )


class _Noted(subprocess.Popen[str]):
    """A process that says what it likes: a pipe that nobody reads would stop it when it is full."""

    def __init__(self, command: list[str], **how: Any) -> None:
        self._said = (TemporaryFile("w+"), TemporaryFile("w+"))  # noqa: SIM115 - read later
        super().__init__(command, stdout=self._said[0], stderr=self._said[1], **how)

    def communicate(
        self,
        input: str | None = None,  # noqa: A002 - the name is given
        timeout: float | None = None,
    ) -> tuple[str, str]:
        self.wait(timeout)
        for file in self._said:
            file.seek(0)
        return self._said[0].read(), self._said[1].read()


@contextmanager
def running(root: Path, directory: Path, **environment: str) -> Iterator[tuple[str, Any]]:
    """The server over a data directory, once it is ready: its address, and the process."""
    port = free_port()
    process = start(root, directory, PORT=str(port), **environment)
    address = f"http://127.0.0.1:{port}"
    try:
        await_status(process, f"{address}/readyz")
        yield address, process
    finally:
        process.kill()
        process.communicate()


def await_status(process: subprocess.Popen[str], address: str, status: int = 200) -> None:
    """Wait until a server that was started answers at an address with a status of HTTP."""
    until = time.monotonic() + _START_S
    # One for all tries: to make one reads all certificates of the machine.
    with httpx.Client() as client:
        while True:
            assert process.poll() is None, process.communicate()[1]
            with suppress(httpx.TransportError):
                if client.get(address).status_code == status:
                    return
            assert time.monotonic() < until, f"no {status} at {address} within {_START_S} s"
            time.sleep(0.1)
