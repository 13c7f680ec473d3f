"""Who is staff: machines by a token that they share, people by the session of the console."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, HTTPException, Request, Response
from fastapi.security import HTTPBearer

from api.desk.desk import Desk
from api.desk.models import Actor, Member
from api.desk.sessions import proof_of

if TYPE_CHECKING:
    from api.rate_limit import RateLimit

MACHINES = Actor("staff", "admin")
"""Whoever has the token: all that staff may do, and no name."""
PROOF = "X-Desk-Proof"
"""Header of calls by a session: another page can have the cookie sent, and does not know this."""
_SCHEME = "bearer "
_READS = ("GET", "HEAD")
SESSION = "desk"
"""Cookie of who is signed in; until the browser is closed, see `api.desk.sessions`."""
# For the documentation; what is sent is read by `Staff`.
_documented = HTTPBearer(auto_error=False, description="HELPDESK_STAFF_TOKEN")


class Staff:
    """Knows machines by the token."""

    def __init__(self, token: str):
        """Admit who sends the token; empty: nobody."""
        self.known = bool(token)
        self._token = token.encode()

    def admits(self, authorization: str | None) -> bool:
        """Whether an `Authorization` header holds the token."""
        if not self.known or authorization is None:
            return False
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        # Header text is one character a byte.
        sent = authorization[len(_SCHEME) :].strip().encode("latin-1", "replace")
        return hmac.compare_digest(sent, self._token)


@dataclass(frozen=True)
class Visitor:
    """One of staff in the console."""

    member: Member
    proof: str
    """What their forms carry, see `proof_of`."""

    @property
    def actor(self) -> Actor:
        """Them, as they do something."""
        return self.member.actor


def secure(request: Request) -> bool:
    """Whether browsers reach the helpdesk by HTTPS."""
    address: str = request.app.state.public_url
    return address.startswith("https:") if address else request.url.scheme == "https"


def cookie_name(request: Request, cookie: str = SESSION) -> str:
    """Name of a cookie of the console as browsers know it; by HTTPS no other host can set it."""
    return f"__Host-{cookie}" if secure(request) else cookie


def set_cookie(
    request: Request, response: Response, cookie: str, value: str, max_age_s: int | None = None
) -> None:
    """Give a browser a cookie that no script reads and no form of another site sends.

    Args:
        request: Tells how the helpdesk is reached.
        response: Carries it.
        cookie: Its name, without what `cookie_name` puts before it.
        value: A token; empty takes the cookie back.
        max_age_s: How long it is kept; None: until the browser is closed.
    """
    response.set_cookie(
        cookie_name(request, cookie),
        value,
        max_age=max_age_s if value else 0,
        path="/",
        secure=secure(request),
        httponly=True,
        # It comes along where a person follows a link, as from the service that signs them in.
        samesite="lax",
    )


async def visitor_of(request: Request) -> Visitor | None:
    """Return whose session a request belongs to; None: nobody's.

    Raises:
        DeskUnavailable: That cannot be looked up.
    """
    token = request.cookies.get(cookie_name(request))
    if not token:
        return None
    desk: Desk = request.app.state.services.desk
    member = await desk.beside(partial(desk.sessions.member, token))
    return Visitor(member, proof_of(token)) if member else None


async def staff_only(request: Request, _: Annotated[object, Depends(_documented)]) -> Actor:
    """Return who of staff calls; refuse whoever is not staff."""
    staff: Staff = request.app.state.staff
    authorization = request.headers.get("authorization")
    limit: RateLimit = request.app.state.rate_limit
    if authorization is not None and (wait_s := limit.guessing(request.scope)):
        headers = {"Retry-After": str(wait_s)}
        raise HTTPException(429, f"too many wrong tokens; try again in {wait_s} s", headers)
    if staff.admits(authorization):
        return MACHINES
    if authorization is not None:
        limit.guessed(request.scope)
    if authorization is None and (visitor := await visitor_of(request)):
        sent = request.headers.get(PROOF, "")
        if request.method in _READS or same(sent, visitor.proof):
            return visitor.actor
        raise HTTPException(403, f"calls by a session need the header {PROOF}")
    if not staff.known and authorization is not None:
        raise HTTPException(403, "no HELPDESK_STAFF_TOKEN is set")
    raise HTTPException(
        401,
        "this call is for staff: send Authorization: Bearer with the staff token",
        headers={"WWW-Authenticate": "Bearer"},
    )


def same(one: str, other: str) -> bool:
    """Whether two secrets are the same, found out in the same time."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


Calling = Annotated[Actor, Depends(staff_only)]
"""Who of staff calls."""
