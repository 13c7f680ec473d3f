"""What the desk did, in figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from api.console.console import ConsoleRoute, SignedIn, console_of, depth_of
from api.desk.desk import Desk
from api.desk.figures import first_monday

WEEKS = (4, 12, 52)
"""How many may be looked at, the running one among them."""

router = APIRouter(prefix="/desk", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True)
class Column:
    """A week in a chart."""

    starts: datetime
    whole: int
    part: int
    """Of the whole."""


@dataclass(frozen=True)
class Chart:
    """Columns from one week to the next, at least one."""

    columns: tuple[Column, ...]

    @property
    def whole(self) -> int:
        """All weeks together."""
        return sum(each.whole for each in self.columns)

    @property
    def part(self) -> int:
        """As `whole`."""
        return sum(each.part for each in self.columns)

    @property
    def least(self) -> int:
        """In one week."""
        return min(each.whole for each in self.columns)

    @property
    def most(self) -> int:
        """In one week."""
        return max(each.whole for each in self.columns)

    @property
    def top(self) -> int:
        """Where the axis ends: no column is higher, and half of it is a whole number, too."""
        step: int = max(10 ** (len(str(self.most)) - 1), 2)
        return max(math.ceil(self.most / step), 1) * step


@router.get("/dashboard")
async def dashboard(request: Request, visitor: SignedIn, weeks: int = 12) -> HTMLResponse:
    """Show the figures of some weeks, of the countries that the visitor sees."""
    if weeks not in WEEKS:
        raise HTTPException(422, f"the dashboard shows {WEEKS[0]}, {WEEKS[1]} or {WEEKS[2]} weeks")
    desk: Desk = request.app.state.services.desk
    now, countries = datetime.now(UTC), visitor.actor.countries
    found = await desk.beside(partial(desk.figures.read, countries, first_monday(now, weeks), now))
    return console_of(request).page(
        "dashboard.html",
        visitor,
        depth=depth_of(request),
        found=found,
        weeks=weeks,
        choices=WEEKS,
        countries=sorted(countries),
        tickets=Chart(tuple(Column(w.starts, w.opened, w.finished) for w in found.weeks)),
        ratings=Chart(tuple(Column(w.starts, w.rated, w.helpful) for w in found.weeks)),
    )
