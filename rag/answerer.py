"""The whole walk from question to cited answer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from rag.articles import Fit, twisted
from rag.asking import Asked, AskReader
from rag.citations import Footnotes
from rag.composer import Body, Composer
from rag.contacts import Contact
from rag.declining import Refusal
from rag.doubt import Doubt, Doubter
from rag.index import Generation
from rag.lexical import expand, words
from rag.lists import Lists
from rag.messages import FALLBACK, Messages
from rag.models import (
    Answer,
    Article,
    ArticleNote,
    Brought,
    Delta,
    Filters,
    NextStep,
    Passage,
    Question,
    Reason,
)
from rag.query import Query
from rag.refusals import Refusals
from rag.retriever import SURE, Findings, Retriever
from rag.unwritten import Unwritten
from rag.vetted import vetted_gap, vetted_list
from rag.voice import Voice, pieces

if TYPE_CHECKING:
    from rag.author import Author

_FOUND = 10
_READ = 3
"""Passages that tell whether something is written after all."""
_FOLLOW_UPS = 3
_MAY_HELP = 0.3
"""How sure it must be that an article answers to be named as a next question."""
_DECLINED, _LIKELY = 0.7, 0.6
"""How sure it must be that an article fits: to say no, to say that it may answer."""
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
class Checks:
    """What may say no."""

    refusals: Refusals
    unwritten: Unwritten
    doubter: Doubter


@dataclass(frozen=True)
class _Case:
    """A question with all that is known of it when an answer is chosen."""

    question: Question
    asked: Asked
    found: Findings
    doubt: Doubt
    voice: Voice

    def whom_to_ask(self, unsure: str = "") -> NextStep:
        """As `Voice.whom_to_ask`, of the countries of the question."""
        return self.voice.whom_to_ask(self.found.query.countries, self.question.country, unsure)


class Answerer:
    """Answers questions over one generation."""

    def __init__(
        self,
        retriever: Retriever,
        asks: AskReader,
        checks: Checks,
        messages: Messages,
        contact: str,
        author: Author | None = None,
        contacts: Mapping[str, Contact] | None = None,
    ):
        """Answer with a retriever.

        Args:
            retriever: Finds passages and articles.
            asks: Tells what kind of answer is asked for.
            checks: May say no.
            messages: What the helpdesk itself says.
            contact: Whom to write to where an answer ends.
            author: A language model that says it in its own words; None: the sources say it.
            contacts: Whom to write to about a country, by its code; None: nobody is known.
        """
        self._retriever = retriever
        self._asks = asks
        self._checks = checks
        self._messages = messages
        self._contact = contact
        self._contacts = contacts or {}
        self._author = author
        self._composer = Composer(retriever.generation, contact)
        self._lists = Lists(retriever.generation)

    @property
    def generation(self) -> Generation:
        """The generation that answers."""
        return self._retriever.generation

    @property
    def retriever(self) -> Retriever:
        """What finds passages and articles in it."""
        return self._retriever

    @property
    def model_trouble(self) -> str | None:
        """Why the language model could not be had the last time; None: it could, or is none."""
        return self._author.trouble if self._author else None

    def search(self, question: Question, count: int) -> list[Passage]:
        """Return the best passages, best first."""
        return self._retriever.search(question, count)

    def answer(self, question: Question) -> Answer:
        """Answer with citations, or abstain with a reason and a next step."""
        return next(each for each in self.stream(question) if isinstance(each, Answer))

    def stream(
        self, question: Question, *, rewritten: bool = True
    ) -> Generator[Brought | Delta | Answer]:
        """Answer step by step.

        Args:
            question: What is asked.
            rewritten: Whether the language model, if there is one, says it in its own words.

        Yields:
            What retrieval brought; the text in pieces, which joined are the text of
            the answer; the answer. Who stops reading stops the work.
        """
        started = time.perf_counter()
        query = self._retriever.query(question)
        voice, question = self._voice(query), query.heard
        refusal = self._checks.refusals.check(question, query)
        # What is foreign to the Framework may have been answered by staff since. Of 13 questions in
        # six sets that are surely refused none comes half as near to an article.
        foreign = refusal is not None and refusal.reason == "out_of_scope"
        if refusal and foreign and refusal.sure and self._retriever.written_for(query):
            refusal = replace(refusal, sure=False)
        if refusal and refusal.sure:
            yield Brought(())
            reply, retrieved = self._refused(refusal, voice, query), started
        else:
            found = self._retriever.find(query, _FOUND, question.filters)
            retrieved = time.perf_counter()
            question = found.query.heard
            yield Brought(tuple(found.passages))
            asked = self._asks.asked(question.text, query.language, found.query.vector)
            doubt = self._checks.doubter.doubt(found.query, found)
            case = _Case(question, asked, found, doubt, voice)
            reply = self._reply(case, refusal)
            if rewritten and self._author and reply.answer.status == "answered":
                note = reply.answer.article
                article = self._by_id[note.id] if note else None
                answer = yield from self._author.rewrite(
                    question, article, found.passages, reply.answer, voice
                )
                yield _closed(answer, question, started, retrieved)
                return
        yield from map(Delta, reply.pieces)
        yield _closed(reply.answer, question, started, retrieved)

    def _voice(self, query: Query) -> Voice:
        language = query.heard.language or query.language
        spoken = language if language in self._messages.languages() else FALLBACK
        return Voice(self._messages, spoken, self._contact, self._contacts)

    def _reply(self, case: _Case, refusal: Refusal | None) -> _Reply:
        """Answer with what was found, or say why not.

        Args:
            case: The question.
            refusal: What its words alone speak for, if that is not sure.
        """
        fit = case.found.fit
        answers = fit is not None and fit.certainty >= SURE and not fit.article.declines
        # What leans on earlier turns looks foreign or unclear by itself.
        leans = bool(case.question.history) and refusal is not None and refusal.reason != "unsafe"
        if refusal and not answers and not leans:
            return self._refused(refusal, case.voice, case.found.query)
        written = [passage.chunk.text for passage in case.found.passages[:_READ]]
        refusal = self._checks.unwritten.refusal(case.found.query, written)
        # What was asked before may be told of another country than is asked about now.
        if refusal and not (_told(fit) and not (case.found.leant and refusal.sure)):
            return self._refused(refusal, case.voice, case.found.query)
        chosen = self._chosen(case)
        if chosen and chosen[0].declines and chosen[1] >= _DECLINED:
            return self._declined(chosen[0], case)
        if case.doubt.declines and not (fit and fit.same):
            return self._unanswered(case)
        reply = self._composed(case, chosen)
        return reply if reply.answer.statements else self._unanswered(case)

    def _composed(self, case: _Case, chosen: tuple[Article, float] | None) -> _Reply:
        """Say what an article, the passages and a complete list hold; it may be nothing."""
        found, asked = case.found, case.asked
        held = self.generation
        listing = self._lists.find(found.query, asked, found.passages, case.question.filters)
        listing = listing and vetted_list(listing, held.hosts, held.vouched)
        body, article, weak = Body(), None, True
        if chosen:
            article, sure = chosen
            body = self._composer.of_article(article, case.voice.language, found, asked.type)
            weak = sure < SURE
        if not body.statements and not self._nothing(found):
            article = None
            body = self._composer.of_passages(found, asked.type)
            weak = self._weak(found) and listing is None
        if listing and body.statements:
            body = self._composer.with_list(listing, body)
        return self._answered(body, article, case, weak=weak or case.doubt.hedges)

    def _answered(self, body: Body, article: Article | None, case: _Case, *, weak: bool) -> _Reply:
        voice = case.voice
        following = (*(self._related(article) if article else ()), *_answering(case.found.fits))
        told = pieces(voice.opening(body, weak=weak), body)
        answer = Answer(
            id=_new_id(),
            status="answered",
            language=voice.language,
            text="".join(told),
            statements=body.statements,
            citations=body.citations,
            items=body.items,
            strength="weak" if weak else "strong",
            next_step=case.whom_to_ask("weak_contact" if weak else ""),
            follow_ups=_asked((each for each in following if each is not article), voice.language),
            article=_note(article, voice.language) if article else None,
        )
        return _Reply(answer, told)

    def _chosen(self, case: _Case) -> tuple[Article, float] | None:
        """The article to answer with, and how sure it is that it does; None: passages answer."""
        found, question = case.found, case.question
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
            if sure >= SURE or fit.article.declines or fit.rank == 1 or self._weak(found):
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

    @cached_property
    def _by_id(self) -> dict[str, Article]:
        return {article.article_id: article for article in self.generation.articles}

    def _nothing(self, found: Findings) -> bool:
        """Whether even the best passage has nothing to do with the question.

        A low score does not tell by itself (of 12 so refused over documents alone
        7 could be answered): no article may be near, either.
        """
        if not found.passages:
            return True
        if found.fit is None:
            return False
        share = 1.0 if found.query.language == "en" else _FOREIGN
        return not found.near and found.best < _NOTHING_BELOW * share

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

    def _declined(self, article: Article, case: _Case) -> _Reply:
        """Say no, as a known gap or a rule of safety does.

        The first statement says what is missing. The others tell of something
        else, and an abstention has no citations that could carry them. A no holds
        whether or not the sentences still stand that explain it.
        """
        voice = case.voice
        reason: Reason = "unsafe" if article.kind == "safety" else "no_evidence"
        said = [voice.say(_DECLINING[article.kind])]
        # Not in two languages at once.
        first = article.statements[0]
        if voice.language == FALLBACK and not all(each.stale for each in first.evidence):
            said.append(first.text)
        unsafe = reason == "unsafe"
        step = voice.person("unsafe_next") if unsafe else case.whom_to_ask("no_evidence_next")
        answer = self._abstained(" ".join(said), reason, step, voice)
        note = _note(article, voice.language)
        following = (*self._related(article), *_answering(case.found.fits))
        asked = _asked(following, voice.language)
        return _whole(replace(answer, article=note, follow_ups=asked))

    def _unanswered(self, case: _Case) -> _Reply:
        """Say that nothing was found, and of what nothing is said."""
        voice = case.voice
        said = [voice.say("no_evidence")]
        if case.doubt.missing:
            said.append(voice.say("nothing_on", names=", ".join(case.doubt.missing)))
        answer = self._abstained(
            " ".join(said), "no_evidence", case.whom_to_ask("no_evidence_next"), voice
        )
        following = _asked(_answering(case.found.fits), voice.language)
        return _whole(replace(answer, follow_ups=following))

    def _refused(self, refusal: Refusal, voice: Voice, query: Query) -> _Reply:
        notes, gap = Footnotes(self.generation), refusal.gap
        if gap:
            told = vetted_gap(gap, self.generation.hosts)
            # A page that does not exist cannot be cited, nor a heading that is not to be shown.
            if gap.kind != "country_page" and told == gap:
                notes.gap(gap)
            refusal = replace(refusal, gap=told)
        step = voice.instead(refusal, query.countries, query.heard.country)
        answer = self._abstained(voice.refusal(refusal), refusal.reason, step, voice)
        return _whole(replace(answer, citations=notes.citations, follow_ups=refusal.meanings))

    def _abstained(self, text: str, reason: Reason, step: NextStep, voice: Voice) -> Answer:
        return Answer(
            id=_new_id(),
            status="abstained",
            language=voice.language,
            text=text,
            reason=reason,
            next_step=step,
        )

    def _related(self, article: Article) -> list[Article]:
        named = (self._by_id.get(name) for name in article.see_also)
        return [each for each in named if each is not None and not each.declines]


@dataclass(frozen=True)
class _Reply:
    """An answer with the pieces of its text."""

    answer: Answer
    pieces: list[str]


def _whole(answer: Answer) -> _Reply:
    return _Reply(answer, [answer.text])


def _told(fit: Fit | None) -> bool:
    """Whether an article tells what no page may have been written about."""
    if fit is None or fit.article.declines:
        return False
    return fit.same or (fit.certainty >= _TOLD and fit.article.country is None)


def _answering(fits: Iterable[Fit]) -> Iterator[Article]:
    """Articles near the question that may have an answer, best first."""
    for fit in fits:
        if fit.certainty >= _MAY_HELP and not fit.article.declines:
            yield fit.article


def _asked(articles: Iterable[Article], language: str) -> tuple[str, ...]:
    """How people ask what the first few articles answer."""
    asked = filter(None, (each.asked_in(language) for each in articles))
    return tuple(dict.fromkeys(asked))[:_FOLLOW_UPS]


def _note(article: Article, language: str) -> ArticleNote:
    told = next((each for each in article.translations if each.language == language), article)
    return ArticleNote(article.article_id, article.checked, told.reviewed_by)


def _closed(answer: Answer, question: Question, started: float, retrieved: float) -> Answer:
    """An answer with what it answers, and how long it took."""
    ended = time.perf_counter()
    timings = {
        "retrieve": round((retrieved - started) * 1000, 1),
        "answer": round((ended - retrieved) * 1000, 1),
    }
    return replace(answer, question=question.text, timings_ms=timings)


def _new_id() -> str:
    return uuid.uuid4().hex
