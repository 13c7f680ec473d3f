"""Is the server alive, can it answer, and what does it count."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.checkup import Checkup, Checkups
from api.errors import problem_body
from api.gauges import gauges_of
from api.metrics import Metrics
from api.schemas import ProblemOut

router = APIRouter(tags=["health"])

_PRIVATE = {"Cache-Control": "no-store"}


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Found(BaseModel):
    """What a look at the server found."""

    stale_sources: list[str]
    """Sources that could not be had the last time."""
    stale_articles: int
    """Articles that hold on to sentences that have gone."""
    disk_free_bytes: int | None
    desk: Literal["reachable", "unreachable"]
    """The database of tickets."""
    troubles: list[str]
    """What somebody should look after, each with its cure."""

    @classmethod
    def of(cls, found: Checkup) -> dict[str, object]:
        """The fields of a checkup."""
        return cls(
            stale_sources=found.stale_sources,
            stale_articles=found.stale_articles,
            disk_free_bytes=found.disk_free,
            desk="reachable" if found.desk else "unreachable",
            troubles=list(found.troubles),
        ).model_dump()


class _Opened(BaseModel):
    status: Literal["ready", "degraded"]
    """``degraded``: questions are answered, and `troubles` tells of something else."""
    generation: str
    built_at: str
    documents: int
    chunks: int
    index_age_s: int
    """Since the index was built, which a source that has not changed does not make younger."""


class Ready(Found, _Opened):
    """The index is open."""


class NotReady(Found, ProblemOut):
    """Nothing can be answered; `detail` says why, with the cure."""


@router.get("/healthz")
def healthz() -> Alive:
    """Say that the process runs."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: {"model": NotReady}})
async def readyz(request: Request) -> Response:
    """Say whether questions are answered, 503 while they are not, and what is amiss besides."""
    checkups: Checkups = request.app.state.checkups
    found = await checkups.read()
    if found.info is None or found.unready is not None:
        told = problem_body(503, found.unready or "", **Found.of(found))
        problem = "application/problem+json"
        return JSONResponse(told, status_code=503, media_type=problem, headers=_PRIVATE)
    ready = Ready(
        status="degraded" if found.troubles else "ready",
        generation=found.info.generation,
        built_at=found.info.built_at,
        documents=found.info.documents,
        chunks=found.info.chunks,
        index_age_s=round(found.index_age_s),
        **Found.of(found),
    )
    return JSONResponse(ready.model_dump(), headers=_PRIVATE)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    checkups: Checkups = request.app.state.checkups
    counted: Metrics = request.app.state.metrics
    state = list(gauges_of(await checkups.read()))
    text, media_type = counted.exposition(state, request.headers.get("accept", ""))
    return Response(text, headers={**_PRIVATE, "Content-Type": media_type})
