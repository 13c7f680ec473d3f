"""Who is staff."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPBearer

_SCHEME = "bearer "
# For the documentation; what is sent is read by `Staff`.
_documented = HTTPBearer(auto_error=False, description="HELPDESK_STAFF_TOKEN")


class Staff:
    """Knows staff by a token that they share."""

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


def staff_only(request: Request, _: Annotated[object, Depends(_documented)]) -> None:
    """Refuse whoever is not staff."""
    staff: Staff = request.app.state.staff
    if not staff.known:
        raise HTTPException(403, "staff calls are off: no HELPDESK_STAFF_TOKEN is set")
    if not staff.admits(request.headers.get("authorization")):
        raise HTTPException(
            401,
            "this call is for staff: send Authorization: Bearer with the staff token",
            headers={"WWW-Authenticate": "Bearer"},
        )
