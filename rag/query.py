"""What a person typed, made into what is searched with.

A question is short, misspelt, in any of 25 languages, and leans on what was
said before; the documents are in their own words. Everything that bridges the
two happens here, and each part of it was measured (docs/evaluation.md).

Nothing is searched, embedded or shown to a language model without a `Query`, so
this is where personal data are masked; from here on nobody sees what was typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from itertools import islice

import numpy as np
from rapidfuzz.distance import OSA

from rag.countries import countries_in
from rag.embedder import Embedder, Vectors
from rag.glossary import Glossary
from rag.language import detect_language
from rag.lexical import Tokens, expand, telling_grams, unstemmed, words
from rag.models import Question, Turn
from rag.personal import TOKENS, find_personal, mask

_HEARD = 6
"""Earlier turns that anybody looks at, a language model among them; others are not even masked."""
TURNS = 2
"""How many earlier turns count; follow-ups need them (DESIGN 3)."""
_TURN_WORDS = 40
_TURN_CHARACTERS = 300
"""How much of an earlier turn: a whole answer would drown the question."""
_MASKED = re.compile("|".join(map(re.escape, TOKENS.values())))
_EMBEDDED = 200
"""Pieces of a query that are embedded, some 130 words: one request must not keep
the model from all others."""
_LONGEST = 2000
"""Characters that are looked at for that."""
_VECTORS = 2000
"""Vectors that stay at hand, 3 MB: to embed is half of what an answer takes, and a page's examples,
a search before its answer, or a question asked twice need it once."""
_PIECES = re.compile(r"[^\W\d_]{1,4}|\S")
"""About what a model reads one by one: some letters of a word, a digit, a sign."""
_EARLIER = 0.3
"""How much earlier turns count, beside 0.7 for the question: at 1 follow-ups are found as
well, and a question that turns to something else is lost (R@5 0.37 instead of 0.80)."""
_ALONE, _LEANS = 0.15, 0.6
"""How likely a question leans on what was said before: below the first it is read alone, from
the second on behind that; between them alone first, where that finds what answers it. After
an unrelated turn 0.96 of 200 questions so keep their answer (0.72 with every turn counting),
and no follow-up of 22 loses its passage."""
_NEUTRAL = 0.5
"""How much of what all questions of a language have in common is taken off a question."""
_MEANT = 0.25
"""How much the documents' terms for what was asked count, beside 1 for the question."""
_NATIONAL = frozenset(words("country national nation"))
_TYPED = 6
"""Letters from which on an unknown word may be a known one misspelt."""
_STEM = 5
_ENDINGS = (
    "e s es ed ing ion ions ation ations ment ments ly al y ity er ers ance ence able".split()
)


@dataclass(frozen=True)
class Terms:
    """One side of the lexical search: what was typed, and what it stands for."""

    typed: Tokens
    meant: Tokens
    """Other words for the same; they add to a score, and none of them is required."""


@dataclass(frozen=True)
class Query:
    """What is searched with."""

    heard: Question
    """What was asked, personal data masked, with the turns before it if it may lean on them."""
    text: str
    """The earlier turns that count, then the question, both without what was masked."""
    question: str
    """The question alone, without what was masked."""
    language: str
    """ISO 639-1 of the question."""
    words: Terms
    grams: Terms
    vector: Vectors
    """What chunks and sentences are compared with; a unit vector."""
    asked: Vectors
    """The question alone, as typed; a unit vector, for the asking variants of articles."""
    leaning: Vectors | None
    """The same behind what was asked before it; None where nothing was."""
    countries: tuple[str, ...]
    """ISO 3166-1 alpha-2 of the countries it is about."""
    alone: Query | None = None
    """As if nothing had been said before, to be tried first where that may be so."""


@dataclass(frozen=True)
class Effort:
    """How much is made of a question; the defaults are measured, and 0 leaves a part out."""

    acronym: float = 0.5
    """Weight of the long form of an acronym, and of the acronym of a long form."""
    glossary: float = 0.4
    """Weight of the documents' term for what somebody calls otherwise."""
    typo: float = 0.8
    """Weight of the known word that an unknown one resembles."""


@dataclass(frozen=True)
class _Meant:
    """Words that were not typed, and how much each counts."""

    words: str
    weight: float
    stems: bool = False
    """Whether they are stemmed already."""


