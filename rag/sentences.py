"""The sentences of a chunk: what is embedded by itself, said and quoted."""

from __future__ import annotations

from dataclasses import dataclass

from rag.models import Chunk, DataItem, Part
from rag.text import sentences, word_count

SENTENCE_WORDS = 3
"""Shorter sentences get no vector of their own (DESIGN 3)."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a chunk with the part that tells its place and label."""

    text: str
    """What is said; an item of a metadata model is told in a sentence of ours."""
    part: Part
    quote: str
    """Exact text of the source that carries it."""


def chunk_sentences(chunk: Chunk) -> list[Sentence]:
    """The sentences of a chunk that are indexed by themselves, in order."""
    found: list[Sentence] = []
    for part in chunk.parts:
        if part.item is not None:
            # The row, and the condition below it, where it has one.
            row, *below = part.text.splitlines()
            said = [line for line in below[:1] if line == part.item.condition]
            found.append(Sentence(told(part.item), part, " ".join([row, *said])))
            continue
        found += [
            Sentence(text, part, text)
            for text in sentences(part.text)
            if word_count(text) >= SENTENCE_WORDS
        ]
    return found


_NO_CONDITION = ("", "na", "n/a", "n.a.", "none", "-", "–", "—")
"""What the column of conditions says of an item that has none."""


def told(item: DataItem) -> str:
    """One item of a metadata model in words: what is asked of it, then what it is."""
    place = f"{item.of_class}, {item.scope}" if item.scope else item.of_class
    facts = [item.obligation, f"cardinality {item.cardinality}" if item.cardinality else ""]
    said = [f"{item.name} ({place}): {', '.join(fact for fact in facts if fact)}"]
    if item.definition:
        said.append(item.definition)
    if item.condition.lower() not in _NO_CONDITION:
        said.append(f"Condition: {item.condition}")
    if item.review == "for review":
        said.append("Newly added, still for review")
    return " ".join(f"{each.rstrip(' .')}." for each in said)
