"""The whole walk from question to cited answer."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rag import refusals
from rag.articles import Fit, twisted
from rag.citations import Footnotes
from rag.countries import countries_in, country_name
from rag.index import Generation
from rag.language import detect_language
from rag.lexical import expand, words
from rag.messages import FALLBACK, Messages
from rag.models import (
    Answer,
    Article,
    ArticleNote,
    ArticleStatement,
    Chunk,
    Filters,
    NextStep,
    Passage,
    Question,
    Reason,
    Statement,
)
from rag.query import Query
from rag.refusals import Refusal
from rag.retriever import Retriever
from rag.sentences import Sentence, chunk_sentences
from rag.text import letters_digits, word_count

_FOUND = 10
_READ = 3
"""Passages that sentences are taken from (DESIGN 6)."""
_SENTENCES = 4
_ALONE = 6
"""Shorter sentences say nothing without their heading."""
_SENTENCE_AT_MOST = 80
"""Longer ones are rows of a table read as running text."""
_FOLLOW_UPS = 3
_SHARED = 0.1
"""What a sentence gains by holding all words of the question, in cosine."""
_BEHIND = 0.01
"""What a sentence loses for each rank of its passage, in cosine."""
_FOOTNOTE = re.compile(r"\s?\[\d{1,3}\]")
_ITEM_MARK = re.compile(r"^[-–•*]\s+")
"""What begins an item of a list, and says nothing outside it."""
_SURE, _DECLINED, _LIKELY = 0.8, 0.7, 0.6
"""How sure it must be that an article fits: to answer, to say no, to say that it may answer."""
_TOLD = 0.9
"""How sure it must be that an article answers to do so although a page is still empty."""
_DECLINING = {"known_gap": "known_gap", "safety": "unsafe"}
"""Kinds of articles that are a no, and the text that opens it."""
_WEAK_BELOW = 1.0
_WEAK_BELOW_FOREIGN = 0.85
"""In other languages only names and loan words reach the lexical side; without
any the nearest vectors alone make 0.8, whatever was asked."""
_SPOKEN_OF = 0.5
"""Share of the question, by rarity, that the passages must speak of to be sure."""
_NOTHING_BELOW = 0.82
"""Fused scores; on the 150 development questions none that can be answered and
is far from every article lies below."""
_FOREIGN = 0.8
"""Share of that bar for other languages: the lexical side has little to say."""


@dataclass(frozen=True)
class _Found:
    """What retrieval brought for a question."""

    query: Query
    passages: list[Passage]
    fit: Fit | None
    """The article that fits best."""
    near: bool
    """Whether the question has to do with any article."""

    @property
    def told(self) -> bool:
        """Whether an article tells what no page may have been written about."""
        fit = self.fit
        if fit is None or fit.article.declines:
            return False
        return fit.same or (fit.certainty >= _TOLD and fit.article.country is None)

    @property
    def best(self) -> float:
        """How near the nearest is; it need not be the first."""
        return max((passage.near for passage in self.passages), default=0.0)


@dataclass(frozen=True)
class _Candidate:
    """A sentence that may be said."""

    score: float
    rank: int
    position: int
    chunk: Chunk
    sentence: Sentence

    @property
    def tells(self) -> bool:
        """Whether it states something: no question, no heading, no row of a table."""
        own = letters_digits(self.sentence.text).removesuffix(self.sentence.part.label or "")
        headings = self.sentence.part.section[-1:]
        return (
            not self.sentence.text.endswith("?")
            and own not in map(letters_digits, headings)
            and (
                word_count(self.sentence.text) <= _SENTENCE_AT_MOST
                or self.sentence.part.item is not None
            )
        )

    @property
    def shown(self) -> str:
        """What would be read: a summary whole, a short sentence behind its heading."""
        if self.chunk.kind == "article":
            return self.sentence.part.text
        alone = word_count(self.sentence.text) >= _ALONE
        heading = (self.sentence.part.section or (self.chunk.title,))[-1]
        said = _ITEM_MARK.sub("", self.sentence.text)
        text = said if alone else f"{heading}: {said}"
        # A footnote of the source's own would be read as one of ours.
        return _FOOTNOTE.sub("", text)


class Answerer:
    """Answers questions over one generation, without a language model."""

    def __init__(self, retriever: Retriever, messages: Messages, contact: str):
        """Answer with a retriever, in the words of `messages`, naming `contact`."""
        self._retriever = retriever
        self._messages = messages
        self._contact = contact

    @property
    def generation(self) -> Generation:
        """The generation that answers."""
        return self._retriever.generation

    def search(self, question: Question, count: int) -> list[Passage]:
        """Return the best passages, best first."""
        return self._retriever.search(question, count)

    def answer(self, question: Question) -> Answer:
        """Answer with citations, or abstain with a reason and a next step."""
        started = time.perf_counter()
        language = question.language or detect_language(question.text)
        spoken = language if language in self._messages.languages() else FALLBACK
        refusal = refusals.unclear(question.text) or refusals.unsafe(question.text)
        if refusal:
            return self._refuse(refusal, spoken, started, started)
        found = self._find(question)
        retrieved = time.perf_counter()
        refusal = refusals.not_written_yet(
            question.text,
            found.query.language,
            self.generation.gaps,
            [passage.chunk.text for passage in found.passages[:_READ]],
        )
        if refusal and not found.told:
            return self._refuse(refusal, spoken, started, retrieved)
        if chosen := self._chosen(found, question, language):
            answer = self._from_match(*chosen, question, spoken)
            if answer:
                return self._timed(answer, started, retrieved)
        if found.passages and not self._nothing(found, language):
            answer = self._from_passages(found, language, spoken)
            if answer.statements:
                return self._timed(answer, started, retrieved)
        return self._refuse(Refusal("no_evidence", "no_evidence"), spoken, started, retrieved)

    def _find(self, question: Question) -> _Found:
        query = self._retriever.query(question)
        # An article answers what is asked now: a follow-up that leans on earlier
        # turns matches none, a new question must not be bent by them.
        brought = self._retriever.find(query, _FOUND, question.filters)
        near = bool(brought.matches) and brought.matches[0].score >= self.generation.ask_floor
        return _Found(query, brought.passages, next(iter(brought.fits), None), near)

    def _chosen(
        self, found: _Found, question: Question, language: str
    ) -> tuple[Article, float] | None:
        """The article to answer with, and how sure it is that it does; None: passages answer."""
        fit = found.fit
        # An article knows no limits; what is declined is declined within them, too.
        open_to_all = question.filters == Filters()
        if fit and fit.certainty >= _LIKELY and (open_to_all or fit.article.declines):
            sure = fit.certainty
            doubted = twisted(question.text, found.query.language, fit.article)
            # What it says first may have changed at its source; a no stays one.
            gone = all(each.stale for each in fit.article.statements[0].evidence)
            if (gone and not fit.article.declines) or (doubted and not fit.same):
                sure = min(sure, _LIKELY)
            # What is only likely does not stand before a page that is clearly meant.
            if (
                sure >= _SURE
                or fit.article.declines
                or fit.rank == 1
                or self._weak(found, language)
            ):
                return fit.article, sure
            return None
        best = found.passages[0].chunk if found.passages else None
        if best is None or best.kind != "article" or self._nothing(found, language):
            return None
        # Of sources that are not indexed here a whole article tells more than pieces of several.
        return self._by_document[best.document_id], 0.0

    @cached_property
    def _by_document(self) -> dict[str, Article]:
        return {article.document_id: article for article in self.generation.articles}

    def _nothing(self, found: _Found, language: str) -> bool:
        """Whether even the best passage has nothing to do with the question.

        A low score does not tell by itself (of 12 so refused over documents alone
        7 could be answered): no article may be near, either.
        """
        if found.fit is None:
            return False
        share = 1.0 if language == "en" else _FOREIGN
        return not found.near and found.best < _NOTHING_BELOW * share

    def _from_match(
        self, article: Article, sure: float, question: Question, language: str
    ) -> Answer | None:
        """What an article that answers, or may answer, has to say; None where it has nothing."""
        answer = self._from_article(article, question, language)
        # A no holds whether or not the sentences still stand that explain it.
        if article.declines and sure >= _DECLINED:
            return self._declined(article, answer, language)
        if not answer.statements:
            return None
        return answer if sure >= _SURE else self._hedged(answer, language)

    def _hedged(self, answer: Answer, language: str) -> Answer:
        """The same, not sure that it is what was asked."""
        text = self._messages.say(language, "weak_contact", email=self._contact)
        return replace(
            answer,
            text=f"{self._messages.say(language, 'weak')} {answer.text}",
            strength="weak",
            next_step=NextStep("contact", text, email=self._contact),
        )

    def _declined(self, article: Article, answer: Answer, language: str) -> Answer:
        """Say no, as a known gap or a rule of safety does.

        The first statement says what is missing. The others tell of something
        else, and an abstention has no citations that could carry them.
        """
        reason: Reason = "unsafe" if article.kind == "safety" else "no_evidence"
        message = self._messages.say(language, _DECLINING[article.kind])
        # Not in two languages at once.
        said = [each.text for each in answer.statements[:1] if answer.language == language]
        return replace(
            answer,
            status="abstained",
            language=language,
            text=" ".join([message, *said]),
            statements=(),
            citations=(),
            reason=reason,
            next_step=NextStep(
                "contact",
                self._messages.say(language, f"{reason}_next", email=self._contact),
                email=self._contact,
            ),
        )

    def _from_article(self, article: Article, question: Question, language: str) -> Answer:
        """Say what an article says, in the asker's language where it has been translated."""
        translation = next(
            (each for each in article.translations if each.language == language), None
        )
        said = translation.statements if translation else [each.text for each in article.statements]
        notes = Footnotes(self.generation)
        statements = []
        for text, statement in zip(said, article.statements, strict=True):
            markers = notes.statement(article, statement)
            if markers:
                statements.append(Statement(text, markers))
        reviewed_by = translation.reviewed_by if translation else article.reviewed_by
        return Answer(
            id=_new_id(),
            status="answered",
            language=language if translation else FALLBACK,
            text=_joined(statements),
            statements=tuple(statements),
            citations=notes.citations,
            next_step=self._contact_step(question, language),
            follow_ups=self._follow_ups(article, language),
            article=ArticleNote(article.article_id, article.checked, reviewed_by),
        )

    def _from_passages(self, found: _Found, language: str, spoken: str) -> Answer:
        notes = Footnotes(self.generation)
        statements = self._extract(found, notes)
        weak = self._weak(found, language)
        text = _joined(statements)
        if weak:
            text = f"{self._messages.say(spoken, 'weak')} {text}"
        key = "weak_contact" if weak else "answered_contact"
        return Answer(
            id=_new_id(),
            status="answered",
            language=FALLBACK,
            text=text,
            statements=tuple(statements),
            citations=notes.citations,
            strength="weak" if weak else "strong",
            next_step=NextStep(
                "contact", self._messages.say(spoken, key, email=self._contact), email=self._contact
            ),
            follow_ups=self._asked([found.fit.article] if found.fit and found.near else [], spoken),
        )

    def _weak(self, found: _Found, language: str) -> bool:
        """Whether the passages may have little to do with the question."""
        bar = _WEAK_BELOW if language == "en" else _WEAK_BELOW_FOREIGN
        return (
            not found.passages
            or found.passages[0].chunk.kind == "article"
            or found.best < bar
            or (language == "en" and self._spoken_of(found) < _SPOKEN_OF)
        )

    def _extract(self, found: _Found, notes: Footnotes) -> list[Statement]:
        """Take the sentences nearest to the question, in the order of the passages."""
        asked = set(words(found.query.text))
        candidates: list[_Candidate] = []
        for passage in found.passages[:_READ]:
            number = self.generation.chunk_number(passage.chunk.chunk_id)
            if number is None:
                continue
            cosines = self.generation.sentence_cosines(number, found.query.vector)
            for position, sentence in enumerate(chunk_sentences(passage.chunk)):
                shared = len(asked & set(words(sentence.text))) / (len(asked) or 1)
                score = float(cosines[position]) + _SHARED * shared - _BEHIND * passage.rank
                candidates.append(
                    _Candidate(score, passage.rank, position, passage.chunk, sentence)
                )
        # A heading or a question is no answer, unless there is nothing else to show.
        telling = [each for each in candidates if each.tells] or candidates[:1]
        best = sorted(telling, key=lambda each: -each.score)[:_SENTENCES]
        once = {
            letters_digits(each.shown): each
            for each in sorted(best, key=lambda each: (each.rank, each.position), reverse=True)
        }
        said = [self._said(each, notes) for each in reversed(once.values())]
        return [statement for statement in said if statement]

    def _spoken_of(self, found: _Found) -> float:
        """How much of what is asked the read passages speak of, rare words counting most.

        Returns:
            0..1; 1 where the question holds no word of its own.
        """
        asked = {word: self.generation.words.weight(word) for word in words(found.query.question)}
        spoken = {
            word
            for passage in found.passages[:_READ]
            for word in words(f"{passage.chunk.heading} {passage.chunk.text}")
        }
        spoken |= set(words(expand(" ".join(spoken), self.generation.acronyms)))
        total = sum(asked.values())
        return sum(asked[word] for word in asked if word in spoken) / total if total else 1.0

    def _said(self, candidate: _Candidate, notes: Footnotes) -> Statement | None:
        """Make a statement of a sentence, cited to where it stands."""
        chunk, sentence = candidate.chunk, candidate.sentence
        if chunk.kind == "article":
            article, statement = self._summaries[chunk.document_id, sentence.part.text]
            markers = notes.statement(article, statement)
            return Statement(statement.text, markers) if markers else None
        return Statement(candidate.shown, (notes.sentence(chunk, sentence),))

    @cached_property
    def _summaries(self) -> dict[tuple[str, str], tuple[Article, ArticleStatement]]:
        """What articles say of sources that are not indexed here, by place and text."""
        return {
            (article.document_id, statement.text): (article, statement)
            for article in self.generation.articles
            for statement in article.statements
        }

    def _refuse(self, refusal: Refusal, language: str, started: float, retrieved: float) -> Answer:
        notes = Footnotes(self.generation)
        values: dict[str, str] = {}
        if refusal.gap:
            gap = refusal.gap
            # A page that does not exist cannot be cited.
            if gap.kind != "country_page":
                notes.gap(gap)
            country = country_name(gap.country, language) if gap.country else ""
            values = {
                "title": gap.title, "section": " > ".join(gap.section), "country": country,
            }  # fmt: skip
        step = self._messages.say(language, f"{refusal.reason}_next", email=self._contact)
        asks_again = refusal.reason == "unclear"
        answer = Answer(
            id=_new_id(),
            status="abstained",
            language=language,
            text=self._messages.say(language, refusal.message, **values),
            citations=notes.citations,
            reason=refusal.reason,
            next_step=NextStep(
                "rephrase" if asks_again else "contact",
                step,
                url=refusal.gap.url if refusal.gap else None,
                email=None if asks_again else self._contact,
            ),
        )
        return self._timed(answer, started, retrieved)

    def _contact_step(self, question: Question, language: str) -> NextStep:
        named = countries_in(question.text, detect_language(question.text))
        # The country that is asked about goes before the one somebody asks from.
        country = named[0] if len(named) == 1 else question.country
        if country:
            name = country_name(country, language)
            text = self._messages.say(
                language, "article_country_contact", country=name, email=self._contact
            )
        else:
            text = self._messages.say(language, "answered_contact", email=self._contact)
        return NextStep("contact", text, email=self._contact)

    def _follow_ups(self, article: Article, language: str) -> tuple[str, ...]:
        by_id = {each.article_id: each for each in self.generation.articles}
        related = (by_id[name] for name in article.see_also if name in by_id)
        return self._asked(related, language)[:_FOLLOW_UPS]

    @staticmethod
    def _asked(articles: Iterable[Article], language: str) -> tuple[str, ...]:
        """How people ask what the articles answer."""
        return tuple(filter(None, (each.asked_in(language) for each in articles)))

    @staticmethod
    def _timed(answer: Answer, started: float, retrieved: float) -> Answer:
        ended = time.perf_counter()
        timings = {
            "retrieve": round((retrieved - started) * 1000, 1),
            "answer": round((ended - retrieved) * 1000, 1),
        }
        return replace(answer, timings_ms=timings)


def _joined(statements: Sequence[Statement]) -> str:
    """The statements as running text with their markers."""
    return " ".join(
        f"{statement.text} {''.join(f'[{marker}]' for marker in statement.citations)}"
        for statement in statements
    )


def _new_id() -> str:
    return uuid.uuid4().hex
