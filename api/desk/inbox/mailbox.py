"""A mailbox on a server, by IMAP."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from imapclient import SEEN, IMAPClient
from imapclient.exceptions import CapabilityError, IMAPClientError, LoginError

from api.desk.inbox.mail import LEFT_OUT
from rag.errors import HelpdeskError

FLAGGED = rb"\Flagged"
Security = Literal["tls", "starttls", "none"]

_TIMEOUT_S = 30
"""Between two words of the server."""
_WHOLE = 5_000_000
"""Bytes of a mail up to which it is fetched whole; of larger ones only the text is."""
_OF_A_TEXT = 1_000_000
"""Bytes of a text that are fetched of those."""
_MOST = 100
"""Parts of a large mail that are looked at."""
LOST = (IMAPClientError, OSError)
"""What goes wrong between here and the server."""
_BOUNDARY = b"=_what-was-not-fetched"
_CONTENT = re.compile(rb"(?im)^content-[\w-]+:.*\r?\n(?:[ \t].*\r?\n)*")


class MailboxUnavailable(HelpdeskError):
    """The server cannot be reached, or does not do what it is asked."""


@dataclass(frozen=True)
class Account:
    """Where mails come in."""

    host: str
    port: int
    security: Security
    user: str
    password: str
    folder: str
    done_folder: str
    """Where those that were taken are moved; empty: they stay."""


@dataclass(frozen=True)
class Fetched:
    """A mail as the server has it."""

    raw: bytes
    """Without what was left out; there, a header says how long it is."""
    flags: frozenset[str]
    """In small letters."""
    received: str
    """When the server got it."""


class Mailbox:
    """The folder of an account, open."""

    def __init__(self, client: IMAPClient, account: Account):
        """Work in a folder that is selected."""
        self._client = client
        self._account = account
        self._done = account.done_folder

    def unread(self) -> list[int]:
        """Numbers of the mails that nobody has looked at, the oldest first."""
        return sorted(self._client.search(["UNSEEN", "UNFLAGGED", "UNDELETED"]))

    def fetch(self, uid: int) -> Fetched | None:
        """Fetch a mail; None: it is not there any more."""
        told = self._one(uid, ["RFC822.SIZE", "FLAGS", "INTERNALDATE"])
        if not told:
            return None
        if told.get(b"RFC822.SIZE", 0) <= _WHOLE:
            raw = self._one(uid, ["BODY.PEEK[]"]).get(b"BODY[]")
        else:
            raw = self._without_attachments(uid)
        flags = frozenset(each.decode("ascii", "replace").lower() for each in told[b"FLAGS"])
        received = told.get(b"INTERNALDATE")
        when = received.isoformat() if isinstance(received, datetime) else ""
        # Some servers give nothing of one that another reader has moved meanwhile.
        return Fetched(raw, flags, when) if raw else None

    def taken(self, uid: int) -> None:
        """Mark a mail as read, and put it away."""
        self._client.add_flags(uid, SEEN)
        if not self._done:
            return
        try:
            self._client.move(uid, self._done)
        except CapabilityError:
            self._client.copy(uid, self._done)
            self._client.delete_messages(uid)
            # Of this one only; where that cannot be done it stays, deleted.
            with suppress(CapabilityError):
                self._client.uid_expunge([uid])
        except IMAPClientError:
            # There is no such folder; it is looked for again at the next visit.
            self._done = ""

    def flag(self, uid: int) -> None:
        """Leave a mail to people."""
        self._client.add_flags(uid, FLAGGED)

    def _one(self, uid: int, what: Sequence[str]) -> Mapping[bytes, Any]:
        found: Mapping[int, Mapping[bytes, Any]] = self._client.fetch(uid, list(what))
        return found.get(uid, {})

    def _without_attachments(self, uid: int) -> bytes | None:
        """A large mail: its texts, and the heads of what else it carries."""
        told = self._one(uid, ["BODY.PEEK[HEADER]", "BODYSTRUCTURE"])
        head, structure = told.get(b"BODY[HEADER]"), told.get(b"BODYSTRUCTURE")
        subtype = _lower(structure[1]) if structure and isinstance(structure[0], list) else ""
        if head is None or subtype in ("", "report"):
            # What reports of mails that came back tell stands at their beginning.
            return self._beginning(uid)
        leaves = list(_leaves(structure, ""))[:_MOST]
        heads = self._one(uid, [f"BODY.PEEK[{each.number}.MIME]" for each in leaves])
        texts = [f"BODY.PEEK[{each.number}]<0.{_OF_A_TEXT}>" for each in leaves if each.is_text]
        said = self._one(uid, texts) if texts else {}
        parts = []
        for each in leaves:
            mime = heads.get(f"BODY[{each.number}.MIME]".encode()) or b"\r\n"
            text = said.get(f"BODY[{each.number}]<0>".encode(), b"")
            kept = (
                b""
                if each.is_text and each.size <= _OF_A_TEXT
                else b"%b: %d\r\n" % (LEFT_OUT.encode(), each.size)
            )
            parts.append(b"\r\n--%b\r\n%b%b%b" % (_BOUNDARY, kept, mime, text))
        kind = b"encrypted" if subtype == "encrypted" else b"mixed"
        whole = b'Content-Type: multipart/%b; boundary="%b"\r\n' % (kind, _BOUNDARY)
        ended = b"".join([*parts, b"\r\n--%b--\r\n" % _BOUNDARY])
        return whole + _CONTENT.sub(b"", head) + ended

    def _beginning(self, uid: int) -> bytes | None:
        raw: bytes | None = self._one(uid, [f"BODY.PEEK[]<0.{_OF_A_TEXT}>"]).get(b"BODY[]<0>")
        return raw


@contextmanager
def opened(account: Account, using: Callable[[IMAPClient], None]) -> Iterator[Mailbox]:
    """Sign in to an account and open its folder.

    Args:
        account: Whose.
        using: Is handed the connection, so that somebody else can cut it.

    Raises:
        MailboxUnavailable: The server cannot be reached, refuses, or goes away meanwhile.
    """
    # It writes what passes to and fro, passwords and mails, into the log of whoever wants all.
    logging.getLogger("imapclient").setLevel(logging.WARNING)
    try:
        secure = ssl.create_default_context()
        with IMAPClient(
            account.host,
            account.port,
            ssl=account.security == "tls",
            ssl_context=secure,
            timeout=_TIMEOUT_S,
        ) as client:
            using(client)
            if account.security == "starttls":
                client.starttls(secure)
            client.login(account.user, account.password)
            client.select_folder(account.folder)
            yield Mailbox(client, account)
    except LoginError:
        raise MailboxUnavailable("the server takes neither user nor password") from None
    except LOST as error:
        # Its own words may repeat what a mail says.
        raise MailboxUnavailable(f"the mailbox fails: {type(error).__name__}") from None


@dataclass(frozen=True)
class _Leaf:
    """A part of a mail that has no parts."""

    number: str
    is_text: bool
    size: int


def _leaves(structure: Any, number: str) -> Iterator[_Leaf]:
    """The parts of a mail by their numbers (RFC 3501, 6.4.5)."""
    if isinstance(structure[0], list):
        for place, each in enumerate(structure[0], start=1):
            yield from _leaves(each, f"{number}.{place}" if number else str(place))
    else:
        size = structure[6] if isinstance(structure[6], int) else 0
        yield _Leaf(number, _lower(structure[0]) == "text", size)


def _lower(name: object) -> str:
    return name.decode("ascii", "replace").lower() if isinstance(name, bytes) else ""
