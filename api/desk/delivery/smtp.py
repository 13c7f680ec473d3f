"""Mails handed to an SMTP server."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from api.desk.delivery.mails import Mails
from api.desk.delivery.models import Delivery, Undelivered
from api.desk.models import Case

_SILENT_S = 30.0
"""How long the server may say nothing."""
_ALL_S = 120.0
"""How long one mail may take, however slow the server is."""
_SLOW_S = 3600.0
"""Before the next attempt where it is for people to mend something."""

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class SmtpServer:
    """Where mails are handed over."""

    host: str
    port: int
    security: Security
    user: str
    """Empty: the server asks for none."""
    password: str


class Smtp:
    """Hands over mails, one connection each."""

    def __init__(self, server: SmtpServer, mails: Mails):
        """Hand over what is written to a server."""
        self._server = server
        self._mails = mails

    async def carry(self, delivery: Delivery, case: Case) -> None:
        """See `Carrier`."""
        mail = self._mails.write(delivery, case)
        taken = False
        try:
            async with asyncio.timeout(_ALL_S), self._client() as client:
                await client.send_message(
                    mail.message, sender=self._mails.sender.address, recipients=[mail.recipient]
                )
                taken = True
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # Once it has been taken, how they part does not matter.
            if not taken:
                raise _undelivered(error) from None

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            # What the machine calls itself tells nobody anything.
            local_hostname=self._mails.sender.domain,
            timeout=_SILENT_S,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
        )


def _undelivered(error: Exception) -> Undelivered:
    """Tell what an error means for the next attempt."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        code = error.recipients[0].code
        return Undelivered(f"recipient refused, {code}", for_good=_permanent(code))
    if isinstance(error, aiosmtplib.SMTPDataError):
        return Undelivered(f"mail refused, {error.code}", for_good=_permanent(error.code))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        # Of the greeting, of signing in, of our own address: nothing is wrong with this mail.
        return Undelivered(
            f"server refuses, {error.code}", wait_s=_SLOW_S if _permanent(error.code) else 0
        )
    if isinstance(error, TimeoutError):
        return Undelivered("server too slow")
    if _of_tls(error):
        return Undelivered("no trusted connection", wait_s=_SLOW_S)
    if isinstance(error, OSError):
        return Undelivered("no connection")
    # STARTTLS, a way of signing in, or letters of an address.
    return Undelivered("server lacks what is needed", wait_s=_SLOW_S)


def _of_tls(error: BaseException | None) -> bool:
    """Whether a certificate or the encryption was not right."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _permanent(code: int) -> bool:
    return 500 <= code < 600
