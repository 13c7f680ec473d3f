"""An SMTP server on 127.0.0.1 that can be told how to behave: `aiosmtpd`."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Literal, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Way = Literal[
    "take", "slow", "refuse", "refuse later", "refuse recipient", "refuse sender", "die before",
    "die between", "die after",
]  # fmt: skip
"""``between``: it has taken the mail, and does not say so."""


@dataclass(frozen=True)
class Taken:
    """A mail as it came."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    encrypted: bool
    user: str | None
    way: Way
    at: float
    """By `time.monotonic`."""

    @property
    def mail(self) -> EmailMessage:
        return cast(EmailMessage, message_from_bytes(self.raw, policy=default))

    @property
    def text(self) -> str:
        return str(self.mail.get_content()).replace("\r\n", "\n")


class SmtpServer:
    """The server; as a context manager it runs."""

    def __init__(
        self,
        *,
        port: int = 0,
        behave: Callable[[], Way] = lambda: "take",
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        slow_s: float = 0.2,
        utf8: bool = True,
    ) -> None:
        """Take mails.

        Args:
            port: Where; 0: anywhere.
            behave: Asked for every mail.
            tls: Offers STARTTLS, and asks for it.
            implicit: Speaks TLS from the beginning instead.
            login: User and password that it asks for.
            slow_s: What "slow" is.
            utf8: Whether addresses may be in any letters.
        """
        self.behave = behave
        self.taken: list[Taken] = []
        self.tries = 0
        self._slow_s = slow_s
        self._login = login
        options: dict[str, Any] = {"enable_SMTPUTF8": utf8, "decode_data": False}
        if login:
            options |= {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": tls is not None and not implicit,
            }
        if tls and not implicit:
            options |= {"tls_context": tls, "require_starttls": True}
        self._controller = Controller(
            self, hostname="127.0.0.1", port=port or _free(),
            ssl_context=tls if implicit else None, ready_timeout=10, **options,
        )  # fmt: skip
        self.port = self._controller.port

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def _authenticate(self, *said: Any) -> AuthResult:
        data = cast(LoginPassword, said[-1])
        right = (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=right, handled=False, auth_data=data)

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.way = self.behave()  # type: ignore[attr-defined]
        self.tries += 1
        if envelope.way == "refuse sender":  # type: ignore[attr-defined]
            return "550 you may not send"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.way == "refuse recipient":  # type: ignore[attr-defined]
            return "550 nobody of this name"
        if envelope.way == "refuse later":  # type: ignore[attr-defined]
            return "451 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        way = cast(Way, envelope.way)  # type: ignore[attr-defined]
        if way == "slow":
            await asyncio.sleep(self._slow_s)
        if way == "refuse":
            return "554 no such mails"
        if way == "die before":
            return _hang_up(server)
        self.taken.append(
            Taken(
                str(envelope.mail_from),
                tuple(envelope.rcpt_tos),
                bytes(envelope.content or b""),
                server.transport is not None
                and server.transport.get_extra_info("sslcontext") is not None,
                session.auth_data.login.decode() if session.authenticated else None,  # type: ignore[attr-defined]
                way,
                time.monotonic(),
            )
        )
        if way == "die between":
            return _hang_up(server)
        if way == "die after":
            asyncio.get_running_loop().call_later(0.005, _hang_up, server)
        return "250 OK"


def _hang_up(server: SMTP) -> str:
    if server.transport is not None:
        server.transport.abort()
    return "421 gone"


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
