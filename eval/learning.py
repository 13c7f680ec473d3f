"""Could learning from the asking variants match better? ``python -m eval.learning``, by hand.

Two things are learned from the ways people ask, and judged on articles they
were not learned from, in five folds: each variant of those is matched, itself
left out, with the variants of all articles, as `rag.articles` does.

The head is one matrix behind the frozen vectors of questions, so it keeps all
languages. The reader is a cross-encoder (made from MiniLM, which is English)
that reads a question beside title and first statement of the five best
articles, as a second opinion. What is left to choose (how long to learn, how
much an opinion weighs) is chosen on articles taken from the learned ones.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.special import log_softmax

from eval.metrics import Interval
from eval.peers.minilm import check
from rag.articles import centred, centres
from rag.embedder import Embedder, Vectors
from rag.errors import HelpdeskError
from rag.head import Head
from rag.models import Article
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, open_index

FOLDS = 5
ENGLISH = "en"
_SEED = 20
_ROUNDS = 10_000
_SIGNPOST = 10
"""A sentence that more articles rest on tells where to turn to, not what is asked."""

_SHARPNESSES = (0.03, 0.05, 0.1)
"""Temperatures of the head to choose from: differences in cosine that count as large."""
_RATE = 5e-4
_STEPS = 100
_PAUSE = 10
"""Steps between two looks at the articles on which their number is chosen."""
_BATCH = 512
"""Variants of a step; each is told from those of all articles learned from."""

BEST = 5
"""Articles that the reader gives its opinion on."""
_RIVALS = 2
"""Of them, how many wrong ones it learns a question with."""
_WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""What an opinion (a logarithm of a probability) may count beside a cosine."""
_READ_RATE = 1e-4
_READ_BATCH = 10
_READ_TOKENS = 64
_READ_FROZEN = 3
"""Lower layers, of six, that stay as they are: all take twice the time."""

