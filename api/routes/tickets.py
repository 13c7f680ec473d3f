"""Questions handed over to a person: by whoever asked, and as staff list and change them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.background import BackgroundTask

from api.auth import Calling, staff_only, visitor_of
from api.desk.desk import Desk
from api.desk.models import Case, Followed, NoSuchTicket, Seen
from api.rate_limit import RateLimit, refusal
from api.requests import TicketIn
from api.schemas import ProblemOut
from api.sorting import Sorting
from api.ticket_requests import AddedIn, AssignIn, ChangesIn, SeenIn, TicketsIn, WrittenIn
from api.ticket_schemas import (
    CaseOut,
    ConflictOut,
    ListedOut,
    OpenedTicketOut,
    TicketOut,
    TicketsOut,
)

router = APIRouter(prefix="/v1/tickets", tags=["tickets"])

_PRIVATE = {"Cache-Control": "no-store"}
_NO_SUCH = "no ticket belongs to this link"
_Told = dict[int | str, dict[str, Any]]
_TOO_MANY: _Told = {429: {"model": ProblemOut, "description": "too many; `Retry-After` says when"}}
_NOT_STORED: _Told = {503: {"model": ProblemOut, "description": "it is not stored"}}
_UNKNOWN: _Told = {404: {"model": ProblemOut, "description": _NO_SUCH}}


_CHANGED: _Told = {
    404: {"model": ProblemOut, "description": "there is no such ticket"},
    409: {
        "model": ConflictOut,
        "description": "not done: somebody changed the ticket first, or it is closed; with the"
        " text that was to be written",
    },
}


@router.post(
    "",
    status_code=201,
    response_model=OpenedTicketOut,
    responses={**_TOO_MANY, **_NOT_STORED},
)
async def open_ticket(asked: TicketIn, request: Request) -> Response:
    """Hand a conversation over to a person.

    The reply is the ticket with the private link by which it is followed; the link is
    given once, and not stored.
    """
    limit: RateLimit = request.app.state.rate_limit
    # Counted here, as what was mistyped should not count.
    if wait_s := await limit.ticket(request.scope):
        return refusal(request.url.path, wait_s)
    desk: Desk = request.app.state.services.desk
    sorting: Sorting = request.app.state.sorting
    ticket, token = await desk.beside(partial(desk.tickets.open, asked.to_ticket()))
    address = request.app.state.public_url or str(request.base_url).rstrip("/")
    link = f"{address}/tickets/{ticket.ticket_id}?token={quote(token)}"
    told = OpenedTicketOut(ticket=TicketOut.of(Followed(ticket, ())), link=link)
    return Response(
        told.model_dump_json(),
        status_code=201,
        media_type="application/json",
        headers=_PRIVATE,
        # Once the link is given: nobody waits for the model.
        background=BackgroundTask(sorting.received, ticket),
    )


@router.get("")
async def tickets(
    by: Calling, asked: Annotated[TicketsIn, Query()], request: Request, response: Response
) -> TicketsOut:
    """List tickets, the newest first, and count them by state (staff)."""
    response.headers.update(_PRIVATE)
    desk: Desk = request.app.state.services.desk
    limits = asked.to_limits()
    # One more than is wanted tells whether there are more.
    found = await desk.beside(partial(desk.queue.page, by, limits, asked.limit + 1, asked.before))
    shown = found[: asked.limit]
    return TicketsOut(
        tickets=[ListedOut.model_validate(each) for each in shown],
        next=shown[-1].ticket_id if len(found) > len(shown) else None,
        counts=dict(await desk.beside(partial(desk.queue.counts, by, limits))),
    )


@router.get("/{ticket_id}", responses=_UNKNOWN)
async def ticket(
    ticket_id: str, request: Request, response: Response, token: str = ""
) -> CaseOut | TicketOut:
    """Return a ticket: to staff all of it, to the person who asked by its private link."""
    response.headers.update(_PRIVATE)
    desk: Desk = request.app.state.services.desk
    if not token and ("authorization" in request.headers or await visitor_of(request)):
        by = await staff_only(request, None)
        return CaseOut.of_case(await desk.beside(partial(desk.tickets.read, by, ticket_id)))
    found = await desk.beside(partial(desk.tickets.follow, ticket_id, token))
    if found is None:
        raise _no_such()
    return TicketOut.of(found)


@router.post(
    "/{ticket_id}/messages",
    status_code=201,
    response_model=TicketOut,
    responses={
        **_UNKNOWN,
        409: {"model": ConflictOut, "description": "the ticket is closed"},
        **_TOO_MANY,
        **_NOT_STORED,
    },
)
async def write_back(ticket_id: str, added: AddedIn, request: Request, token: str = "") -> Response:
    """Add a message of the person who asked; a ticket that was answered is open again."""
    limit: RateLimit = request.app.state.rate_limit
    if wait_s := await limit.call(request.scope):
        return refusal(request.url.path, wait_s)
    desk: Desk = request.app.state.services.desk
    work = partial(desk.tickets.write_back, ticket_id, token, added.text)
    try:
        found = await desk.beside(work)
    except NoSuchTicket:
        raise _no_such() from None
    told = TicketOut.of(found).model_dump_json()
    return Response(told, status_code=201, media_type="application/json", headers=_PRIVATE)


@router.patch("/{ticket_id}", responses=_CHANGED)
async def change(
    by: Calling, ticket_id: str, asked: ChangesIn, request: Request, response: Response
) -> CaseOut:
    """Set fields of a ticket (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    work = partial(desk.handling.change, by, seen, asked.values())
    return await _done(desk, response, work)


@router.post("/{ticket_id}/assign", responses=_CHANGED)
async def assign(
    by: Calling, ticket_id: str, asked: AssignIn, request: Request, response: Response
) -> CaseOut:
    """Give a ticket to somebody of staff (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    return await _done(desk, response, partial(desk.handling.assign, by, seen, asked.assignee))


@router.post("/{ticket_id}/reply", responses=_CHANGED)
async def reply(
    by: Calling, ticket_id: str, asked: WrittenIn, request: Request, response: Response
) -> CaseOut:
    """Write to the person who asked, who reads it by their private link (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    return await _done(desk, response, partial(desk.handling.reply, by, seen, asked.text))


@router.post("/{ticket_id}/note", responses=_CHANGED)
async def note(
    by: Calling, ticket_id: str, asked: WrittenIn, request: Request, response: Response
) -> CaseOut:
    """Write something that only staff read (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    return await _done(desk, response, partial(desk.handling.note, by, seen, asked.text))


@router.post("/{ticket_id}/solve", responses=_CHANGED)
async def solve(
    by: Calling, ticket_id: str, asked: SeenIn, request: Request, response: Response
) -> CaseOut:
    """Say that nothing is left to do; the person may still write back (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    return await _done(desk, response, partial(desk.handling.solve, by, seen))


@router.post("/{ticket_id}/close", responses=_CHANGED)
async def close(
    by: Calling, ticket_id: str, asked: SeenIn, request: Request, response: Response
) -> CaseOut:
    """Close a ticket: nothing more is written to the person or by them (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    return await _done(desk, response, partial(desk.handling.close, by, seen))


@router.post("/{ticket_id}/reopen", responses=_CHANGED)
async def reopen(
    by: Calling, ticket_id: str, asked: SeenIn, request: Request, response: Response
) -> CaseOut:
    """Open a ticket again that was pending, solved or closed (staff)."""
    desk: Desk = request.app.state.services.desk
    seen = Seen(ticket_id, asked.version)
    return await _done(desk, response, partial(desk.handling.reopen, by, seen))


async def _done(desk: Desk, response: Response, work: Callable[[], Case]) -> CaseOut:
    response.headers.update(_PRIVATE)
    return CaseOut.of_case(await desk.beside(work))


def _no_such() -> HTTPException:
    """An unknown id and a wrong token are told alike."""
    return HTTPException(404, _NO_SUCH, headers=_PRIVATE)
