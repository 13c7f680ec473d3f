"""Articles meet their evidence: found, stale, or not indexed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ingest.chunker import chunk_document, drop_equal
from ingest.evidence import resolve_articles, summary_chunks
from ingest.models import Block, Document, Section
from rag.models import Article, ArticleStatement, Ask, Chunk, Evidence
from rag.text import letters_digits, pin

DAWN = "Read the gauge at dawn, every day."
DUSK = "Read it again at dusk."


def page(*blocks: str, path: str = "gauges.md", title: str = "Gauges", **more: object) -> Document:
    section = Section(heading=("Hours",), blocks=tuple(map(Block, blocks)), anchor="hours")
    return Document(
        document_id=f"atlas:{path}",
        source="atlas",
        path=path,
        title=title,
        url=f"https://tide.example/{path}",
        language="en",
        sha256="0" * 64,
        sections=(section,) if blocks else (),
        **more,  # type: ignore[arg-type]
    )


def evidence(sentence: str = DAWN, path: str = "gauges.md", label: str | None = None) -> Evidence:
    return Evidence(
        source="atlas",
        path=path,
        title="Gauges",
        section=("Hours",),
        url="https://tide.example/gauges#hours",
        label=label,
        pin=pin(sentence),
    )


def article(*statements: tuple[str, Sequence[Evidence]]) -> Article:
    return Article(
        article_id="when",
        document_id="articles/when.md",
        path="articles/when.md",
        title="When to read a gauge",
        kind="answer",
        intent="gauges",
        asks=(Ask("When?", "en"),),
        statements=tuple(ArticleStatement(text, tuple(held)) for text, held in statements),
        checked="2031-05-04",
        reviewed_by="",
    )


def chunks_of(*documents: Document) -> list[Chunk]:
    return list(drop_equal(chunk for each in documents for chunk in chunk_document(each)))


def resolved(held: Evidence, *documents: Document) -> Evidence:
    (found,) = resolve_articles([article(("Twice.", [held]))], documents, chunks_of(*documents))
    return found.statements[0].evidence[0]


def test_a_sentence_on_its_page_is_quoted_with_its_chunk() -> None:
    found = resolved(evidence(), page(f"Bring a rope. {DAWN} {DUSK}"))
    assert (found.quote, found.chunk_id, found.stale) == (DAWN, "atlas:gauges.md#0", False)


def test_the_chunk_is_the_one_that_holds_the_sentence() -> None:
    long = " ".join(f"Step {number} is taken slowly." for number in range(60))
    found = resolved(evidence(DUSK), page(long, long.replace("slowly", "fast"), DUSK))
    document = page(long, long.replace("slowly", "fast"), DUSK)
    (holder,) = (each for each in chunk_document(document) if DUSK in each.text)
    assert found.chunk_id == holder.chunk_id != "atlas:gauges.md#0"


def test_a_whole_block_may_be_the_evidence() -> None:
    block = f"{DAWN} {DUSK}"
    assert resolved(evidence(block), page("Bring a rope.", block)).quote == block


@pytest.mark.parametrize(
    "printed", ["Read the gauge at dawn – every day!", "READ the gauge, at dawn every day."]
)
def test_a_change_of_punctuation_does_not_make_an_article_stale(printed: str) -> None:
    found = resolved(evidence(), page(printed))
    assert (found.quote, found.stale) == (printed, False)


def test_a_sentence_that_is_gone_makes_its_evidence_stale() -> None:
    found = resolved(evidence(), page("Read the gauge at noon, every day."))
    assert (found.quote, found.chunk_id, found.stale) == (None, None, True)


def test_a_reworded_neighbour_does_not_make_an_article_stale() -> None:
    found = resolved(evidence(), page(f"Take a good rope along. {DAWN} And once more later."))
    assert (found.quote, found.stale) == (DAWN, False)


def test_evidence_of_a_page_that_is_not_indexed_stays_as_it_is() -> None:
    held = replace(evidence(path="elsewhere.md"), source="harbour")
    assert resolved(held, page(DAWN)) == held


def test_the_chunks_of_a_page_are_read_once_for_all_that_rests_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = page(DAWN, DUSK)
    chunks = chunks_of(document)
    read: list[str] = []

    def noting(text: str) -> str:
        read.append(text)
        return letters_digits(text)

    monkeypatch.setattr("ingest.evidence.letters_digits", noting)
    held = [evidence(), evidence(DUSK), evidence()]
    (found,) = resolve_articles([article(("Twice.", held))], [document], chunks)
    assert [each.quote for each in found.statements[0].evidence] == [DAWN, DUSK, DAWN]
    assert [read.count(chunk.text) for chunk in chunks] == [1]


def test_a_page_that_has_gone_from_its_source_makes_its_evidence_stale() -> None:
    assert resolved(evidence(path="elsewhere.md"), page(DAWN)).stale


def test_the_same_path_of_another_source_is_another_page() -> None:
    held = Evidence("other", "gauges.md", "Gauges", (), None, None, pin(DAWN))
    assert resolved(held, page(DAWN)) == held


def test_a_sentence_dropped_as_equal_is_found_in_the_chunk_that_was_kept() -> None:
    found = resolved(evidence(path="copy.md"), page(DAWN), page(DAWN, path="copy.md"))
    assert (found.quote, found.chunk_id) == (DAWN, "atlas:gauges.md#0")


def test_a_page_that_is_still_empty_is_pointed_at_by_its_title() -> None:
    empty = page(title="Buoys in Spain", path="es.md", placeholder=True)
    found = resolved(evidence("Buoys in Spain", path="es.md"), empty)
    assert (found.quote, found.chunk_id, found.stale) == ("Buoys in Spain", None, False)


def test_a_statement_whose_source_is_not_indexed_becomes_a_summary() -> None:
    written = article(
        ("Twice a day.", [evidence(path="elsewhere.md", label="required")]),
        ("And in storms.", [evidence(path="storms.md")]),
    )
    (chunk,) = summary_chunks(resolve_articles([written], [], []))
    assert (chunk.chunk_id, chunk.source, chunk.kind) == (
        "articles/when.md#0",
        "articles",
        "article",
    )
    assert [(part.text, part.label) for part in chunk.parts] == [
        ("Twice a day.", "required"),
        ("And in storms.", None),
    ]


def test_a_summary_never_stands_in_for_an_indexed_source() -> None:
    document = page(DAWN)
    elsewhere = replace(evidence(path="elsewhere.md"), source="harbour")
    written = article(
        ("Found.", [evidence()]),
        ("Found in part.", [elsewhere, evidence()]),
        ("Stale.", [evidence("Read it at noon.")]),
        ("Not indexed.", [elsewhere]),
    )
    (chunk,) = summary_chunks(resolve_articles([written], [document], chunks_of(document)))
    assert chunk.text == "Not indexed."


def test_an_article_whose_sources_are_all_indexed_has_no_chunk() -> None:
    document = page(DAWN)
    written = article(("Found.", [evidence()]), ("Stale.", [evidence("Read it at noon.")]))
    assert summary_chunks(resolve_articles([written], [document], chunks_of(document))) == []


def test_evidence_is_found_on_the_live_page_where_its_repository_is_not_indexed() -> None:
    live = replace(
        page(DAWN, path="gauges.html"),
        source="site", document_id="site:gauges.html", url="https://tide.example/gauges/",
    )  # fmt: skip
    found = resolved(evidence(), live)
    assert (found.quote, found.chunk_id) == (DAWN, "site:gauges.html#0")
    assert (found.source, found.path) == ("site", "gauges.html")
    assert resolved(evidence(DUSK), live).stale


def test_evidence_is_looked_up_in_its_own_source_first() -> None:
    live = replace(page(DUSK), source="site", url="https://tide.example/gauges")
    assert resolved(evidence(), page(DAWN), live).source == "atlas"


def test_a_title_stands_for_its_own_page_whatever_heading_elsewhere_is_called_so() -> None:
    empty = page("Nothing is said here.", path="hours.md", title="Old hours")
    other = page("OLD HOURS", "They were others.", path="other.md", title="Other")
    chunks = [chunk for each in (other, empty) for chunk in chunk_document(each)]
    held = evidence("Old hours", path="hours.md")
    (resolved,) = resolve_articles([article(("There is a page.", [held]))], [empty, other], chunks)
    (found,) = resolved.statements[0].evidence
    assert found.quote == "Old hours"
    assert found.chunk_id == chunks[-1].chunk_id
    assert chunks[-1].path == "hours.md"
