"""Articles that staff write, and those that are there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.answering import Answering
from api.auth import Visitor
from api.console.article_form import (
    ARTICLE_INTENTS,
    AUDIENCES,
    DraftView,
    Fields,
    Typed,
    unready,
)
from api.console.article_list import ArticleList, Looked
from api.console.console import (
    HEADERS,
    SHORT,
    ConsoleRoute,
    SignedIn,
    console_of,
    depth_of,
    desk_of,
    may,
    sent_form,
)
from api.console.drafting import begun, more_evidence
from api.console.people import People
from api.console.ticket import readable
from api.console.typed import version_of
from api.desk.drafts import Draft, DraftChanged, SeenDraft
from api.desk.models import NoSuchTicket, Ticket
from api.desk.publishing import Publishing
from api.errors import explained
from rag.errors import HelpdeskError

router = APIRouter(prefix="/desk", route_class=ConsoleRoute, include_in_schema=False)

_DONE: Mapping[str, str] = {
    "saved": "It is saved.",
    "found": "It is saved, and other sentences are offered for the statement.",
    "not_yours": "It is saved; somebody with the role lead can publish it.",
    "unready": "It is saved, and is not published yet: see what is still to be done.",
}


@router.get("/articles")
async def articles(
    request: Request, visitor: SignedIn, looked: Annotated[Looked, Query()]
) -> Response:
    """What staff are writing, and the articles of the index."""
    desk, answering = desk_of(request), _answering(request)
    drafts = await desk.beside(partial(desk.drafts.page, visitor.actor))
    try:
        found = (await answering.answerer()).generation.articles
    except HelpdeskError:
        # What staff write can be written all the same.
        found = ()
    return console_of(request).page(
        "articles.html",
        visitor,
        depth=depth_of(request),
        view=await to_thread.run_sync(partial(ArticleList.of, looked, drafts, found)),
        people=People(await desk.beside(desk.staff.everyone)),
    )


@router.post("/tickets/{ticket_id}/article")
async def begin(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Make a draft of a ticket, or lead to the one that there is."""
    await sent_form(request, visitor)
    desk, by = desk_of(request), visitor.actor
    case = await desk.beside(partial(desk.tickets.read, by, ticket_id))
    case = replace(case, ticket=readable(case.ticket))
    draft_id = await desk.beside(partial(desk.drafts.of_ticket, by, ticket_id))
    if draft_id is None:
        answerer = await _answering(request).answerer()
        made = await to_thread.run_sync(partial(begun, case, ARTICLE_INTENTS, answerer))
        country = case.ticket.country
        draft_id = (
            await desk.beside(
                partial(desk.drafts.begin, by, ticket_id, country, made.title, made.content)
            )
        ).draft_id
    return _to(f"../../articles/{draft_id}")


@router.get("/articles/{draft_id}")
async def draft(draft_id: str, request: Request, visitor: SignedIn, done: str = "") -> Response:
    """A draft, to be written on."""
    desk = desk_of(request)
    found = await desk.beside(partial(desk.drafts.read, visitor.actor, draft_id))
    return await _shown(request, visitor, found, done=done)


@router.post("/articles/{draft_id}")
async def write(draft_id: str, request: Request, visitor: SignedIn) -> Response:
    """Save a draft; look for more evidence, or publish it, where that was asked for."""
    fields = await sent_form(request, visitor)
    try:
        return await _written(request, visitor, draft_id, fields)
    except HelpdeskError as error:
        status, detail = explained(error)
        texts = [each for values in fields.values() for each in values if len(each) > SHORT]
        return console_of(request).page(
            "kept.html",
            visitor,
            depth=depth_of(request),
            status=status,
            detail=detail,
            typed=texts,
        )


