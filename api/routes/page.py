"""The public page, which answers without JavaScript too, and the page of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from urllib.parse import quote, urlencode

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from api.answering import Answering
from api.desk.desk import Desk
from api.desk.models import Followed, NoSuchTicket, TicketClosed
from api.errors import explained
from api.page.page import Page
from api.page.texts import PageTexts
from api.page.views import AnswerView
from api.rate_limit import RateLimit
from api.requests import MAX_QUESTION, QuestionIn
from api.ticket_requests import AddedIn
from rag.answerer import Answerer
from rag.errors import HelpdeskError

router = APIRouter(include_in_schema=False)

HEADERS = {
    "Vary": "Accept-Language",
    # Without one a browser sends our own form as if it came from nowhere, and it is refused.
    "Referrer-Policy": "same-origin",
}
_AGAIN = {**HEADERS, "Cache-Control": "no-cache"}
_PRIVATE = {**HEADERS, "Cache-Control": "no-store"}
_TICKET = {
    **_PRIVATE,
    "X-Robots-Tag": "noindex",
    # The address holds the token: it goes nowhere. That the form is ours is still told.
    "Referrer-Policy": "strict-origin",
}
_MAX_FIELDS = 10
_HOUR_S = 3600


@dataclass(frozen=True)
class Asked:
    """The form as it was sent, to be shown again where something is wrong with it."""

    question: str = ""
    country: str = ""
    reply: str = ""
    """ISO 639-1 of the wanted answer, where an example was chosen; else that of the question."""

    def checked(self) -> QuestionIn:
        """Return the question as the API knows it.

        Raises:
            ValidationError: It is none.
        """
        return QuestionIn.model_validate(
            {
                "question": self.question,
                "country": self.country or None,
                "language": self.reply or None,
            }
        )


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request, language: str | None = None) -> HTMLResponse:
    """The page in the reader's language."""
    texts = _texts(request, language)
    answering: Answering = request.app.state.answering
    try:
        answerer = await answering.answerer()
    except HelpdeskError:
        # Whoever comes too early is told so; `/readyz` tells why.
        return await _page(request, texts, None)
    return await _page(request, texts, answerer)


@router.post("/ask")
async def ask(request: Request) -> HTMLResponse:
    """The page with an answer, for whoever asks by the form."""
    sent = await _sent(request)
    asked = Asked(
        question=sent.get("question", ""),
        country=sent.get("country", ""),
        reply=sent.get("reply", ""),
    )
    texts = _texts(request, sent.get("language"))
    show = partial(_page, request, texts, asked=asked, headers=_PRIVATE)
    answering: Answering = request.app.state.answering
    try:
        answerer = await answering.answerer()
    except HelpdeskError as error:
        status, _ = explained(error)
        return await show(None, status=status)
    try:
        question = asked.checked()
    except ValidationError:
        return await show(answerer, wrong=_wrong(asked, texts), status=422)
    limit: RateLimit = request.app.state.rate_limit
    if wait_s := await limit.call(request.scope):
        wrong, headers = later(request, texts, wait_s)
        return await show(answerer, wrong=wrong, status=429, headers={**_PRIVATE, **headers})
    try:
        answer = await answering.answer(answerer, question.to_question(()))
    except Exception as error:  # noqa: BLE001 - a door: a reader of pages is told by a page
        status, _ = explained(error)
        return await show(answerer, wrong=_failed(request, texts), status=status)
    view = partial(AnswerView.of, asked.question, answer, answerer.generation)
    return await show(
        answerer, asked=Asked(country=asked.country), view=await to_thread.run_sync(view)
    )


@router.get("/ask")
async def asked_before() -> RedirectResponse:
    """Lead whoever comes back to the address of an answer to the form: answers have none."""
    return RedirectResponse("./", status_code=303)


@router.get("/tickets/{ticket_id}")
async def ticket(
    ticket_id: str, request: Request, token: str = "", language: str | None = None
) -> HTMLResponse:
    """What has become of a request, for the person who made it."""
    desk: Desk = request.app.state.services.desk
    try:
        found = await desk.beside(partial(desk.tickets.follow, ticket_id, token))
    except HelpdeskError as error:
        return _ticket_failed(request, error, language)
    return _ticket_page(request, found, token, language, status=200 if found else 404)


