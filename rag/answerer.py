"""The whole walk from question to cited answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rag import refusals
from rag.articles import Fit, twisted
from rag.citations import Footnotes
from rag.countries import country_name
from rag.extracts import Extract, extract
from rag.index import Generation
from rag.language import detect_language
from rag.lexical import expand, words
from rag.messages import FALLBACK, Messages, language_name
from rag.models import (
    Answer,
    Article,
    ArticleNote,
    ArticleStatement,
    Filters,
    NextStep,
    Passage,
    Question,
    Reason,
    Statement,
)
from rag.refusals import Refusal
from rag.retriever import Findings, Retriever

_FOUND = 10
_READ = 3
"""Passages that sentences are taken from (DESIGN 6)."""
_SENTENCES = 4
_FOLLOW_UPS = 3
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
class Brought:
    """What retrieval brought for a question; nothing where it was refused before."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Delta:
    """The next piece of an answer's text."""

    text: str


@dataclass(frozen=True)
class _Voice:
    """What the helpdesk says in the language of who asks."""

    messages: Messages
    language: str
    contact: str

    def say(self, key: str, /, **values: str) -> str:
        return self.messages.say(self.language, key, email=self.contact, **values)

    def person(self, key: str, **values: str) -> NextStep:
        """To write to a person."""
        return NextStep("contact", self.say(key, **values), email=self.contact)


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
        return next(each for each in self.stream(question) if isinstance(each, Answer))

    def stream(self, question: Question) -> Iterator[Brought | Delta | Answer]:
        """Answer step by step.

        Yields:
            What retrieval brought; the text in pieces, which joined are the text of
            the answer; the answer. Who stops reading stops the work.
        """
        started = time.perf_counter()
        voice = self._voice(question)
        refusal = refusals.unclear(question.text) or refusals.unsafe(question.text)
        if refusal:
            yield Brought(())
            answer, retrieved = self._refused(refusal, voice), started
        else:
            query = self._retriever.query(question)
            found = self._retriever.find(query, _FOUND, question.filters)
            retrieved = time.perf_counter()
            yield Brought(tuple(found.passages))
            answer = self._replied(found, question, voice)
        yield from map(Delta, _pieces(answer))
        yield _timed(answer, started, retrieved)

    def _voice(self, question: Question) -> _Voice:
        language = question.language or detect_language(question.text)
        spoken = language if language in self._messages.languages() else FALLBACK
        return _Voice(self._messages, spoken, self._contact)

    def _replied(self, found: Findings, question: Question, voice: _Voice) -> Answer:
        """Answer with what was found, or say why not."""
        refusal = refusals.not_written_yet(
            question.text,
            found.query.language,
            self.generation.gaps,
            [passage.chunk.text for passage in found.passages[:_READ]],
        )
        if refusal and not _told(found.fit):
            return self._refused(refusal, voice)
        if chosen := self._chosen(found, question):
            answer = self._from_match(*chosen, found, question, voice)
            if answer:
                return answer
        if found.passages and not self._nothing(found):
            answer = self._from_passages(found, voice)
            if answer.statements:
                return answer
        return self._refused(Refusal("no_evidence", "no_evidence"), voice)

    def _chosen(self, found: Findings, question: Question) -> tuple[Article, float] | None:
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
            if sure >= _SURE or fit.article.declines or fit.rank == 1 or self._weak(found):
                return fit.article, sure
            return None
        best = found.passages[0].chunk if found.passages else None
        if best is None or best.kind != "article" or self._nothing(found):
            return None
        # Of sources that are not indexed here a whole article tells more than pieces of several.
        return self._by_document[best.document_id], 0.0

    @cached_property
    def _by_document(self) -> dict[str, Article]:
        return {article.document_id: article for article in self.generation.articles}

    def _nothing(self, found: Findings) -> bool:
        """Whether even the best passage has nothing to do with the question.

        A low score does not tell by itself (of 12 so refused over documents alone
        7 could be answered): no article may be near, either.
        """
        if found.fit is None:
            return False
        share = 1.0 if found.query.language == "en" else _FOREIGN
        return not found.near and found.best < _NOTHING_BELOW * share

    def _from_match(
        self, article: Article, sure: float, found: Findings, question: Question, voice: _Voice
    ) -> Answer | None:
        """What an article that answers, or may answer, has to say; None where it has nothing."""
        answer = self._from_article(article, found, question, voice)
        # A no holds whether or not the sentences still stand that explain it.
        if article.declines and sure >= _DECLINED:
            return self._declined(article, answer, voice)
        if not answer.statements:
            return None
        return answer if sure >= _SURE else self._hedged(answer, voice)

    def _hedged(self, answer: Answer, voice: _Voice) -> Answer:
        """The same, not sure that it is what was asked."""
        return replace(
            answer,
            text=f"{voice.say('weak')} {answer.text}",
            strength="weak",
            next_step=voice.person("weak_contact"),
        )

    def _declined(self, article: Article, answer: Answer, voice: _Voice) -> Answer:
        """Say no, as a known gap or a rule of safety does.

        The first statement says what is missing. The others tell of something
        else, and an abstention has no citations that could carry them.
        """
        reason: Reason = "unsafe" if article.kind == "safety" else "no_evidence"
        # Not in two languages at once.
        said = [each.text for each in answer.statements[:1] if each.language == voice.language]
        return replace(
            answer,
            status="abstained",
            text=" ".join([voice.say(_DECLINING[article.kind]), *said]),
            statements=(),
            citations=(),
            reason=reason,
            next_step=voice.person(f"{reason}_next"),
        )

    def _from_article(
        self, article: Article, found: Findings, question: Question, voice: _Voice
    ) -> Answer:
        """Say what an article says, in the asker's language where it has been translated."""
        translation = next(
            (each for each in article.translations if each.language == voice.language), None
        )
        said = translation.statements if translation else [each.text for each in article.statements]
        language = translation.language if translation else FALLBACK
        notes = Footnotes(self.generation)
        statements = []
        for text, statement in zip(said, article.statements, strict=True):
            markers = notes.statement(article, statement)
            if markers:
                statements.append(Statement(text, markers, language))
        reviewed_by = translation.reviewed_by if translation else article.reviewed_by
        return Answer(
            id=_new_id(),
            status="answered",
            language=voice.language,
            text=_text(statements, voice),
            statements=tuple(statements),
            citations=notes.citations,
            next_step=self._contact_step(found.query.countries, question.country, voice),
            follow_ups=self._follow_ups(article, voice.language),
            article=ArticleNote(article.article_id, article.checked, reviewed_by),
        )

    def _from_passages(self, found: Findings, voice: _Voice) -> Answer:
        notes = Footnotes(self.generation)
        extracts = extract(self.generation, found.query, found.passages[:_READ], _SENTENCES)
        said = [self._said(each, notes) for each in extracts]
        statements = [statement for statement in said if statement]
        answer = Answer(
            id=_new_id(),
            status="answered",
            language=voice.language,
            text=_text(statements, voice),
            statements=tuple(statements),
            citations=notes.citations,
            next_step=voice.person("answered_contact"),
            follow_ups=_asked([found.fit.article], voice.language)
            if found.fit and found.near
            else (),
        )
        return self._hedged(answer, voice) if self._weak(found) else answer

    def _weak(self, found: Findings) -> bool:
        """Whether the passages may have little to do with the question."""
        english = found.query.language == "en"
        return (
            not found.passages
            or found.passages[0].chunk.kind == "article"
            or found.best < (_WEAK_BELOW if english else _WEAK_BELOW_FOREIGN)
            or (english and self._spoken_of(found) < _SPOKEN_OF)
        )

    def _spoken_of(self, found: Findings) -> float:
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

    def _said(self, said: Extract, notes: Footnotes) -> Statement | None:
        """Make a statement of a sentence, cited to where it stands."""
        chunk, sentence = said.chunk, said.sentence
        if chunk.kind == "article":
            article, statement = self._summaries[chunk.document_id, sentence.part.text]
            markers = notes.statement(article, statement)
            return Statement(statement.text, markers) if markers else None
        card = self.generation.document(chunk.document_id)
        language = card.language if card else FALLBACK
        return Statement(said.shown, (notes.sentence(chunk, sentence),), language)

    @cached_property
    def _summaries(self) -> dict[tuple[str, str], tuple[Article, ArticleStatement]]:
        """What articles say of sources that are not indexed here, by place and text."""
        return {
            (article.document_id, statement.text): (article, statement)
            for article in self.generation.articles
            for statement in article.statements
        }

    def _refused(self, refusal: Refusal, voice: _Voice) -> Answer:
        notes = Footnotes(self.generation)
        values: dict[str, str] = {}
        if refusal.gap:
            gap = refusal.gap
            # A page that does not exist cannot be cited.
            if gap.kind != "country_page":
                notes.gap(gap)
            country = country_name(gap.country, voice.language) if gap.country else ""
            values = {
                "title": gap.title, "section": " > ".join(gap.section), "country": country,
            }  # fmt: skip
        asks_again = refusal.reason == "unclear"
        return Answer(
            id=_new_id(),
            status="abstained",
            language=voice.language,
            text=voice.say(refusal.message, **values),
            citations=notes.citations,
            reason=refusal.reason,
            next_step=NextStep(
                "rephrase" if asks_again else "contact",
                voice.say(f"{refusal.reason}_next"),
                url=refusal.gap.url if refusal.gap else None,
                email=None if asks_again else self._contact,
            ),
        )

    def _contact_step(
        self, named: Sequence[str], asked_from: str | None, voice: _Voice
    ) -> NextStep:
        # The country that is asked about goes before the one somebody asks from.
        country = named[0] if len(named) == 1 else asked_from
        if not country:
            return voice.person("answered_contact")
        name = country_name(country, voice.language)
        return voice.person("article_country_contact", country=name)

    def _follow_ups(self, article: Article, language: str) -> tuple[str, ...]:
        by_id = {each.article_id: each for each in self.generation.articles}
        related = (by_id[name] for name in article.see_also if name in by_id)
        return _asked(related, language)[:_FOLLOW_UPS]


