"""How good an answer is: its quotes, citations, facts, lists and language.

Statements are judged against texts by a `Supports` callable, see
``eval/support.py``. Every score is None where there is nothing to judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from eval.metrics import HELD, holds, plain_quote
from eval.questions import Judged
from eval.support import Supports
from rag.index import Generation
from rag.language import detect_language
from rag.models import Answer, Citation, Statement
from rag.text import fold, letters_digits

_WHOLE = 6
"""Shorter names, in letters and digits, are looked for as words of their own."""
_ADDRESS = re.compile(r"\S*(?:@|://|www\.)\S*")
_QUOTED = re.compile(r"[\"“„«»”][^\"“„«»”]*[\"“”«»]")


class StoredTexts:
    """The text of every stored document and article, as quotes are held against it."""

    def __init__(self, generation: Generation):
        """Read all texts of a generation once.

        A document's text is what ingest stored of it, headings included, not
        the chunks that quotes are taken from: so a chunk that says what its
        document does not is found out. Where an index holds chunks alone, they
        are the document.
        """
        parts = {card.document_id: [card.title] for card in generation.documents()}
        for chunk in generation.all_chunks():
            parts.setdefault(chunk.document_id, []).append(chunk.text)
        # Of a page without any text its headings are all that is stored.
        for gap in generation.gaps:
            parts.setdefault(gap.document_id, [gap.title, *gap.section])
        for _, payload in generation.payloads():
            document = json.loads(payload)
            if "sections" in document:
                parts[document["document_id"]] = [document["title"], *_sections(document)]
        self._documents = {name: fold(" ".join(texts)) for name, texts in parts.items()}
        self._articles = {
            article.document_id: fold(" ".join(each.text for each in article.statements))
            for article in generation.articles
        }

    def hold(self, citation: Citation) -> bool:
        """Whether a citation's quote is exact text of what it says it quotes."""
        texts = self._articles if citation.kind == "summary" else self._documents
        quote = fold(citation.quote)
        return bool(quote) and quote in texts.get(citation.document_id, "")


def _sections(document: dict[str, Any]) -> Iterator[str]:
    for section in document["sections"]:
        yield from section["heading"]
        yield from (block["text"] for block in section["blocks"])


def quote_valid(citations: Sequence[Citation], texts: StoredTexts) -> float | None:
    """Share of citations whose quote is found, white space folded, where it is said to stand."""
    if not citations:
        return None
    return sum(texts.hold(each) for each in citations) / len(citations)


def citation_scores(answer: Answer, supports: Supports) -> tuple[float | None, float | None]:
    """Citation precision and recall of one answer.

    Recall is the share of statements that all their citations together
    support; a statement without citation counts as not supported. Precision is
    the share of citations that are relevant: their statement is supported, and
    they support it alone or it is not supported without them.

    A citation is read as a reader sees it: title, headings, then the quote.
    A `summary` quotes the very statement it stands under and would be right
    by construction, so statements that rest on one are left out.

    Source: Gao et al. 2023, Enabling Large Language Models to Generate Text
    with Citations (ALCE), section 4.

    Returns:
        Precision and recall; None where no statement rests on a source.
    """
    if answer.status != "answered":
        return None, None
    by_marker = {each.marker: each for each in answer.citations}
    relevant: list[bool] = []
    supported: list[bool] = []
    for statement in answer.statements:
        cited = [by_marker[marker] for marker in statement.citations if marker in by_marker]
        if any(each.kind == "summary" for each in cited):
            continue
        held = bool(cited) and supports(_shown(cited), statement.text)
        supported.append(held)
        relevant += [held and _needed(each, cited, statement, supports) for each in cited]
    return _mean(relevant), _mean(supported)


def _needed(
    citation: Citation, cited: Sequence[Citation], statement: Statement, supports: Supports
) -> bool:
    rest = [each for each in cited if each is not citation]
    return (
        not rest
        or supports(_shown([citation]), statement.text)
        or not supports(_shown(rest), statement.text)
    )


def _shown(cited: Sequence[Citation]) -> str:
    return "\n".join(
        "\n".join(dict.fromkeys([each.title, *each.section, each.label or "", each.quote]))
        for each in cited
    )


