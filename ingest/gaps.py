"""What the sources announce and have not written: known gaps, told instead of guessed.

A page or section without text, a category nobody has filled, a country page
that lists nothing, a country that has no page at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import urljoin

from ingest.models import Document, EmptyPage
from rag.countries import COUNTRIES
from rag.models import Gap

_A_SET = 5
"""Country pages from which on a country without one is missed."""


def gaps_of(documents: Sequence[Document], empty_pages: Iterable[EmptyPage]) -> list[Gap]:
    """Find all known gaps, in a fixed order.

    Args:
        documents: Everything that is indexed, placeholders included.
        empty_pages: Pages without text of their own.
    """
    gaps = [
        Gap(
            "page", page.document_id, page.source, page.path, page.title, (), page.url, page.country
        )
        for page in empty_pages
    ]
    for document in documents:
        if document.placeholder:
            gaps.append(Gap("page", *_place(document), (), document.url, document.country))
        for section in document.sections:
            if section.empty:
                url = document.url
                if url and section.anchor:
                    url = f"{url}#{section.anchor}"
                gaps.append(
                    Gap("section", *_place(document), section.heading, url, document.country)
                )
    by_source: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        by_source[document.source].append(document)
    for source in by_source.values():
        gaps += _of_countries(source)
    return gaps


def _place(document: Document) -> tuple[str, str, str, str]:
    return document.document_id, document.source, document.path, document.title


def _of_countries(documents: Sequence[Document]) -> Iterator[Gap]:
    """What is missing from a source that has a page for each country."""
    pages = [document for document in documents if document.country]
    covered = {document.country for document in pages}
    if len(covered) < _A_SET:
        return
    for page in pages:
        if not page.placeholder and not page.mentions:
            yield Gap("country", *_place(page), (), page.url, page.country)
    hub = _hub(documents, pages)
    if hub is None:
        return
    for country in COUNTRIES:
        if country not in covered:
            yield Gap("country_page", *_place(hub), (), hub.url, country)
    by_url = {document.url: document for document in documents if document.url}
    for address in dict.fromkeys(_links(hub, headings=True)):
        category = by_url.get(address)
        if category and not category.placeholder and not category.mentions:
            yield Gap("category", *_place(category), (), category.url)


def _hub(documents: Sequence[Document], pages: Sequence[Document]) -> Document | None:
    """The page that links most country pages."""
    wanted = {page.url for page in pages if page.url}
    hub = max(documents, key=lambda each: len(wanted & set(_links(each))))
    return hub if 2 * len(wanted & set(_links(hub))) > len(wanted) else None


def _links(document: Document, *, headings: bool = False) -> Iterator[str]:
    """The addresses a document links, without fragments; or those its headings link."""
    for section in document.sections:
        blocks = section.blocks[: bool(section.heading)] if headings else section.blocks
        for link in (link for block in blocks for link in block.links):
            # Not every href is an address.
            with suppress(ValueError):
                if document.url:
                    yield urljoin(document.url, link.address).partition("#")[0]
