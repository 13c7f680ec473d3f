"""A draft of an article, made from a ticket and what was replied to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from api.desk.drafts import Content, DraftStatement
from api.desk.models import Case, Ticket
from rag.answerer import Answerer
from rag.article_drafts import evidence_of, material
from rag.language import LANGUAGES, detect_language
from rag.models import Citation, Evidence, Question
from rag.personal import TOKENS, find_personal, mask
from rag.retriever import SURE, Retriever
from rag.text import fold, sentences, word_count

MOST_STATEMENTS = 20
MOST_ASK = 300
"""Characters of one way of asking."""
_OFFERED = 4
"""Sentences that are offered for a statement."""
_PASSAGES = 10
_TITLE = 100
_SHORT_LINE = 6
"""Words of a greeting, of a closing, of a name or a role below it."""
_LEAST = 3
"""Words of a statement."""
_TELLING = 6
"""Words of a statement that says by itself what it is about."""
_QUESTIONS = 3
"""Questions of a long message that are kept as ways of asking."""
PART_OF_NAME = 3
"""Letters from which on a part of a name is looked for by itself."""
_MARKERS = re.compile(r"\s*\[(\d{1,3})\]")
_BEHIND = re.compile(r"([.!?…])((?:\s*\[\d{1,3}\])+)")
_SOURCE_LINE = re.compile(r"\s*\[(\d{1,3})\]\s+\S")
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+")
_ENDS = (".", "!", "?", "…", ";", "]", ")")
_GREETS = (",", "!")
_MASKED = re.compile("|".join(map(re.escape, TOKENS.values())))
_POLITE = re.compile(
    r"(?:(?:many )?thank(?:s| you)\b(?! to\b)|(?:i|we) hope (?:this|that|it) helps\b"
    r"|(?:please )?(?:do not|don['’]t) hesitate to\b)[^,;:–—]*",
    re.IGNORECASE,
)
"""A sentence that says nothing of the matter, and does not go on with it either."""
_CITATIONS = TypeAdapter(tuple[Citation, ...])
_DEFAULT_INTENT = "about"


@dataclass(frozen=True)
class Begun:
    """What a draft begins with."""

    title: str
    content: Content


def begun(case: Case, intents: Sequence[str], answerer: Answerer) -> Begun:
    """Make a draft of what was asked in a ticket and last replied to it.

    Personal data are left out of the question. Statements are the sentences of the reply, with
    the evidence that they cite and what a search finds beside; where nobody has replied, those
    of the draft that triage made.

    Args:
        case: The ticket.
        intents: What an article may be about.
        answerer: Of the current index.
    """
    ticket = case.ticket
    asks = asked(ticket)
    spoken = ticket.language if ticket.language in LANGUAGES else None
    language = spoken or detect_language(" ".join(asks) or ticket.question)
    cited = _drafted(ticket)
    replies = [each.text for each in case.messages if each.kind == "reply"]
    said = replied(replies[-1], cited) if replies else _of_triage(ticket, cited)
    shelf = _Shelf(answerer)
    question = asks[0] if asks else ticket.title
    statements = [
        shelf.supported(question, text, citations) for text, citations in said[:MOST_STATEMENTS]
    ]
    # What is not about anything here is no article's intent.
    intent = next((each for each in intents if each == ticket.intent), _DEFAULT_INTENT)
    return Begun(
        title=_cut(_first_question(question), _TITLE),
        content=Content(
            intent=intent,
            audience=("researcher",),
            country=None,
            asks={language: tuple(asks)} if asks else {},
            statements=tuple(statements),
            evidence=shelf.evidence,
            answered_by=_answered_by(answerer, question),
        ),
    )


def _first_question(text: str) -> str:
    return next((each for each in sentences(text) if each.endswith("?")), text)


def more_evidence(
    content: Content, number: int, words: str, question: str, answerer: Answerer
) -> Content:
    """Offer other sentences for a statement; those that were offered and not chosen go.

    Args:
        content: Of the draft.
        number: Of the statement, from 0 on.
        words: What is looked for; empty: what the statement says.
        question: That the article answers.
        answerer: Of the current index.
    """
    shelf = _Shelf(answerer, content.evidence)
    statement = content.statements[number]
    # What somebody types is looked for as it is.
    found = shelf.found("", words) if words else shelf.found(question, statement.text)
    offered = tuple(key for key in found if key not in statement.evidence)
    statements = list(content.statements)
    statements[number] = replace(statement, offered=offered)
    return replace(content, statements=tuple(statements), evidence=shelf.evidence)


def asked(ticket: Ticket) -> list[str]:
    """The ways of asking that a ticket gives, without what tells of a person."""
    plain = _anonymous(ticket.question, ticket)
    told = [
        (piece, _bare(piece))
        for piece in sentences(plain)
        # A greeting, a closing, who somebody is; a question counts with whoever is in it left out.
        if "?" in piece or not (_MASKED.search(piece) or _short(piece))
    ]
    whole = fold(" ".join(bare for _, bare in told)) or fold(_bare(plain))
    if len(whole) <= MOST_ASK:
        return [whole] if any(map(str.isalnum, whole)) else []
    questions = [bare for piece, bare in told if "?" in piece and len(bare) <= MOST_ASK]
    return questions[:_QUESTIONS] or [_cut(whole, MOST_ASK)]


def replied(text: str, cited: Sequence[Citation]) -> list[tuple[str, tuple[Citation, ...]]]:
    """The statements of a reply, each with what it cites.

    Greeting, thanks and signature are left out, and the lines that name the sources, which tell
    what the markers mean.

    Args:
        text: As it was sent.
        cited: What the draft that it may have been made from cites.
    """
    lines = text.splitlines()
    named = {int(match[1]): line for line in lines if (match := _SOURCE_LINE.match(line))}
    meant = {number: _named(number, line, cited) for number, line in named.items()}
    if not named:
        meant = {each.marker: each for each in cited}
    body = _body([line for line in lines if not _SOURCE_LINE.match(line)])
    found: list[tuple[str, tuple[Citation, ...]]] = []
    for line in body:
        # A marker belongs to the sentence that it stands behind.
        for piece in sentences(_BEHIND.sub(r"\2\1", _BULLET.sub("", line))):
            said = fold(_MARKERS.sub("", piece))
            if word_count(said) < _LEAST or said.endswith("?") or _POLITE.fullmatch(said):
                continue
            numbers = [int(each) for each in _MARKERS.findall(piece)]
            citations = (meant.get(number) for number in numbers)
            found.append((said, tuple(filter(None, citations))))
    return found


def _body(lines: Sequence[str]) -> list[str]:
    """Lines without greeting, closing, signature, and what heads the sources."""
    kept = [line for line in lines if line.strip()]
    while kept and _short(kept[0]) and kept[0].strip().endswith(_GREETS):
        kept = kept[1:]
    while kept and _short(kept[-1]) and not _BULLET.match(kept[-1]):
        kept = kept[:-1]
    return kept


def _short(line: str) -> bool:
    """Whether a line is no sentence, as a greeting, a name or a heading is none."""
    plain = line.strip()
    return word_count(plain) <= _SHORT_LINE and (
        not plain.endswith(_ENDS) or (plain.endswith("!") and word_count(plain) <= _LEAST)
    )


def _named(number: int, line: str, cited: Iterable[Citation]) -> Citation | None:
    """The citation that a line of sources names; who replies may have numbered them anew."""
    there = [each for each in cited if (each.url or each.title) in line]
    # An address may begin another.
    there.sort(key=lambda each: (each.marker != number, -len(each.url or "")))
    return next(iter(there), None)


def _drafted(ticket: Ticket) -> tuple[Citation, ...]:
    """What the draft that triage made cites."""
    draft = _draft_of(ticket)
    names = Citation.__dataclass_fields__
    kept = [
        {name: value for name, value in each.items() if name in names}
        for each in draft.get("citations", ())
    ]
    return _CITATIONS.validate_python(kept)


def _of_triage(ticket: Ticket, cited: Iterable[Citation]) -> list[tuple[str, tuple[Citation, ...]]]:
    draft = _draft_of(ticket)
    if draft.get("status") != "answered":
        return []
    meant = {each.marker: each for each in cited}
    return [
        (fold(each["text"]), tuple(meant[n] for n in each["citations"] if n in meant))
        for each in draft["statements"]
    ]


def _draft_of(ticket: Ticket) -> Mapping[str, Any]:
    draft: Mapping[str, Any] = (ticket.triage or {}).get("draft") or {}
    return draft


def _anonymous(text: str, ticket: Ticket) -> str:
    """A text with tokens for what tells of a person, whoever asked among them."""
    masked = mask(text, find_personal(text, ticket.language))
    parts = [part for part in re.split(r"\W+", ticket.name or "") if len(part) >= PART_OF_NAME]
    for known in (ticket.email, ticket.name, *parts):
        if known:
            masked = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", TOKENS["name"], masked)
    return masked


def _bare(text: str) -> str:
    return fold(_MASKED.sub(" ", text))


def _cut(text: str, most: int) -> str:
    """How a text begins, up to the end of a word."""
    return text if len(text) <= most else f"{text[:most].rpartition(' ')[0]}…"


def _answered_by(answerer: Answerer, question: str) -> str | None:
    """The article that surely answers a question already."""
    retriever = answerer.retriever
    fit = retriever.find(retriever.query(Question(question)), _PASSAGES).fit
    sure = fit is not None and fit.certainty >= SURE and not fit.article.declines
    return fit.article.article_id if fit and sure else None


class _Shelf:
    """Gives the sentences that are found a key each."""

    def __init__(self, answerer: Answerer, known: Mapping[str, Evidence] | None = None):
        """Go on from sentences that have keys."""
        self._retriever: Retriever = answerer.retriever
        self.evidence = dict(known or {})

    def supported(self, question: str, text: str, citations: Iterable[Citation]) -> DraftStatement:
        """A statement with the sentences it cites, and those that a search finds for it."""
        generation = self._retriever.generation
        cited = [each for one in citations for each in evidence_of(one, generation)]
        keys = tuple(dict.fromkeys(map(self._key, cited)))
        if keys:
            return DraftStatement(text, keys)
        return DraftStatement(text, offered=self.found(question, text))

    def found(self, question: str, text: str) -> tuple[str, ...]:
        """The keys of sentences that may carry a statement, nearest first.

        Of 200 statements of shipped articles 0.88 so find a sentence that they rest on. The
        question adds nothing to that; a few words say nothing without it.
        """
        retriever = self._retriever
        meant = text if word_count(text) >= _TELLING else f"{question} {text}"
        query = retriever.query(Question(meant))
        near = material(retriever.generation, query, retriever.passages(query, _PASSAGES))
        return tuple(dict.fromkeys(self._key(each.evidence) for each in near[:_OFFERED]))

    def _key(self, evidence: Evidence) -> str:
        same = (key for key, each in self.evidence.items() if each == evidence)
        key = next(same, None) or f"e{len(self.evidence) + 1}"
        self.evidence[key] = evidence
        return key