class QueryMaker:
    """Makes queries for one index: its words and acronyms decide what is known."""

    def __init__(
        self,
        embedder: Embedder,
        glossary: Glossary,
        neutral: Mapping[str, Sequence[str]],
        *,
        known: Iterable[str],
        acronyms: Mapping[str, str],
        standing: Mapping[str, Vectors],
        effort: Effort,
        leans: Callable[[Vectors, str], float | None] = lambda *_: None,
    ):
        """Make queries.

        Args:
            embedder: The model that the index was built with.
            glossary: Other names of terms.
            neutral: Language to questions that ask about nothing in particular.
            known: Every stemmed word of the index.
            acronyms: Acronym to long form, as the index knows them.
            standing: Vectors of texts kept by hand, as far as the index knows them.
            effort: What is made of a question.
            leans: How likely a question (its vector, its language) leans on what was said
                before it; where that is not known, each is taken to do so.
        """
        self._embedder = embedder
        self._glossary = glossary
        self._neutral = neutral
        self._known = known
        self._acronyms = acronyms
        self._effort = effort
        self._standing = dict(standing)
        self._leans = leans
        self._vectors: dict[bytes, Vectors] = {}

    def make(self, question: Question) -> Query:
        """Make a query of a question, the turns before it and the country of who asks.

        A question that asks something else than the turns before it is read as if there
        were none, but for the language that was spoken.
        """
        heard, language = _heard(question)
        before = [turn.text for turn in heard.history if turn.role == "user"]
        own = self._embedded(_unmarked(heard.text))
        leans = self._leans(own, language) if before else 0.0
        if leans is None:
            leans = 1.0
        alone = self._made(replace(heard, history=()), own, language) if leans < _LEANS else None
        if alone is not None and leans < _ALONE:
            return alone
        made = self._made(heard, own, language)
        behind = _unmarked(f"{before[-1]} {heard.text}")
        leaning = self._embedded(behind)
        return replace(made, leaning=leaning, alone=alone)

    def _made(self, heard: Question, own: Vectors, language: str) -> Query:
        """A query of a question behind all its turns.

        Args:
            heard: The question, masked.
            own: Its vector, alone.
            language: ISO 639-1 of it.
        """
        asked = _unmarked(heard.text)
        text = _unmarked(query_of(heard.text, heard.history)) if heard.history else asked
        terms = self._glossary.terms_in(asked, language) if self._effort.glossary else ()
        meant = self._meant(text, asked, terms)
        countries = countries_in(asked, language)
        if not countries and heard.country and _NATIONAL & set(words(" ".join((asked, *terms)))):
            countries = (heard.country,)
        return Query(
            heard=heard,
            text=text,
            question=asked,
            language=language,
            words=self._terms(text, asked, meant, words),
            grams=self._terms(text, asked, meant, telling_grams),
            vector=self._vector(text, asked, own, terms, language),
            asked=own,
            leaning=None,
            countries=countries,
        )

    def _terms(
        self, text: str, asked: str, meant: Sequence[_Meant], tokenize: Callable[[str], list[str]]
    ) -> Terms:
        """Each term once: a word typed twice is not worth double."""
        typed = {
            **dict.fromkeys(tokenize(text), _EARLIER),
            **dict.fromkeys(tokenize(asked), 1.0),
        }
        more: dict[str, float] = {}
        for each in meant:
            # Known words are stemmed; stemmed again some are known no longer ("diseas").
            stemmed = each.stems and tokenize is words
            tokens = each.words.split() if stemmed else tokenize(each.words)
            more |= dict.fromkeys(tokens, each.weight)
        return Terms(typed, {term: more[term] for term in more.keys() - typed.keys()})

    def _meant(self, text: str, asked: str, terms: Sequence[str]) -> list[_Meant]:
        """Other words for what was typed, those that count most last."""
        effort = self._effort
        earlier = expand(text, self._acronyms) if text != asked else ""
        found = [
            _Meant(earlier, effort.acronym * _EARLIER),
            _Meant(" ".join(terms), effort.glossary),
            _Meant(expand(asked, self._acronyms), effort.acronym),
            _Meant(" ".join(self._spelt_right(asked)), effort.typo, stems=True),
        ]
        return [each for each in found if each.words and each.weight]

    def _spelt_right(self, asked: str) -> list[str]:
        """The known words nearest to those that the index has never seen."""
        if not self._effort.typo:
            return []
        found = []
        for typed in unstemmed(asked):
            if len(typed) >= _TYPED and typed.isalpha() and not self._shelves.knows(typed):
                near = self._shelves.nearest(typed)
                if near:
                    found.append(near)
        return found

    @cached_property
    def _shelves(self) -> _Shelves:
        return _Shelves(self._known)

    def _vector(
        self, text: str, asked: str, own: Vectors, terms: Sequence[str], language: str
    ) -> Vectors:
        """The vector to search with."""
        behind = own if text == asked else self._embedded(text)
        vector = (1 - _EARLIER) * own + _EARLIER * behind
        if terms:
            vector = vector + _MEANT * self._mean(terms)
            vector /= np.linalg.norm(vector)
        questions = self._neutral.get(language) or self._neutral.get("en") or ()
        if questions:
            vector = vector - _NEUTRAL * self._mean(questions)
        vector /= np.linalg.norm(vector) or 1.0
        return np.asarray(vector, dtype=np.float32)

    def _embedded(self, text: str) -> Vectors:
        """The vector of a text; of texts before it only a digest stays, nothing to be read."""
        text = _affordable(text)
        known = blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        vector = self._vectors.get(known)
        if vector is None:
            vector = self._embedder.queries([text])[0]
            vector.setflags(write=False)
            if len(self._vectors) >= _VECTORS:
                self._vectors.clear()
            self._vectors[known] = vector
        return vector

    def _mean(self, texts: Sequence[str]) -> Vectors:
        """The mean of texts kept by hand; what the index does not know yet is embedded."""
        new = [text for text in texts if text not in self._standing]
        if new:
            self._standing |= zip(new, self._embedder.queries(new), strict=True)
        mean = np.mean([self._standing[text] for text in texts], axis=0)
        return np.asarray(mean, dtype=np.float32)


