"""How likely a text carries a statement that is told in other words.

No model of natural language inference ships in a package. This is a logistic
model over three signs: how near every clause of the statement is to some
sentence of the text, by the embedder; how many of its 4-grams stand there; how
many of its words do not. It tells what is about something else, and mostly
what has a clause too many; one changed figure, name or "not" it does not
see: those are for `rag.claims`.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rag.claims import Claims, alike, spelt
from rag.embedder import Embedder, Vectors
from rag.lexical import four_grams
from rag.text import sentences, word_count

_CLAUSE, _GRAMS, _UNSEEN, _BIAS = 6.61, 7.45, -1.53, -6.72
"""Learned by ``python -m eval.support_model`` from 214 statements of articles under their
evidence, and false pairs of four kinds for each. Of eight signs that were tried (also the cosine of
the whole, words held in one sentence, in the worst run of four) the fit left these."""
_CUT = re.compile(r"[,;:–—]\s|\s(?:and|or|but|which|while|because|so that|unless)\s")
_CLAUSE_WORDS = 4
"""Fewer words are no clause of their own."""
_CONTENT = 3
"""Fewer content words say nothing by themselves."""
_AROUND = 5
"""Lines nearest to a statement in which its words are looked for: a long text has most
words somewhere."""
_KEPT = 4000
"""Vectors of sentences that are remembered: cited passages come again."""


@dataclass(frozen=True)
class Signs:
    """What tells of support."""

    cosine: float
    """Of the statement with the nearest sentence of the text."""
    clause: float
    """The same for the clause of the statement for which it is least."""
    grams: float
    """Share of the statement's 4-grams that the text has around it."""
    unseen: float
    """Content words that it has not there, as ``log(1 + n)``."""
    held: float
    """Share of its content words that the text has, for the clause that has fewest."""
    known: float
    """The same for the whole statement."""

    @property
    def likelihood(self) -> float:
        """How likely a text in the statement's language carries it; 0..1."""
        score = _CLAUSE * self.clause + _GRAMS * self.grams + _UNSEEN * self.unseen + _BIAS
        return float(1 / (1 + np.exp(-score)))


class Support:
    """Compares statements with texts by an embedder."""

    def __init__(self, embedder: Embedder):
        """Compare with an embedder; the weights were learned with the default one."""
        self._embedder = embedder
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def signs(self, text: str, statement: str) -> Signs:
        """What tells whether a text carries a statement."""
        lines = [line for line in sentences(text) if word_count(line) > 1] or [text]
        vectors = self._embedded([*lines, statement, *_clauses(statement)])
        places, own, clauses = vectors[: len(lines)], vectors[len(lines)], vectors[len(lines) + 1 :]
        cosines = places @ own
        nearest = float(cosines.max())
        least = float((clauses @ places.T).max(axis=1).min()) if len(clauses) else nearest
        around = "\n".join(lines[at] for at in np.argsort(-cosines, kind="stable")[:_AROUND])
        wanted, there = set(four_grams(statement)), set(four_grams(around))
        grams = len(wanted & there) / len(wanted) if wanted else 0.0
        unseen = sum(not held for held in _held(around, statement))
        clauses_held = [_held(text, clause) for clause in _CUT.split(statement)]
        shares = [sum(each) / len(each) for each in clauses_held if len(each) >= _CONTENT]
        all_held = _held(text, statement)
        known = sum(all_held) / len(all_held) if all_held else 0.0
        fewest = min(shares, default=1.0)
        return Signs(nearest, least, grams, float(np.log1p(unseen)), fewest, known)

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        with self._lock:
            missing = [each for each in dict.fromkeys(texts) if each not in self._vectors]
            if missing:
                found = self._embedder.passages(missing)
                self._vectors.update(zip(missing, found, strict=True))
            result = np.stack([self._vectors[each] for each in texts])
            while len(self._vectors) > _KEPT:
                self._vectors.popitem(last=False)
        return result


def _clauses(statement: str) -> list[str]:
    found = [each.strip() for each in _CUT.split(statement)]
    return [each for each in found if word_count(each) >= _CLAUSE_WORDS] if len(found) > 1 else []


def _held(text: str, statement: str) -> list[bool]:
    """For each content word of a statement, whether the text has it or one like it."""
    known = Claims(text)
    there = set(known.stems)
    return [alike(stem, there) or spelt(stem, known) for stem in Claims(statement).stems]
