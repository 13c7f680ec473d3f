"""Knowledge articles that are still to be written: what they begin with, and the file they make."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import yaml

from rag.index import Generation
from rag.models import ArticleStatement, Chunk, Citation, Evidence, Part, Passage
from rag.query import Query
from rag.sentences import Sentence, chunk_sentences
from rag.text import fold, letters_digits, pin

READ = 4
"""Passages that a draft takes sentences from."""
SENTENCES = 6
_MARKER = re.compile(r"\[\^[^\]]*\]|\[\d+\]")
"""A footnote of the source, or what looks like a citation; in an article it would be evidence."""
_NAME_WORDS = 7
_QUESTION_WORDS = frozenset(
    "a an and are can do does for how i in is it my of on or the to we what when where which who"
    " why with you your".split()
)


@dataclass(frozen=True)
class Written:
    """What somebody has written for an article; its statements are in English."""

    title: str
    intent: str
    """What it is about; the folder of its file."""
    audience: Sequence[str]
    asks: Mapping[str, Sequence[str]]
    """The ways people ask, by language, ISO 639-1."""
    statements: Sequence[ArticleStatement]
    """Most important first, each with its evidence."""
    checked: date
    """When its evidence was compared with the sources."""
    country: str | None = None
    """ISO 3166-1 alpha-2, where it holds in one country only."""
    reviewed_by: str = ""
    """The role of the contact point who signed it."""
    kind: Literal["answer", "known_gap", "navigation", "contact", "safety"] = "answer"
    draft: bool = False
    """Still being written: checked, and not indexed."""


def article_text(written: Written) -> str:
    """The file of an article.

    Each statement is one paragraph, whatever stands in it: what would part it, or
    be read as the key of some evidence, is left out.
    """
    every = dict.fromkeys(each for said in written.statements for each in said.evidence)
    keys = {evidence: f"e{number}" for number, evidence in enumerate(every, start=1)}
    front = {
        "title": fold(written.title),
        "kind": written.kind,
        "intent": written.intent,
        "audience": list(written.audience),
        "country": written.country,
        "label": None,
        "topics": [],
        "ask": {
            language: [fold(ask) for ask in asks] for language, asks in written.asks.items()
        },
        "evidence": {key: _kept(evidence) for evidence, key in keys.items()},
        "checked": written.checked.isoformat(),
        "reviewed_by": fold(written.reviewed_by),
        "see_also": [],
        **({"draft": True} if written.draft else {}),
    }  # fmt: skip
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)
    body = "\n\n".join(
        " ".join([_one_paragraph(said.text), *(f"[^{keys[each]}]" for each in said.evidence)])
        for said in written.statements
    )
    return f"---\n{head}---\n{body}\n"


def _one_paragraph(text: str) -> str:
    plain = "".join(letter for letter in fold(text) if letter.isprintable())
    # What stands around a marker may make another one.
    while (bare := _MARKER.sub("", plain)) != plain:
        plain = bare
    return fold(plain)


def _kept(evidence: Evidence) -> dict[str, object]:
    """What an article's file keeps of its evidence: the hash of a sentence, never the sentence."""
    return {
        "source": evidence.source,
        "path": evidence.path,
        "title": evidence.title,
        "section": list(evidence.section),
        "url": evidence.url,
        "label": evidence.label,
        "pin": evidence.pin,
    }


@dataclass(frozen=True)
class Material:
    """A sentence that may carry a statement, with the place where it stands."""

    chunk: Chunk
    part: Part
    text: str

    @property
    def evidence(self) -> Evidence:
        """The same, as an article holds on to it."""
        return Evidence(
            source=self.chunk.source,
            path=self.chunk.path,
            title=self.chunk.title,
            section=self.part.section,
            url=self.chunk.address(self.part),
            label=self.part.label,
            pin=pin(self.text),
            chunk_id=self.chunk.chunk_id,
            quote=self.text,
        )


