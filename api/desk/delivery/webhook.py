"""Changes of tickets told to any other program, signed, and without a word of what was written."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from api.desk.delivery.http import ask
from api.desk.delivery.models import Delivery
from api.desk.models import Case


class Webhook:
    """Posts them to an address."""

    def __init__(self, url: str, secret: str, site: str):
        """Post to an address.

        Args:
            url: The address; who takes it away for good answers 410.
            secret: The signature is made with it.
            site: Where people reach the helpdesk.
        """
        self._url = url
        self._secret = secret.encode()
        self._site = site

    async def carry(self, delivery: Delivery, case: Case) -> None:
        """See `Carrier`."""
        ticket = case.ticket
        told = {
            "event": f"ticket.{delivery.what}",
            "ticket": ticket.ticket_id,
            "state": ticket.state,
            "country": ticket.country,
            "intent": ticket.intent,
            "priority": ticket.priority,
            "happened_at": delivery.created_at.isoformat(timespec="seconds"),
            "link": f"{self._site}/desk/tickets/{ticket.ticket_id}",
        }
        body = json.dumps(told).encode()
        headers = {
            "X-Helpdesk-Signature": signature(self._secret, body, int(time.time())),
            "X-Helpdesk-Delivery": delivery.delivery_id,
        }
        await ask("POST", self._url, headers, body=body, read=False)


def signature(secret: bytes, body: bytes, now: int) -> str:
    """Sign what is sent, with the time, so that it cannot be sent again by others later."""
    signed = hmac.new(secret, f"{now}.".encode() + body, hashlib.sha256)
    return f"t={now},v1={signed.hexdigest()}"
