"""A disk of a few megabytes that only one server and its commands see, and that can be spoilt.

It lies in memory, mounted where nobody else can see it; root alone may do that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import shelf
from served import free_port

_MEGABYTES = 48
_UP_S = 90
_MOUNTED = """
set -e
mount -t tmpfs -o size=$1m tmpfs "$2"
cp -r "$3"/. "$2"
[ "$4" = rw ] || mount -o remount,ro "$2"
shift 4
exec "$@"
"""


@dataclass
class Cramped:
    """The disk, and the server whose data lie on it."""

    address: str
    data: Path
    process: Any

    @property
    def seen(self) -> Path:
        """The data directory as it can be seen from here."""
        return Path(f"/proc/{self.process.pid}/root{self.data}")

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command that has the same disk."""
        return subprocess.run(
            ["nsenter", "-t", str(self.process.pid), "-m", "--wd=" + str(shelf.ROOT), *command],
            cwd=shelf.ROOT, env=_environment(self.data), capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our own."""
        return self.inside(sys.executable, "-m", *arguments)

    def fill(self) -> None:
        """Leave no byte."""
        with suppress(OSError), (self.seen / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def empty(self) -> None:
        """Give the room back."""
        (self.seen / "filler").unlink()

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", json=body, timeout=60)

    def until(self, works: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not works():
            assert time.monotonic() < end, "it did not recover by itself"
            time.sleep(0.3)

    def said(self) -> str:
        """End the server, and return what it said."""
        self.process.terminate()
        out, err = self.process.communicate(timeout=60)
        return f"{out}{err}"


def _environment(data: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "HELPDESK_DATA_DIR": str(data),
        "HELPDESK_ANSWER__CONTACT": shelf.CONTACT,
        "HELPDESK_LIMITS__PER_MINUTE": "0",
        "HELPDESK_LIMITS__TICKETS_PER_HOUR": "0",
        **more,
    }


@contextmanager
def cramped(index: Path, place: Path, mode: str = "rw", **settings: str) -> Iterator[Cramped]:
    """A server on a small disk, once it answers.

    Args:
        index: Copied onto the disk.
        place: An empty folder, which the disk is mounted over.
        mode: ``rw``, or ``ro``: it cannot be written from the beginning.
        settings: Of the server.
    """
    if missing := _missing(place):
        # Under NO_SKIPS, too: nothing that could be installed is missing.
        pytest.skip(missing)
    port = free_port()
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", _MOUNTED, "sh", str(_MEGABYTES), str(place), str(index),
         mode, sys.executable, "-m", "api"],
        cwd=shelf.ROOT, env=_environment(place, PORT=str(port), **settings),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    server = Cramped(f"http://127.0.0.1:{port}", place, process)
    try:
        end = time.monotonic() + _UP_S
        while True:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end, "the server did not start"
            with suppress(httpx.TransportError):
                if httpx.get(f"{server.address}/readyz", timeout=30).status_code == 200:
                    break
            time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.communicate()


def _missing(place: Path) -> str:
    """Why no disk can be mounted; empty: it can."""
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    return "" if tried.returncode == 0 else "a small disk cannot be mounted here: that takes root"