def material(generation: Generation, query: Query, passages: Sequence[Passage]) -> list[Material]:
    """The sentences of the best passages that are nearest to a question, nearest first."""
    found: list[tuple[float, Material]] = []
    for passage in passages[:READ]:
        number = generation.chunk_number(passage.chunk.chunk_id)
        # What an article says of a source that is not indexed is no evidence.
        if number is None or passage.chunk.kind == "article":
            continue
        cosines = generation.vectors.sentence_cosines(number, query.vector)
        for position, sentence in enumerate(chunk_sentences(passage.chunk)):
            found.append((float(cosines[position]), _material(passage.chunk, sentence)))
    found.sort(key=lambda each: -each[0])
    return [each for _, each in found[:SENTENCES]]


def _material(chunk: Chunk, sentence: Sentence) -> Material:
    # Of a row of a table the row alone can be pinned.
    text = sentence.part.text.splitlines()[0] if sentence.part.item else sentence.quote
    return Material(chunk, sentence.part, text)


def evidence_of(citation: Citation, generation: Generation) -> tuple[Evidence, ...]:
    """What an article may hold on to of what an answer cites.

    Sentences are held on to, so a quote of several is several pieces of evidence, and
    words out of a sentence stand for all of it.

    Args:
        citation: Of an answer from that generation.
        generation: What is indexed.

    Returns:
        Nothing where the article that a summary is taken from has gone.
    """
    if citation.kind == "summary":
        return _carried_on(citation, generation)
    said = letters_digits(citation.quote)
    told = [
        (letters_digits(sentence.quote), _material(chunk, sentence).evidence)
        for chunk in generation.chunks_of(citation.document_id)
        for sentence in chunk_sentences(chunk)
        if chunk.address(sentence.part) == citation.url
    ]
    same = [evidence for letters, evidence in told if letters == said]
    within = [evidence for letters, evidence in told if letters in said]
    around = [evidence for letters, evidence in told if said in letters]
    if found := same[:1] or within or around[:1]:
        return tuple(dict.fromkeys(found))
    return (_unspoken(citation, said, generation),)


def _unspoken(citation: Citation, said: str, generation: Generation) -> Evidence:
    """Words that are no sentence of the page's own passages: a line, a heading.

    A heading is not held on to; the title stands for it, as for a page that is empty.
    """
    heading = bool(citation.section) and letters_digits(citation.section[-1]) == said
    card = generation.document(citation.document_id)
    title = card.title if card else citation.title
    quote = title if heading else citation.quote
    return Evidence(
        source=citation.source,
        path=citation.path,
        title=citation.title,
        section=citation.section,
        url=citation.url,
        label=None if heading else citation.label,
        pin=pin(quote),
        quote=quote,
    )


def _carried_on(citation: Citation, generation: Generation) -> tuple[Evidence, ...]:
    """What the article itself rests on, where its own words were cited."""
    place = citation.source, citation.path, citation.url
    return tuple(
        dict.fromkeys(
            evidence
            for article in generation.articles
            if article.document_id == citation.document_id
            for said in article.statements
            if said.text == citation.quote
            for evidence in said.evidence
            if (evidence.source, evidence.path, evidence.url) == place
        )
    )


def draft(question: str, language: str, intent: str, found: Sequence[Material], on: date) -> str:
    """The file of an article that is still to be written.

    Every sentence found is put where a statement belongs, to be said in our own
    words; ``draft: true`` keeps it out of the index until somebody has done so.

    Args:
        question: As somebody asked it.
        language: ISO 639-1 of the question.
        intent: What it is about.
        found: Sentences to begin with.
        on: The day of the draft.
    """
    statements = [
        ArticleStatement(f"TO BE SAID IN OUR OWN WORDS: {each.text}", (each.evidence,))
        for each in found
    ]
    return article_text(
        Written(
            title=question,
            intent=intent,
            audience=["researcher"],
            asks={language: [question]},
            statements=statements,
            checked=on,
            draft=True,
        )
    )


def file_name(question: str) -> str:
    """A file name that tells what a question is about, without ``.md``."""
    plain = unicodedata.normalize("NFKD", question.lower()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    telling = [word for word in words if word not in _QUESTION_WORDS] or words
    # Of other scripts nothing is left.
    return "-".join(telling[:_NAME_WORDS])[:80].rstrip("-") or f"question-{pin(question)[:8]}"
