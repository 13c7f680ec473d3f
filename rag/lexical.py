"""The lexical side: BM25 over stemmed words and over character 4-grams.

The words find what is named, the 4-grams survive typos, compounds and other
languages' spellings. Each score is divided by the most that the query could
reach, terms the index has never seen counting in full, so that a query in a
foreign language scores low by itself and needs no rule of its own (DESIGN 3).
"""

from __future__ import annotations

import re
import threading
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75

Tokens = Mapping[str, float]
"""Query terms with their weight."""

_WORD = re.compile(r"[^\W_]+")
_PLUS_MG = re.compile(r"1\s?\+\s?(mg|million)")
_STOP_WORDS = frozenset(
    """a about above after again against all am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further had
    has have having he her here hers him his how i if in into is it its itself just me more most my
    myself no nor not now of off on once only or other our ours out over own same she should so some
    such than that the their theirs them then there these they this those through to too under until
    up very was we were what when where which while who whom why will with would you your
    yours""".split()
)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


_STEMMING = threading.Lock()
"""The stemmer notes in itself where it is in a word: two threads at once would get a word of the
other's, which then stayed, or an IndexError."""


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    with _STEMMING:
        return str(_stemmer().stemWord(word))


def words(text: str) -> list[str]:
    """Stemmed words without English stop words; ``1+MG`` counts as one word."""
    return [_stem(word) for word in unstemmed(text)]


@lru_cache(maxsize=4000)
def words_told(text: str) -> frozenset[str]:
    """The different words of a text that documents hold.

    They are kept for the next question, which what somebody asked must not be.
    """
    return frozenset(words(text))


def unstemmed(text: str) -> list[str]:
    """The words of `words` as they are written, in lower case."""
    normal = _PLUS_MG.sub(r"1\1", unicodedata.normalize("NFKC", text).lower())
    return [word for word in _WORD.findall(normal) if word not in _STOP_WORDS]


def telling_grams(text: str) -> list[str]:
    """Character 4-grams of a query: those of English stop words would drown the others."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return four_grams(" ".join(each for each in _WORD.findall(folded) if each not in _STOP_WORDS))


def four_grams(text: str) -> list[str]:
    """Character 4-grams of each word, marked at both ends, without accents."""
    normal = unicodedata.normalize("NFKD", text).lower()
    bare = "".join(character for character in normal if not unicodedata.combining(character))
    grams: list[str] = []
    for word in _WORD.findall(bare):
        marked = f"#{word}#"
        grams += [marked[i : i + 4] for i in range(max(1, len(marked) - 3))]
    return grams


@dataclass(frozen=True)
class LexicalLeg:
    """One BM25 index: for each term the chunks that hold it, with their weight."""

    terms: Mapping[str, int]
    starts: NDArray[np.int64]
    """``starts[t] : starts[t + 1]`` are the postings of term number t."""
    chunks: NDArray[np.int32]
    weights: NDArray[np.float32]
    """The chunk's BM25 share of the term, idf included."""
    idf: NDArray[np.float32]
    count: int
    """Number of chunks."""

    @classmethod
    def build(cls, texts: Sequence[str], tokenize: Callable[[str], list[str]]) -> LexicalLeg:
        """Index texts; their position is their chunk number."""
        seen: dict[str, int] = {}
        terms_met, frequencies = array("i"), array("i")
        held, lengths = array("i"), array("i")
        for text in texts:
            counts = Counter(tokenize(text))
            terms_met.extend(seen.setdefault(term, len(seen)) for term in counts)
            frequencies.extend(counts.values())
            held.append(len(counts))
            lengths.append(counts.total())
        terms = {term: number for number, term in enumerate(sorted(seen))}
        # From the order in which terms were met to the order of their numbers.
        renumbered = np.array([terms[term] for term in seen], dtype=np.int32)
        numbers = renumbered[np.asarray(terms_met)]
        order = np.argsort(numbers, kind="stable")
        chunks = np.repeat(np.arange(len(texts), dtype=np.int32), np.asarray(held))[order]
        found = np.bincount(numbers, minlength=len(terms))
        idf = np.log(1 + (len(texts) - found + 0.5) / (found + 0.5))
        sizes = np.asarray(lengths, dtype=np.float64)
        average = float(sizes.mean()) if sizes.any() else 1.0
        norms = K1 * (1 - B + B * sizes / average)
        frequency = np.asarray(frequencies)[order]
        weights = (
            np.repeat(idf, found) * frequency * (K1 + 1) / (frequency + norms[chunks])
        ).astype(np.float32)
        starts = np.concatenate([[0], np.cumsum(found)]).astype(np.int64)
        return cls(terms, starts, chunks, weights, idf.astype(np.float32), len(texts))

    def weight(self, term: str) -> float:
        """How rare a term is: its idf; the highest for one the index has never seen."""
        number = self.terms.get(term)
        return float(np.log(1 + self.count / 0.5)) if number is None else float(self.idf[number])

    def scores(self, query: Tokens, meant: Tokens = MappingProxyType({})) -> NDArray[np.float32]:
        """Score every chunk, as a share of the most this query could reach.

        Args:
            query: What was typed.
            meant: Other words for it: they add to a score, and what lacks them loses nothing.

        Returns:
            Shape ``(count,)``, each in 0..1 but for what other words add.
        """
        scores = np.zeros(self.count, dtype=np.float32)
        required = query or meant
        reachable = sum(weight * self.weight(term) for term, weight in required.items())
        for term, weight in (*query.items(), *meant.items()):
            number = self.terms.get(term)
            if number is None:
                continue
            span = slice(self.starts[number], self.starts[number + 1])
            scores[self.chunks[span]] += np.float32(weight) * self.weights[span]
        return scores / np.float32((K1 + 1) * reachable) if reachable else scores


