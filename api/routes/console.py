"""The queue and its tickets, as staff work on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.answering import Answering
from api.auth import Visitor
from api.console.console import HEADERS, ConsoleRoute, SignedIn, console_of, depth_of, sent_form
from api.console.people import People
from api.console.queue import PAGE, TABS, QueueView, Wanted
from api.console.reply_text import reply_text
from api.console.ticket import TicketView, Trouble, readable
from api.console.typed import Part, Typed, Wrong
from api.desk.desk import Desk
from api.desk.models import Actor, Case, Conflict, NoSuchTicket, Seen, Ticket, TicketClosed
from api.errors import explained
from api.page.page import Page
from api.sorting import Sorting
from rag.errors import HelpdeskError
from rag.personal import find_personal, mask
from rag.triage.sorter import INTENTS

router = APIRouter(prefix="/desk", route_class=ConsoleRoute, include_in_schema=False)

Did = Literal[
    "reply", "replied_and_solved", "note", "assign", "solve", "close", "reopen", "change", "sort"
]
_DONE: dict[Did, str] = {
    "reply": "Your reply is on the requester's page.",
    "replied_and_solved": "Your reply is on the requester's page, and the ticket is solved.",
    "note": "Your note is stored.",
    "assign": "Who has the ticket is stored.",
    "solve": "The ticket is solved.",
    "close": "The ticket is closed.",
    "reopen": "The ticket is open again.",
    "change": "Your changes are stored.",
    "sort": "The ticket was sorted anew.",
}
_Work = Callable[[Desk, Actor, Typed], Case]


class _NotSolved(Exception):
    """A reply was sent, and its ticket could not be solved then."""

    def __init__(self, case: Case, error: HelpdeskError):
        """Keep the ticket with its reply, and what went wrong."""
        super().__init__("the ticket is not solved")
        self.case = case
        self.error = error


@router.get("")
async def queue(
    request: Request, visitor: SignedIn, wanted: Annotated[Wanted, Query()]
) -> Response:
    """The tickets that somebody may see, the newest first."""
    desk: Desk = request.app.state.services.desk
    by = visitor.actor

    def read() -> QueueView:
        limits = wanted.limits(by)
        # One more than is shown tells whether there are more.
        found = desk.queue.page(by, limits, PAGE + 1, wanted.before)
        counts = desk.queue.counts(by, limits)
        return QueueView.of(by, wanted, found, counts, People(desk.staff.everyone()))

    view = await desk.beside(read)
    return console_of(request).page(
        "queue.html",
        visitor,
        depth=depth_of(request),
        view=view,
        tabs=TABS,
        intents=INTENTS,
    )


@router.get("/tickets/{ticket_id}")
async def ticket(ticket_id: str, request: Request, visitor: SignedIn, done: str = "") -> Response:
    """All that is known of a ticket, and where it is replied to."""
    return await _shown(request, visitor, ticket_id, done=done)


@router.get("/tickets/{ticket_id}/{action}")
async def done_before(ticket_id: str, action: str) -> RedirectResponse:  # noqa: ARG001
    """Lead whoever comes back to the address of a form to its ticket."""
    return RedirectResponse(f"../{quote(ticket_id)}", status_code=303, headers=HEADERS)


@router.post("/tickets/{ticket_id}/reply")
async def reply(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Write to the person who asked."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        return desk.handling.reply(by, typed.seen, typed.written("reply"))

    return await _done(request, visitor, ticket_id, "reply", work, uses="reply")


@router.post("/tickets/{ticket_id}/reply-and-solve")
async def reply_and_solve(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Write to the person who asked, and say that nothing is left to do."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        case = desk.handling.reply(by, typed.seen, typed.written("reply"))
        try:
            return desk.handling.solve(by, Seen(ticket_id, case.ticket.version))
        except HelpdeskError as error:
            raise _NotSolved(case, error) from error

    return await _done(request, visitor, ticket_id, "replied_and_solved", work, uses="reply")


@router.post("/tickets/{ticket_id}/note")
async def note(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Write something that only staff read."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        return desk.handling.note(by, typed.seen, typed.written("note"))

    return await _done(request, visitor, ticket_id, "note", work, uses="note")


@router.post("/tickets/{ticket_id}/assign")
async def assign(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Give the ticket to one of staff, or to nobody."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        held = desk.tickets.read(by, ticket_id).ticket
        able = {each.staff_id for each in People(desk.staff.everyone()).who_see(held.country)}
        if typed.assignee not in {"", held.assignee, *able}:
            raise Wrong("The ticket cannot be given to them: they may not see it.", "assignee")
        return desk.handling.assign(by, typed.seen, typed.assignee or None)

    return await _done(request, visitor, ticket_id, "assign", work)


@router.post("/tickets/{ticket_id}/solve")
async def solve(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Say that nothing is left to do."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        return desk.handling.solve(by, typed.seen)

    return await _done(request, visitor, ticket_id, "solve", work)


@router.post("/tickets/{ticket_id}/close")
async def close(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Close the ticket for good."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        return desk.handling.close(by, typed.seen)

    return await _done(request, visitor, ticket_id, "close", work)


@router.post("/tickets/{ticket_id}/reopen")
async def reopen(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Open the ticket again."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        return desk.handling.reopen(by, typed.seen)

    return await _done(request, visitor, ticket_id, "reopen", work)


@router.post("/tickets/{ticket_id}/change")
async def change(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Set fields of the ticket, those that were changed by hand."""

    def work(desk: Desk, by: Actor, typed: Typed) -> Case:
        return desk.handling.change(by, typed.seen, typed.changes())

    return await _done(request, visitor, ticket_id, "change", work, uses="edits")