class _Shelves:
    """Known words by their first letter and length, so that few are compared."""

    def __init__(self, known: Iterable[str]):
        self._words = frozenset(known)
        self._shelves: dict[tuple[str, int], list[str]] = {}
        for word in sorted(self._words):
            if word.isalpha():
                self._shelves.setdefault((word[0], len(word)), []).append(word)

    def knows(self, word: str) -> bool:
        """Whether a word as typed, not stemmed, is known."""
        return not self._words.isdisjoint(words(word))

    def nearest(self, word: str) -> str | None:
        """The known word that one as typed is by a slip of the finger, None where none is.

        A letter too many, one too few, or two that changed places. A letter in
        another's stead is no such slip: most pairs of it are two words that both
        exist. Known words are stems, so the typed word is compared without its
        ending, too.
        """
        cuts = [word, *(word.removesuffix(each) for each in _ENDINGS if word.endswith(each))]
        if word.endswith("y"):
            cuts.append(f"{word[:-1]}i")  # as the stemmer writes it
        for cut in cuts:
            near = [
                each
                for length in (len(cut) - 1, len(cut), len(cut) + 1)
                for each in self._shelves.get((cut[0], length), ())
                if OSA.distance(cut, each, score_cutoff=1) == 1 and _slipped(cut, each)
            ]
            if len(cut) >= _STEM and near:
                return near[-1]
        return None


def _slipped(typed: str, known: str) -> bool:
    return len(typed) != len(known) or sorted(typed) == sorted(known)


def _heard(question: Question) -> tuple[Question, str]:
    """A question as it is read from here on, and its language (ISO 639-1).

    The language is told by the very words, before what is masked stands in them in English.
    """
    earlier = [turn.text for turn in question.history if turn.role == "user"]
    language = detect_language(question.text, earlier)
    text, *turns = (
        mask(said, find_personal(said, language))
        for said in (question.text, *(turn.text for turn in question.history[-_HEARD:]))
    )
    history = zip(question.history[-_HEARD:], turns, strict=True)
    masked = tuple(replace(turn, text=said) for turn, said in history)
    return replace(question, text=text, history=masked), language


def _unmarked(text: str) -> str:
    """A masked text without the tokens: none of them was typed, and pages speak of health, too."""
    plain = _MASKED.sub(" ", text)
    return plain if any(map(str.isalnum, plain)) else text


def _affordable(text: str) -> str:
    """As much of a text as the model may spend its time on."""
    normal = unicodedata.normalize("NFKC", text[:_LONGEST])
    pieces = islice(_PIECES.finditer(normal), _EMBEDDED - 1, _EMBEDDED)
    return next((normal[: piece.end()] for piece in pieces), normal)


def standing_texts(glossary: Glossary, neutral: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Every text kept by hand that a query may be made with, each once."""
    questions = (question for each in neutral.values() for question in each)
    return tuple(dict.fromkeys((*glossary.names, *questions)))


def query_of(text: str, history: Sequence[Turn]) -> str:
    """How the last two turns begin, then the question."""
    earlier = (
        " ".join(turn.text.split()[:_TURN_WORDS])[:_TURN_CHARACTERS] for turn in history[-TURNS:]
    )
    return "\n".join([*filter(None, earlier), text])
