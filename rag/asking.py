"""What kind of answer a question asks for: a list, a way to do something, a place, a yes or no.

The signs are kept by hand in ``corpus/asking.yaml``, in every language of the
helpdesk: the phrases that a question opens with, and the words that name
labels and kinds of resources. On 110 questions that it was not written from, it says
what a judge says for 0.61: judges look at the answer too, phrases see the words
alone. A head learned over the vectors of 631 judged questions came to 0.58
there, and one over vectors and phrases to 0.62.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

import numpy as np
from pydantic import Field, TypeAdapter

from rag.embedder import Vectors
from rag.forms import fold
from rag.kept import read_kept_as
from rag.learned import Misfit, Numbers, read_learned

AskType = Literal[
    "fact", "definition", "how_to", "list", "yes_no", "compare", "where", "contact"
]  # fmt: skip

FILE = "asking.yaml"
"""Its file in the corpus folder."""
LISTS = "asking_lists.npz"
"""Beside it: what tells a question for a list by its vector; ``python -m eval.listing`` learns
it."""

Label = Literal["required", "recommended", "informational"]
Kind = Literal[
    "deliverable", "standard", "tool", "code", "publication", "document", "video", "policy"
]  # fmt: skip
"""The kinds of ``corpus/kinds.yaml`` that a question may name, and policies, which are of
several of those."""
LABELS = get_args(Label)
KINDS = get_args(Kind)

_Sign = Literal[AskType, Label, Kind, "must", "not"]
_Phrase = Annotated[str, Field(pattern=r"[\w*]", max_length=60)]
_File: TypeAlias = dict[str, dict[_Sign, tuple[_Phrase, ...]]]
_FILE: TypeAdapter[_File] = TypeAdapter(_File)

_WHEREVER: tuple[AskType, ...] = ("compare", "contact", "fact")
"""What is asked for wherever a sign of it stands, the first of them first: "how" opens
"how does it differ", "how many" and "how do I reach you" alike."""
_BY_PLACE: tuple[AskType, ...] = ("where", "list", "how_to", "definition", "yes_no")
"""The others: a sign that opens a clause tells more than one inside, a long one more than
a short one, and then the first of these."""

_CLAUSE_ENDS = re.compile(r"[.?!:;,()\[\]–—\n¿¡]+(?=\s|$)|[¿¡(\n–—]| - ")
_WORD = re.compile(r"\w+")
_LONGEST = 2000
"""Characters of a text that are looked at."""
_BEFORE = 2
"""Words before a label among which a "not" takes it back."""


@dataclass(frozen=True)
class Asked:
    """What a question asks for, as far as its words tell."""

    type: AskType
    labels: tuple[Label, ...] = ()
    """Those it limits itself to."""
    kinds: tuple[Kind, ...] = ()
    """Those it names."""
    lists: float = 0.0
    """How much its vector speaks for a list, in log-odds; 0 where that was not learned."""


class AskReader:
    """Reads from the words of a question what it asks for."""

    def __init__(
        self,
        phrases: Mapping[str, Mapping[_Sign, Sequence[str]]],
        lists: Vectors | None = None,
    ):
        """Read with signs, which are made ready when a language is first spoken.

        Args:
            phrases: The signs of each language.
            lists: What tells a question for a list by its vector; shape ``(dimensions + 1,)``,
                the last is added to what comes out.
        """
        self.phrases = phrases
        self._lists = lists
        self._ready: dict[str, dict[_Sign, list[re.Pattern[str]]]] = {}

    @classmethod
    def load(cls, corpus: Path, embedder: str = "") -> AskReader:
        """Read ``asking.yaml`` in a folder; without it every question asks for a fact.

        Args:
            corpus: The folder.
            embedder: What makes the vectors of questions; empty: there are none.

        Raises:
            BadSetting: A file is not as it should be; the message names it.
        """
        lists = read_learned(corpus / LISTS, embedder, _built)
        file = corpus / FILE
        if not file.is_file():
            return cls({}, lists)
        signs = read_kept_as(file, _FILE)
        return cls(signs, lists)

    def asked(self, text: str, language: str, vector: Vectors | None = None) -> Asked:
        """Return what a question asks for.

        Args:
            text: What a person typed.
            language: ISO 639-1 of the text; the signs of English are used for one
                that the file has none of.
            vector: Of the question; shape ``(dimensions,)``.
        """
        signs = self._signs(language)
        clauses = list(_clauses(text))
        asked = _type(signs, clauses)
        required: list[_Sign] = ["required", "must"] if asked == "list" else ["required"]
        labels: dict[Label, list[_Sign]] = {
            "required": required,
            "recommended": ["recommended"],
            "informational": ["informational"],
        }
        return Asked(
            asked,
            tuple(
                label
                for label, by in labels.items()
                if any(_names(signs[sign], clauses, unless=signs["not"]) for sign in by)
            ),
            tuple(kind for kind in KINDS if _names(signs[kind], clauses)),
            self._for_a_list(vector),
        )

    def _for_a_list(self, vector: Vectors | None) -> float:
        if self._lists is None or vector is None:
            return 0.0
        return float(vector @ self._lists[:-1] + self._lists[-1])

    def _signs(self, language: str) -> Mapping[_Sign, list[re.Pattern[str]]]:
        spoken = language if language in self.phrases else "en"
        known = self._ready.get(spoken)
        if known is None:
            listed = self.phrases.get(spoken, {})
            known = {
                sign: [_pattern(phrase) for phrase in listed.get(sign, ())]
                for sign in get_args(_Sign)
            }
            self._ready[spoken] = known
        return known


def _built(held: Numbers) -> Vectors:
    sort = held["sort"].astype(np.float32)
    if sort.ndim != 1 or sort.size < 2:
        raise Misfit(f"its shape is {sort.shape}")
    return sort


def _type(signs: Mapping[_Sign, Sequence[re.Pattern[str]]], clauses: Sequence[str]) -> AskType:
    for each in _WHEREVER:
        if _names(signs[each], clauses):
            return each
    best: tuple[bool, int] = (False, 0)
    found: AskType = "fact"
    for clause in clauses:
        for each in _BY_PLACE:
            for pattern in signs[each]:
                match = pattern.search(clause)
                if match:
                    weight = (match.start() == 0, len(match[0].split()))
                    if weight > best:
                        best, found = weight, each
    return found


def _names(
    patterns: Sequence[re.Pattern[str]],
    clauses: Sequence[str],
    unless: Sequence[re.Pattern[str]] = (),
) -> bool:
    """Whether one of the patterns is in one of the clauses, and none of the others just before."""
    for clause in clauses:
        for pattern in patterns:
            match = pattern.search(clause)
            if match:
                before = " ".join(clause[: match.start()].split()[-_BEFORE:])
                if not any(each.search(before) for each in unless):
                    return True
    return False


def _clauses(text: str) -> Iterator[str]:
    """The clauses of a text as words with a space between, lower-case and without accents."""
    for clause in _CLAUSE_ENDS.split(text[:_LONGEST]):
        words = _WORD.findall(_folded(clause))
        if words:
            yield " ".join(words)


def _pattern(phrase: str) -> re.Pattern[str]:
    """What finds a phrase of the file, which says how it is written, in a clause."""
    first, last = phrase.startswith("^"), phrase.endswith(" $")
    words = _folded(phrase.removeprefix("^").removesuffix("$")).split()
    parts = [
        r"(?:\S+ ){0,4}" if word == "..." else _word(word) + " "
        for word in words
    ]  # fmt: skip
    found = "".join(parts).removesuffix(" ")
    return re.compile(("^" if first else r"(?<!\S)") + found + ("$" if last else r"(?!\S)"))


def _word(word: str) -> str:
    """A word with its stars: one alone is any word, one in front three letters or more."""
    if word == "*":
        return r"\S+"
    begun = r"\S{3,}" if word.startswith("*") else ""
    return begun + re.escape(word.strip("*")) + (r"\S*" if word.endswith("*") else "")


def _folded(text: str) -> str:
    # й is no и with an accent: кой asks for one, кои for several.
    return fold(unicodedata.normalize("NFC", text.lower()).replace("й", "j"))
