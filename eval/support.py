"""Does a text support a statement: the judge under the scores of answers.

The usual judge is a model of natural language inference. None ships in a
package and none can be fetched offline. `semantic_support` is the guard of
written answers, more lenient: facts one by one, and an embedder for what is told
in other words. `lexical_support` is a check of words alone; `EntailmentModel` takes
a cross-encoder by name where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from rag.claims import (
    CARRIES,
    COMMITS,
    Claims,
    alike,
    duties_of,
    figures_held,
    name_held,
    negations_agree,
    opposed,
    spelt,
    turned,
)
from rag.embedder import Embedder
from rag.guard import Guard
from rag.support import Support


class Supports(Protocol):
    """Whether whoever accepts the premise must accept the statement."""

    def __call__(self, premise: str, statement: str) -> bool:
        """Judge one pair."""


_SHARE = 0.8
"""Share of a statement's words that its premise must hold; set on the tuning half of
``eval/data/support.jsonl``, where 0.7 lets two more false statements pass and 0.9 two
more true ones fail."""
_SUBJECT = 1
"""Words at the head of a statement that must be among them: what it speaks of."""


def lexical_support(premise: str, statement: str) -> bool:
    """Whether the words of a premise carry a statement.

    All of these must hold: every figure of the statement stands in the
    premise, number words counting as figures; every name, acronym or code
    does, an acronym also as the initials of its words; most of the other words
    do, and those the statement begins with in any case, inflected or
    compounded words being alike by their 4-grams; nothing is negated in one
    and not in the other; a label (required, recommended, optional) is carried
    by a word of its kind; no word has its opposite in the premise and is not
    there itself; subject and object have not changed places.

    It knows no synonym and no arithmetic, and little of grammar. Measured on the
    100 pairs of ``eval/data/support.jsonl``, half of them unsupported by one
    changed fact: accuracy 0.92 on the half it was tuned on and 0.90 on the
    other; it accepts 46 of 50 true statements and 5 of 50 false ones. The pairs
    are short and stay near their premise's words: statements retold freely
    fare worse, so a score under this judge is a lower bound where it counts
    what is supported.

    Args:
        premise: What is accepted, any number of sentences.
        statement: What is claimed, one sentence or two.
    """
    known, claimed = Claims(premise), Claims(statement)
    if not claimed.stems and not claimed.counts:
        return False
    return (
        figures_held(claimed, known)
        and _held(claimed, known)
        and all(name_held(word, known) for word in claimed.names)
        and not opposed(claimed, known)
        and duties_of(claimed, COMMITS) <= duties_of(known, CARRIES)
        and negations_agree(claimed, known)
        and not turned(claimed, known)
    )


def _held(claimed: Claims, known: Claims) -> bool:
    stems = list(dict.fromkeys(claimed.stems))
    there = set(known.stems)
    held = [alike(stem, there) or spelt(stem, known) for stem in stems]
    return all(held[:_SUBJECT]) and sum(held) >= _SHARE * len(held)


_LIKELY = 0.5
"""Likelihood from which a text supports a statement here; the guard asks for more."""


def semantic_support(embedder: Embedder) -> Supports:
    """A judge that knows when the same is told in other words, in other languages too.

    What it is worth: ``python -m eval.support_model``, and `lexical_support` for
    comparison.
    """
    guard = Guard(Support(embedder), likely=_LIKELY, known=0)

    def supports(premise: str, statement: str) -> bool:
        return guard.check(statement, [premise]).holds

    return supports


class EntailmentModel:
    """A cross-encoder trained for natural language inference, by name or path."""

    def __init__(self, model: str) -> None:
        """Load the model; torch is imported here and nowhere else.

        Raises:
            ValueError: It cannot be loaded, or has no class for entailment.
        """
        try:
            from sentence_transformers import CrossEncoder

            self._model: Any = CrossEncoder(model)
        except Exception as error:
            # The library raises whatever its many back ends raise.
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"the judge {model!r} cannot be loaded: {reason}") from error
        labels: Iterable[tuple[int, str]] = self._model.model.config.id2label.items()
        entails = [number for number, label in labels if label.lower().startswith("entail")]
        if not entails:
            raise ValueError(f"the judge {model!r} has no class for entailment")
        self._entails = entails[0]

    def __call__(self, premise: str, statement: str) -> bool:
        """Whether entailment is the likeliest of the classes."""
        scores = self._model.predict([(premise, statement)])[0]
        return int(scores.argmax()) == self._entails
