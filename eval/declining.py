"""Learn which questions to decline from examples: ``python -m eval.declining``, by hand.

Examples of each kind stand in ``corpus/refusals``, one idea a row, in one
language or many; what can be answered are fair look-alikes beside them, and
the ways people ask the articles. An idea, or an article, is left out with all
its languages when it is judged, so what is measured is new to what was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from eval.learning.asks import embedded
from rag.declining import ANSWERABLE, Declining
from rag.embedder import Vectors
from rag.errors import BadSetting, HelpdeskError
from rag.kept import read_kept
from rag.models import Article
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, open_index

EXAMPLES = "refusals"
"""Their folder in the corpus folder; a file is a kind."""
FOLDS = 5
_SEED = 20
_STRENGTH = 10.0
"""Inverse of the regularisation, chosen among 3, 10, 30 and 100 by cross-validation."""
_SPREAD = 2.5
"""Vectors of one model lie close together; spread like this their length is near 1."""
_FALSE, _SURELY_FALSE = 0.01, 0.003
"""Shares of questions with an answer above the bar, and above that for being sure."""
_ROUNDS = 200
_SAFETY = {
    "instructions-to-the-assistant": "unsafe_instructions",
    "no-data-on-a-named-person": "unsafe_identity",
    "identifying-a-person-from-data": "unsafe_identity",
    "no-way-round-committee-or-consent": "unsafe_bypass",
    "personal-medical-advice": "unsafe_medical",
}
"""Articles whose ways of asking are examples of what is unsafe."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Example:
    """One text, its language (ISO 639-1) and kind, and the idea it is a wording of."""

    text: str
    language: str
    kind: str
    idea: str


def read_examples(corpus: Path) -> list[Example]:
    """Read the examples of a corpus folder.

    Raises:
        BadSetting: A file is broken; the message names it.
    """
    found = []
    for file in sorted((corpus / EXAMPLES).glob("*.yaml")):
        ideas = read_kept(file)
        if not isinstance(ideas, list) or not all(isinstance(each, dict) for each in ideas):
            raise BadSetting(f"cannot read {file}: it is no list of ideas")
        found += [
            Example(str(text), str(language), file.stem, f"{file.stem} {number}")
            for number, idea in enumerate(ideas)
            for language, text in idea.items()
        ]
    return found


def asks_as_examples(articles: Sequence[Article]) -> list[Example]:
    """The ways people ask: answerable, but those of the articles on safety."""
    return [
        Example(
            ask.text,
            ask.language,
            _SAFETY.get(article.article_id, ANSWERABLE) if article.kind == "safety" else ANSWERABLE,
            f"article {article.article_id}",
        )
        for article in articles
        for ask in article.asks
    ]


def learn(vectors: Vectors, kinds: NDArray[np.str_], bar: float, sure: float) -> Declining:
    """Learn from vectors of questions, and their kinds."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    middle = vectors.mean(axis=0)
    model: Any = LogisticRegression(C=_STRENGTH, max_iter=_ROUNDS, tol=1e-3)
    model.fit((vectors - middle) * _SPREAD, kinds)
    weights: Vectors = model.coef_ * _SPREAD
    return Declining(
        kinds=tuple(str(each) for each in model.classes_),
        weights=weights.astype(np.float32),
        offsets=(model.intercept_ - weights @ middle).astype(np.float32),
        bar=bar,
        sure=sure,
    )


def left_out_shares(
    vectors: Vectors, kinds: NDArray[np.str_], ideas: Sequence[str]
) -> tuple[Vectors, tuple[str, ...]]:
    """How likely each kind is by what did not learn from the idea; and the kinds."""
    from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

    names = tuple(sorted(set(kinds.tolist())))
    shares = np.zeros((len(vectors), len(names)), dtype=np.float32)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=_SEED)
    for known, left_out in folds.split(vectors, kinds, ideas):
        shares[left_out] = learn(vectors[known], kinds[known], 1, 1).shares(vectors[left_out])
    return shares, names


def bar_of(shares: Vectors, names: Sequence[str], kinds: NDArray[np.str_], false: float) -> float:
    """The bar above which that share of the answerable lies."""
    unlikely = 1 - shares[kinds == ANSWERABLE, list(names).index(ANSWERABLE)]
    return float(np.quantile(unlikely, 1 - false))


def _told(
    shares: Vectors, names: Sequence[str], examples: Sequence[Example], bar: float
) -> list[str]:
    answerable = list(names).index(ANSWERABLE)
    declined = 1 - shares[:, answerable] > bar
    told = []
    for part in ("kind", "language"):
        groups: dict[str, list[bool]] = {}
        for example, hit in zip(examples, declined, strict=True):
            if part == "kind" or example.kind != ANSWERABLE:
                groups.setdefault(getattr(example, part), []).append(bool(hit))
        told += [f"{name:24} {np.mean(hits):.3f} of {len(hits)}" for name, hits in groups.items()]
    return told


@app.command()
def main(
    save: Annotated[
        Path | None, typer.Option(help="Where to keep what was learned (.npz).")
    ] = None,
) -> None:
    """Learn what to decline, and say what share of each kind is declined."""
    try:
        settings = read_settings(Settings)
        embedder = build_embedder(settings)
        examples = read_examples(settings.corpus_dir)
        examples += asks_as_examples(open_index(settings).articles)
    except (HelpdeskError, OSError) as error:
        typer.echo(f"eval.declining: {error}", err=True)
        raise typer.Exit(1) from error
    texts = [example.text for example in examples]
    vectors = embedded(texts, embedder, settings.data_dir / "learning")
    kinds = np.array([example.kind for example in examples])
    shares, names = left_out_shares(vectors, kinds, [example.idea for example in examples])
    bar, sure = (bar_of(shares, names, kinds, false) for false in (_FALSE, _SURELY_FALSE))
    typer.echo(f"{len(examples)} examples, {FOLDS} folds of ideas; bar {bar:.2f}; declined:")
    typer.echo("\n".join(_told(shares, names, examples, bar)))
    if save:
        learn(vectors, kinds, bar, sure).save(save, embedder.name)


if __name__ == "__main__":
    app(prog_name="python -m eval.declining")
