"""What the peers are given: the documents our index holds, the queries we search with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eval.questions import Judged
from rag.errors import NoIndex
from rag.models import IndexedDocument, Turn
from rag.query import query_of


def documents_of(indexed: Iterable[IndexedDocument], corpus: Path) -> list[str]:
    """Paths of a corpus's files that are indexed.

    A peer has no eye for templates, configuration and copies; what a person
    who sets it up would leave out, we leave out for it.

    Raises:
        NoIndex: None of them is.
    """
    name = corpus.resolve().name
    paths = [each.path for each in indexed if each.source == name]
    files = sorted(path for path in paths if (corpus / path).is_file())
    if not files:
        raise NoIndex(
            f"the index holds no file of {corpus}; run: python -m ingest run --source {corpus}"
        )
    return files


def queries_of(questions: Iterable[Judged]) -> list[tuple[str, str]]:
    """Id and query of each question: what our own search would be asked."""
    return [
        (each.id, query_of(each.question, [Turn(turn.role, turn.text) for turn in each.history]))
        for each in questions
    ]
