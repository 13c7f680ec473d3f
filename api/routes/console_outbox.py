"""What could not be told elsewhere yet, for leads: mails, Zammad, the webhook."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.console.console import (
    HEADERS,
    ConsoleRoute,
    Lead,
    console_of,
    depth_of,
    desk_of,
    sent_form,
)

router = APIRouter(prefix="/desk/outbox", route_class=ConsoleRoute, include_in_schema=False)

_MOST = 200
"""Rows that are shown; the dead first."""
_CHANNELS = {
    "mail": "Mail to the person",
    "team": "Mail to the team",
    "zammad": "Zammad",
    "webhook": "Webhook",
}
_WHAT = {"opened": "New ticket", "replied": "Reply", "written": "The person wrote"}


@router.get("")
async def show_outbox(request: Request, visitor: Lead) -> Response:
    """Show what has not arrived."""
    desk = desk_of(request)
    return console_of(request).page(
        "outbox.html",
        visitor,
        depth=depth_of(request),
        rows=await desk.beside(partial(desk.outbox.undone, visitor.actor, _MOST)),
        counts=await desk.beside(partial(desk.outbox.counts, visitor.actor)),
        most=_MOST,
        channels=_CHANNELS,
        what=_WHAT,
    )


@router.post("/{delivery_id}")
async def send_again(request: Request, visitor: Lead, delivery_id: str) -> Response:
    """Have something tried again now."""
    await sent_form(request, visitor)
    desk = desk_of(request)
    await desk.beside(partial(desk.outbox.again, visitor.actor, delivery_id))
    root = "../" * depth_of(request)
    return RedirectResponse(f"{root}desk/outbox", status_code=303, headers=HEADERS)
