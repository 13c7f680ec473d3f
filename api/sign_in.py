"""Has another service say who somebody is: OpenID Connect, by Authlib.

Nothing is asked of the service before somebody signs in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
from authlib.integrations.starlette_client import (  # type: ignore[import-untyped]
    OAuth,
    OAuthError,
)
from fastapi import Request, Response

from rag.errors import HelpdeskError

_TIMEOUT_S = 5
"""How long the service may be silent."""
_ALL_S = 15
"""How long all that is asked of it for one sign-in may take."""
_LEEWAY_S = 60
"""By how much its clock may differ."""
_SIGNED = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]
"""Signatures that are taken, whatever the service offers: by its private key only, never `none`."""
_CODES = (
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
)
"""What of an answer may stand in the log: anybody can make up an answer."""
_LOG = logging.getLogger(__name__)


class SignInRefused(HelpdeskError):
    """The service did not say who somebody is, or not so that it can be believed."""


class SignInUnavailable(HelpdeskError):
    """The service cannot be reached."""


@dataclass(frozen=True)
class Provider:
    """A service that signs people in."""

    issuer: str
    """Its address, as its discovery document names it."""
    client_id: str
    client_secret: str
    name: str
    """As people know it."""
    scopes: str


@dataclass(frozen=True)
class Identity:
    """Somebody, as the service knows them."""

    issuer: str
    subject: str
    """Their id there."""
    email: str | None
    """Where the service has checked that it is theirs."""


class SignIn:
    """Sends browsers to a service, and understands what they bring back."""

    def __init__(self, provider: Provider):
        """Ask nothing yet."""
        self.name = provider.name
        self._issuer = provider.issuer.rstrip("/")
        self._client_id = provider.client_id
        self._client = OAuth().register(
            "staff",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{self._issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": provider.scopes,
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT_S,
            },
        )

    async def begin(self, request: Request, back: str) -> tuple[Response, dict[str, Any]]:
        """Send a browser to the service.

        Args:
            request: Of the browser.
            back: Address under which it returns, as the service has it listed.

        Returns:
            The reply, and what the return is held against: the caller keeps it for this browser.

        Raises:
            SignInUnavailable: The service cannot be reached.
            SignInRefused: It does not describe itself as it should.
        """
        expected: dict[str, Any] = {}
        request.scope["session"] = expected
        with _understood():
            with anyio.fail_after(_ALL_S):
                await self._described()
                reply: Response = await self._client.authorize_redirect(request, back)
        return reply, expected

    async def finish(self, request: Request, expected: dict[str, Any]) -> Identity:
        """Learn who a browser brings back.

        Args:
            request: Of the browser, as it returns.
            expected: What `begin` returned for it.

        Raises:
            SignInUnavailable: The service cannot be reached.
            SignInRefused: It says no, or what it says does not hold.
        """
        request.scope["session"] = expected
        with _understood():
            with anyio.fail_after(_ALL_S):
                return await self._identity(request)

    async def _identity(self, request: Request) -> Identity:
        about = await self._described()
        token = await self._client.authorize_access_token(
            request,
            claims_options={
                "iss": {"essential": True, "value": about["issuer"]},
                "aud": {"essential": True, "value": self._client_id},
            },
            leeway=_LEEWAY_S,
        )
        claims: dict[str, Any] = token["userinfo"]
        subject = str(claims["sub"])
        # Both from one place: an address, and that this one was checked.
        if not {"email", "email_verified"} <= claims.keys() and "userinfo_endpoint" in about:
            claims = await self._client.userinfo(token=token)
            if claims["sub"] != subject:
                raise SignInRefused("the sign-in service spoke of two people at once")
        # One that was not checked may be anybody's.
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Identity(self._issuer, subject, email if isinstance(email, str) else None)

    async def _described(self) -> dict[str, Any]:
        """Return what the service says of itself; fetched once."""
        about: dict[str, Any] = await self._client.load_server_metadata()
        if str(about.get("issuer")).rstrip("/") != self._issuer:
            # It is fetched again, for when it is put right.
            about.clear()
            raise SignInRefused("the sign-in service calls itself otherwise than the settings do")
        about["id_token_signing_alg_values_supported"] = _SIGNED
        return about


@contextmanager
def _understood() -> Iterator[None]:
    """Turn whatever goes wrong with the service into an error of ours."""
    try:
        yield
    except SignInRefused as error:
        _LOG.warning("sign-in: %s", error)
        raise
    except (httpx2.HTTPError, TimeoutError) as error:
        _LOG.warning("sign-in: %s", type(error).__name__)
        raise SignInUnavailable("the sign-in service cannot be reached; try again later") from None
    except Exception as error:  # noqa: BLE001 - a door: what the service sends may be anything
        code = error.error if isinstance(error, OAuthError) and error.error in _CODES else ""
        # The kind only: its text may hold what identifies somebody, or a secret.
        _LOG.warning("sign-in: %s", " ".join(filter(None, (type(error).__name__, code))))
        if code == "access_denied":
            raise SignInRefused("the sign-in was cancelled, or is not allowed to you") from None
        raise SignInRefused("the sign-in did not go through") from None
