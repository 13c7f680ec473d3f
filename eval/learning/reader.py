"""The reader: a second opinion on the best articles, by a cross-encoder that learned to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import log_softmax

from eval.learning.asks import (
    Asked,
    Matcher,
    Numbers,
    Scores,
    folds_of,
    left_out_scores,
    own_ranks,
    shipped_scores,
)

ENGLISH = "en"
BEST = 5
"""Articles that the reader gives its opinion on."""
_RIVALS = 2
"""Of them, how many wrong ones it learns a question with."""
_WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""What an opinion (a logarithm of a probability) may count beside a cosine."""
_RATE = 1e-4
_BATCH = 10
_TOKENS = 64
_FROZEN = 3
"""Lower layers, of six, that stay as they are: all take twice the time."""

Pair = tuple[str, str]
Reader = Callable[[Sequence[Pair]], Scores]
"""Pairs of a question and what an article says -> how well they go together."""
Teacher = Callable[[Sequence[Sequence[Pair]]], Reader]
"""Groups of pairs, in each the right one first -> what was learned from them."""


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
        weight: (own_ranks(_reordered(matched, opinions, weight), asked.owners[rows]) == 1).mean()
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
    encoder: Any = CrossEncoder(folder, num_labels=1, max_length=_TOKENS, device="cpu")
    model = encoder.model
    frozen = ("embeddings.", *(f"layer.{layer}." for layer in range(_FROZEN)))
    for name, values in model.named_parameters():
        values.requires_grad_(not any(part in name for part in frozen))
    learned = [values for values in model.parameters() if values.requires_grad]
    descent = torch.optim.AdamW(learned, lr=_RATE)
    starts = range(0, len(groups), _BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(descent, _RATE, total_steps=len(starts) + 1)
    order = np.random.default_rng(seed).permutation(len(groups))
    model.train()
    for start in starts:
        some = [groups[each] for each in order[start : start + _BATCH]]
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
        list(questions), list(said), padding=True, truncation=True, max_length=_TOKENS,
        return_tensors="pt",
    )  # fmt: skip
    # Half the bits take half the time where the processor has them.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = encoder.model(**tokens).logits
    return logits.float().reshape(-1)
