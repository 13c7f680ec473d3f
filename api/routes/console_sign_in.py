"""How staff sign in and out."""

from __future__ import annotations

import logging
import re
from functools import partial
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from api.auth import SESSION, cookie_name, set_cookie, visitor_of
from api.console.console import (
    HEADERS,
    ConsoleRoute,
    SignedIn,
    console_of,
    depth_of,
    desk_of,
    sent_form,
)
from api.desk.sessions import SIGN_IN
from api.errors import STATUS
from api.rate_limit import RateLimit
from api.sign_in import SignIn, SignInRefused, SignInUnavailable

router = APIRouter(prefix="/desk", route_class=ConsoleRoute, include_in_schema=False)

_PENDING = "desk-sign-in"
"""Cookie of a browser that was sent to sign in elsewhere."""
_HOME = "desk"
# A page of the console: no scheme, no host, no way up, and nothing that a browser reads as such.
_PAGE = re.compile(r"desk(?:/[A-Za-z0-9_-]+)*(?:\?[A-Za-z0-9_~%.+&=:,-]*)?")
_MAX_PAGE = 1000
_TOO_LATE = "the sign-in took too long, or was used before"
_LOG = logging.getLogger(__name__)


async def _count(request: Request) -> None:
    """Count what writes into the database, or asks another service, for whoever comes along.

    Raises:
        HTTPException: It is one too many.
    """
    limit: RateLimit = request.app.state.rate_limit
    if wait_s := await limit.call(request.scope):
        raise HTTPException(429, f"too many requests; try again in {wait_s} s")


_COUNTED = [Depends(_count)]


@router.get("/sign-in")
async def sign_in(request: Request) -> Response:
    """Offer the ways to sign in."""
    to = page_of(request.query_params.get("to", ""))
    if await visitor_of(request):
        return _onward(request, to)
    return _offered(request, to)


@router.get("/sign-in/start", dependencies=_COUNTED)
async def start(request: Request) -> Response:
    """Send the browser to the service that says who somebody is."""
    to = page_of(request.query_params.get("to", ""))
    service, desk = _service(request), desk_of(request)
    if service is None:
        return _offered(request, to)
    root = request.app.state.public_url or str(request.base_url).rstrip("/")
    try:
        reply, expected = await service.begin(request, f"{root}/desk/sign-in/back")
    except (SignInRefused, SignInUnavailable) as error:
        return _offered(request, to, error)
    kept = {"answer": expected, "to": to}
    token = await desk.beside(partial(desk.sessions.expect, kept))
    set_cookie(request, reply, _PENDING, token, int(SIGN_IN.total_seconds()))
    reply.headers.update(HEADERS)
    return reply


@router.get("/sign-in/back", dependencies=_COUNTED)
async def back(request: Request) -> Response:
    """Sign in whom the service names, if they are on the list."""
    response = await _returned(request)
    # Whatever became of it: it counts once.
    set_cookie(request, response, _PENDING, "")
    return response


async def _returned(request: Request) -> Response:
    service, desk = _service(request), desk_of(request)
    token = request.cookies.get(cookie_name(request, _PENDING), "")
    kept = await desk.beside(partial(desk.sessions.expected, token)) if token else None
    expected, staff_id = kept or ({}, None)
    to = page_of(str(expected.get("to", "")))
    if service is None or kept is None or staff_id:
        return _offered(request, to, SignInRefused(_TOO_LATE))
    try:
        person = await service.finish(request, expected["answer"])
    except (SignInRefused, SignInUnavailable) as error:
        return _offered(request, to, error)
    member = await desk.beside(
        partial(desk.staff.identified, person.issuer, person.subject, person.email)
    )
    if member is None:
        _LOG.warning("sign-in: of somebody who is not on the list, or by another account")
        return _page(request, to, status=403, stranger=True, address=person.email)
    return await _signed_in(request, member.staff_id, to)


@router.get("/sign-in/link")
async def link(request: Request) -> Response:
    """Ask before a link is used up: programs that look into mail follow links, too."""
    return console_of(request).page(
        "sign_in_local.html",
        None,
        depth=depth_of(request),
        token=request.query_params.get("token", ""),
        trouble="",
    )


@router.post("/sign-in/link", dependencies=_COUNTED)
async def use_link(request: Request) -> Response:
    """Sign in whom a link was made for."""
    desk = desk_of(request)
    async with request.form(max_files=0, max_fields=1) as form:
        token = form.get("token")
    kept = await desk.beside(partial(desk.sessions.expected, str(token)))
    if kept is None or kept[1] is None:
        return console_of(request).page(
            "sign_in_local.html",
            None,
            depth=depth_of(request),
            status=STATUS[SignInRefused],
            token="",
            trouble="The link is older than 15 minutes, or was used before",
        )
    return await _signed_in(request, kept[1], _HOME)


@router.post("/sign-out")
async def sign_out(request: Request, visitor: SignedIn) -> Response:
    """End the session."""
    await sent_form(request, visitor)
    await _end(request)
    response = _onward(request, "desk/sign-in")
    set_cookie(request, response, SESSION, "")
    return response


def page_of(to: str) -> str:
    """Return where to go once signed in: a page of the console, whatever an address asks for.

    Args:
        to: Relative to the top of the site.
    """
    return to if len(to) <= _MAX_PAGE and _PAGE.fullmatch(to) else _HOME


async def _signed_in(request: Request, staff_id: str, to: str) -> Response:
    """Begin a session: always a new one, as somebody else may know the old."""
    desk = desk_of(request)
    await _end(request)
    token = await desk.beside(partial(desk.sessions.start, staff_id))
    response = _onward(request, to)
    set_cookie(request, response, SESSION, token)
    return response


async def _end(request: Request) -> None:
    desk = desk_of(request)
    if token := request.cookies.get(cookie_name(request)):
        await desk.beside(partial(desk.sessions.end, token))


def _offered(
    request: Request, to: str, error: SignInRefused | SignInUnavailable | None = None
) -> Response:
    """The page that offers the ways to sign in, with what went wrong."""
    status = STATUS[type(error)] if error else 200
    return _page(request, to, status=status, trouble=str(error or ""))


def _page(
    request: Request,
    to: str,
    *,
    status: int,
    trouble: str = "",
    stranger: bool = False,
    address: str | None = None,
) -> Response:
    service = _service(request)
    return console_of(request).page(
        "sign_in.html",
        None,
        depth=depth_of(request),
        status=status,
        service=service.name if service else "",
        query=urlencode({"to": to}),
        trouble=trouble,
        stranger=stranger,
        address=address,
        contact=request.app.state.services.page.contact,
    )


def _onward(request: Request, to: str) -> Response:
    root = "../" * depth_of(request) or "./"
    return RedirectResponse(f"{root}{to}", status_code=303, headers=HEADERS)


def _service(request: Request) -> SignIn | None:
    service: SignIn | None = request.app.state.sign_in
    return service
