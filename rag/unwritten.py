"""Questions that only a page or section which is still empty would answer.

Told by a country whose page is empty, by the words of an empty title, and, in
other words or another language, by vectors: a question is then nearer to an
empty page than to any that is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from rag.articles import centred
from rag.countries import countries_in
from rag.declining import Refusal
from rag.embedder import Embedder, Vectors
from rag.index import Generation
from rag.lexical import words
from rag.models import Gap
from rag.query import Query

# Words that show a question is about the page itself, not about its subject.
_ABOUT_THE_PAGE = frozenset(words("page section heading role"))
# Words that ask nothing of a country but what is published there.
_GENERAL = frozenset(
    words(
        "page section heading role site website content publish published offer framework online"
        " put say tell 1+mg far country national"
    )
)

_BESIDE = 2
"""Words beside the country up to which a question is about the country itself; one who
says where they work asks about something else."""
_LONG_TITLE = 3
"""Words from which on a title is seldom said by chance."""
_NEARER = 0.1
"""How much nearer an empty page must be than any written one, in cosine: at this and the next
bar 2 of 265 judged questions that have an answer are stopped, and 4 of 7 paraphrases."""
_NEAR = 0.33
"""How near it must be at all, in cosine."""
# What is asked of a country here stands, if anywhere, on no page of its own.
_ELSEWHERE = re.compile(
    r"\bsign(?:ed|s|ator)|unterzeichn|\bsignat|firmat|podpis|allekirj|aláír|semnat|подпис|υπογρ"
    r"|translat|übersetz|traduc|traduz|traduç|vertal|översätt|oversæt|overset|käännö|tõlge|tõlgi"
    r"|tulkoj|vertim|tłumacz|překlad|preklad|prevod|prijevod|fordít|превод|μετάφρ|aistriú"
    r"|\bmember state|mitgliedst|état membre|\bjoined\b|beigetreten",
    re.IGNORECASE,
)


class Unwritten:
    """The empty pages and sections of a generation."""

    def __init__(self, generation: Generation, embedder: Embedder):
        """Look for the gaps of a generation, with the model that it was built with."""
        self._generation = generation
        self._embedder = embedder
        self._gaps = tuple(gap for gap in generation.gaps if not gap.country)

    def refusal(self, query: Query, written: Sequence[str]) -> Refusal | None:
        """Refuse what only an empty page or section would answer.

        Args:
            query: What is searched with.
            written: Texts of the best passages.
        """
        return not_written_yet(
            query.question, query.language, self._generation.gaps, written
        ) or self._paraphrased(query)

    def _paraphrased(self, query: Query) -> Refusal | None:
        """Refuse what is nearer to an empty page than to any other."""
        if not self._gaps or query.countries:
            return None
        common = self._generation.ask_centres
        if not common:
            return None
        cosines = self._probes @ centred(query.asked[None, :], [query.language], common)[0]
        empty, others = cosines[: len(self._gaps)], cosines[len(self._gaps) :]
        best = int(empty.argmax())
        if empty[best] < _NEAR or empty[best] - others.max(initial=0) < _NEARER:
            return None
        gap = self._gaps[best]
        # That it was not meant is possible still: an article that answers goes before it.
        return Refusal("not_written_yet", _message(gap), gap, sure=False)

    @cached_property
    def _probes(self) -> Vectors:
        """Questions for the empty places, then for the written pages, less what all share."""
        texts = probes(self._gaps, (each.title for each in self._generation.documents()
                                    if each.chunks and each.kind != "article"))  # fmt: skip
        known = self._generation.standing
        new = [text for text in texts if text not in known]
        found = {**known, **dict(zip(new, self._embedder.queries(new), strict=True))}
        vectors = np.stack([found[text] for text in texts])
        vectors = vectors - vectors.mean(axis=0)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def probes(gaps: Iterable[Gap], written: Iterable[str]) -> tuple[str, ...]:
    """How somebody would ask for each empty place, then for each written page.

    Args:
        gaps: Empty pages and sections.
        written: Titles of pages; those that an empty one shares are left out.
    """
    names = [" > ".join((gap.title, *gap.section)) for gap in gaps]
    others = sorted(set(written) - set(names))
    return tuple(f"What does the page {name} say?" for name in (*names, *others))


def not_written_yet(
    question: str, language: str, gaps: Iterable[Gap], written: Sequence[str]
) -> Refusal | None:
    """Refuse what only a page or section that is still empty would answer.

    Args:
        question: What was asked.
        language: ISO 639-1 of the question.
        gaps: Known gaps of the index.
        written: Texts of the best passages; where they speak of the country
            and of what is asked about it, something is written after all.
    """
    gaps = tuple(gaps)
    return _empty_country(question, language, gaps, written) or _empty_title(
        question, gaps, written
    )


def _empty_country(
    question: str, language: str, gaps: Sequence[Gap], written: Sequence[str]
) -> Refusal | None:
    named = countries_in(question, language)
    # A country's page may be there and list nothing: what it says is still told.
    silent = ("page", "country_page")
    gap = next(
        (gap for gap in gaps if gap.kind in silent and gap.country and (gap.country,) == named),
        None,
    )
    if gap is None or _ELSEWHERE.search(question):
        return None
    speaking = [text for text in written if gap.country in countries_in(text)]
    asked = {word for word in words(question) if not countries_in(word, language)}
    asked -= _GENERAL | set(words(gap.title))
    if gap.kind == "country_page" and len(asked) > _BESIDE:
        return None
    if language == "en":
        speaking = [text for text in speaking if 2 * len(asked & set(words(text))) > len(asked)]
    message = "not_written_yet_page" if gap.kind == "page" else "not_written_yet_country"
    return None if speaking else Refusal("not_written_yet", message, gap)


def _empty_title(question: str, gaps: Sequence[Gap], written: Sequence[str]) -> Refusal | None:
    """Refuse a question that names a page or section which is empty.

    A short title ("Researcher") names it only where the question speaks of the
    page itself; a long one also where no passage holds all its words.
    """
    asked = set(words(question))
    about_the_page = bool(asked & _ABOUT_THE_PAGE)
    best: tuple[int, Gap] | None = None
    for gap in gaps:
        if gap.kind not in ("page", "section"):
            continue
        own = set(words(gap.section[-1] if gap.section else gap.title)) - _ABOUT_THE_PAGE
        if not own or not own <= asked or (best and len(own) <= best[0]):
            continue
        elsewhere = any(own <= set(words(text)) for text in written)
        if about_the_page or (len(own) >= _LONG_TITLE and not elsewhere):
            best = (len(own), gap)
    if best is None:
        return None
    return Refusal("not_written_yet", _message(best[1]), best[1])


def _message(gap: Gap) -> str:
    return "not_written_yet_section" if gap.section else "not_written_yet_page"
