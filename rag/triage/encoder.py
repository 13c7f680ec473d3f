"""Messages to vectors: the embedder's own model, tuned further for triage.

Only what tuning added is kept in the project: two narrow matrices for each of
the model's, whose product is added to it (low-rank adaptation, Hu et al. 2021,
https://arxiv.org/abs/2106.09685). Weights and pieces come from the package of
the embedder. It runs in NumPy, as a message now and then needs no more.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from rag.triage.e5_file import E5File, Floats

LONGEST = 192
"""Pieces of a message that are read; the examples have 160 at most."""
ROLE = "query: "
"""What the model was taught to see before a text that asks."""
GAP = "\u2581"
"""What stands for a space among pieces."""
_SPACES = re.compile(" {2,}")
_WORDS = re.compile(f"{GAP}[^{GAP}]*")
_UNKNOWN = 10.0
"""How much less likely than any piece a character is that no piece holds."""


class Cutter:
    """Cuts a text into the pieces that are likeliest together, as the embedder does.

    The class for it in ``tokenizers`` cuts alike (9,000 texts, a third of them of random
    characters, came out the same) and holds 253 MB where this takes 49.

    Source: the search is that of Viterbi over single pieces (Kudo 2018,
    https://arxiv.org/abs/1804.10959).
    """

    def __init__(self, weights: E5File):
        """Take the pieces of a model."""
        self._pieces = pieces = weights.pieces
        self._longest = max(map(len, pieces.ids))
        self._unknown = min(pieces.scores) - _UNKNOWN
        written = list(islice(pieces.ids, max(pieces.begin, pieces.end) + 1))
        self._begin = (pieces.begin, written[pieces.begin])
        self._end = (pieces.end, written[pieces.end])

    def ids(self, text: str) -> list[int]:
        """Return the ids of a text's pieces, the marks of its begin and end included."""
        return [each for each, _ in self.pieces(text)]

    def pieces(self, text: str) -> list[tuple[int, str]]:
        """Return the same with how each is written, which its id alone need not tell."""
        # Letters and their marks as one character, as `rag.embedder` has them.
        plain = unicodedata.normalize("NFKC", ROLE + text)
        read = "".join(self._pieces.replaced.get(ord(char), char) for char in plain)
        gapped = GAP + _SPACES.sub(" ", read).replace(" ", GAP)
        found: list[tuple[int, str]] = []
        score = 0.0
        # No piece goes on behind a gap, so what is too long need not be looked at.
        for word in _WORDS.findall(gapped):
            score = self._cut(word, score, found)
            if len(found) >= LONGEST - 2:
                break
        return [self._begin, *found[: LONGEST - 2], self._end]

    def _cut(self, word: str, score: float, found: list[tuple[int, str]]) -> float:
        """Add the pieces of a word to those before.

        Args:
            word: A gap and what follows up to the next.
            score: Of the pieces before.
            found: Them.

        Returns:
            The score with those that were added.
        """
        ids, scores, size = self._pieces.ids, self._pieces.scores, len(word)
        best, begins = [score] + [-math.inf] * size, [0] * (size + 1)
        for begin in range(size):
            so_far, known = best[begin], False
            for end in range(begin + 1, min(begin + self._longest, size) + 1):
                number = ids.get(word[begin:end])
                if number is not None:
                    known = known or end == begin + 1
                    if so_far + scores[number] > best[end]:
                        best[end], begins[end] = so_far + scores[number], begin
            if not known and so_far + self._unknown > best[begin + 1]:
                best[begin + 1], begins[begin + 1] = so_far + self._unknown, begin
        cut: list[str] = []
        strange, end = False, size
        while end:
            piece, end = word[begins[end] : end], begins[end]
            # Characters that no piece holds are one as long as nothing comes between.
            if piece in ids:
                cut.append(piece)
            else:
                cut.append(piece + cut.pop() if strange else piece)
            strange = piece not in ids
        found += [(ids.get(piece, self._pieces.unknown), piece) for piece in reversed(cut)]
        return best[size]


@dataclass(frozen=True)
class Read:
    """A message as the model read it."""

    pieces: tuple[str, ...]
    """The marks of begin and end included."""
    states: Floats
    """A row for each piece; their mean is the vector of the message, not of unit length."""


@dataclass(frozen=True)
class _Layer:
    attend: Callable[[Floats], Floats]
    think: Callable[[Floats], Floats]


class Encoder:
    """Reads messages."""

    def __init__(self, weights: E5File, tuned: Mapping[str, Floats]):
        """Add what was tuned to the weights.

        Args:
            weights: The model.
            tuned: ``<matrix>.down`` of shape (rank, in) and ``<matrix>.up`` of shape
                (out, rank), for the matrices that were tuned; others stay as they are.
        """
        self._weights = weights
        self._tuned = tuned
        self._cutter = Cutter(weights)
        self._places = weights.numbers("emb.pos").reshape(-1, weights.sizes.hidden)
        self._type = weights.numbers("emb.type")[: weights.sizes.hidden]
        self._first = self._norm("emb.ln")
        self._layers = [self._layer(f"l{each}") for each in range(weights.sizes.layers)]

    def read(self, text: str) -> Read:
        """Read a text, as much of it as the model is given."""
        ids, pieces = zip(*self._cutter.pieces(text), strict=True)
        state = self._weights.words(ids) + self._places[: len(ids)] + self._type
        state = self._first(state)
        for layer in self._layers:
            state = layer.think(layer.attend(state))
        return Read(pieces, state)

    def _layer(self, name: str) -> _Layer:
        sizes = self._weights.sizes
        hidden, inner, heads = sizes.hidden, sizes.inner, sizes.heads
        asks, keys, values, out = (
            self._linear(f"{name}.{part}", hidden) for part in ("q", "k", "v", "ao")
        )
        widen, narrow = self._linear(f"{name}.fi", hidden), self._linear(f"{name}.fo", inner)
        attended, thought = self._norm(f"{name}.aln"), self._norm(f"{name}.oln")
        scale = 1 / math.sqrt(hidden // heads)

        def by_head(state: Floats) -> Floats:
            return state.reshape(len(state), heads, -1).transpose(1, 0, 2)

        def attend(state: Floats) -> Floats:
            near = by_head(asks(state)) @ by_head(keys(state)).transpose(0, 2, 1) * scale
            near = np.exp(near - near.max(axis=-1, keepdims=True))
            near /= near.sum(axis=-1, keepdims=True)
            seen: Floats = near @ by_head(values(state))
            return attended(state + out(seen.transpose(1, 0, 2).reshape(state.shape)))

        def think(state: Floats) -> Floats:
            return thought(state + narrow(_gelu(widen(state))))

        return _Layer(attend, think)

    def _linear(self, name: str, width: int) -> Callable[[Floats], Floats]:
        weight = self._weights.matrix(f"{name}.w", width)
        if f"{name}.down" in self._tuned:
            weight = weight + self._tuned[f"{name}.up"] @ self._tuned[f"{name}.down"]
        across, bias = np.ascontiguousarray(weight.T), self._weights.numbers(f"{name}.b")
        return lambda state: state @ across + bias

    def _norm(self, name: str) -> Callable[[Floats], Floats]:
        weight, bias = self._weights.numbers(f"{name}.w"), self._weights.numbers(f"{name}.b")
        epsilon = self._weights.epsilon

        def norm(state: Floats) -> Floats:
            centred = state - state.mean(axis=-1, keepdims=True)
            spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
            normed: Floats = centred / spread * weight + bias
            return normed

        return norm


def _gelu(state: Floats) -> Floats:
    """The Gaussian error linear unit, by its usual approximation."""
    inner = math.sqrt(2 / math.pi) * (state + 0.044715 * state**3)
    unit: Floats = 0.5 * state * (1 + np.tanh(inner))
    return unit
