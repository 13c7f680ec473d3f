"""Has a language model write an answer, and cites each sentence to the very place that carries it.

The model is shown whole passages; a reader is shown sentences. What no few
sentences of the cited passages carry is not said (docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from rag.citations import Footnotes
from rag.composer import Body, repeats
from rag.embedder import Embedder, Vectors
from rag.errors import ModelUnavailable, NothingHolds
from rag.generator import Shown
from rag.index import Generation
from rag.lexical import four_grams
from rag.models import Answer, Article, ArticleStatement, Delta, Passage, Question, Statement
from rag.planted import foreign, seen, steers
from rag.sentences import Sentence, chunk_sentences
from rag.text import sentences
from rag.voice import Voice, marked, pieces
from rag.writer import Writer, Written

_SHOWN = 5
"""Passages that the model reads."""
_CARRIERS = 3
"""Sentences of one passage that may carry a statement together."""


class Author:
    """Writes over one generation."""

    def __init__(self, generation: Generation, writer: Writer, embedder: Embedder, name: str):
        """Write over what a generation holds.

        Args:
            generation: What is cited.
            writer: The model under guard.
            embedder: The one that the generation was built with.
            name: Of the model, as readers are told it.
        """
        self._generation = generation
        self._writer = writer
        self._embedder = embedder
        self._name = name
        self.trouble: str | None = None
        """Why the model could not be had the last time it was asked; None: it could."""

    def rewrite(
        self,
        question: Question,
        article: Article | None,
        passages: Sequence[Passage],
        answer: Answer,
        voice: Voice,
    ) -> Generator[Delta, None, Answer]:
        """Have the model say what the sources say; they say it themselves where it fails.

        What a reader has seen of the model's is never taken back: where it fails half
        way, what is not said yet follows from the sources.

        Args:
            question: What was asked, with the turns before it.
            article: One that may answer, shown to the model first.
            passages: What was found, best first.
            answer: The answer without a model.
            voice: The helpdesk's own words.

        Returns:
            The answer, whose text is that of the pieces.
        """
        notes = Footnotes(self._generation)
        said: list[Statement] = []
        told: list[str] = [voice.say("weak")] if answer.strength == "weak" else []
        failed = False
        try:
            with closing(
                self._written(question, voice.language, article, passages, notes)
            ) as statements:
                for statement in statements:
                    said.append(statement)
                    told.append(marked(statement))
                    first = len(said) == 1
                    yield Delta(" ".join(told) if first else f" {told[-1]}")
            self.trouble = None
        except ModelUnavailable as error:
            failed = True
            self.trouble = None if isinstance(error, NothingHolds) else str(error)
        if not said:
            text = f"{voice.say('without_model')} {answer.text}"
            yield Delta(text)
            return replace(answer, text=text)
        if failed:
            rest = self._unsaid(answer, said, notes)
            if rest:
                body = Body(tuple(rest))
                opening = [voice.say("without_model"), voice.opening(body)]
                more = "".join(pieces(" ".join(filter(None, opening)), body))
                said += rest
                told.append(more)
                yield Delta(f" {more}")
        cited = {each.marker: each for each in answer.citations}
        items = [replace(each, marker=notes.again(cited[each.marker])) for each in answer.items]
        return replace(
            answer,
            text=" ".join(told),
            statements=tuple(said),
            items=tuple(items),
            citations=notes.citations,
            model=self._name,
        )

    def _unsaid(
        self, answer: Answer, said: Sequence[Statement], notes: Footnotes
    ) -> list[Statement]:
        """What the answer without a model says beyond what the model said, cited anew."""
        cited = {each.marker: each for each in answer.citations}
        carried = {each.quote for each in notes.citations}
        told = [each.text for each in said]
        return [
            replace(each, citations=tuple(notes.again(cited[n]) for n in each.citations))
            for each in answer.statements
            if not carried.issuperset(cited[n].quote for n in each.citations)
            and not repeats(each.text, told)
        ]

    def _written(
        self,
        question: Question,
        language: str,
        article: Article | None,
        passages: Sequence[Passage],
        notes: Footnotes,
    ) -> Generator[Statement]:
        """Yield statements as they are written, each with its citations."""
        read = [each for each in passages if each.chunk.kind != "article"][:_SHOWN]
        sources: list[Article | Passage] = [*([article] if article else []), *read]
        shown = [self._shown(each) for each in sources]
        written = self._writer.write(question.text, language, shown, question.history)
        with closing(written):
            for each in written:
                # What a document tells a machine, a machine may repeat with a citation.
                known = self._generation.hosts
                if steers(each.text, known) or foreign(each.text, known):
                    continue
                markers = tuple(dict.fromkeys(self._cited(each, sources, language, notes)))
                if markers:
                    yield Statement(each.text, markers, language)

    def _cited(
        self,
        written: Written,
        sources: Sequence[Article | Passage],
        language: str,
        notes: Footnotes,
    ) -> Iterator[int]:
        """Cite what carries a statement; nothing where no few sentences do."""
        cited = [sources[marker - 1] for marker in written.markers]
        for each in cited:
            if isinstance(each, Article):
                for statement in self._told(each, written.text):
                    if self._writer.guard.check(written.text, [statement.text], language).holds:
                        yield from notes.statement(each, statement)
                        return
        vector = self._embedder.passages([written.text])[0]
        carriers: list[tuple[Passage, Sentence]] = []
        for each in cited:
            if isinstance(each, Passage):
                carriers += [(each, said) for said in self._nearest(each, vector)]
        for count in range(1, len(carriers) + 1):
            texts = [_read(passage, said) for passage, said in carriers[:count]]
            if self._writer.guard.check(written.text, texts, language).holds:
                for passage, said in carriers[:count]:
                    yield notes.sentence(passage.chunk, said)
                return

    def _shown(self, source: Article | Passage) -> Shown:
        """A source as the model reads it, without what was planted there."""
        if isinstance(source, Article):
            text = " ".join(each.text for each in source.statements)
            return Shown(text, source.title, kind="article")
        chunk = source.chunk
        card = self._generation.document(chunk.document_id)
        dated = card.published if card and card.dated_by != "snapshot" else None
        heads = [self._harmless(each) for each in (chunk.title, *chunk.section)]
        return Shown(
            self._harmless(chunk.text), heads[0], tuple(filter(None, heads[1:])), chunk.label, dated
        )

    def _harmless(self, text: str) -> str:
        """A text without its sentences that steer, and without letters that nobody sees."""
        known = self._generation.hosts
        return "\n".join(
            kept
            for line in text.split("\n")
            if (kept := " ".join(s for s in sentences(seen(line)) if not steers(s, known)))
        )

    @staticmethod
    def _told(article: Article, text: str) -> list[ArticleStatement]:
        """What an article says, what is most like a text first."""
        wanted = set(four_grams(text))
        return sorted(
            article.statements, key=lambda each: -len(wanted & set(four_grams(each.text)))
        )

    def _nearest(self, passage: Passage, vector: Vectors) -> list[Sentence]:
        """The sentences of a passage nearest to a statement."""
        number = self._generation.chunk_number(passage.chunk.chunk_id)
        if number is None:
            return []
        said = chunk_sentences(passage.chunk)
        order = np.argsort(
            -self._generation.vectors.sentence_cosines(number, vector), kind="stable"
        )
        return [said[int(place)] for place in order[:_CARRIERS]]


def _read(passage: Passage, said: Sentence) -> str:
    """A sentence as a reader of its citation sees it: title, headings, label, quote."""
    part = said.part
    return Shown(said.quote, passage.chunk.title, part.section, part.label).read
