"""Which questions are declined for what they ask, told by the vector of the question.

Words alone are thin outside English, so one linear layer was learned from
examples in 25 languages (``corpus/refusals``) against the ways people ask what
the articles answer. What it is worth: docs/decisions/0012-declining-by-example.md;
``python -m eval.declining`` learns it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.embedder import Vectors
from rag.learned import Misfit, Numbers, read_learned
from rag.models import Gap, Reason

HEAD = "declining_head.npz"
"""Its file in the corpus folder."""
ANSWERABLE = "answerable"
"""The kind of all questions that go on to retrieval."""


_REASONS: dict[str, Reason] = {
    "unsafe": "unsafe", "out": "out_of_scope", "unclear": "unclear", "greeting": "unclear",
}  # fmt: skip
"""The reason of a kind, by its first word."""
_NEXT = {
    "out_of_scope_modality": "out_of_scope_modality_next",
    "out_of_scope_doing": "out_of_scope_doing_next",
    "unclear_reference": "unclear_reference_next",
    "unclear_acronym": "unclear_acronym_next",
    "unsafe_medical": "unsafe_medical_next",
    "greeting": "greeting_next",
}
"""Kinds after which something else is to be done than after others of their reason."""


@dataclass(frozen=True)
class Refusal:
    """Why a question is not answered."""

    reason: Reason
    message: str
    """Key of the text that is said."""
    gap: Gap | None = None
    sure: bool = True
    """Whether nothing that may be found could make it wrong."""
    acronym: str = ""
    """One that may stand for several things, as typed."""
    meanings: tuple[str, ...] = ()
    """What it may stand for."""

    @property
    def next_step(self) -> str:
        """Key of the text that says what to do instead."""
        return _NEXT.get(self.message, f"{self.reason}_next")


def refusal_of(kind: str) -> Refusal:
    """The refusal of a kind, named by the key of its text."""
    return Refusal(_REASONS[kind.partition("_")[0]], kind)


@dataclass(frozen=True)
class Likely:
    """A kind for which a question is probably to be declined."""

    kind: str
    sure: bool


@dataclass(frozen=True)
class Declining:
    """Multinomial logistic regression over the vectors of one embedder."""

    kinds: tuple[str, ...]
    """`ANSWERABLE`, and the keys of the texts that are said."""
    weights: Vectors
    """Shape ``(kinds, dimensions)``."""
    offsets: Vectors
    """Shape ``(kinds,)``."""
    bar: float
    """How unlikely it must be that a question can be answered, 0..1."""
    sure: float
    """How unlikely to be sure of it, 0..1."""

    def shares(self, vectors: Vectors) -> Vectors:
        """How likely each kind is; shape ``(n, kinds)``, rows add up to 1."""
        scores = vectors @ self.weights.T + self.offsets
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True), dtype=np.float32)

    def kind(self, vector: Vectors) -> Likely | None:
        """The kind for which a question is declined, None where it is not sure enough.

        Args:
            vector: The question alone; shape ``(dimensions,)``.
        """
        shares = self.shares(vector[None, :])[0]
        answerable = self.kinds.index(ANSWERABLE)
        unlikely = 1 - float(shares[answerable])
        if unlikely <= self.bar:
            return None
        shares[answerable] = 0
        return Likely(self.kinds[int(shares.argmax())], unlikely > self.sure)

    def save(self, file: Path, embedder: str) -> None:
        """Write it, with the name of the embedder that it was learned for."""
        np.savez(
            file, kinds=np.array(self.kinds), weights=self.weights, offsets=self.offsets,
            bar=np.array(self.bar), sure=np.array(self.sure), embedder=np.array(embedder),
        )  # fmt: skip


def load_declining(corpus: Path, embedder: str) -> Declining | None:
    """Read what was learned from a corpus folder.

    Returns:
        None where there is none, or one that was learned for another embedder:
        its numbers mean nothing there.

    Raises:
        BadSetting: The file is broken; the message names it.
    """
    return read_learned(corpus / HEAD, embedder, _built)


def _built(held: Numbers) -> Declining:
    found = Declining(
        kinds=tuple(str(each) for each in held["kinds"]),
        weights=held["weights"].astype(np.float32),
        offsets=held["offsets"].astype(np.float32),
        bar=float(held["bar"]),
        sure=float(held["sure"]),
    )
    fits = found.weights.ndim == 2 and found.weights.shape[0] == len(found.kinds)
    if not fits or found.offsets.shape != (len(found.kinds),) or ANSWERABLE not in found.kinds:
        raise Misfit(f"its shape is {found.weights.shape}")
    return found