@router.post("/tickets/{ticket_id}")
async def write_back(ticket_id: str, request: Request) -> Response:
    """Add what the person who asked has written, and lead them back to their request."""
    sent = await _sent(request)
    token, text, named = sent.get("token", ""), sent.get("text", ""), sent.get("language")
    desk: Desk = request.app.state.services.desk
    limit: RateLimit = request.app.state.rate_limit
    try:
        found = await desk.beside(partial(desk.tickets.follow, ticket_id, token))
    except HelpdeskError as error:
        return _ticket_failed(request, error, named)
    if found is None:
        return _ticket_page(request, None, token, named, status=404)
    show = partial(_ticket_page, request, token=token, named=named, written=text)
    texts = _texts(request, named or found.ticket.language)
    try:
        added = AddedIn(text=text)
    except ValidationError:
        return show(found, wrong=_wrong_message(text, texts), status=422)
    if wait_s := await limit.call(request.scope):
        wrong, headers = later(request, texts, wait_s)
        return show(found, wrong=wrong, status=429, headers=headers)
    try:
        await desk.beside(partial(desk.tickets.write_back, ticket_id, token, added.text))
    except NoSuchTicket:
        # It was erased while they wrote; whatever happens, the page still holds the text.
        return show(None, status=404)
    except TicketClosed:
        closed = replace(found, ticket=replace(found.ticket, state="closed"))
        return show(closed, status=409)
    except HelpdeskError as error:
        status, _ = explained(error)
        return show(found, wrong=_failed(request, texts), status=status)
    back = f"./{quote(ticket_id)}?{urlencode({'token': token, 'language': texts.language})}#last"
    return RedirectResponse(back, status_code=303, headers=_TICKET)


def _ticket_page(
    request: Request,
    found: Followed | None,
    token: str,
    named: str | None,
    *,
    written: str = "",
    wrong: str | None = None,
    status: int,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> HTMLResponse:
    """The page of a request; None: there is none under the link."""
    site: Page = request.app.state.services.page
    html = site.render(
        "ticket.html",
        _texts(request, named or (found.ticket.language if found else None)),
        root="../",
        ticket=found.ticket if found else None,
        messages=found.messages if found else (),
        token=token,
        written=written,
        wrong=wrong,
        max_text=MAX_QUESTION,
    )
    return HTMLResponse(html, status_code=status, headers={**_TICKET, **headers})


def _ticket_failed(request: Request, error: HelpdeskError, named: str | None) -> HTMLResponse:
    site: Page = request.app.state.services.page
    status, _ = explained(error)
    texts = _texts(request, named)
    html = site.render("failed.html", texts, root="../", wrong=_failed(request, texts))
    return HTMLResponse(html, status_code=status, headers=_TICKET)


def _wrong_message(text: str, texts: PageTexts) -> str:
    """Say what is wrong with a message."""
    if not text.strip():
        return texts.say("error_no_message")
    return texts.say("error_long_message", count=texts.number(MAX_QUESTION))


async def _sent(request: Request) -> dict[str, str]:
    """The fields of a form."""
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
        # A form sends each end of a line as two characters, and counts it as one.
        return {
            name: value.replace("\r\n", "\n")
            for name, value in form.items()
            if isinstance(value, str)
        }


def _texts(request: Request, named: str | None) -> PageTexts:
    site: Page = request.app.state.services.page
    return site.texts(named, request.headers.get("accept-language", ""))


def _failed(request: Request, texts: PageTexts) -> str:
    """Say that it is not the reader who did something wrong."""
    site: Page = request.app.state.services.page
    return texts.as_chat("failed", email=site.contact)


def later(request: Request, texts: PageTexts, wait_s: int) -> tuple[str, dict[str, str]]:
    """Say to whom asks too often when to come back."""
    # No shorter limit makes anybody wait for more than an hour.
    key = "rate_limited" if wait_s <= _HOUR_S else "day_spent"
    site: Page = request.app.state.services.page
    said = texts.as_chat(key, wait=texts.wait(wait_s), email=site.contact)
    return said, {"Retry-After": str(wait_s)}


def _wrong(asked: Asked, texts: PageTexts) -> str:
    """Say what is wrong with a form."""
    if not asked.question.strip():
        return texts.say("error_empty")
    if len(asked.question) > MAX_QUESTION:
        return texts.say("error_long", count=texts.number(MAX_QUESTION))
    return texts.as_chat("refused")


async def _page(
    request: Request,
    texts: PageTexts,
    answerer: Answerer | None,
    *,
    asked: Asked = Asked(),
    view: AnswerView | None = None,
    wrong: str | None = None,
    status: int = 200,
    headers: dict[str, str] = _AGAIN,
) -> HTMLResponse:
    site: Page = request.app.state.services.page
    sources = await to_thread.run_sync(site.sources, answerer.generation) if answerer else ()
    html = site.render(
        "page.html",
        texts,
        root="./",
        asked=asked,
        view=view,
        wrong=wrong,
        max_question=MAX_QUESTION,
        built=answerer.generation.info.built_at if answerer else None,
        sources=sources,
        address=request.app.state.public_url or str(request.base_url).rstrip("/"),
    )
    return HTMLResponse(html, status_code=status, headers=headers)
