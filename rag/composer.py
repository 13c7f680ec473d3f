"""What an answer says, made of an article and of sentences of the passages.

An article says it best where one fits; what the best passages say beside it is
added, as an article may cover a part of the question only. Whatever is said
carries its citations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rag.asking import AskType
from rag.citations import Footnotes
from rag.extracts import Extract, Extractor
from rag.index import Generation
from rag.lexical import words
from rag.lists import Listing, say
from rag.messages import FALLBACK
from rag.models import LABELS, Article, ArticleStatement, Citation, Item, Statement
from rag.ordering import disagree, is_newer
from rag.retriever import Findings
from rag.text import letters_digits

_UNITS: dict[AskType, int] = {"how_to": 8, "compare": 8, "list": 8}
_UNDER_HEADINGS = ("how_to", "where")
_SENTENCES = 5
"""Sentences of passages, by what is asked for, and otherwise (docs/evaluation.md)."""
_BESIDE = 6
"""So many of the best sentences an answer holds at least, the article's among them."""
_FALLS = 2.0
"""How much less than the best a sentence may tell, in log-odds, to be said as well."""
_FALLS_FAR = 4.0
"""The same where no article tells the steps, sides or entries that are asked for."""
_DANGLES = re.compile(
    r"(?:this|these|those|that|it|its|they|their|such|here|therefore|however|also|moreover"
    r"|additionally|furthermore|in addition|the above|for example|as such)\b", re.IGNORECASE,
)  # fmt: skip
"""How a sentence begins that says little without the one before it."""
_REPEATS = 0.7
"""Share of a sentence's words from which on it says again what was said."""


@dataclass(frozen=True)
class Body:
    """What an answer says, without the helpdesk's own words around it."""

    statements: tuple[Statement, ...] = ()
    citations: tuple[Citation, ...] = ()
    items: tuple[Item, ...] = ()
    entries_from: int | None = None
    """Place of the first statement that is an entry of a list, to the last one all are; None:
    there is no list."""
    heading: str = ""
    """What the list is of."""
    disagree: bool = False
    """Whether pages say different things; the newer one comes first."""