@router.post("/tickets/{ticket_id}/sort")
async def sort(ticket_id: str, request: Request, visitor: SignedIn) -> Response:
    """Have the ticket sorted, and an answer drafted, now."""
    typed = Typed.of(ticket_id, await sent_form(request, visitor))
    desk: Desk = request.app.state.services.desk
    sorting: Sorting = request.app.state.sorting
    read = partial(desk.tickets.read, visitor.actor, ticket_id)
    try:
        # One that another version has sorted otherwise.
        anew = (await desk.beside(read)).ticket.triage is not None
        await sorting.sort(ticket_id, anew=anew)
        case = await desk.beside(read)
    except HelpdeskError as error:
        return _kept(request, visitor, error, typed.texts())
    if readable(case.ticket).triage is None:
        trouble = Trouble("The ticket could not be sorted now; it is tried again within the hour.")
        return await _shown(request, visitor, ticket_id, typed=typed, trouble=trouble, status=503)
    return await _after(request, visitor, case, typed.without((), case.ticket.version), "sort")


async def _done(
    request: Request,
    visitor: Visitor,
    ticket_id: str,
    did: Did,
    work: _Work,
    uses: Part | None = None,
) -> Response:
    """Do something to a ticket, and lead back to it; what was typed is never lost.

    Args:
        request: A form of the page of the ticket.
        visitor: Sent it.
        ticket_id: Names the ticket.
        did: What is done.
        work: Does it, beside the event loop.
        uses: What of the form it takes.
    """
    typed = Typed.of(ticket_id, await sent_form(request, visitor))
    desk: Desk = request.app.state.services.desk
    again = partial(_shown, request, visitor, ticket_id, typed=typed)
    try:
        case = await desk.beside(partial(work, desk, visitor.actor, typed))
    except Wrong as wrong:
        return await again(trouble=Trouble(str(wrong), wrong.field), status=422)
    except _NotSolved as half:
        left = typed.without(("reply",), half.case.ticket.version)
        status, why = explained(half.error)
        if isinstance(half.error, Conflict):
            why = "somebody else changed it just then"
        trouble = Trouble(f"{_DONE['reply']} The ticket is not solved, though: {why}.")
        return await _shown(request, visitor, ticket_id, typed=left, trouble=trouble, status=status)
    except TicketClosed:
        closed = "The ticket is closed: nothing was sent. Open it again first; your text is here."
        return await again(trouble=Trouble(closed), status=409)
    except Conflict as conflict:
        return await again(conflict=conflict, status=409)
    except HelpdeskError as error:
        return _kept(request, visitor, error, typed.texts())
    left = typed.without((uses,) if uses else (), case.ticket.version)
    return await _after(request, visitor, case, left, did)