def _told(fit: Fit | None) -> bool:
    """Whether an article tells what no page may have been written about."""
    if fit is None or fit.article.declines:
        return False
    return fit.same or (fit.certainty >= _TOLD and fit.article.country is None)


def _asked(articles: Iterable[Article], language: str) -> tuple[str, ...]:
    """How people ask what the articles answer."""
    return tuple(filter(None, (each.asked_in(language) for each in articles)))


def _text(statements: Sequence[Statement], voice: _Voice) -> str:
    """The statements as running text with their markers, and which language they are in."""
    said = " ".join(map(_marked, statements))
    others = sorted({each.language for each in statements} - {voice.language})
    if not others:
        return said
    names = ", ".join(language_name(each, voice.language) for each in others)
    return f"{voice.say('in_language', language=names)} {said}"


def _marked(statement: Statement) -> str:
    return f"{statement.text} {''.join(f'[{marker}]' for marker in statement.citations)}"


def _pieces(answer: Answer) -> Iterator[str]:
    """The text of an answer, cut behind each statement."""
    begin = 0
    for statement in answer.statements:
        marked = _marked(statement)
        end = answer.text.index(marked, begin) + len(marked)
        yield answer.text[begin:end]
        begin = end
    if begin < len(answer.text):
        yield answer.text[begin:]


def _timed(answer: Answer, started: float, retrieved: float) -> Answer:
    ended = time.perf_counter()
    timings = {
        "retrieve": round((retrieved - started) * 1000, 1),
        "answer": round((ended - retrieved) * 1000, 1),
    }
    return replace(answer, timings_ms=timings)


def _new_id() -> str:
    return uuid.uuid4().hex