class Composer:
    """Says what articles and passages of one generation hold."""

    def __init__(self, generation: Generation, contact: str):
        """Compose from a generation; whom to write to is said once, below the answer."""
        self._generation = generation
        self._contact = contact
        self._extractor = Extractor(generation)

    def of_article(self, article: Article, language: str, found: Findings, kind: AskType) -> Body:
        """Say what an article says, and what the best passages say beside it.

        Args:
            article: The article.
            language: ISO 639-1; the article is told in it where it has been translated.
            found: What was brought for the question.
            kind: What the question asks for.

        Returns:
            Nothing where none of the article's evidence stands any more.
        """
        notes = Footnotes(self._generation)
        translation = next(
            (each for each in article.translations if each.language == language), None
        )
        own = [each.text for each in article.statements]
        texts = translation.statements if translation else own
        spoken = translation.language if translation else FALLBACK
        said = [
            Statement(text, markers, spoken)
            for text, statement in zip(texts, article.statements, strict=True)
            if (markers := notes.statement(article, statement))
        ]
        if not said:
            return Body()
        carried = {
            letters_digits(evidence.quote)
            for statement in article.statements
            for evidence in statement.evidence
            if evidence.quote
        }
        candidates = self._extractor.candidates(found)
        best = _telling(candidates, max(_BESIDE, _UNITS.get(kind, 0)))
        beside = [
            each
            for each in best
            if each.chunk.kind != "article"
            and not _DANGLES.match(each.shown)
            and letters_digits(each.sentence.quote) not in carried
            and not repeats(each.shown, own)
        ]
        said += self._units(_as_read(beside), notes, kind)
        return Body(tuple(said), notes.citations)

    def of_passages(self, found: Findings, kind: AskType) -> Body:
        """Say what the best sentences of the passages say.

        Where a sentence of another page disagrees with one of them it is said, too.

        Args:
            found: What was brought for the question.
            kind: What the question asks for.
        """
        notes = Footnotes(self._generation)
        candidates = self._extractor.candidates(found)
        falls = _FALLS_FAR if kind in _UNITS else _FALLS
        telling = _telling(candidates, _UNITS.get(kind, _SENTENCES), falls)
        best = _required_first(_as_read(telling))
        ordered, differ = self._with_other_side(best, candidates)
        said = self._units(ordered, notes, kind)
        entries_from = 0 if kind == "how_to" and len(said) > 1 else None
        return Body(tuple(said), notes.citations, entries_from=entries_from, disagree=differ)

    def with_list(self, listing: Listing, body: Body) -> Body:
        """Put a complete list behind what else is said.

        Where every entry is named already, none is told again; all stay among the items.
        """
        notes = Footnotes(self._generation, body.citations)
        statements, items = say(listing, notes)
        told = letters_digits(" ".join(each.text for each in body.statements))
        # An article may have named them all, in its own order.
        missing = [each for each in items if letters_digits(each.title) not in told]
        fresh = statements if missing else ()
        return replace(
            body,
            statements=(*body.statements, *fresh),
            citations=notes.citations,
            items=items,
            entries_from=len(body.statements) if fresh else body.entries_from,
            heading=listing.heading if fresh else body.heading,
        )

    def _with_other_side(
        self, best: Sequence[Extract], candidates: Sequence[Extract]
    ) -> tuple[list[Extract], bool]:
        """Put beside each sentence one that disagrees with it; the newer of the two first."""
        ordered: list[Extract] = []
        differ = False
        for one in best:
            if one in ordered:
                continue
            other = next((each for each in candidates if self._newer(one, each) is not None), None)
            if other is None:
                ordered.append(one)
                continue
            differ = True
            pair = [one, other] if self._newer(one, other) else [other, one]
            ordered += [each for each in pair if each not in ordered]
        return ordered, differ

    def _newer(self, one: Extract, other: Extract) -> bool | None:
        """Whether a sentence is newer than another that disagrees; None: it does not."""
        own, theirs = (self._generation.document(each.chunk.document_id) for each in (one, other))
        if own is None or theirs is None or own is theirs:
            return None
        # Of two that nobody dated neither goes before the other.
        if is_newer(own, theirs) == is_newer(theirs, own):
            return None
        return is_newer(own, theirs) if disagree(one.sentence.text, other.sentence.text) else None

    def _units(
        self, extracts: Sequence[Extract], notes: Footnotes, kind: AskType
    ) -> list[Statement]:
        """Make statements of sentences, each behind its heading where steps are asked for."""
        said: list[Statement] = []
        heading = ""
        for each in extracts:
            if each.chunk.kind == "article":
                article, statement = self._summaries[
                    each.chunk.document_id, each.sentence.part.text
                ]
                markers, text, language = (
                    notes.statement(article, statement),
                    statement.text,
                    FALLBACK,
                )
            else:
                card = self._generation.document(each.chunk.document_id)
                language = card.language if card else FALLBACK
                markers, text = (notes.sentence(each.chunk, each.sentence),), each.shown
                under = each.place if kind == "where" else each.heading
                if kind in _UNDER_HEADINGS and under != heading and not text.startswith(under):
                    text = f"{under}: {text}"
                heading = under
            if markers:
                said.append(Statement(text, markers, language))
        return said

    @cached_property
    def _summaries(self) -> dict[tuple[str, str], tuple[Article, ArticleStatement]]:
        """What articles say of sources that are not indexed here, by place and text."""
        return {
            (article.document_id, statement.text): (article, statement)
            for article in self._generation.articles
            for statement in article.statements
        }


def _telling(candidates: Sequence[Extract], count: int, falls: float = _FALLS) -> list[Extract]:
    """The first few, as far as they tell nearly as much as the first.

    One that leans on the sentence before it comes with that, or not at all.
    """
    near = [each for each in candidates[:count] if each.score >= candidates[0].score - falls]
    places = {(each.chunk.chunk_id, each.position) for each in near}
    whole = [
        each
        for each in near
        if not _DANGLES.match(each.shown) or (each.chunk.chunk_id, each.position - 1) in places
    ]
    return whole or near


def _as_read(extracts: Iterable[Extract]) -> list[Extract]:
    """In the order of the passages, and of the sentences in them."""
    return sorted(extracts, key=lambda each: (each.rank, each.position))


def _required_first(extracts: Sequence[Extract]) -> list[Extract]:
    """What is required before what is recommended, in the places of what has a label."""
    labelled = sorted(
        (each for each in extracts if each.sentence.part.label in LABELS),
        key=lambda each: LABELS.index(each.sentence.part.label or ""),
    )
    following = iter(labelled)
    return [next(following) if each.sentence.part.label in LABELS else each for each in extracts]


def repeats(text: str, said: Iterable[str]) -> bool:
    """Whether a text says again what was said."""
    own = set(words(text))
    return any(len(own & set(words(each))) >= _REPEATS * len(own) for each in said)
