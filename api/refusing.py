"""What is refused before a route is reached: a page to whom a page was meant, else a problem."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from api.console.console import console_of, depth_of
from api.errors import reply
from api.page.page import Page

FORMS = ("/ask", "/contribute", "/tickets/")
"""How the addresses begin at which visitors send forms, and are shown pages."""
_DESK = "/desk"
_SHORTER = (413, 414, 431)


def at_desk(path: str) -> bool:
    """Whether an address is of the console, where staff send forms and are shown pages."""
    return path == _DESK or path.startswith(f"{_DESK}/")


def refuse(scope: Scope, status: int, detail: str) -> Response:
    """Tell why a request is not served.

    Args:
        scope: Of the request, as it reached the app.
        status: Of HTTP.
        detail: Says it to programs, operators and staff; visitors read it in their own language,
            in fewer words.
    """
    path: str = scope["path"]
    request = Request(scope)
    if at_desk(path):
        # Who is signed in is not looked up for what is not even read.
        return console_of(request).page(
            "failed.html", None, depth=depth_of(request), status=status, detail=detail
        )
    if not path.startswith(FORMS):
        return reply(path, status, detail)
    site: Page = request.app.state.services.page
    texts = site.texts(None, request.headers.get("accept-language", ""))
    wrong = (
        texts.as_chat("refused")
        if status in _SHORTER
        else texts.as_chat("failed", email=site.contact)
    )
    html = site.render("failed.html", texts, root="../" * depth_of(request) or "./", wrong=wrong)
    return HTMLResponse(html, status_code=status, headers={"Vary": "Accept-Language"})
