"""The page by which somebody contributes a resource of their country, step by step.

Three steps at one address, without JavaScript: the resource, what is made of it with two ways to
send it, and what became of it. What was typed travels in the form; only a request is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.background import BackgroundTask

from api.desk.desk import Desk
from api.desk.models import NewTicket, Seen, Ticket
from api.errors import explained
from api.page.contribution import (
    CATEGORIES,
    LEADS,
    MAX_DESCRIPTION,
    MAX_LICENCE,
    MAX_LINK,
    MAX_NAME,
    MAX_TITLE,
    Contribution,
    Letter,
    checked_email,
    letter_of,
)
from api.page.page import Page
from api.page.texts import PageTexts, chosen_language
from api.rate_limit import RateLimit
from api.routes.page import HEADERS, later
from api.sorting import ITSELF, Sorting
from rag.errors import HelpdeskError
from rag.language import LANGUAGES
from rag.messages import language_name

router = APIRouter(include_in_schema=False)

_INTENT = "contribute"
_PRIVATE = {**HEADERS, "Cache-Control": "no-store"}
_MAX_FIELDS = 30
_LONGEST = {
    "title": MAX_TITLE,
    "link": MAX_LINK,
    "description": MAX_DESCRIPTION,
    "licence": MAX_LICENCE,
    "name": MAX_NAME,
}
_LOG = logging.getLogger(__name__)


@router.api_route("/contribute", methods=["GET", "HEAD"])
async def contribute(
    request: Request, language: str | None = None, country: str = ""
) -> HTMLResponse:
    """The form, empty but for a country that a link named."""
    given = Contribution.of({"country": country}, ())
    return _form(request, _texts(request, language), given, headers={"Cache-Control": "no-cache"})


@router.post("/contribute")
async def contributed(request: Request) -> Response:
    """The next step: the form again, what is made of it, or the request that it became."""
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as sent:
        # A form sends each end of a line as two characters, and counts it as one.
        fields = {
            name: value.replace("\r\n", "\n")
            for name, value in sent.items()
            if isinstance(value, str)
        }
        categories = [each for each in sent.getlist("category") if isinstance(each, str)]
    given = Contribution.of(fields, categories)
    texts, step = _texts(request, fields.get("language")), fields.get("step")
    if step == "change":
        return _form(request, texts, given)
    if faults := given.faults():
        return _form(request, texts, given, faults, status=422)
    if step != "send":
        return _check(request, texts, given)
    if faults := given.faults_of_sender():
        return _check(request, texts, given, faults, status=422)
    limit: RateLimit = request.app.state.rate_limit
    if wait_s := await limit.ticket(request.scope):
        wrong, headers = later(request, texts, wait_s)
        return _check(request, texts, given, wrong=wrong, status=429, headers=headers)
    return await _opened(request, texts, given)


async def _opened(request: Request, texts: PageTexts, given: Contribution) -> Response:
    """Make it a request, and give its private link."""
    desk: Desk = request.app.state.services.desk
    letter = _letter(request, given)
    asked = NewTicket(
        question=f"{letter.subject}\n\n{letter.body}",
        history=(),
        answer_id=None,
        name=given.name or None,
        email=checked_email(given.email) or given.email,
        country=given.country,
        language=texts.language,
    )
    try:
        ticket, token = await desk.beside(partial(desk.tickets.open, asked))
    except HelpdeskError as error:
        status, _ = explained(error)
        wrong = texts.as_chat("failed", email=letter.to)
        return _check(request, texts, given, wrong=wrong, status=status)
    query = urlencode({"token": token, "language": texts.language})
    root = request.app.state.public_url or str(request.base_url).rstrip("/")
    link = f"{root}/tickets/{quote(ticket.ticket_id)}?{query}"
    response = _page(
        request, texts, "contribute_done.html", ticket=ticket, link=link, letter=letter
    )
    # Once the link is given: nobody waits for the model.
    response.background = BackgroundTask(_received, request, ticket)
    return response


async def _received(request: Request, ticket: Ticket) -> None:
    """Say what it is about, as that is known; then what is done with every new request."""
    desk: Desk = request.app.state.services.desk
    sorting: Sorting = request.app.state.sorting
    seen = Seen(ticket.ticket_id, ticket.version)
    known = partial(desk.handling.change, ITSELF, seen, {"intent": _INTENT})
    try:
        await desk.beside(known)
    except HelpdeskError as error:
        # Somebody was quicker; triage tells by the text.
        _LOG.warning("ticket %s: its intent is not set: %s", ticket.ticket_id, type(error).__name__)
    await sorting.received(ticket)


def _form(
    request: Request,
    texts: PageTexts,
    given: Contribution,
    faults: Mapping[str, str] = MappingProxyType({}),
    *,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> HTMLResponse:
    """The first step, with what was typed."""
    spoken = sorted((language_name(code, texts.language), code) for code in LANGUAGES)
    return _page(
        request,
        texts,
        "contribute.html",
        status=status,
        headers=headers,
        given=given,
        faults=_told(request, texts, faults),
        categories=CATEGORIES,
        leads=LEADS,
        longest=_LONGEST,
        spoken=spoken,
    )


def _check(
    request: Request,
    texts: PageTexts,
    given: Contribution,
    faults: Mapping[str, str] = MappingProxyType({}),
    *,
    wrong: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> HTMLResponse:
    """The second step: what was made of it, and the ways to send it."""
    return _page(
        request,
        texts,
        "contribute_check.html",
        status=status,
        headers=headers,
        given=given,
        letter=_letter(request, given),
        faults=_told(request, texts, faults),
        wrong=wrong,
        longest=_LONGEST,
    )


def _page(
    request: Request,
    texts: PageTexts,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
    **values: object,
) -> HTMLResponse:
    site: Page = request.app.state.services.page
    told = partial(site.contribution.say, texts.language)
    html = site.render(template, texts, root="./", told=told, **values)
    return HTMLResponse(html, status_code=status, headers={**_PRIVATE, **headers})


def _told(request: Request, texts: PageTexts, faults: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each field, in words."""
    site: Page = request.app.state.services.page
    return {
        name: site.contribution.say(
            texts.language, key, count=texts.number(_LONGEST.get(name, MAX_NAME))
        )
        for name, key in faults.items()
    }


def _letter(request: Request, given: Contribution) -> Letter:
    site: Page = request.app.state.services.page
    return letter_of(given, site.contribution, site.contact)


def _texts(request: Request, named: str | None) -> PageTexts:
    """The texts in the reader's language, where this page speaks it."""
    site: Page = request.app.state.services.page
    accept = request.headers.get("accept-language", "")
    return site.texts(chosen_language(named, accept, site.contribution.languages()), "")
