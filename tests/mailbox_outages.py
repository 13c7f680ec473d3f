"""A mailbox that is read while its server and its readers are killed and slowed at random.

Two readers, each a process of its own with its own desk over one database, take the mails;
either is killed every so often, the server is killed, stopped for a while and started again.
In the end each mail has become one ticket or one message, and none was lost.

By hand, 500 mails: ``python tests/mailbox_outages.py 500``
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "api")]

from imapclient.exceptions import IMAPClientError  # noqa: E402
from mail_parts import DESK, attached, mail, part, parts  # noqa: E402
from servers.imap import ImapServer  # noqa: E402
from sqlalchemy import func, select  # noqa: E402

from api.desk.database import Database  # noqa: E402
from api.desk.desk import open_desk  # noqa: E402
from api.desk.inbox.inbox import Inbox  # noqa: E402
from api.desk.tables import MAILS, MESSAGES, TICKETS  # noqa: E402

_READERS = 2
_MAX_S = 1500
_DONE = "Done"
_FEW = 30
"""Mails that come at a time; the server takes long over full folders."""


def mails(count: int) -> list[bytes]:
    """Questions, each fifth of them followed by a message of the same sender; some are large."""
    made = []
    for number in range(count):
        sender = f"<p{number // 5}@example.org>"
        ident = f"<{number}@mail.example.org>"
        if number % 5 == 4:
            answered = {"In-Reply-To": f"<{number - 1}@mail.example.org>"}
            made.append(mail(f"And {number}?", "Re: more", sender, ident=ident, more=answered))
        elif number % 50 == 0:
            inside = parts(part(f"Question {number}?"), attached("a.bin", os.urandom(300_000)))
            kind = "multipart/mixed; boundary=b1"
            made.append(mail(inside, f"Subject {number}", sender, kind, ident))
        else:
            made.append(mail(f"Question {number}?", f"Subject {number}", sender, ident=ident))
    return made


def read(server: ImapServer, data: Path) -> int:
    """Start a process that takes mails until it is killed; returns its id."""
    process = os.fork()
    if process:
        return process
    try:
        desk = open_desk("", data, 30)
        inbox = Inbox(server.account("INBOX", _DONE), desk.intake, [DESK], 0, 60)
        while True:
            inbox.poll()
            time.sleep(0.05)
    finally:
        os._exit(1)


def unread(server: ImapServer) -> int:
    """How many mails are still to be taken."""
    with server.client() as client:
        client.select_folder("INBOX", readonly=True)
        return len(client.search(["UNSEEN"]))


def main(count: int, seed: int) -> None:
    """Deliver the mails, break everything, and tell what became of them."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        open_desk("", data, 30).close()
        done: Counter[str] = Counter()
        began = time.monotonic()
        with ImapServer(Path(folder) / "imap") as server:
            with server.client() as client:
                client.create_folder(_DONE)
            coming = mails(count)
            readers = [read(server, data) for _ in range(_READERS)]
            try:
                _break(server, data, readers, coming, chance, done, began)
            finally:
                for process in readers:
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)
            with server.client() as client:
                moved = client.folder_status(_DONE, ["MESSAGES"])[b"MESSAGES"]
        _tell(Database("", data), count, moved, done, time.monotonic() - began)


def _break(
    server: ImapServer,
    data: Path,
    readers: list[int],
    coming: list[bytes],
    chance: random.Random,
    done: Counter[str],
    began: float,
) -> None:
    while time.monotonic() - began < _MAX_S:
        time.sleep(chance.uniform(0.3, 3))
        what = chance.choice(["reader", "reader", "server", "slow"])
        done[what] += 1
        if what == "reader":
            at = chance.randrange(len(readers))
            os.kill(readers[at], signal.SIGKILL)
            os.waitpid(readers[at], 0)
            readers[at] = read(server, data)
        elif what == "server":
            server.kill()
            time.sleep(chance.uniform(0, 1))
            server.start()
        else:
            server.pause()
            time.sleep(chance.uniform(0.1, 2))
            server.resume()
        try:
            if not (left := unread(server)) and not coming:
                return
            if left < _FEW:
                _deliver(server, coming)
        except (IMAPClientError, OSError):
            continue
        print(f"\r{left} unread, {len(coming)} to come ", end="", flush=True)  # noqa: T201


def _deliver(server: ImapServer, coming: list[bytes]) -> None:
    """Put some more into the mailbox, in their order; one that may be there is not put again."""
    with server.client() as client:
        for _ in range(min(_FEW, len(coming))):
            client.append("INBOX", coming.pop(0))


def _tell(database: Database, count: int, moved: int, done: Counter[str], took_s: float) -> None:
    with database.reading() as connection:
        asked = list(connection.scalars(select(TICKETS.c.question)))
        is_theirs = MESSAGES.c.kind == "requester"
        wrote = list(connection.scalars(select(MESSAGES.c.text).where(is_theirs)))
        known = connection.scalar(select(func.count()).select_from(MAILS))
    expected = {f"And {n}?" if n % 5 == 4 else f"Question {n}?" for n in range(count)}
    found = Counter(asked + wrote)
    print(f"\r{count} mails in {took_s:.0f} s, with these broken: {dict(done)}")  # noqa: T201
    print(f"tickets {len(asked)}, messages {len(wrote)}, noted {known}, moved {moved}")  # noqa: T201
    print(f"lost: {len(expected - set(found))}, twice: {sum(n - 1 for n in found.values())}")  # noqa: T201
    sys.exit(expected != set(found) or max(found.values()) > 1)


if __name__ == "__main__":
    main(*([int(word) for word in sys.argv[1:]] + [500, 1][len(sys.argv) - 1 :]))
