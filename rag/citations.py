"""Footnotes: every quote is exact text of what is stored, every marker leads somewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from rag.index import Generation
from rag.lexical import words
from rag.models import (
    Article,
    ArticleStatement,
    Chunk,
    Citation,
    Evidence,
    Gap,
    IndexedDocument,
    Mention,
    Part,
)
from rag.planted import harmless
from rag.sentences import Sentence
from rag.text import letters_digits


class Footnotes:
    """Numbers citations in order of first appearance; equal ones share a number."""

    def __init__(self, generation: Generation, cited: Iterable[Citation] = ()):
        """Cite what a generation holds, going on behind what is cited already."""
        self._generation = generation
        self._cited = {_key(each): each for each in cited}

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All citations so far."""
        return tuple(self._cited.values())

    def sentence(self, chunk: Chunk, sentence: Sentence) -> int:
        """Cite a sentence of an indexed chunk; returns its marker."""
        return self._add(self._of_part(chunk, sentence.part, sentence.quote))

    def statement(self, article: Article, statement: ArticleStatement) -> tuple[int, ...]:
        """Cite the evidence of an article's statement; returns the markers.

        Evidence that is indexed is quoted from the source. Where the source is
        not indexed here, the article itself is quoted and the source named.
        Evidence gone stale carries nothing and is left out, as is what adds nothing
        to the rest: it leads a search to the place, and a reader nowhere new.
        """
        return tuple(
            dict.fromkeys(
                self._add(self._of_evidence(article, statement, evidence))
                for evidence in _needed(statement)
            )
        )

    def mention(self, mention: Mention) -> int:
        """Cite the place where a resource is named; the quote is the words that name it."""
        citation = Citation(
            marker=0,
            kind="source",
            document_id=f"{mention.source}:{mention.path}",
            source=mention.source,
            path=mention.path,
            title=mention.title,
            section=mention.section,
            url=mention.url,
            page=mention.page,
            quote=mention.text,
            label=mention.label,
        )
        return self._add(_dated(citation, self._generation.document(citation.document_id)))

    def again(self, citation: Citation) -> int:
        """Cite what another answer cites; returns its marker here."""
        return self._add(citation)

    def gap(self, gap: Gap) -> int:
        """Cite a page that exists and is still empty; its quote is its own heading."""
        title = gap.section[-1] if gap.section else gap.title
        citation = Citation(
            marker=0,
            kind="source",
            document_id=gap.document_id,
            source=gap.source,
            path=gap.path,
            title=gap.title,
            section=gap.section,
            url=gap.url,
            page=None,
            quote=title,
        )
        return self._add(_dated(citation, self._generation.document(gap.document_id)))

    def _add(self, citation: Citation) -> int:
        citation = self._vetted(citation)
        key = _key(citation)
        if key not in self._cited:
            self._cited[key] = replace(citation, marker=len(self._cited) + 1)
        return self._cited[key].marker

    def _vetted(self, citation: Citation) -> Citation:
        """A citation without a title and headings that were written for a machine.

        A quote is exact text of what is stored, and stays.
        """
        known = self._generation.hosts
        return replace(
            citation,
            title=harmless(citation.title, known) or citation.path,
            section=tuple(filter(None, (harmless(each, known) for each in citation.section))),
        )

    def _of_part(self, chunk: Chunk, part: Part, quote: str) -> Citation:
        citation = Citation(
            marker=0,
            kind="source",
            document_id=chunk.document_id,
            source=chunk.source,
            path=chunk.path,
            title=chunk.title,
            section=part.section,
            url=chunk.address(part),
            page=part.page,
            quote=quote,
            label=part.label,
        )
        return _dated(citation, self._generation.document(chunk.document_id))

    def _of_evidence(
        self, article: Article, statement: ArticleStatement, evidence: Evidence
    ) -> Citation:
        if evidence.quote and evidence.chunk_id:
            chunk = self._generation.chunk_by_id(evidence.chunk_id)
            if chunk is not None:
                wanted = letters_digits(evidence.quote)
                for part in chunk.parts:
                    if wanted in letters_digits(part.text):
                        return self._of_part(chunk, part, evidence.quote)
        indexed = evidence.quote is not None
        citation = Citation(
            marker=0,
            kind="source" if indexed else "summary",
            document_id=f"{evidence.source}:{evidence.path}" if indexed else article.document_id,
            source=evidence.source,
            path=evidence.path,
            title=evidence.title,
            section=evidence.section,
            url=evidence.url,
            page=None,
            quote=evidence.quote or statement.text,
            label=evidence.label,
        )
        return _dated(citation, self._generation.document(f"{evidence.source}:{evidence.path}"))


def _needed(statement: ArticleStatement) -> list[Evidence]:
    """The evidence of a statement without which a word or two of it would be carried by none."""
    unmet = _wording(statement.text)
    wanted = unmet
    pool = [(each, _wording(_read(each))) for each in statement.evidence if not each.stale]
    kept: list[Evidence] = []
    while pool:
        best = max(pool, key=lambda each: (len(each[1] & unmet), len(each[1] & wanted)))
        if kept and not best[1] & unmet:
            break
        kept.append(best[0])
        unmet -= best[1]
        pool.remove(best)
    return [each for each in statement.evidence if each in kept]


@lru_cache(maxsize=4000)
def _wording(text: str) -> frozenset[str]:
    """The words of a text, alone and by twos: of several names each has its own twos."""
    said = words(text)
    return frozenset({*said, *(f"{one} {next_}" for one, next_ in pairwise(said))})


def _read(evidence: Evidence) -> str:
    """A piece of evidence as a reader of its citation sees it."""
    seen = (evidence.title, *evidence.section, evidence.label or "", evidence.quote or "")
    return " ".join(seen)


def _key(citation: Citation) -> tuple[str, str | None, str]:
    """What makes two citations one."""
    return citation.document_id, citation.url, citation.quote


def _dated(citation: Citation, document: IndexedDocument | None) -> Citation:
    """Add what is known of the document as a whole."""
    if document is None:
        return citation
    return replace(
        citation,
        version=document.version,
        doi=document.doi,
        published=document.published,
        licence=document.licence,
        dated_by=document.dated_by,
        older=document.older,
        deliverable=document.record.deliverable if document.record else None,
        concept_doi=document.record.concept_doi if document.record else None,
        superseded_by=document.superseded_by,
    )
