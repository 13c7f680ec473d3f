"""A mail server on 127.0.0.1: pymap over a folder, in a process of its own that can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from imapclient import IMAPClient
from pysasl.hashing import BuiltinHash

from api.desk.inbox.mailbox import Account

USER, PASSWORD = "desk@helpdesk.example.org", "a-password-of-the-mailbox"
_START_S = 30


class ImapServer:
    """The server; as a context manager it runs. What it holds outlives it."""

    def __init__(self, directory: Path) -> None:
        """Keep mails in a folder."""
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        kept = BuiltinHash(rounds=1).hash(PASSWORD)
        (directory / "pymap-etc-passwd").write_text(f"{USER}:x::::mails:\n")
        (directory / "pymap-etc-shadow").write_text(f"{USER}:{kept}:::::::\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Run, on the same port as before."""
        command = [sys.executable, "-c", "from pymap.main import main; main()"]
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--no-tls"]
        self._process = subprocess.Popen(
            [*command, *where, "maildir", str(self._directory)],
            # It renames what it writes into its folder, so both are on one disk.
            env={**os.environ, "TMPDIR": str(self._directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < until, "the mail server does not answer"
            assert self._process.poll() is None, "the mail server does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End at once, whatever it was doing."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Keep clients waiting."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    def account(self, folder: str = "INBOX", done_folder: str = "") -> Account:
        """What signs in here."""
        return Account("127.0.0.1", self.port, "none", USER, PASSWORD, folder, done_folder)

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """Somebody else who looks into the mailbox."""
        with IMAPClient("127.0.0.1", self.port, ssl=False) as client:
            client.login(USER, PASSWORD)
            yield client
