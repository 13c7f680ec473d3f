"""Is the server alive, and can it answer."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The index is open."""

    status: Literal["ready"] = "ready"
    generation: str
    built_at: str
    documents: int
    chunks: int


@router.get("/healthz")
def healthz() -> Alive:
    """Say that the process runs."""
    return Alive()


@router.get("/readyz")
def readyz(request: Request) -> Ready:
    """Say that the index is open; 503 while it is not."""
    info = request.app.state.services.index.answerer().generation.info
    return Ready(
        generation=info.generation,
        built_at=info.built_at,
        documents=info.documents,
        chunks=info.chunks,
    )
