"""What `python -m ingest freshness` says, to people and to programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ingest.terminal import SHOWN
from rag.disagreements import Disagreement
from rag.freshness import Freshness
from rag.link_report import LinkReport, LostLink
from rag.text import printable


def as_plain(found: Freshness, links: LinkReport) -> dict[str, Any]:
    """The report as JSON takes it."""
    return {
        "stale_statements": [
            {
                "article": each.article.article_id,
                "statement": each.statement.text,
                "gone_from": [{"path": gone.path, "url": gone.url} for gone in each.gone],
            }
            for each in found.unheld
        ],
        "disagreements": [
            {
                "kind": each.kind,
                "subject": each.subject,
                "said": [
                    {
                        "source": said.document.source,
                        "path": said.document.path,
                        "section": list(said.section),
                        "url": said.url,
                        "value": said.value,
                        "text": said.text,
                    }
                    for said in each.said
                ],
            }
            for each in found.disagreements
        ],
        "sources": [
            {
                "source": each.source,
                "documents": each.documents,
                "empty": [gap.path for gap in each.empty],
                "oldest": each.dated[0].published if each.dated else each.as_of,
                "newest": each.dated[-1].published if each.dated else each.as_of,
                "replaced": [card.path for card in each.replaced],
            }
            for each in found.sources
        ],
        "links": asdict(links),
    }


def lines_of(found: Freshness, links: LinkReport) -> Iterator[str]:
    """The report for people, each line safe to print."""
    yield from _listed(
        "statements of articles whose sentence has gone",
        [f"{each.article.article_id}: {_short(each.statement.text)}" for each in found.unheld],
    )
    differing = [line for each in found.disagreements for line in _differing(each)]
    yield from _listed("where documents differ", differing, len(found.disagreements))
    lost = sorted(links.lost, key=lambda each: (not each.dead, each.kind, each.address))
    yield from _listed("dead links", [_lost(each) for each in lost if each.dead])
    yield from _listed("links not had when asked", [_lost(each) for each in lost if not each.dead])
    asked = f"{links.asked} elsewhere asked at {links.asked_at}"
    yield f"{links.links} links looked at, {asked if links.asked_at else 'none elsewhere'}"
    for each in found.sources:
        oldest = each.dated[0].published if each.dated else each.as_of
        yield printable(
            f"{each.source}: {each.documents} documents, {len(each.empty)} empty,"
            f" {len(each.replaced)} replaced by newer ones, the oldest of {oldest or 'no date'}"
        )


def _listed(heading: str, lines: list[str], count: int | None = None) -> Iterator[str]:
    yield f"{heading}: {len(lines) if count is None else count}"
    for line in lines[:SHOWN]:
        yield f"  {printable(line)}"
    if len(lines) > SHOWN:
        yield f"  ... and {len(lines) - SHOWN} more (--json shows all)"


def _differing(found: Disagreement) -> Iterator[str]:
    said = "; ".join(f"{each.value} on {each.url or each.document.path}" for each in found.said)
    yield f"{found.kind} {found.subject}: {said}"


def _lost(link: LostLink) -> str:
    pages = ", ".join(sorted({each.path for each in link.places}))
    return f"{link.address}: {link.why}, on {pages}"


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"