_LONG_WORDS = re.compile(r"[\w'’-]+")
_PARENTHESIS = re.compile(r"\(([A-Z][A-Za-z0-9&+-]{1,9})s?\)")


def acronyms_of(texts: Iterable[str]) -> dict[str, str]:
    """Find ``Long Form (LF)`` pairs whose initials match.

    Returns:
        Lower-case acronym to lower-case long form; the first one met wins.
    """
    found: dict[str, str] = {}
    for text in texts:
        for match in _PARENTHESIS.finditer(text):
            acronym = match[1].removesuffix("s") if match[1][:-1].isupper() else match[1]
            letters = re.sub(r"[^a-z]", "", acronym.lower())
            if len(letters) < 2 or acronym.lower() in found:
                continue
            before = re.findall(
                r"[A-Za-z][\w'’-]*", text[max(0, match.start() - 120) : match.start()]
            )
            long_form = _initials_match(letters, before)
            if long_form:
                found[acronym.lower()] = long_form
    return found


def _initials_match(letters: str, before: Sequence[str]) -> str | None:
    """The shortest run of words at the end whose initials spell the letters."""
    for length in range(1, min(len(letters) + 4, len(before)) + 1):
        run = before[-length:]
        if run[0].lower() in _STOP_WORDS:
            continue
        initials = [part[0].lower() for word in run for part in word.split("-") if part]
        position = 0
        for initial in initials:
            if position < len(letters) and initial == letters[position]:
                position += 1
        if position == len(letters) and initials[0] == letters[0]:
            return " ".join(run).lower()
    return None


def expand(text: str, acronyms: Mapping[str, str]) -> str:
    """Return the long forms of the acronyms in a text, and the acronyms of its long forms."""
    tokens = set(re.findall(r"[\w+&-]+", text.lower()))
    tokens |= {token.removesuffix("s") for token in tokens}
    flat = f" {' '.join(_LONG_WORDS.findall(text.lower()))} "
    found = [long_form for short, long_form in acronyms.items() if short in tokens]
    found += [short for short, long_form in acronyms.items() if _parted(long_form) in flat]
    return " ".join(found)


@lru_cache(maxsize=2000)
def _parted(long_form: str) -> str:
    """The words of an acronym's long form with a space around each."""
    return f" {' '.join(_LONG_WORDS.findall(long_form))} "
