"""What a message asks for, how urgent it is, and whether the documents would answer it.

Learned from examples (``corpus/triage``) by ``python -m eval.learning.triage``.
As a message's vector is the mean over its pieces and what decides is linear,
each piece's share in a decision is known exactly, and with it the words to show
as its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from rag.errors import BadSetting
from rag.learned import Misfit, Numbers, read_learned
from rag.triage.e5_file import E5File, Floats
from rag.triage.encoder import GAP, Encoder

FILE = Path(__file__).resolve().parents[2] / "corpus" / "triage" / "model.npz"
"""What was learned; beside the examples."""
BASE = "multilingual-e5-small-q4"
"""The model that was tuned; numbers learned for another mean nothing."""
DECISIONS = ("intent", "priority", "answerable")
Intent = Literal[
    "engage", "find_data", "access_data", "share_data", "run_pipeline", "connect_institute",
    "elsi", "metadata", "data_quality", "infrastructure", "healthcare", "use_case", "national",
    "citizen", "about", "contribute", "out_of_scope", "spam",
]  # fmt: skip
"""What a message may ask for; the last two are for nobody to answer."""
INTENTS: tuple[Intent, ...] = get_args(Intent)
_SENTENCE_ENDS = re.compile(r"[.!?:;…。]+$")
_LONGEST_REASON = 160
"""Characters."""
_MASKED = re.compile(r"\[[a-z ]+\]")
"""What stands for personal data."""
_SAID_BEFORE = 4
"""Pieces before the message: the begin, and what its role is (``que``, ``ry``, ``:``)."""
_SHORT = 3
"""Pieces; so many are no sentence, but an abbreviation."""


@dataclass(frozen=True)
class Guess:
    """A label with how probable it is."""

    label: str
    probability: float


@dataclass(frozen=True)
class Decided:
    """One decision about a message."""

    guesses: tuple[Guess, ...]
    """All labels, the most probable first."""
    because: str
    """The sentence that speaks most for the first, as the model reads it."""

    @property
    def label(self) -> str:
        """What is decided."""
        return self.guesses[0].label


class Sorter:
    """Decides by what was learned."""

    def __init__(self, encoder: Encoder, heads: Mapping[str, Head]):
        """Decide over the vectors of an encoder.

        Args:
            encoder: Reads messages.
            heads: One for each decision.
        """
        self._encoder = encoder
        self._heads = heads

    @classmethod
    def load(cls, file: Path = FILE) -> Sorter:
        """Read what was learned, and the model that it adds to (a second or two, 150 MB).

        Raises:
            BadSetting: The file is missing or broken.
            ModelUnavailable: The package of the model is missing.
        """
        learned = read_learned(file, BASE, _Learned.of)
        if learned is None:
            raise BadSetting(f"cannot read {file}: it is missing, or was learned for another model")
        return cls(Encoder(E5File.shipped(), learned.tuned), learned.heads)

    def decide(self, subject: str, text: str) -> dict[str, Decided]:
        """Decide about a message; personal data should be masked, as it was in the examples.

        Returns:
            A decision by each name of `DECISIONS`.
        """
        read = self._encoder.read(as_read(subject, text))
        vector = read.states.mean(axis=0)
        decided = {}
        for name, head in self._heads.items():
            chances = head.chances(vector)
            order = np.argsort(-chances, kind="stable").tolist()
            guesses = tuple(Guess(head.labels[at], float(chances[at])) for at in order)
            decided[name] = Decided(guesses, _reason(read.pieces, head.shares(read.states, order)))
        return decided


def as_read(subject: str, text: str) -> str:
    """A message as the model is given it, for learning as for deciding."""
    return f"{subject}\n{text}"


@dataclass(frozen=True)
class Head:
    """A linear decision."""

    labels: tuple[str, ...]
    weight: Floats
    """One row for each label."""
    bias: Floats

    def chances(self, vector: Floats) -> Floats:
        """Probabilities of the labels."""
        scores = self.weight @ vector + self.bias
        likely = np.exp(scores - scores.max())
        chances: Floats = likely / likely.sum()
        return chances

    def shares(self, states: Floats, order: Sequence[int]) -> Floats:
        """What each piece speaks for the first label rather than for the second."""
        first, second = order[0], order[1]
        shares: Floats = states @ (self.weight[first] - self.weight[second])
        return shares


@dataclass(frozen=True)
class _Learned:
    tuned: Mapping[str, Floats]
    heads: Mapping[str, Head]

    @classmethod
    def of(cls, held: Numbers) -> _Learned:
        heads = {}
        for name in DECISIONS:
            labels = tuple(map(str, held[f"{name}.labels"]))
            weight = held[f"{name}.weight"].astype(np.float32)
            bias = held[f"{name}.bias"].astype(np.float32)
            if len(labels) < 2 or weight.shape[0] != len(labels) or bias.shape != (len(labels),):
                raise Misfit(f"the numbers of {name} do not belong together")
            heads[name] = Head(labels, weight, bias)
        tuned = {
            name: held[name].astype(np.float32) for name in held if name.endswith((".down", ".up"))
        }
        return cls(tuned, heads)


def _sentences(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where sentences begin and end among pieces; short ones belong to what follows."""
    start = _SAID_BEFORE
    for place, piece in enumerate(pieces[:-1]):
        if place - start >= _SHORT and _SENTENCE_ENDS.search(piece):
            yield start, place + 1
            start = place + 1
    if start < len(pieces) - 1:
        yield start, len(pieces) - 1


def _reason(pieces: Sequence[str], shares: Floats) -> str:
    """The sentence whose pieces speak most for a decision.

    A sum alone favours what is long, a mean what is short; and whoever signs says nothing.
    """
    best, reason = -np.inf, ""
    for start, stop in _sentences(pieces):
        sentence = "".join(pieces[start:stop]).replace(GAP, " ").strip()
        words = sentence.split()
        if 2 * len(_MASKED.findall(sentence)) >= len(words):
            continue
        spoken = float(shares[start:stop].sum()) / (stop - start) ** 0.5
        if spoken > best:
            best, reason = spoken, sentence
    return reason[:_LONGEST_REASON]
