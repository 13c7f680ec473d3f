"""Questions that only a page or section which is still empty would answer.

Told by a country whose page is empty, by the words of an empty title, and, in
other words or another language, by examples kept by hand: a question is then
nearer to a way of asking for an empty page than to any for what is written. An
index holds the vectors of the examples; on one that does not, words alone tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rag.articles import centred, compared
from rag.countries import countries_in
from rag.declining import Refusal
from rag.embedder import Embedder, Vectors
from rag.index import Generation
from rag.kept import read_kept_as
from rag.lexical import words
from rag.models import Ask, Gap, IndexedDocument, asks_of
from rag.query import Query

FILE = "unwritten.yaml"
"""Its file in the corpus folder."""
_Text = Annotated[str, Field(min_length=2, max_length=200)]

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
_NEAR = 0.45
"""How near a way of asking for an empty place must be, in cosine."""
_NEARER = 0.03
"""How much nearer it must be than any way of asking for what is written: at these bars 0.78 of
the kept ways are told by the others, and 0.8 % of those in which articles are asked."""
_NEARER_SECTION = 0.08
"""And for a section, whose subject the rest of its page may tell of."""
_RIVALS = 20
"""Ways of asking articles that are looked at."""
_RIDGE = 0.3
_NATIONAL = -0.1
"""From here on a question on a country is for its own page; -1 and 1 are what is learned. Of
languages that were left out, 0.95 of such questions lie above, and 0.15 of the look-alikes."""
# What is asked of a country here stands, if anywhere, on no page of its own.
_ELSEWHERE = re.compile(
    r"\bsign(?:ed|s|ator)|unterzeichn|\bsignat|firmat|podpis|allekirj|aláír|semnat|подпис|υπογρ"
    r"|translat|übersetz|traduc|traduz|traduç|vertal|översätt|oversæt|overset|käännö|tõlge|tõlgi"
    r"|tulkoj|vertim|tłumacz|překlad|preklad|prevod|prijevod|fordít|превод|μετάφρ|aistriú"
    r"|\bmember state|mitgliedst|état membre|\bjoined\b|beigetreten",
    re.IGNORECASE,
)


class _Examples(BaseModel):
    """How ``unwritten.yaml`` is written: language to ways of asking."""

    model_config = ConfigDict(extra="forbid")

    pages: dict[str, dict[str, tuple[_Text, ...]]] = {}
    national: dict[str, tuple[_Text, ...]] = {}
    elsewhere: dict[str, tuple[_Text, ...]] = {}


@dataclass(frozen=True)
class Examples:
    """Ways of asking that are kept by hand, for what is often empty."""

    pages: Mapping[str, Sequence[Ask]] = field(default_factory=dict)
    """By the title of a page, or title and headings of a section with " > " between."""
    national: Sequence[Ask] = ()
    """Questions on a country that its own page is there for."""
    elsewhere: Sequence[Ask] = ()
    """Questions that name a country, and that something else answers."""

    @classmethod
    def load(cls, corpus: Path) -> Examples:
        """Read ``unwritten.yaml`` in a folder; one that is not there is empty.

        Raises:
            BadSetting: The file is not as it should be; the message names it.
        """
        file = corpus / FILE
        if not file.is_file():
            return cls({}, (), ())
        kept = read_kept_as(file, TypeAdapter(_Examples))
        pages = {name: asks_of(asked) for name, asked in kept.pages.items()}
        return cls(pages, asks_of(kept.national), asks_of(kept.elsewhere))

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, to be embedded with the index."""
        asks = (*chain.from_iterable(self.pages.values()), *self.national, *self.elsewhere)
        return tuple(dict.fromkeys(ask.text for ask in asks))


NO_EXAMPLES = Examples()


