"""Questions handed over to a person."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from api.auth import staff_only
from api.desk.desk import Desk
from api.desk.models import Ticket
from api.rate_limit import RateLimit, refusal
from api.requests import TicketIn, TicketsIn
from api.schemas import OpenedTicketOut, ProblemOut, StaffTicketOut, TicketOut, TicketsOut

router = APIRouter(prefix="/v1/tickets", tags=["tickets"])

_PRIVATE = {"Cache-Control": "no-store"}
_NO_SUCH = "no ticket belongs to this link"


@router.post(
    "",
    status_code=201,
    response_model=OpenedTicketOut,
    responses={
        429: {"model": ProblemOut, "description": "too many; `Retry-After` says when"},
        503: {"model": ProblemOut, "description": "the ticket is not stored"},
    },
)
async def open_ticket(asked: TicketIn, request: Request) -> Response:
    """Hand a conversation over to a person.

    The reply is the ticket with the private link by which it is followed; the link is
    given once, and not stored.
    """
    limit: RateLimit = request.app.state.rate_limit
    # Counted here, as what was mistyped should not count.
    if wait_s := limit.ticket(request.scope):
        return refusal(request.url.path, wait_s)
    desk: Desk = request.app.state.services.desk
    ticket, token = await desk.beside(partial(desk.tickets.open, asked.to_ticket()))
    address = request.app.state.public_url or str(request.base_url).rstrip("/")
    link = f"{address}/tickets/{ticket.ticket_id}?token={quote(token)}"
    told = OpenedTicketOut(ticket=TicketOut.of(ticket), link=link)
    return Response(
        told.model_dump_json(), status_code=201, media_type="application/json", headers=_PRIVATE
    )


@router.get("", dependencies=[Depends(staff_only)])
async def tickets(
    asked: Annotated[TicketsIn, Query()], request: Request, response: Response
) -> TicketsOut:
    """List tickets, the newest first (staff)."""
    response.headers.update(_PRIVATE)
    desk: Desk = request.app.state.services.desk
    # One more than is wanted tells whether there are more.
    found = await desk.beside(partial(desk.tickets.latest, asked.limit + 1, asked.before))
    shown = found[: asked.limit]
    return TicketsOut(
        tickets=[StaffTicketOut.of(each) for each in shown],
        next=shown[-1].ticket_id if len(found) > len(shown) else None,
    )


@router.get("/{ticket_id}", responses={404: {"model": ProblemOut, "description": _NO_SUCH}})
async def ticket(
    ticket_id: str, request: Request, response: Response, token: str = ""
) -> TicketOut:
    """Return a ticket to the person who asked, by its private link."""
    response.headers.update(_PRIVATE)
    found = await followed(request, ticket_id, token)
    if found is None:
        # An unknown id and a wrong token are told alike.
        raise HTTPException(404, _NO_SUCH, headers=_PRIVATE)
    return TicketOut.of(found)


async def followed(request: Request, ticket_id: str, token: str) -> Ticket | None:
    """Return the ticket that a private link leads to; None where it leads nowhere.

    Raises:
        DeskUnavailable: It cannot be read.
    """
    desk: Desk = request.app.state.services.desk
    return await desk.beside(partial(desk.tickets.follow, ticket_id, token))
