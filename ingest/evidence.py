"""Articles meet their evidence: pins are looked up in what is indexed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ingest.loaders.articles import ARTICLES
from ingest.models import Document
from ingest.overlaps import plain_address
from rag.models import Article, Chunk, Evidence, Part
from rag.text import letters_digits, pin, sentences


def pins_of(document: Document) -> dict[str, str]:
    """Everything of a document that can be pinned: pin to its text.

    Blocks as a whole, their sentences, and the page's title, by which an
    article points at a page that is still empty.
    """
    found = {pin(document.title): document.title}
    for section in document.sections:
        for block in section.blocks:
            for sentence in sentences(block.text):
                found.setdefault(pin(sentence), sentence)
            found.setdefault(pin(block.text), block.text)
    return found


def resolve_articles(
    articles: Iterable[Article], documents: Iterable[Document], chunks: Sequence[Chunk]
) -> list[Article]:
    """Tie every statement to the indexed sentence and chunk that carry it.

    A page is known by its source and path, else by its address: the live site
    carries what its repository does. Evidence whose page is not indexed stays as it is, to be
    cited as a summary; evidence whose sentence is gone from its page is marked stale.
    """
    pins: dict[tuple[str, str], dict[str, str]] = {}
    by_url: dict[str, tuple[str, str]] = {}
    for document in documents:
        place = document.source, document.path
        pins[place] = pins_of(document)
        for address in (document.url, *document.aliases):
            if address:
                by_url.setdefault(plain_address(address), place)
    by_text: dict[str, list[Chunk]] = defaultdict(list)
    by_path: dict[tuple[str, str], list[Chunk]] = defaultdict(list)
    for chunk in chunks:
        by_path[chunk.source, chunk.path].append(chunk)
        for line in chunk.text.splitlines():
            by_text[letters_digits(line)].append(chunk)

    def resolve(evidence: Evidence) -> Evidence:
        place = evidence.source, evidence.path
        if place not in pins and evidence.url:
            place = by_url.get(plain_address(evidence.url.partition("#")[0]), place)
            evidence = replace(evidence, source=place[0], path=place[1])
        known = pins.get(place)
        if known is None:
            return evidence
        quote = known.get(evidence.pin)
        if quote is None:
            return replace(evidence, stale=True)
        wanted = letters_digits(quote)
        for chunk in by_path[evidence.source, evidence.path]:
            if wanted in letters_digits(chunk.text):
                return replace(evidence, quote=quote, chunk_id=chunk.chunk_id)
        # An equal paragraph elsewhere stands for it (see `drop_equal`).
        elsewhere = by_text.get(wanted)
        return replace(evidence, quote=quote, chunk_id=elsewhere[0].chunk_id if elsewhere else None)

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
