"""What the documents of several sources have to do with one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ingest.models import Document, Skipped
from rag.models import Record

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
    version is at times published as a record of its own. Relations are copied
    from version to version by their authors: one that leads to another version
    of the same concept says nothing.
    """
    records = {each.record.record_id: each.record for each in documents if each.record}
    concepts = {
        _bare(doi): record.concept_id
        for record in records.values()
        for doi in (record.doi, record.concept_doi)
        if doi
    }
    authors = {record.concept_id: set(record.creators) for record in records.values()}
    newer: dict[str, str] = {}
    for record in records.values():
        for older in _related(record, _NEWER):
            if concepts.get(older, record.concept_id) == record.concept_id:
                continue
            # Anybody may publish a record that claims to replace another.
            if authors[concepts[older]] & set(record.creators):
                newer.setdefault(concepts[older], record.url)
    for record in records.values():
        for other in _related(record, _OLDER):
            if concepts.get(other) not in (None, record.concept_id):
                newer.setdefault(record.concept_id, f"https://doi.org/{other}")
    return [
        replace(each, superseded_by=newer.get(each.record.concept_id) if each.record else None)
        for each in documents
    ]


def _related(record: Record, relations: Iterable[str]) -> Iterator[str]:
    """The DOIs that a record names in one of some relations."""
    for related in record.related:
        bare = _bare(related.identifier)
        if related.relation.lower() in relations and bare.startswith("10."):
            yield bare


def _bare(identifier: str) -> str:
    """A DOI without the ways to lead to it."""
    bare = identifier.strip().lower()
    for prefix in ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "doi:"):
        bare = bare.removeprefix(prefix)
    return bare.strip()
