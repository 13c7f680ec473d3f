"""The report of gaps as pages, tables and issues."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from api.desk.gaps import Why
from api.gap_report import Count, GapView, Report
from rag.gaps.issues import Issue, Wanted, issue
from rag.gaps.places import Place, PlaceKind
from rag.messages import FALLBACK, language_name
from rag.text import printable

PLACES: Mapping[PlaceKind, str] = {
    "page": "empty page",
    "section": "empty section",
    "category": "nothing filed there",
    "country": "country page that lists nothing",
    "country_page": "no page for the country",
    "left_out": "said not to be covered",
    "there": "there, but not answering",
}
"""What is known of the place where an answer should stand."""
WHY: Mapping[Why, str] = {
    "no_evidence": "nothing found",
    "not_written_yet": "not written yet",
    "weak": "answered, not surely",
    "not_helpful": "rated not helpful",
    "passed_on": "passed on to staff",
}
NEW_PAGE = "no page is near: new page"
_COLUMNS = (
    "gap", "state", "questions", "trend", "first_asked", "last_asked", "languages", "countries",
    "reasons", "example", "place", "page", "section", "address", "closed", "answered_by",
)  # fmt: skip
_LINE = 500
"""Characters of a line."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula."""


def place_words(gap: GapView) -> str:
    """What is known of the place of a gap."""
    if gap.place:
        return PLACES[gap.place.kind]
    return NEW_PAGE if gap.looked_up else "not looked up yet"


def as_csv(report: Report) -> str:
    """The report as comma-separated values, a line for each gap."""
    out = io.StringIO()
    written = csv.writer(out)
    written.writerow(_COLUMNS)
    written.writerows([_guarded(cell) for cell in _row(gap)] for gap in report.every)
    return out.getvalue()


def as_lines(report: Report) -> Iterator[str]:
    """The report for a terminal: a line for each gap, numbered."""
    for number, gap in enumerate(report.every, start=1):
        state = "answered" if gap.closed_at else gap.trend
        where = _address(gap.place) or place_words(gap)
        # What somebody typed must not steer a terminal.
        yield printable(f"{number:4}  {gap.count:4}  {state:8}  {gap.title}  [{where}]", _LINE)


def issue_of(gap: GapView, weeks: int) -> Issue:
    """A gap as an issue; examples that had to be masked are left out."""
    languages = [_language(each.kind) for each in gap.languages]
    return issue(Wanted(gap.public, gap.count, weeks, languages, gap.place))


def _row(gap: GapView) -> Sequence[str]:
    place, closed = gap.place, gap.closed_by
    return (
        gap.gap_id,
        "answered" if gap.closed_at else "open",
        str(gap.count),
        gap.trend,
        f"{gap.first_asked:%Y-%m-%d}",
        f"{gap.last_asked:%Y-%m-%d}",
        _counts(gap.languages),
        _counts(gap.countries),
        _counts(gap.why),
        gap.examples[0] if gap.examples else "",
        place_words(gap),
        place.title if place else "",
        " > ".join(place.section) if place else "",
        _address(place),
        f"{gap.closed_at:%Y-%m-%d}" if gap.closed_at else "",
        (closed.url or closed.title) if closed else "",
    )


def _address(place: Place | None) -> str:
    return (place.url or "") if place else ""


def _counts(counts: Iterable[Count]) -> str:
    return "; ".join(f"{each.kind or 'not known'}: {each.count}" for each in counts)


def _guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _language(code: str | None) -> str:
    return language_name(code, FALLBACK) if code else "an unknown language"
