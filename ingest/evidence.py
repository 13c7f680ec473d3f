"""Articles meet their evidence: pins are looked up in what is indexed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ingest.chunker import entries, label_of
from ingest.loaders.articles import ARTICLES
from ingest.models import Document, Section
from ingest.overlaps import plain_address
from rag.models import Article, Chunk, Evidence, Part
from rag.text import fold, letters_digits, pin, sentences


@dataclass(frozen=True)
class Pinned:
    """Something of a document that can be pinned, with the place where it stands."""

    text: str
    section: Section | None
    """None: the title of the page."""
    label: str | None


def pinned_texts(document: Document) -> Iterator[Pinned]:
    """Everything of a document that can be pinned, the first of equal texts first.

    The page's title, by which an article points at a page that is still empty;
    the sentences of all blocks, and each block as a whole.
    """
    yield Pinned(document.title, None, None)
    for section in document.sections:
        for entry in entries(section):
            of_entry = label_of(section, entry)
            for block in entry:
                for text in (*sentences(block.text), block.text):
                    yield Pinned(text, section, block.label or of_entry)


class Library:
    """The documents at hand, by the pins of what they say."""

    def __init__(self, documents: Iterable[Document]):
        """Know documents by their place and by their addresses."""
        self.documents: dict[tuple[str, str], Document] = {}
        self._pins: dict[tuple[str, str], dict[str, Pinned]] = {}
        self._sources: set[str] = set()
        self._by_url: dict[str, tuple[str, str]] = {}
        for document in documents:
            place = document.source, document.path
            self.documents[place] = document
            self._sources.add(document.source)
            for address in (document.url, *document.aliases):
                if address:
                    self._by_url.setdefault(plain_address(address), place)

    def place_of(self, evidence: Evidence) -> tuple[str, str] | None:
        """Where the page of some evidence is; None where it is not at hand.

        A page is known by its source and path, else by its address: the live
        site carries what its repository does.
        """
        place = evidence.source, evidence.path
        if place in self.documents:
            return place
        if evidence.url is None:
            return None
        return self._by_url.get(plain_address(evidence.url.partition("#")[0]))

    def has_lost(self, evidence: Evidence) -> bool:
        """Whether the source of some evidence is at hand, and its page is not."""
        return self.place_of(evidence) is None and evidence.source in self._sources

    def pins(self, place: tuple[str, str]) -> dict[str, Pinned]:
        """Everything of a document that can be pinned, by its pin."""
        if place not in self._pins:
            found: dict[str, Pinned] = {}
            for each in pinned_texts(self.documents[place]):
                found.setdefault(pin(each.text), each)
            self._pins[place] = found
        return self._pins[place]


def resolve_articles(
    articles: Iterable[Article], documents: Iterable[Document], chunks: Sequence[Chunk]
) -> list[Article]:
    """Tie every statement to the indexed sentence and chunk that carry it.

    Evidence whose source is not indexed stays as it is, to be cited as a summary;
    evidence whose sentence is gone from its page, or page from its source, is stale.
    """
    library = Library(documents)
    by_text: dict[str, list[Chunk]] = defaultdict(list)
    by_path: dict[tuple[str, str], list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_path[chunk.source, chunk.path].append(chunk)
        for line in chunk.text.splitlines():
            by_text[letters_digits(line)].append(chunk)

    @cache
    def said_at(place: tuple[str, str]) -> list[tuple[str, Chunk]]:
        # Once a page, as many sentences of one may be evidence.
        return [(letters_digits(chunk.text), chunk) for chunk in by_path[place]]

    def resolve(evidence: Evidence) -> Evidence:
        place = library.place_of(evidence)
        if place is None:
            return replace(evidence, stale=library.has_lost(evidence))
        evidence = replace(evidence, source=place[0], path=place[1])
        pinned = library.pins(place).get(evidence.pin)
        if pinned is None:
            return replace(evidence, stale=True)
        wanted = letters_digits(pinned.text)
        for said, chunk in said_at(place):
            if wanted in said:
                return replace(evidence, quote=pinned.text, chunk_id=chunk.chunk_id)
        if pinned.section is None:  # the title: the page as a whole
            own = by_path[place][:1]
        else:
            # An equal paragraph elsewhere stands for it (see `drop_equal`).
            equal = by_text.get(wanted, [])
            own = [chunk for chunk in equal if fold(pinned.text) in fold(chunk.text)][:1]
        return replace(evidence, quote=pinned.text, chunk_id=own[0].chunk_id if own else None)

    return [
        replace(
            article,
            statements=tuple(
                replace(statement, evidence=tuple(resolve(each) for each in statement.evidence))
                for statement in article.statements
            ),
        )
        for article in articles
    ]


def summary_chunks(articles: Iterable[Article]) -> list[Chunk]:
    """Chunks of what articles say of documents that are not indexed here.

    A summary never stands in for an indexed source: statements whose evidence
    is indexed yield none.
    """
    chunks = []
    for article in articles:
        parts = tuple(
            Part(text=statement.text, section=(), label=statement.evidence[0].label)
            for statement in article.statements
            if not any(each.quote or each.stale for each in statement.evidence)
        )
        if parts:
            chunks.append(
                Chunk(
                    chunk_id=f"{article.document_id}#0",
                    document_id=article.document_id,
                    source=ARTICLES,
                    path=article.path,
                    title=article.title,
                    url=None,
                    parts=parts,
                    kind="article",
                )
            )
    return chunks
