"""A first draft of a knowledge article, made of what a search finds for its question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import yaml

from rag.index import Generation
from rag.models import Chunk, Part, Passage
from rag.query import Query
from rag.sentences import chunk_sentences
from rag.text import fold, pin

READ = 4
"""Passages that a draft takes sentences from."""
SENTENCES = 6
_FOOTNOTE = re.compile(r"\[\^[^\]]*\]")
"""A footnote of the source; in an article it would be the key of some evidence."""
_NAME_WORDS = 7
_QUESTION_WORDS = frozenset(
    "a an and are can do does for how i in is it my of on or the to we what when where which who"
    " why with you your".split()
)


@dataclass(frozen=True)
class Material:
    """A sentence that may carry a statement, with the place where it stands."""

    chunk: Chunk
    part: Part
    text: str


def material(generation: Generation, query: Query, passages: Sequence[Passage]) -> list[Material]:
    """The sentences of the best passages that are nearest to a question, nearest first."""
    found: list[tuple[float, Material]] = []
    for passage in passages[:READ]:
        number = generation.chunk_number(passage.chunk.chunk_id)
        # What an article says of a source that is not indexed is no evidence.
        if number is None or passage.chunk.kind == "article":
            continue
        cosines = generation.sentence_cosines(number, query.vector)
        for position, sentence in enumerate(chunk_sentences(passage.chunk)):
            # Of a row of a table the row alone can be pinned.
            quote = sentence.part.text.splitlines()[0] if sentence.part.item else sentence.quote
            found.append((float(cosines[position]), Material(passage.chunk, sentence.part, quote)))
    found.sort(key=lambda each: -each[0])
    return [each for _, each in found[:SENTENCES]]


def draft(question: str, language: str, intent: str, found: Sequence[Material], on: date) -> str:
    """The text of an article that is still to be written.

    Every sentence found is put where a statement belongs, to be said in our own
    words; ``draft: true`` keeps it out of the index until somebody has done so.

    Args:
        question: As somebody asked it.
        language: ISO 639-1 of the question.
        intent: What it is about.
        found: Sentences to begin with.
        on: The day of the draft.
    """
    keys = [f"e{number}" for number in range(1, len(found) + 1)]
    front = {
        "title": fold(question),
        "kind": "answer",
        "intent": intent,
        "audience": ["researcher"],
        "country": None,
        "label": None,
        "topics": [],
        "ask": {language: [fold(question)]},
        "evidence": {
            key: _evidence(each) for key, each in zip(keys, found, strict=True)
        },
        "checked": on.isoformat(),
        "reviewed_by": "",
        "see_also": [],
        "draft": True,
    }  # fmt: skip
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)
    body = "\n\n".join(
        f"TO BE SAID IN OUR OWN WORDS: {fold(_FOOTNOTE.sub('', each.text))} [^{key}]"
        for key, each in zip(keys, found, strict=True)
    )
    return f"---\n{head}---\n{body}\n"


def _evidence(found: Material) -> dict[str, object]:
    return {
        "source": found.chunk.source,
        "path": found.chunk.path,
        "title": found.chunk.title,
        "section": list(found.part.section),
        "url": found.chunk.address(found.part),
        "label": found.part.label,
        "pin": pin(found.text),
    }


def file_name(question: str) -> str:
    """A file name that tells what a question is about, without ``.md``."""
    plain = unicodedata.normalize("NFKD", question.lower()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain)
    telling = [word for word in words if word not in _QUESTION_WORDS] or words
    # Of other scripts nothing is left.
    return "-".join(telling[:_NAME_WORDS])[:80] or f"question-{pin(question)[:8]}"
