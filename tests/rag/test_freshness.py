"""How fresh an index is: what stands no longer, what is empty, what is old."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import shelf

from rag.freshness import Freshness, freshness_of
from rag.link_report import LINKS, LinkPlace, LinkReport, LostLink, read_links, write_links
from rag.models import Part


def dated(name: str, published: str | None, **card: object) -> tuple[object, object]:
    stored, chunks = shelf.page(f"{name}.md", name, Part(f"About {name}."))
    return replace(stored, card=replace(stored.card, published=published, **card)), chunks


def of(tmp_path: Path, *pages: object) -> Freshness:
    generation = shelf.written(tmp_path, shelf.shelved(*pages)).open()  # type: ignore[arg-type]
    try:
        return freshness_of(generation)
    finally:
        generation.close()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Freshness:
    generation = shelf.written(tmp_path_factory.mktemp("shelf"), shelf.framework()).open()
    return freshness_of(generation)


def test_a_statement_whose_sentence_has_gone_is_named_with_its_page(found: Freshness) -> None:
    (unheld,) = found.unheld
    assert unheld.article.article_id == "share"
    assert unheld.statement.text == "A seal of wax is needed."
    assert [each.path for each in unheld.gone] == ["pages/sharing.md"]
    assert not unheld.held_elsewhere


def test_sources_come_with_their_empty_pages_and_articles_are_no_source(found: Freshness) -> None:
    assert [each.source for each in found.sources] == ["aurora", "folder"]
    aurora = found.sources[0]
    assert [gap.path for gap in aurora.empty] == ["pages/portugal.md"]
    assert aurora.documents == 6


def test_the_date_of_a_source_is_none_of_its_documents(found: Freshness) -> None:
    aurora = found.sources[0]
    assert (aurora.as_of, aurora.dated) == ("2026-03-01", ())


@pytest.mark.parametrize(
    ("published", "old"),
    [
        ("2023-05-31", True),
        ("2023-06-01", False),
        ("2023-05", True),
        ("2023-06", False),
        ("2022", True),
        ("2023", False),
        ("2031-01-01", False),
        (None, False),
    ],
)
def test_a_document_is_old_by_its_own_date_as_far_as_it_is_told(
    tmp_path: Path, published: str | None, *, old: bool
) -> None:
    (source,) = of(tmp_path, dated("a", published, dated_by="page")).sources
    assert bool(source.older_than(3, date(2026, 6, 1))) == old


def test_the_oldest_comes_first_and_what_is_replaced_is_named(tmp_path: Path) -> None:
    pages = [
        dated("new", "2025-01-01", dated_by=None),
        dated("old", "2019", dated_by=None, superseded_by=f"{shelf.SITE}/new"),
    ]
    (source,) = of(tmp_path, *pages).sources
    assert [card.title for card in source.dated] == ["old", "new"]
    assert [card.title for card in source.replaced] == ["old"]


# ---- the file of links


def test_what_came_of_a_check_of_links_is_kept_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    assert read_links(tmp_path) is None
    place = LinkPlace("aurora", "a.md", "A", ("B",), f"{shelf.SITE}/a#b", "here")
    since = "2026-01-01T00:00:00Z"
    lost = tuple(
        LostLink("outside", f"https://{name}.example/", dead, "answers 404", since, (place,))
        for name, dead in (("a", False), ("b", True))
    )
    report = LinkReport(since, "g", 7, since, 2, 0, lost)
    write_links(tmp_path, report)
    assert read_links(tmp_path) == report
    assert [each.dead for each in report.of("outside")] == [True, False]
    assert report.of("page") == ()
    (tmp_path / LINKS).write_text('{"checked_at": 1')
    assert read_links(tmp_path) is None