class Unwritten:
    """The empty pages and sections of a generation."""

    def __init__(
        self, generation: Generation, embedder: Embedder, examples: Examples = NO_EXAMPLES
    ):
        """Look for the gaps of a generation.

        Args:
            generation: What is empty, and what is not.
            embedder: The model that it was built with.
            examples: Used as far as the generation knows their vectors.
        """
        self._generation = generation
        self._embedder = embedder
        self._examples = examples
        self._titles = frozenset(titles(generation.documents()))
        # Who asks for a page that another of the same title stands for is served by that.
        self._known = tuple(
            gap for gap in generation.gaps if gap.country or gap_name(gap) not in self._titles
        )
        self._gaps = tuple(gap for gap in self._known if not gap.country)

    def refusal(self, query: Query, written: Sequence[str]) -> Refusal | None:
        """Refuse what only an empty page or section would answer.

        Args:
            query: What is searched with.
            written: Texts of the best passages.
        """
        return not_written_yet(
            query.question, query.language, self._known, written, self._national(query)
        ) or self._paraphrased(query)

    def _national(self, query: Query) -> bool | None:
        """Whether a question that names a country is one for its own page; None: nobody knows."""
        weights = self._national_weights
        if weights is None:
            return None
        asked = centred(query.asked[None, :], [query.language], self._generation.ask_centres)[0]
        return bool(asked @ weights[:-1] + weights[-1] > _NATIONAL)

    @cached_property
    def _national_weights(self) -> Vectors | None:
        """Ridge regression that tells the two kinds of questions on a country apart.

        Learned when it is first needed, from vectors that the index holds, so it
        fits whatever model that was built with; some milliseconds.
        """
        both = [
            (ask, side)
            for asks, side in ((self._examples.national, 1.0), (self._examples.elsewhere, -1.0))
            for ask in asks
            if ask.text in self._generation.standing
        ]
        sides = np.array([side for _, side in both], dtype=np.float32)
        if not self._generation.ask_centres or len(set(sides.tolist())) < len((1, -1)):
            return None
        rows = self._vectors([ask for ask, _ in both], head=False)
        rows = np.hstack([rows, np.ones((len(rows), 1), dtype=np.float32)])
        weights = rows.T @ np.linalg.solve(rows @ rows.T + _RIDGE * np.eye(len(rows)), sides)
        return np.asarray(weights, dtype=np.float32)

    def _paraphrased(self, query: Query) -> Refusal | None:
        """Refuse what is nearer to the ways of asking for an empty place than to any other."""
        generation = self._generation
        if not self._gaps or query.countries or not generation.ask_centres:
            return None
        rows, gaps = self._probes
        own = compared(
            query.asked[None, :], [query.language], generation.ask_centres, generation.ask_head
        )[0]
        cosines = rows @ own
        empty, others = cosines[: len(gaps)], cosines[len(gaps) :]
        best = int(empty.argmax())
        if empty[best] < _NEAR:
            return None
        numbers, near = generation.vectors.nearest_asks(own, _RIVALS)
        answering = [
            float(cosine)
            for number, cosine in zip(numbers, near, strict=True)
            if not generation.articles[int(generation.vectors.ask_articles[number])].declines
        ]
        gap = gaps[best]
        nearer = _NEARER_SECTION if gap.section else _NEARER
        if empty[best] - max([*answering, *others.tolist()], default=0.0) < nearer:
            return None
        # That it was not meant is possible still: an article that answers goes before it.
        return Refusal("not_written_yet", _message(gap), gap, sure=False)

    @cached_property
    def _probes(self) -> tuple[Vectors, list[Gap]]:
        """Vectors of questions for the empty places, then for written pages; whose the first are.

        What the index does not hold yet of the questions made of titles is embedded once.
        """
        generation = self._generation
        kept = [
            (gap, ask)
            for gap in self._gaps
            for ask in self._examples.pages.get(gap_name(gap), ())
            if ask.text in generation.standing
        ]
        named = probes(self._gaps, self._titles)
        asks = [*(ask for _, ask in kept), *(Ask(text, "en") for text in named)]
        gaps = [*(gap for gap, _ in kept), *self._gaps]
        return self._vectors(asks, head=True), gaps

    def _vectors(self, asks: Sequence[Ask], *, head: bool) -> Vectors:
        """Vectors of ways of asking as they are compared, with the learned head or without."""
        generation = self._generation
        texts = [ask.text for ask in asks]
        new = [text for text in texts if text not in generation.standing]
        found = dict(generation.standing)
        if new:
            found |= zip(new, self._embedder.queries(new), strict=True)
        return compared(
            np.stack([found[text] for text in texts]),
            [ask.language for ask in asks],
            generation.ask_centres,
            generation.ask_head if head else None,
        )


def titles(documents: Iterable[IndexedDocument]) -> Iterator[str]:
    """The titles of the pages that are written."""
    return (each.title for each in documents if each.chunks and each.kind != "article")


def gap_name(gap: Gap) -> str:
    """The title of an empty page; of an empty section that of its page and its headings."""
    return " > ".join((gap.title, *gap.section))


def probes(gaps: Iterable[Gap], written: Iterable[str]) -> tuple[str, ...]:
    """How somebody would ask for each empty place, then for each written page.

    Args:
        gaps: Empty pages and sections.
        written: Titles of pages; those that an empty one shares are left out, and
            all where nothing is empty.
    """
    names = [gap_name(gap) for gap in gaps]
    others = sorted(set(written) - set(names)) if names else []
    return tuple(f"What does the page {name} say?" for name in (*names, *others))


def not_written_yet(
    question: str,
    language: str,
    gaps: Iterable[Gap],
    written: Sequence[str],
    national: bool | None = None,
) -> Refusal | None:
    """Refuse what only a page or section that is still empty would answer.

    Args:
        question: What was asked.
        language: ISO 639-1 of the question.
        gaps: Known gaps of the index.
        written: Texts of the best passages; where they speak of the country
            and of what is asked about it, something is written after all.
        national: Whether a country that is named is asked about as its own page would
            tell it; None: its words have to tell.
    """
    gaps = tuple(gaps)
    country = _empty_country(question, language, gaps, written, national)
    if national is False:  # A country that is merely named is no title that is asked for.
        gaps = tuple(gap for gap in gaps if not gap.country)
    return country or _empty_title(question, gaps, written)


def _empty_country(
    question: str,
    language: str,
    gaps: Sequence[Gap],
    written: Sequence[str],
    national: bool | None,
) -> Refusal | None:
    named = countries_in(question, language)
    # A country's page may be there and list nothing: what it says is still told.
    silent = ("page", "country_page")
    gap = next(
        (gap for gap in gaps if gap.kind in silent and gap.country and (gap.country,) == named),
        None,
    )
    if gap is None or national is False or _ELSEWHERE.search(question):
        return None
    speaking = [text for text in written if gap.country in countries_in(text)]
    asked = {word for word in words(question) if not countries_in(word, language)}
    asked -= _GENERAL | set(words(gap.title))
    if national is None and gap.kind == "country_page" and len(asked) > _BESIDE:
        return None
    if language == "en":
        speaking = [text for text in speaking if 2 * len(asked & set(words(text))) > len(asked)]
    elif national:
        # Words of two languages cannot be compared, and a country is often merely named.
        speaking = []
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
