"""Chroma's own server, from its package, on a port of 127.0.0.1 that it keeps over restarts."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

_START_S = 60


class ChromaProcess:
    """The server over a folder; as a context manager it runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to serve, and wait until it does."""
        program = Path(sys.executable).parent / "chroma"
        self._process = subprocess.Popen(
            [
                program,
                "run",
                "--path",
                self._folder,
                "--host",
                "127.0.0.1",
                "--port",
                str(self._port),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_S
        while True:
            try:
                if httpx.get(f"{self.address}/api/v2/heartbeat", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert self._process.poll() is None, "the Chroma server does not start"
            assert time.monotonic() < until, "the Chroma server does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """End at once, as when the machine goes."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self, hangs: bool = True) -> None:
        """Take calls and answer none, or go on."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP if hangs else signal.SIGCONT)

    def collections(self) -> set[str]:
        """Names of all that it holds."""
        path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
        return {each["name"] for each in httpx.get(f"{self.address}{path}", timeout=30).json()}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
