"""Fit the weights of `rag.support` anew, and say what the guard is worth.

By hand: ``python -m eval.support_model``; takes some ten minutes, most of them
for embedding. Pairs are the statements of the shipped articles and the sentences
of the indexed sources they rest on: told in other words, and read by people. Against each stand
the same statement under neighbouring evidence, and the statement with a clause
of another, or with one fact changed, under its own. Articles are divided by
their id: weights are learned on some and judged on the others.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import beta

from rag.claims import Claims
from rag.embedder import Embedder, Vectors
from rag.guard import LIKELY, Guard
from rag.index import Generation
from rag.models import ArticleStatement, Evidence
from rag.settings import Settings, read_settings
from rag.support import Signs, Support
from rag.wiring import build_embedder, open_index

_STATEMENTS = 420
_HELD_OUT = 0.4
_WORTH = 3.0
"""How much a true pair weighs: there are several false ones for each."""
_RISES = (True, True, False)
"""Whether support rises with a sign, as in `_numbers`."""
_SWAPS = (
    ("required", "optional"), ("recommended", "required"), ("must", "may"), ("should", "must"),
    ("may", "must"), ("can", "cannot"), (" is ", " is not "), (" are ", " are not "),
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """A pair, and whether the text carries the statement."""

    kind: str
    text: str
    statement: str
    carried: bool
    held_out: bool


def examples(generation: Generation, embedder: Embedder) -> Iterator[Example]:
    """Pairs of every kind for some statements of the articles."""
    rng = random.Random(3)  # noqa: S311 - the same pairs each time
    told = [
        (article.article_id, said, [each for each in said.evidence if each.quote])
        for article in generation.articles
        for said in article.statements
        if article.kind != "known_gap"
    ]
    told = [each for each in told if each[2] and not says_what_is_not(each[1])]
    rng.shuffle(told)
    evidence = {each.quote or "": each for _, _, own in told for each in own}
    places: Vectors = embedder.passages(list(evidence))
    vectors = embedder.passages([said.text for _, said, _ in told])
    for (name, said, own), vector in zip(told[:_STATEMENTS], vectors, strict=False):
        held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100 < _HELD_OUT * 100

        def pair(
            kind: str,
            text: str,
            statement: str,
            carried: bool = False,
            held_out: bool = held_out,
        ) -> Example:
            return Example(kind, text, statement, carried, held_out)

        shown, chunks = _read(own), _chunks(generation, own)
        yield pair("true, evidence", shown, said.text, carried=True)
        yield pair("true, passage", chunks, said.text, carried=True)
        quotes = {each.quote for each in own}
        order = [list(evidence.values())[at] for at in np.argsort(-(places @ vector))]
        others = [each for each in order if each.quote not in quotes]
        yield pair("nearest evidence", _read(others[:1]), said.text)
        yield pair("near evidence", _read([others[rng.randint(3, 8)]]), said.text)
        own_chunks = {each.chunk_id for each in own}
        apart = next(each for each in others if each.chunk_id not in own_chunks)
        yield pair("nearest passage", _chunks(generation, [apart]), said.text)
        _, other, _ = told[int(rng.choice(np.argsort(-(vectors @ vector))[5:40]))]
        clause = re.split(r"[,;:.]\s", other.text)[0].rstrip(".")
        more = f"{said.text.rstrip('.')}, and {clause[0].lower()}{clause[1:]}."
        yield pair("clause added", shown, more)
        for kind, changed in changes(said.text, rng):
            yield pair(f"changed: {kind}", chunks, changed)


def says_what_is_not(said: ArticleStatement) -> bool:
    """Whether it tells what its pages do not say, which no sentence of them can carry."""
    quotes = "\n".join(each.quote or "" for each in said.evidence)
    return bool(Claims(said.text).negated) and not Claims(quotes).negated


def changes(statement: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """The statement with one fact changed, by kind."""
    figure = re.search(r"(?<![\w.])\d+(?![\w])", statement)
    if figure:
        other = str(int(figure.group()) + rng.choice((1, 2, 10)))
        yield "figure", statement[: figure.start()] + other + statement[figure.end() :]
    name = re.search(r"(?<=[a-z] )[A-Z][A-Za-z]{3,}", statement)
    if name:
        other = rng.choice(("Ruritania", "Nordfinch", "OpenVault", "Professor Quill"))
        yield "name", statement[: name.start()] + other + statement[name.end() :]
    for before, after in _SWAPS:
        if re.search(rf"(?<![\w]){before}(?![\w])", statement):
            kind = "negation" if "not" in after else "label"
            yield kind, re.sub(rf"(?<![\w]){before}(?![\w])", after, statement, count=1)
            return


def _read(evidence: Sequence[Evidence]) -> str:
    return "\n".join(
        line
        for each in evidence
        for line in dict.fromkeys((each.title, *each.section, each.label or "", each.quote or ""))
        if line
    )


def _chunks(generation: Generation, evidence: Sequence[Evidence]) -> str:
    names = dict.fromkeys(each.chunk_id for each in evidence if each.chunk_id)
    chunks = [generation.chunk_by_id(name) for name in names]
    return "\n".join(
        line
        for chunk in chunks
        if chunk
        for line in (chunk.title, *chunk.section, chunk.label or "", chunk.text)
        if line
    )


def _numbers(signs: Signs) -> tuple[float, float, float]:
    return signs.clause, signs.grams, signs.unseen


def fitted(
    signs: NDArray[np.float64], carried: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a logistic model in which every sign counts in its own direction."""
    worth = np.where(carried, _WORTH, 1.0)
    mean, spread = signs.mean(axis=0), signs.std(axis=0)
    scaled = (signs - mean) / spread

    def loss(chosen: NDArray[np.float64]) -> float:
        margin = np.where(carried, 1, -1) * (scaled @ chosen[:-1] + chosen[-1])
        return float((worth * np.logaddexp(0, -margin)).sum() + 0.5 * (chosen[:-1] ** 2).sum())

    bounds = [(0, None) if rises else (None, 0) for rises in _RISES]
    found = minimize(
        loss, np.zeros(signs.shape[1] + 1), bounds=[*bounds, (None, None)], method="L-BFGS-B"
    )
    weights = found.x[:-1] / spread
    return weights, float(found.x[-1] - weights @ mean)


def interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson 1934)."""
    low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    return low, high


def report(pairs: Sequence[Example], accepts: Callable[[Example], bool]) -> None:
    """Print how many pairs of each kind are accepted."""
    for kind in dict.fromkeys(each.kind for each in pairs):
        of_kind = [each for each in pairs if each.kind == kind]
        hits = sum(map(accepts, of_kind))
        low, high = interval(hits, len(of_kind))
        share = hits / len(of_kind)
        print(f"  {kind:20} {share:.3f} [{low:.3f}, {high:.3f}]  {hits} of {len(of_kind)}")  # noqa: T201


def main() -> None:
    """Learn, and print weights and what they are worth on articles that were held out."""
    settings = read_settings(Settings)
    generation, embedder = open_index(settings), build_embedder(settings)
    study(list(examples(generation, embedder)), embedder)


def study(pairs: Sequence[Example], embedder: Embedder) -> None:
    """The same for given pairs."""
    support = Support(embedder)
    # What one changed fact makes false is for the other checks.
    learned = [each for each in pairs if not each.held_out and "changed" not in each.kind]
    signs = np.array([_numbers(support.signs(each.text, each.statement)) for each in learned])
    weights, bias = fitted(signs, np.array([each.carried for each in learned]))
    print("weights", [round(float(each), 2) for each in weights], "bias", round(bias, 2))  # noqa: T201
    test = [each for each in pairs if each.held_out]
    print(f"accepted by support alone, as shipped, from {LIKELY}:")  # noqa: T201
    report(test, lambda each: support.signs(each.text, each.statement).likelihood >= LIKELY)
    guard = Guard(support)
    print("accepted by the guard:")  # noqa: T201
    report(test, lambda each: guard.check(each.statement, [each.text]).holds)


if __name__ == "__main__":
    main()
