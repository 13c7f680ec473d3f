"""The public page, which answers without JavaScript too, and the page of a request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from api.answering import Answering
from api.errors import explained
from api.page.page import Page
from api.page.texts import PageTexts
from api.page.views import AnswerView
from api.rate_limit import RateLimit
from api.requests import MAX_QUESTION, QuestionIn
from api.routes.tickets import followed
from rag.answerer import Answerer
from rag.errors import HelpdeskError

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Vary": "Accept-Language",
    # Without one a browser sends our own form as if it came from nowhere, and it is refused.
    "Referrer-Policy": "same-origin",
}
_AGAIN = {**_HEADERS, "Cache-Control": "no-cache"}
_PRIVATE = {**_HEADERS, "Cache-Control": "no-store"}
_MAX_FIELDS = 10


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
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
        sent = {name: value for name, value in form.items() if isinstance(value, str)}
    # A form sends each end of a line as two characters, and counts it as one.
    asked = Asked(
        question=sent.get("question", "").replace("\r\n", "\n"),
        country=sent.get("country", ""),
        reply=sent.get("reply", ""),
    )
    texts = _texts(request, sent.get("language"))
    show = partial(_page, request, texts, asked=asked, headers=_PRIVATE)
    answering: Answering = request.app.state.answering
    try:
        answerer = await answering.answerer()
    except HelpdeskError as error:
        status, _ = explained(error, request.url.path)
        return await show(None, status=status)
    try:
        question = asked.checked()
    except ValidationError:
        return await show(answerer, wrong=_wrong(asked, texts), status=422)
    limit: RateLimit = request.app.state.rate_limit
    if wait_s := limit.call(request.scope):
        later = texts.as_chat("rate_limited", seconds=str(wait_s), wait=texts.seconds(wait_s))
        headers = {**_PRIVATE, "Retry-After": str(wait_s)}
        return await show(answerer, wrong=later, status=429, headers=headers)
    try:
        answer = await answering.answer(answerer, question.to_question(()))
    except Exception as error:  # noqa: BLE001 - a door: a reader of pages is told by a page
        status, _ = explained(error, request.url.path)
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
    site: Page = request.app.state.services.page
    try:
        found = await followed(request, ticket_id, token)
    except HelpdeskError as error:
        status, _ = explained(error, request.url.path)
        texts = _texts(request, language)
        html = site.render("failed.html", texts, root="../", wrong=_failed(request, texts))
    else:
        status = 200 if found else 404
        texts = _texts(request, language or (found.language if found else None))
        html = site.render("ticket.html", texts, root="../", ticket=found)
    # The address holds the token: it goes nowhere.
    headers = {**_PRIVATE, "X-Robots-Tag": "noindex", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, status_code=status, headers=headers)


def _texts(request: Request, named: str | None) -> PageTexts:
    site: Page = request.app.state.services.page
    return site.texts(named, request.headers.get("accept-language", ""))


def _failed(request: Request, texts: PageTexts) -> str:
    """Say that it is not the reader who did something wrong."""
    site: Page = request.app.state.services.page
    return texts.as_chat("failed", email=site.contact)


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
