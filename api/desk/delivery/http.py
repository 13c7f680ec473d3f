"""One request to a service of the settings: within limits, and no redirect is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from api.desk.delivery.models import Undelivered

_SILENT_S = 30.0
"""How long the service may say nothing."""
_ALL_S = 60.0
"""How long one request may take, however slow the service is."""
_MOST = 5 * 2**20
"""Bytes of an answer that are read."""
_SLOW_S = 3600.0
"""Before the next attempt where it is for people to mend something."""
_LONGEST_WAIT_S = 6 * 3600.0
"""For a service that asks to come back later."""
_BUSY = (408, 425, 429)
"""Refusals that pass by themselves."""


@dataclass(frozen=True)
class Answered:
    """What a service said."""

    status: int
    body: bytes


async def ask(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
    read: bool = True,
) -> Answered:
    """Ask a service something.

    Args:
        method: Of HTTP.
        url: Whom.
        headers: Besides those that every request has.
        query: Goes into the address.
        body: JSON.
        read: Whether the answer is of interest, besides its status.

    Returns:
        An answer whose status tells of success.

    Raises:
        Undelivered: The service refuses, or cannot be reached.
    """
    answered: Answered | None = None
    sent = {"Content-Type": "application/json", **headers} if body is not None else headers
    try:
        async with (
            asyncio.timeout(_ALL_S),
            httpx2.AsyncClient(timeout=_SILENT_S) as client,
            client.stream(method, url, headers=sent, params=query, content=body) as response,
        ):
            if not response.is_success:
                raise _refused(response)
            answered = Answered(response.status_code, await _body(response) if read else b"")
    except (TimeoutError, httpx2.HTTPError, OSError) as error:
        # Once it has answered, how they part does not matter.
        if answered is None:
            slow = isinstance(error, TimeoutError | httpx2.TimeoutException)
            raise Undelivered("server too slow" if slow else "no connection") from None
    return answered


async def _body(response: httpx2.Response) -> bytes:
    read = bytearray()
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > _MOST:
            raise Undelivered("answer too long")
    return bytes(read)


def _refused(response: httpx2.Response) -> Undelivered:
    status = response.status_code
    # The server is at fault, or others ask too much: that passes. All else is for people to mend.
    passes = status >= 500 or status in _BUSY
    wait_s = 0.0 if passes else _SLOW_S
    asked = response.headers.get("retry-after", "")
    if passes and asked.isascii() and asked.isdecimal():
        wait_s = min(float(asked), _LONGEST_WAIT_S)
    return Undelivered(f"server refuses, {status}", for_good=status == 410, wait_s=wait_s)
