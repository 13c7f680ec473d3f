"""Messages sorted for staff."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from api.answering import Answering
from api.auth import Calling
from api.desk.database import DeskUnavailable
from api.desk.desk import Desk
from api.desk.models import Actor, SimilarTicket
from api.requests import TriageIn
from api.schemas import ProblemOut
from api.triage_schemas import TriageOut

router = APIRouter(prefix="/v1", tags=["triage"])


@router.post(
    "/triage",
    responses={
        401: {"model": ProblemOut, "description": "for staff only"},
        503: {"model": ProblemOut, "description": "no index, or nothing that sorts"},
    },
)
async def triage(by: Calling, asked: TriageIn, request: Request, response: Response) -> TriageOut:
    """Sort a message: who should answer it, how soon, with what, and why (staff).

    Nothing of it is kept.
    """
    response.headers["Cache-Control"] = "no-store"
    answering: Answering = request.app.state.answering
    answerer = await answering.answerer()
    services = request.app.state.services
    told = await answering.triage(services.triager, answerer, asked.subject, asked.text)
    similar = await _similar(services.desk, by, told.masked)
    return TriageOut.of(told, answerer.generation.info, similar)


async def _similar(desk: Desk, by: Actor, masked: str) -> tuple[SimilarTicket, ...] | None:
    """Earlier tickets; None: they cannot be read, and the message is sorted all the same."""
    try:
        return await desk.beside(partial(desk.similar.near, by, masked))
    except DeskUnavailable:
        return None