Numbers = NDArray[np.int64]
Scores = NDArray[np.float32]
Pair = tuple[str, str]
Reader = Callable[[Sequence[Pair]], Scores]
"""Pairs of a question and what an article says -> how well they go together."""
Teacher = Callable[[Sequence[Sequence[Pair]]], Reader]
"""Groups of pairs, in each the right one first -> what was learned from them."""
Matcher = Callable[[Numbers], Scores]
"""Articles to learn from -> how all variants are matched then, ``(variants, articles)``."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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


def _ranks(scores: Scores, owners: Numbers) -> Numbers:
    """At which rank the own article comes; behind those that score the same."""
    own = scores[np.arange(len(scores)), owners]
    return np.asarray((scores >= own[:, None]).sum(axis=1), dtype=np.int64)


def learn_head(asked: Asked, articles: Numbers, seed: int) -> Head:
    """Learn a head from some articles.

    How sharply and how long is chosen on a fifth of them that is left out at
    first; that may be not at all.
    """
    chosen, *others = folds_of(articles, seed)
    known, rows = np.sort(articles), asked.rows(chosen)

    def reciprocal(head: Head) -> float:
        # Matched with these articles alone: of those left out for good nothing is known.
        scores = article_scores(asked, head.applied(asked.vectors), rows)[:, known]
        return float((1 / _ranks(scores, np.searchsorted(known, asked.owners[rows]))).mean())

    found = [
        (reciprocal(head), -sharpness, -steps)
        for sharpness in _SHARPNESSES
        for steps, head in _heads(asked, np.concatenate(others), sharpness, _STEPS, seed)
    ]
    _, sharpness, steps = max(found)
    return _heads(asked, articles, -sharpness, -int(steps), seed)[-1][1]


def _heads(
    asked: Asked, articles: Numbers, sharpness: float, steps: int, seed: int
) -> list[tuple[int, Head]]:
    """The head after every few steps, from the identity on.

    Each variant is drawn to those of its article, the nearest most, and away
    from the variants of articles that are not akin, likewise.

    Source: Goldberger et al. (2004), Neighbourhood components analysis.
    """
    import torch

    rows = asked.rows(articles)
    owners = asked.owners[rows]
    vectors = torch.from_numpy(asked.vectors[rows])
    itself = torch.eye(len(rows), dtype=torch.bool)
    same = torch.from_numpy(owners[:, None] == owners[None, :]) & ~itself
    told_apart = same | torch.from_numpy(~asked.akin[np.ix_(owners, owners)])
    matrix = torch.nn.Parameter(torch.eye(vectors.shape[1]))
    descent = torch.optim.Adam([matrix], lr=_RATE)
    lot = torch.Generator().manual_seed(seed)
    found = [(0, _in_eight_bits(matrix.detach().numpy()))]
    for step in range(1, steps + 1):
        batch = torch.randperm(len(rows), generator=lot)[:_BATCH]
        seen = torch.nn.functional.normalize(vectors @ matrix.T, dim=1)
        cosines = seen[batch] @ seen.T / sharpness
        right = cosines.masked_fill(~same[batch], -torch.inf).logsumexp(dim=1)
        every = cosines.masked_fill(~told_apart[batch], -torch.inf).logsumexp(dim=1)
        loss: Any = (every - right).mean()
        descent.zero_grad()
        loss.backward()
        descent.step()
        if step % _PAUSE == 0 or step == steps:
            found.append((step, _in_eight_bits(matrix.detach().numpy())))
    return found


def _in_eight_bits(matrix: Vectors) -> Head:
    scales = np.abs(matrix).max(axis=1) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    return Head(np.round(matrix / scales[:, None]).astype(np.int8), scales)


def shipped_scores(asked: Asked) -> Scores:
    """How what is shipped matches each variant; shape ``(variants, articles)``."""
    return article_scores(asked, asked.vectors, np.arange(len(asked.texts)))


def head_matcher(asked: Asked, seed: int, say: Callable[[str], None] = lambda _: None) -> Matcher:
    """What matches with heads; what was learned once is remembered."""
    every = np.arange(len(asked.texts))
    known: dict[bytes, Scores] = {}

    def match(articles: Numbers) -> Scores:
        key = np.sort(articles).tobytes()
        if key not in known:
            say(f"learning a head from {len(articles)} articles")
            head = learn_head(asked, np.sort(articles), seed)
            known[key] = article_scores(asked, head.applied(asked.vectors), every)
        return known[key]

    return match


def left_out_scores(asked: Asked, match: Matcher, seed: int) -> Scores:
    """How each variant is matched by what did not learn from its article."""
    articles = np.arange(len(asked.said))
    scores = np.empty((len(asked.texts), len(articles)), dtype=np.float32)
    for fold in folds_of(articles, seed):
        rows = asked.rows(fold)
        scores[rows] = match(np.setdiff1d(articles, fold))[rows]
    return scores


def read_scores(
    asked: Asked,
    matchers: Sequence[Matcher],
    teach: Teacher,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> list[Scores]:
    """How the best articles rank with the opinion of readers, for English variants.

    Args:
        asked: The variants.
        matchers: What finds the best articles; an opinion is heard on those of each.
        teach: Makes a reader.
        seed: For the lot that shares out the articles.
        say: Told what is being done.

    Returns:
        For each matcher what `left_out_scores` returns; where an opinion was
        heard, only the order means something.
    """
    english = np.flatnonzero(asked.languages == ENGLISH)
    articles = np.arange(len(asked.said))
    shipped = shipped_scores(asked)
    found = [left_out_scores(asked, match, seed) for match in matchers]
    for number, fold in enumerate(folds_of(articles, seed), start=1):
        chosen, *others = folds_of(np.setdiff1d(articles, fold), seed)
        learned = np.concatenate(others)
        groups = _groups(asked, shipped, np.intersect1d(asked.rows(learned), english), learned)
        say(f"reader, fold {number}: {len(groups)} questions to read")
        reader = teach(groups)
        on = np.intersect1d(asked.rows(chosen), english)
        rows = np.intersect1d(asked.rows(fold), english)
        for match, scores in zip(matchers, found, strict=True):
            weight = _chosen_weight(asked, match(learned)[on], on, reader)
            say(f"its opinion counts {weight}")
            scores[rows] = _reordered(
                scores[rows], _opinions(asked, scores[rows], rows, reader), weight
            )
    return found


def _chosen_weight(asked: Asked, matched: Scores, rows: Numbers, reader: Reader) -> float:
    """The weight with which most articles come first; the least of several."""
    opinions = _opinions(asked, matched, rows, reader)
    first = {
        weight: (_ranks(_reordered(matched, opinions, weight), asked.owners[rows]) == 1).mean()
        for weight in _WEIGHTS
    }
    return max(_WEIGHTS, key=lambda weight: (first[weight], -weight))


def _groups(
    asked: Asked, shipped: Scores, rows: Numbers, articles: Numbers
) -> list[tuple[Pair, ...]]:
    """Each question with its article and with the wrong ones that come nearest."""
    groups = []
    for row in rows:
        own = asked.owners[row]
        wrong = articles[~asked.akin[own, articles]]
        nearest = wrong[np.argsort(-shipped[row, wrong], kind="stable")[:_RIVALS]]
        groups.append(tuple((asked.texts[row], asked.said[each]) for each in (own, *nearest)))
    return groups


def _best(matched: Scores) -> Numbers:
    return np.argsort(-matched, axis=1, kind="stable")[:, :BEST]


def _opinions(asked: Asked, matched: Scores, rows: Numbers, reader: Reader) -> Scores:
    """Of the best articles for each variant, logarithms of their probabilities."""
    best = _best(matched)
    pairs = [
        (asked.texts[row], asked.said[each])
        for row, several in zip(rows, best, strict=True)
        for each in several
    ]
    return np.asarray(log_softmax(reader(pairs).reshape(best.shape), axis=1), dtype=np.float32)


def _reordered(matched: Scores, opinions: Scores, weight: float) -> Scores:
    """Scores with the best ones in another order, all of them still above the rest."""
    best = _best(matched)
    both = np.take_along_axis(matched, best, axis=1) + np.float32(weight) * opinions
    order = np.argsort(-both, axis=1, kind="stable")
    places = np.broadcast_to(np.arange(len(best[0]), 0, -1) + 1, best.shape)
    scores = matched.copy()
    np.put_along_axis(scores, np.take_along_axis(best, order, axis=1), places, axis=1)
    return scores


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
    ranks = _ranks(scores[rows], owners)
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
    draws = np.random.default_rng(_SEED).integers(0, len(sums), (_ROUNDS, len(sums)))
    low, high = np.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def teach_minilm(groups: Sequence[Sequence[Pair]], *, folder: str, seed: int) -> Reader:
    """Make a cross-encoder of MiniLM, going once over the groups.

    In each the right pair is to score highest, by cross-entropy over the group.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    # It would warn of what the weights lack: the layer that is learned here.
    loud: Any = logging
    loud.set_verbosity_error()
    loud.disable_progress_bar()
    torch.manual_seed(seed)
    encoder: Any = CrossEncoder(folder, num_labels=1, max_length=_READ_TOKENS, device="cpu")
    model = encoder.model
    frozen = ("embeddings.", *(f"layer.{layer}." for layer in range(_READ_FROZEN)))
    for name, values in model.named_parameters():
        values.requires_grad_(not any(part in name for part in frozen))
    learned = [values for values in model.parameters() if values.requires_grad]
    descent = torch.optim.AdamW(learned, lr=_READ_RATE)
    starts = range(0, len(groups), _READ_BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(descent, _READ_RATE, total_steps=len(starts) + 1)
    order = np.random.default_rng(seed).permutation(len(groups))
    model.train()
    for start in starts:
        some = [groups[each] for each in order[start : start + _READ_BATCH]]
        width = max(map(len, some))
        logits = _logits(encoder, [pair for group in some for pair in group])
        scores = torch.full((len(some), width), -torch.inf)
        scores[[row for row, group in enumerate(some) for _ in group],
               [place for group in some for place in range(len(group))]] = logits  # fmt: skip
        right = torch.zeros(len(some), dtype=torch.long)
        loss: Any = torch.nn.functional.cross_entropy(scores, right)
        descent.zero_grad()
        loss.backward()
        descent.step()
        pace.step()
    model.eval()

    def read(pairs: Sequence[Pair]) -> Scores:
        found = np.empty(len(pairs), dtype=np.float32)
        # Pairs of like length share a batch: none waits for the longest.
        by_length = np.argsort([len(question) + len(said) for question, said in pairs])
        with torch.inference_mode():
            for batch in np.array_split(by_length, max(1, len(pairs) // 64)):
                found[batch] = _logits(encoder, [pairs[each] for each in batch]).numpy()
        return found

    return read


def _logits(encoder: Any, pairs: Sequence[Pair]) -> Any:
    import torch

    questions, said = zip(*pairs, strict=True)
    tokens = encoder.tokenizer(
        list(questions), list(said), padding=True, truncation=True, max_length=_READ_TOKENS,
        return_tensors="pt",
    )  # fmt: skip
    # Half the bits take half the time where the processor has them.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = encoder.model(**tokens).logits
    return logits.float().reshape(-1)


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


def _told(name: str, subset: str, found: Sequence[Gain]) -> str:
    return "\n".join(
        f"{name:20} {subset:8} {gain.measure:12} {gain.before:.3f}  {gain.after:.3f}"
        f"  {gain.difference.mean:+.3f} [{gain.difference.low:+.3f}, {gain.difference.high:+.3f}]"
        for gain in found
    )


def wins(found: Sequence[Gain]) -> bool:
    """Whether learning is worth it: the interval of the gain in P@1 lies above 0."""
    return found[0].difference.low > 0


@app.command()
def main(
    seed: Annotated[int, typer.Option(help="For all that is left to chance.")] = _SEED,
    minilm: Annotated[
        Path | None,
        typer.Option(
            help="Folder of all-MiniLM-L6-v2, for the reader; without it: the head alone."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    save: Annotated[
        Path | None, typer.Option(help="Where to keep a head learned from all articles (.npz).")
    ] = None,
) -> None:
    """Learn from the ways people ask, and say whether that is worth anything."""
    say = partial(typer.echo, err=True)
    try:
        settings = read_settings(Settings)
        if minilm:
            check(minilm / "model.safetensors")
        embedder = build_embedder(settings)
        articles = open_index(settings).articles
    except (HelpdeskError, OSError) as error:
        typer.echo(f"eval.learning: {error}", err=True)
        raise typer.Exit(1) from error
    asked = asked_of(
        articles, lambda texts: embedded(texts, embedder, settings.data_dir / "learning")
    )
    if len(asked.said) < FOLDS**2:
        typer.echo(f"eval.learning: {len(asked.said)} articles are too few to learn from", err=True)
        raise typer.Exit(1)
    import torch

    torch.set_num_threads(threads)
    every = np.arange(len(asked.texts))
    english = every[asked.languages == ENGLISH]
    shipped = shipped_scores(asked)
    typer.echo(
        f"{len(asked.said)} articles, {len(every)} variants in {len(set(asked.languages))}"
        f" languages; {FOLDS} folds of articles, seed {seed}; before, after, gain"
    )
    match = head_matcher(asked, seed, say)
    headed = left_out_scores(asked, match, seed)
    total = gains(asked, shipped, headed, every)
    typer.echo(_told("head", "all", total))
    for subset, rows in (("English", english), ("other", np.setdiff1d(every, english))):
        if len(rows):
            typer.echo(_told("head", subset, gains(asked, shipped, headed, rows)))
    typer.echo(f"head: {_verdict(total)}")
    if save or wins(total):
        head = learn_head(asked, np.arange(len(asked.said)), seed)
        typer.echo(f"head, learned from all articles, in 8 bits: {head.size / 1e6:.2f} MB")
        if save:
            head.save(save, embedder.name)
    if minilm and len(english):
        teach = partial(teach_minilm, folder=str(minilm), seed=seed)
        read, both = read_scores(asked, [lambda _: shipped, match], teach, seed, say)
        for name, before, after in (
            ("reader", shipped, read),
            ("reader beside head", headed, both),
        ):
            found = gains(asked, before, after, english)
            typer.echo(_told(name, "English", found))
            typer.echo(f"{name}: {_verdict(found)}")


def _verdict(found: Sequence[Gain]) -> str:
    return "wins" if wins(found) else "does not win"


if __name__ == "__main__":
    app(prog_name="python -m eval.learning")
