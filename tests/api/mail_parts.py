"""Mails and their parts, as bytes: whatever a program might send."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

DESK = "desk@helpdesk.example.org"
ADA, BEA, CAL = "ada@example.org", "bea@example.com", "cal@example.net"
ASKED = "Which contract do we sign before we share data of patients?"


def crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def mail(
    body: str | bytes = ASKED,
    subject: str = "A question",
    sender: str = f"Ada Novak <{ADA}>",
    kind: str = "text/plain; charset=utf-8",
    ident: str = "<1.ada@mail.example.org>",
    more: Mapping[str, str] = {},
) -> bytes:
    """A mail; `None` and empty headers are left out."""
    heads = {
        "From": sender,
        "To": DESK,
        "Subject": subject,
        "Date": "Mon, 02 Nov 2026 10:00:00 +0100",
        "Message-ID": ident,
        "MIME-Version": "1.0",
        "Content-Type": kind,
        **more,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in heads.items() if value)
    content = crlf(body).encode() if isinstance(body, str) else body
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + content


def parts(*each: bytes, boundary: str = "b1") -> bytes:
    """Parts of a mail between boundaries."""
    return b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), one) for one in each) + (
        b"--%b--\r\n" % boundary.encode()
    )


def part(body: str | bytes, kind: str = "text/plain; charset=utf-8", more: str = "") -> bytes:
    content = crlf(body).encode() if isinstance(body, str) else body
    return f"Content-Type: {kind}\r\n{more}\r\n".encode() + content


def attached(name: str, content: bytes, kind: str = "application/pdf") -> bytes:
    encoded = b64encode(content)
    lines = b"\r\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    named = f'Content-Disposition: attachment; filename="{name}"\r\n'
    return part(lines, kind, f"{named}Content-Transfer-Encoding: base64\r\n")