def evidence_cited(question: Judged, answer: Answer) -> float | None:
    """Share of evidence groups that a quote of the answer holds.

    What was found is one thing, what a reader is shown another: a group counts
    if a citation of a member's file holds the member's quote, or is the better
    part of it.
    """
    if question.expect != "answer" or not question.evidence:
        return None
    return sum(
        any(
            citation.path == span.path and _same_place(citation.quote, span.quote)
            for citation in answer.citations
            for span in group
        )
        for group in question.evidence
    ) / len(question.evidence)


def _same_place(cited: str, wanted: str) -> bool:
    own, whole = letters_digits(cited), plain_quote(wanted)
    return holds(cited, wanted) or (own in whole and len(own) >= HELD * len(whole))


def vital_recall(question: Judged, answer: Answer, supports: Supports) -> float | None:
    """Share of the vital nuggets that the answer states.

    Source: nuggets as in TREC's question answering tracks (Voorhees 2003) and
    in AutoNuggetizer (Pradeep et al. 2024). The judge is a program: with
    `lexical_support`, a nugget told in other words counts as missing, so this
    is a lower bound; the exact figure takes reading.
    """
    vital = [nugget.text for nugget in question.nuggets if nugget.vital]
    if question.expect != "answer" or not vital:
        return None
    said = told(answer)
    return sum(supports(said, nugget) for nugget in vital) / len(vital) if said else 0.0


def must_not_hits(question: Judged, answer: Answer, supports: Supports) -> tuple[str, ...]:
    """The claims a right answer does not make, and this one does.

    The same judge as for nuggets, so a claim in other words goes unseen: none
    found is no proof that none was made.
    """
    said = told(answer)
    return tuple(claim for claim in question.must_not if said and supports(said, claim))


def told(answer: Answer) -> str:
    """What an answer states: its statements and list, without frame or markers."""
    if answer.status != "answered":
        return ""
    return "\n".join(
        [*(each.text for each in answer.statements), *(item.title for item in answer.items)]
    )


def item_scores(question: Judged, answer: Answer) -> tuple[float | None, float | None]:
    """Recall and precision of the items of a list, by their letters and digits.

    Recall counts items that the answer's list or its text names. Precision
    judges the list alone: of running text nobody can say what else it names.
    """
    if question.expect != "answer" or not question.items:
        return None, None
    titles = [item.title for item in answer.items]
    recall, precision = list_scores(question.items, titles, told(answer))
    return recall, precision if titles else None


def list_scores(
    wanted: Sequence[str], titles: Sequence[str], said: str | None = None
) -> tuple[float, float]:
    """Recall and precision of a list, by letters and digits.

    Args:
        wanted: What a complete list names.
        titles: What this one names.
        said: The text that may name them, for recall; None: the titles.
    """
    said = "\n".join(titles) if said is None else said
    recall = sum(_names(said, item) for item in wanted) / len(wanted)
    right = [any(_names(title, item) or _names(item, title) for item in wanted) for title in titles]
    return recall, sum(right) / len(right) if right else 0.0


def _names(text: str, title: str) -> bool:
    wanted = letters_digits(title)
    if not wanted:
        return False
    if len(wanted) >= _WHOLE:
        return wanted in letters_digits(text)
    return (
        re.search(rf"(?<![^\W_]){re.escape(fold(title))}(?![^\W_])", fold(text), re.I) is not None
    )


def frame(answer: Answer) -> str:
    """The answer's own words: neither statements, nor quoted names, nor addresses."""
    text = answer.text
    for statement in answer.statements:
        text = text.replace(statement.text, " ")
    step = answer.next_step.text if answer.next_step else ""
    return fold(_QUOTED.sub(" ", _ADDRESS.sub(" ", f"{_MARKERS.sub(' ', text)} {step}")))


_MARKERS = re.compile(r"\[\d+\]")


def language_right(question: Judged, answer: Answer) -> bool:
    """Whether the answer says that it is in the language of the question."""
    return answer.language == question.language


def frame_right(question: Judged, answer: Answer) -> bool | None:
    """Whether the answer's own words are in the language of the question.

    Its statements may be quotes in their source's language; whom to ask, and
    how sure the answer is, should reach every reader.
    """
    words = frame(answer)
    return detect_language(words) == question.language if words else None


def _mean(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None
