"""The console as its routes call it: templates, who is signed in, and pages for what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException as AnyHTTPException

from api.auth import Visitor, cookie_name, same, visitor_of
from api.console.ages import ago, lasted
from api.desk.desk import Desk
from api.desk.models import Role
from api.errors import explained
from api.page.links import linkified
from api.page.views import mail_address, web_address
from rag.countries import country_name
from rag.messages import FALLBACK, language_name

_TEMPLATES = Path(__file__).parent.parent / "templates"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
    # Without one a browser sends our own form as if it came from nowhere, and it is refused.
    "Referrer-Policy": "same-origin",
}
"""Of every page of the console."""
_MAX_FIELDS = 1000
SHORT = 40
"""Characters of a field that need not be given back."""
_RANKS: Mapping[Role, int] = {"agent": 0, "lead": 1, "admin": 2}


class NotSignedIn(Exception):
    """Nobody is signed in, or no longer."""


class OtherSession(Exception):
    """A form was made in another session, or is none of ours."""

    def __init__(self, fields: Mapping[str, Sequence[str]]):
        """Keep what was typed, so that it is not lost."""
        super().__init__("a form of another session")
        self.fields = fields


class Console:
    """Its templates."""

    def __init__(self) -> None:
        """Read no template before it is asked for."""
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            web=web_address,
            mail=mail_address,
            country=lambda code: country_name(code, FALLBACK),
            language=lambda code: language_name(code, FALLBACK),
            words=_words,
            named=lambda name: (said := _words(name))[:1].upper() + said[1:],
            when=_when,
            ago=ago,
            lasted=lasted,
            linkified=linkified,
            iso=lambda when: when.isoformat(timespec="seconds"),
        )

    def page(
        self,
        template: str,
        visitor: Visitor | None,
        *,
        depth: int,
        status: int = 200,
        headers: Mapping[str, str] = MappingProxyType({}),
        **values: object,
    ) -> HTMLResponse:
        """Fill a template; whatever it is given is escaped.

        Args:
            template: Below `desk/`.
            visitor: Who is signed in; None: nobody.
            depth: Folders that the page's address lies below the top of the site, so that
                its links lead there under any path of a host: 0 for `/desk`.
            status: Of HTTP.
            headers: Besides those of every page.
            **values: What the template names.
        """
        html = self._templates.get_template(f"desk/{template}").render(
            root="../" * depth or "./",
            visitor=visitor,
            may=may(visitor),
            now=datetime.now(UTC),
            **values,
        )
        return HTMLResponse(html, status_code=status, headers={**HEADERS, **headers})


def may(visitor: Visitor | None) -> Callable[[Role], bool]:
    """Return what tells whether somebody has a role, or a higher one."""
    rank = _RANKS[visitor.member.role] if visitor else -1
    return lambda role: rank >= _RANKS[role]


def console_of(request: Request) -> Console:
    """Return the console of the app that is called."""
    console: Console = request.app.state.console
    return console


def desk_of(request: Request) -> Desk:
    """Return the desk of the app that is called."""
    desk: Desk = request.app.state.services.desk
    return desk


async def signed_in(request: Request) -> Visitor:
    """Return who is signed in.

    Raises:
        NotSignedIn: Nobody; `ConsoleRoute` leads them to sign in.
    """
    if visitor := await visitor_of(request):
        return visitor
    raise NotSignedIn


SignedIn = Annotated[Visitor, Depends(signed_in)]


async def _lead(visitor: SignedIn) -> Visitor:
    return _allowed(visitor, "lead")


async def _admin(visitor: SignedIn) -> Visitor:
    return _allowed(visitor, "admin")


Lead = Annotated[Visitor, Depends(_lead)]
"""Who is signed in and may publish articles."""
Admin = Annotated[Visitor, Depends(_admin)]
"""Who is signed in and keeps the list of staff."""


def _allowed(visitor: Visitor, role: Role) -> Visitor:
    if not may(visitor)(role):
        raise HTTPException(403, f"this is for the role {role}")
    return visitor


async def sent_form(request: Request, visitor: Visitor) -> dict[str, list[str]]:
    """Return the fields of a form of ours; each may come several times.

    Raises:
        OtherSession: It is of another session, or not ours; `ConsoleRoute` gives back the text.
    """
    fields = await _fields(request)
    if not same(fields.pop("proof", [""])[0], visitor.proof):
        raise OtherSession(fields)
    return fields


async def _fields(request: Request) -> dict[str, list[str]]:
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
        fields: dict[str, list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, str):
                # A form sends each end of a line as two characters, and counts it as one.
                fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return fields


class ConsoleRoute(APIRoute):
    """Tells of what goes wrong by a page; leads whoever is not signed in to do so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the page before the errors of the API."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedIn:
                if request.method == "GET":
                    return _to_sign_in(request)
                return await _after_sign_out(request)
            except OtherSession as error:
                return _given_back(request, error.fields)
            except AnyHTTPException as error:
                return await failed(request, error.status_code, str(error.detail))
            except RequestValidationError:
                return await failed(request, 422, "the address of this page is not right")
            except Exception as error:  # noqa: BLE001 - a door: a reader of pages is told by a page
                return await failed(request, *explained(error))

        return told


async def failed(request: Request, status: int, detail: str) -> HTMLResponse:
    """The page that tells what went wrong."""
    try:
        visitor = await visitor_of(request)
    except Exception:  # noqa: BLE001 - the desk's database may be what went wrong
        visitor = None
    return console_of(request).page(
        "failed.html", visitor, depth=depth_of(request), status=status, detail=detail
    )


def depth_of(request: Request) -> int:
    """How many folders a page's address lies below the top of the site."""
    return request.url.path.count("/") - 1


def _to_sign_in(request: Request) -> Response:
    """Lead to the page where one signs in, and from there back."""
    where = request.url.path.removeprefix("/")
    query = urlencode({"to": f"{where}?{request.url.query}" if request.url.query else where})
    # Relative, as the site may stand below a path of a host.
    root = "../" * depth_of(request) or "./"
    return RedirectResponse(f"{root}desk/sign-in?{query}", status_code=303, headers=HEADERS)


async def _after_sign_out(request: Request) -> Response:
    """Tell somebody whose session has ended, with what they typed."""
    # Who was never here has typed nothing; reading a form takes time.
    if cookie_name(request) not in request.cookies:
        return _given_back(request, {})
    try:
        return _given_back(request, await _fields(request))
    except AnyHTTPException as error:
        return await failed(request, error.status_code, str(error.detail))


def _given_back(request: Request, fields: Mapping[str, Sequence[str]]) -> Response:
    """Tell that a form was not taken, with what was typed into it."""
    typed = [each for name in fields for each in fields[name] if len(each) > SHORT]
    return console_of(request).page(
        "kept.html", None, depth=depth_of(request), status=401, typed=typed
    )


def _when(when: datetime) -> str:
    """Write a time."""
    return f"{when.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def _words(name: object) -> str:
    """A name of the API in words."""
    return "ELSI" if name == "elsi" else str(name).replace("_", " ")
