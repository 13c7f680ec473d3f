"""The asking variants of all articles: laid out, matched, and what a matching is worth."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.metrics import Interval
from rag.articles import centred, centres
from rag.embedder import Embedder, Vectors
from rag.models import Article

FOLDS = 5
SEED = 20
_ROUNDS = 10_000
_SIGNPOST = 10
"""A sentence that more articles rest on tells where to turn to, not what is asked."""

Numbers = NDArray[np.int64]
Scores = NDArray[np.float32]
Matcher = Callable[[Numbers], Scores]
"""Articles to learn from -> how all variants are matched then, ``(variants, articles)``."""


@dataclass(frozen=True)
class Asked:
    """The asking variants of all articles, a row each."""

    texts: tuple[str, ...]
    languages: NDArray[np.str_]
    """ISO 639-1 of each."""
    owners: Numbers
    """The number of the article of each, ascending."""
    vectors: Vectors
    """As they are matched: less what their language has in common, of length 1."""
    said: tuple[str, ...]
    """Of each article its title and its first statement."""
    akin: NDArray[np.bool_]
    """Shape ``(articles, articles)``: whether two rest on the same sentence, or are one."""

    def rows(self, articles: Numbers) -> Numbers:
        """The variants of some articles."""
        return np.flatnonzero(np.isin(self.owners, articles))


@dataclass(frozen=True)
class Gain:
    """A measure without something learned, and with it."""

    measure: str
    before: float
    after: float
    difference: Interval


def asked_of(articles: Sequence[Article], embed: Callable[[Sequence[str]], Vectors]) -> Asked:
    """Lay out the variants of the articles that have at least two.

    Args:
        articles: As an index holds them.
        embed: Questions to unit vectors.
    """
    kept = [article for article in articles if len(article.asks) > 1]
    asks = [(number, ask) for number, article in enumerate(kept) for ask in article.asks]
    texts = tuple(ask.text for _, ask in asks)
    languages = [ask.language for _, ask in asks]
    vectors = embed(texts)
    return Asked(
        texts=texts,
        languages=np.array(languages, dtype=np.str_),
        owners=np.array([number for number, _ in asks], dtype=np.int64),
        vectors=centred(vectors, languages, centres(vectors, languages)),
        said=tuple(f"{article.title}. {article.statements[0].text}" for article in kept),
        akin=_akin(kept),
    )


def _akin(articles: Sequence[Article]) -> NDArray[np.bool_]:
    """Which articles share a pinned sentence that is no signpost."""
    pins = [
        {
            (each.source, each.path, each.pin)
            for said in article.statements
            for each in said.evidence
        }
        for article in articles
    ]
    held = Counter(pin for each in pins for pin in each)
    telling = [{pin for pin in each if held[pin] <= _SIGNPOST} for each in pins]
    shared = np.eye(len(articles), dtype=np.bool_)
    for one, some in enumerate(telling):
        for other in range(one):
            shared[one, other] = shared[other, one] = not some.isdisjoint(telling[other])
    return shared


def embedded(texts: Sequence[str], embedder: Embedder, directory: Path) -> Vectors:
    """Embed questions, unless a file in a directory holds these very ones."""
    digest = hashlib.sha256("\0".join((embedder.name, *texts)).encode()).hexdigest()
    file = directory / f"{digest[:32]}.npy"
    if file.is_file():
        return np.asarray(np.load(file), dtype=np.float32)
    vectors = embedder.queries(texts)
    directory.mkdir(parents=True, exist_ok=True)
    np.save(file, vectors)
    return vectors


def folds_of(articles: Numbers, seed: int) -> list[Numbers]:
    """Share articles out by lot; each is in one fold."""
    return np.array_split(np.random.default_rng(seed).permutation(articles), FOLDS)


def article_scores(asked: Asked, vectors: Vectors, rows: Numbers) -> Scores:
    """Match variants, each itself left out.

    Args:
        asked: What is matched with.
        vectors: Of all variants.
        rows: The variants to match.

    Returns:
        The cosine of the best variant of each article; shape ``(rows, articles)``.
    """
    cosines = vectors[rows] @ vectors.T
    cosines[np.arange(len(rows)), rows] = -1.0
    starts = np.searchsorted(asked.owners, np.arange(len(asked.said)))
    return np.asarray(np.maximum.reduceat(cosines, starts, axis=1), dtype=np.float32)


def shipped_scores(asked: Asked) -> Scores:
    """How what is shipped matches each variant; shape ``(variants, articles)``."""
    return article_scores(asked, asked.vectors, np.arange(len(asked.texts)))


def left_out_scores(asked: Asked, match: Matcher, seed: int) -> Scores:
    """How each variant is matched by what did not learn from its article."""
    articles = np.arange(len(asked.said))
    scores = np.empty((len(asked.texts), len(articles)), dtype=np.float32)
    for fold in folds_of(articles, seed):
        rows = asked.rows(fold)
        scores[rows] = match(np.setdiff1d(articles, fold))[rows]
    return scores


def own_ranks(scores: Scores, owners: Numbers) -> Numbers:
    """At which rank the own article comes; behind those that score the same."""
    own = scores[np.arange(len(scores)), owners]
    return np.asarray((scores >= own[:, None]).sum(axis=1), dtype=np.int64)


def gains(asked: Asked, before: Scores, after: Scores, rows: Numbers) -> tuple[Gain, ...]:
    """What learning changed for some variants.

    The variants of an article stand or fall together, so intervals are over
    articles drawn again and again, not over variants.
    """
    old, new = (_measured(asked, scores, rows) for scores in (before, after))
    return tuple(
        Gain(
            name,
            float(old[name].mean()),
            float(new[name].mean()),
            _interval(new[name] - old[name], asked.owners[rows]),
        )
        for name in old
    )


def _measured(asked: Asked, scores: Scores, rows: Numbers) -> dict[str, NDArray[np.float64]]:
    owners = asked.owners[rows]
    ranks = own_ranks(scores[rows], owners)
    alike = asked.akin[owners, scores[rows].argmax(axis=1)]
    return {
        "P@1": (ranks == 1).astype(np.float64),
        "MRR": 1.0 / ranks,
        "P@1 lenient": alike.astype(np.float64),
    }


def _interval(values: NDArray[np.float64], owners: Numbers) -> Interval:
    """Mean over variants with a 95 % percentile interval over articles.

    Source: Davison and Hinkley (1997), Bootstrap Methods and their Application, 3.8.
    """
    _, groups = np.unique(owners, return_inverse=True)
    sums, counts = np.bincount(groups, weights=values), np.bincount(groups)
    draws = np.random.default_rng(SEED).integers(0, len(sums), (_ROUNDS, len(sums)))
    low, high = np.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def wins(found: Sequence[Gain]) -> bool:
    """Whether learning is worth it: the interval of the gain in P@1 lies above 0."""
    return found[0].difference.low > 0
