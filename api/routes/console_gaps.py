"""What people ask and the pages do not answer: as a page, as a table, as issues to file."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse

from api.auth import Visitor
from api.console.console import HEADERS, ConsoleRoute, SignedIn, console_of, depth_of
from api.console.gaps import NEW_PAGE, PLACES, WHY, as_csv, issue_of
from api.gap_report import WEEKS, Report
from api.gapping import Gapping
from rag.gaps.issues import Repositories

MOST, SINGLE = 100, 50
"""Gaps that the page shows: those asked for more than once, and the others."""
_CSV = {
    **HEADERS,
    "Content-Disposition": 'attachment; filename="gaps.csv"',
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(prefix="/desk", route_class=ConsoleRoute, include_in_schema=False)


@router.get("/gaps")
async def gaps(request: Request, visitor: SignedIn, weeks: int = 12) -> HTMLResponse:
    """Show the gaps of some weeks, of the questions that the visitor may see."""
    report = await _report(request, visitor, weeks)
    return console_of(request).page(
        "gaps.html",
        visitor,
        depth=depth_of(request),
        report=report,
        single=report.single[:SINGLE],
        most=MOST,
        weeks=weeks,
        choices=WEEKS,
        countries=sorted(visitor.actor.countries),
        places=PLACES,
        new_page=NEW_PAGE,
        why=WHY,
    )


@router.get("/gaps.csv")
async def table(request: Request, visitor: SignedIn, weeks: int = 12) -> Response:
    """Hand out the same as a file of comma-separated values."""
    text = as_csv(await _report(request, visitor, weeks))
    # With a mark, as spreadsheets take it for another encoding otherwise.
    return Response(text.encode("utf-8-sig"), media_type="text/csv", headers=_CSV)


@router.get("/gaps/{gap_id}")
async def one(gap_id: str, request: Request, visitor: SignedIn, weeks: int = 12) -> HTMLResponse:
    """Show a gap as an issue, to be filed where its page is written."""
    report = await _report(request, visitor, weeks)
    gap = next((each for each in report.every if each.gap_id == gap_id), None)
    if gap is None:
        raise HTTPException(404, "there is no such gap in these weeks")
    repositories: Repositories = request.app.state.services.repositories
    told, repository = issue_of(gap, weeks), repositories.of(gap.place)
    return console_of(request).page(
        "gap.html",
        visitor,
        depth=depth_of(request),
        gap=gap,
        places=PLACES,
        new_page=NEW_PAGE,
        issue=told,
        form=told.form(repository) if repository else None,
        repository=repository,
        weeks=weeks,
    )


async def _report(request: Request, visitor: Visitor, weeks: int) -> Report:
    if weeks not in WEEKS:
        raise HTTPException(422, f"the report is of {WEEKS[0]}, {WEEKS[1]} or {WEEKS[2]} weeks")
    gapping: Gapping = request.app.state.gapping
    return await gapping.read(visitor.actor, weeks)
