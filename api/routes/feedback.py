"""Was it helpful."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, HTTPException, Request

from api.desk.desk import Desk
from api.requests import FeedbackIn
from api.schemas import ProblemOut

router = APIRouter(prefix="/v1/feedback", tags=["conversations"])


@router.post(
    "",
    status_code=204,
    responses={404: {"model": ProblemOut, "description": "no answer of this id is remembered"}},
)
async def feedback(told: FeedbackIn, request: Request) -> None:
    """Say whether an answer helped; said again, it replaces what was said before."""
    desk: Desk = request.app.state.services.desk
    note = partial(desk.conversations.rate, told.answer_id, told.helpful, told.comment)
    if not await desk.beside(note):
        raise HTTPException(404, "no answer of this id is remembered")
