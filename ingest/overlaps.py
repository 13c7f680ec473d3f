"""What the documents of several sources have to do with one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ingest.models import Document, Skipped

_NEWER = ("isnewversionof", "obsoletes")
_OLDER = ("ispreviousversionof", "isobsoletedby")


def one_document_an_address(
    documents: Sequence[Document], order: Sequence[str]
) -> tuple[list[Document], list[Skipped]]:
    """Keep one document of each address, where several sources hold it.

    A site and the repository it is built from hold the same pages; answers
    from both would say everything twice.

    Args:
        documents: Of all sources.
        order: Names of sources, the one to keep first; others come behind, by name.

    Returns:
        What is kept, in the order given, and what is left out.
    """
    ranks = {name: rank for rank, name in enumerate(order)}

    def rank(document: Document) -> tuple[int, str]:
        return ranks.get(document.source, len(ranks)), document.source

    kept: dict[str, Document] = {}
    for document in sorted(documents, key=rank):
        # A copy's address leads to its text too.
        for address in (document.url, *document.aliases):
            if address:
                kept.setdefault(plain_address(address), document)
    remaining: list[Document] = []
    left_out: list[Skipped] = []
    for document in documents:
        first = kept[plain_address(document.url)] if document.url else document
        if first.source == document.source:
            remaining.append(document)
        else:
            left_out.append(Skipped(document.document_id, f"the same page as {first.document_id}"))
    return remaining, left_out


def plain_address(address: str) -> str:
    """What the ways to write the address of one page share."""
    return address.removesuffix("/").removesuffix("/index.html").removesuffix(".html")


def mark_superseded(documents: Sequence[Document]) -> list[Document]:
    """Mark files of records that another record here, or they themselves, call replaced.

    Versions of one concept need no mark, as only the newest is read; but a new
    version is at times published as a record of its own.
    """
    newer: dict[str, str] = {}
    for document in documents:
        record = document.record
        if record is None:
            continue
        for older in _related(document, _NEWER):
            newer.setdefault(older, record.url)
        own = {_bare(doi) for doi in (record.doi, record.concept_doi) if doi}
        for other in _related(document, _OLDER):
            if other not in own:
                for doi in own:
                    newer.setdefault(doi, f"https://doi.org/{other}")
    return [replace(each, superseded_by=_replaced_by(each, newer)) for each in documents]


def _related(document: Document, relations: Iterable[str]) -> Iterator[str]:
    """The DOIs that a document's record names in one of some relations."""
    for related in document.record.related if document.record else ():
        bare = _bare(related.identifier)
        if related.relation.lower() in relations and bare.startswith("10."):
            yield bare


def _replaced_by(document: Document, newer: dict[str, str]) -> str | None:
    record = document.record
    if record is None:
        return None
    dois = (_bare(doi) for doi in (record.doi, record.concept_doi) if doi)
    found = next((newer[doi] for doi in dois if doi in newer), None)
    # A record that calls itself the newer version of its own concept replaces nothing else.
    return found if found != record.url else None


def _bare(identifier: str) -> str:
    """A DOI without the ways to lead to it."""
    bare = identifier.strip().lower()
    for prefix in ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "doi:"):
        bare = bare.removeprefix(prefix)
    return bare.strip()
