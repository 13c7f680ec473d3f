"""How fresh the sources and the articles are: what staff may tell those who keep them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from api.answering import Answering
from api.console.console import ConsoleRoute, SignedIn, console_of, depth_of
from api.console.freshness import YEARS, FreshnessRoom, FreshnessView
from api.live import LiveIndex
from rag.link_report import read_links

router = APIRouter(prefix="/desk", route_class=ConsoleRoute, include_in_schema=False)


@router.get("/freshness")
async def freshness(
    request: Request, visitor: SignedIn, years: int = 3, source: str = ""
) -> HTMLResponse:
    """Show what has gone from under articles, where documents differ, dead links, age."""
    if years not in YEARS:
        raise HTTPException(422, f"years may be: {', '.join(map(str, YEARS))}")
    answering: Answering = request.app.state.answering
    room: FreshnessRoom = request.app.state.freshness
    index: LiveIndex = request.app.state.services.index
    generation = (await answering.answerer()).generation
    found = await to_thread.run_sync(partial(room.of, generation))
    links = await to_thread.run_sync(partial(read_links, index.directory))
    today = datetime.now(UTC).date()
    view = FreshnessView(found, links, years, today, source)
    if source and source not in view.names:
        raise HTTPException(404, "no source of that name is indexed")
    return console_of(request).page(
        "freshness.html",
        visitor,
        depth=depth_of(request),
        view=view,
        choices=YEARS,
        built_at=generation.info.built_at,
        of_this_index=links is not None and links.generation == generation.info.generation,
    )