async def _written(request: Request, visitor: Visitor, draft_id: str, fields: Fields) -> Response:
    desk, by = desk_of(request), visitor.actor
    stored = await desk.beside(partial(desk.drafts.read, by, draft_id))
    typed = await to_thread.run_sync(partial(Typed.of, stored, fields))
    content = typed.content
    if typed.do == "find":
        answerer = await _answering(request).answerer()
        content = await to_thread.run_sync(
            partial(more_evidence, content, typed.number, typed.words, typed.question, answerer)
        )
    try:
        saved = await desk.beside(partial(desk.drafts.save, by, typed.seen, typed.title, content))
        if typed.do == "publish" and not may(visitor)("lead"):
            return _to(f"{draft_id}?done=not_yours")
        if typed.do == "publish":
            return await _published(request, visitor, saved)
    except DraftChanged as changed:
        return await _shown(request, visitor, changed.draft, typed=typed, changed=changed)
    if typed.do == "find":
        return _to(f"{draft_id}?done=found#statement-{typed.number + 1}")
    return _to(f"{draft_id}?done=saved")


@router.post("/articles/{draft_id}/withdraw")
async def withdraw(draft_id: str, request: Request, visitor: SignedIn) -> Response:
    """Give a draft up; take what became of it out of the index."""
    fields = await sent_form(request, visitor)
    desk, by = desk_of(request), visitor.actor
    stored = await desk.beside(partial(desk.drafts.read, by, draft_id))
    if stored.article_id and not may(visitor)("lead"):
        raise HTTPException(403, "this is for the role lead")
    seen = SeenDraft(draft_id, version_of(fields.get("version", [""])[0]))
    try:
        withdrawn = await desk.beside(partial(desk.drafts.withdraw, by, seen))
    except DraftChanged as changed:
        return await _shown(request, visitor, changed.draft, changed=changed)
    if withdrawn.state == "withdrawing":
        _publishing(request).withdraw(withdrawn)
    return _to(f"../{draft_id}")


async def _published(request: Request, visitor: Visitor, saved: Draft) -> Response:
    desk, ticket = desk_of(request), await _ticket_of(request, visitor, saved)
    if await to_thread.run_sync(partial(unready, saved, ticket)):
        return _to(f"{saved.draft_id}?done=unready")
    seen = SeenDraft(saved.draft_id, saved.version)
    on_its_way = await desk.beside(partial(desk.drafts.publish, visitor.actor, seen))
    _publishing(request).publish(on_its_way)
    return _to(saved.draft_id)


async def _shown(
    request: Request,
    visitor: Visitor,
    stored: Draft,
    *,
    typed: Typed | None = None,
    changed: DraftChanged | None = None,
    done: str = "",
) -> Response:
    """The page of a draft as it is stored, or with what somebody typed who was late."""
    desk = desk_of(request)
    title = typed.title if typed else stored.title
    content = typed.content if typed else stored.content
    people = People(await desk.beside(desk.staff.everyone))
    ticket = await _ticket_of(request, visitor, stored)
    view = DraftView(stored, ticket, title, content, people, changed)
    signed = bool(stored.content.reviewed_by)
    console = console_of(request)

    def page() -> Response:
        return console.page(
            "draft.html",
            visitor,
            depth=depth_of(request),
            status=409 if changed else 200,
            view=view,
            signed=signed,
            done=_DONE.get(done, ""),
            intents=ARTICLE_INTENTS,
            audiences=AUDIENCES,
        )

    # Personal data are looked for.
    return await to_thread.run_sync(page)


async def _ticket_of(request: Request, visitor: Visitor, draft: Draft) -> Ticket | None:
    """What a draft was made from; None where that is no ticket, or it is not kept any more."""
    if draft.ticket_id is None:
        return None
    desk = desk_of(request)
    with suppress(NoSuchTicket):
        read = partial(desk.tickets.read, visitor.actor, draft.ticket_id)
        return (await desk.beside(read)).ticket
    return None


def _to(where: str) -> Response:
    return RedirectResponse(where, status_code=303, headers=HEADERS)


def _answering(request: Request) -> Answering:
    answering: Answering = request.app.state.answering
    return answering


def _publishing(request: Request) -> Publishing:
    publishing: Publishing = request.app.state.publishing
    return publishing