async def _after(request: Request, visitor: Visitor, case: Case, left: Typed, did: Did) -> Response:
    """Lead back to the ticket, or show it with what was typed and is not stored."""
    ticket = case.ticket
    if not visitor.actor.sees(ticket.country):
        # They have just passed it on to another country.
        return RedirectResponse("../../../desk", status_code=303, headers=HEADERS)
    if left.unsent(_draft(request, ticket)):
        return await _shown(request, visitor, ticket.ticket_id, typed=left, done=did)
    back = f"../{quote(ticket.ticket_id)}?done={did}"
    return RedirectResponse(back, status_code=303, headers=HEADERS)


async def _shown(
    request: Request,
    visitor: Visitor,
    ticket_id: str,
    *,
    typed: Typed | None = None,
    trouble: Trouble | None = None,
    conflict: Conflict | None = None,
    done: str = "",
    status: int = 200,
) -> Response:
    """The page of a ticket as it is now, with what was typed."""
    desk: Desk = request.app.state.services.desk
    by = visitor.actor
    try:
        case = await desk.beside(partial(desk.tickets.read, by, ticket_id))
        people = People(await desk.beside(desk.staff.everyone))
    except HelpdeskError as error:
        before = trouble.said if trouble else ""
        return _kept(request, visitor, error, typed.texts() if typed else (), before)
    case = replace(case, ticket=readable(case.ticket))
    if typed and conflict:
        who = people.name(conflict.who)
        trouble = Trouble(
            f"{who} changed this ticket after you had opened it. Nothing of yours was stored or"
            " sent, and all that you typed is still here.",
            since=[each for each in case.history if each.number > typed.last],
        )
    view = TicketView(
        case=case,
        people=people,
        draft=_draft(request, case.ticket),
        typed=typed,
        trouble=trouble,
        similar=await _similar(desk, by, case.ticket),
        titles=await _titles(request, case.ticket),
    )
    page = partial(
        console_of(request).page,
        "ticket.html",
        visitor,
        depth=depth_of(request),
        status=status,
        view=view,
        done=next((said for name, said in _DONE.items() if name == done), ""),
        intents=INTENTS,
    )
    # A ticket may be very long.
    return await to_thread.run_sync(page)


def _draft(request: Request, ticket: Ticket) -> str:
    site: Page = request.app.state.services.page
    return reply_text(readable(ticket).triage, site.texts(ticket.language, ""))


async def _similar(desk: Desk, by: Actor, ticket: Ticket) -> Sequence[Ticket]:
    """Earlier tickets that ask much the same; none where they cannot be compared now."""

    def read() -> Sequence[Ticket]:
        masked = mask(ticket.question, find_personal(ticket.question))
        near = desk.similar.near(by, masked, 4)
        others = [each.ticket_id for each in near if each.ticket_id != ticket.ticket_id]
        return [desk.tickets.read(by, each).ticket for each in others[:3]]

    try:
        return await desk.beside(read)
    except HelpdeskError:
        return ()


async def _titles(request: Request, ticket: Ticket) -> dict[str, str]:
    """Titles of what the answer cited, as far as they are still indexed."""
    answering: Answering = request.app.state.answering
    names = {each["document_id"] for each in ticket.cited}
    if not names:
        return {}
    try:
        generation = (await answering.answerer()).generation
    except HelpdeskError:
        return {}
    found = await to_thread.run_sync(lambda: [generation.document(name) for name in names])
    return {each.document_id: each.title for each in found if each}


def _kept(
    request: Request,
    visitor: Visitor,
    error: HelpdeskError,
    typed: Sequence[str],
    before: str = "",
) -> Response:
    """Tell why there is no ticket to show, and give back what was typed.

    Args:
        request: For a ticket.
        visitor: Asked for it.
        error: Why there is none.
        typed: What is not stored.
        before: What was to be told on the page of the ticket.
    """
    status, detail = explained(error)
    if isinstance(error, NoSuchTicket):
        detail = "there is no such ticket, or it is another country's"
    return console_of(request).page(
        "kept.html",
        visitor,
        depth=depth_of(request),
        status=status,
        detail=detail,
        typed=typed,
        before=before,
    )
