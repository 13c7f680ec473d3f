"""What passes between us and a peer: plain files, so that neither imports the other.

A peer runs in an environment of its own, where nothing of this project is
installed; whatever it imports from here keeps to the standard library.

::

    documents.txt    one path inside the corpus a line
    questions.jsonl  {"id", "query"}: the last two turns and the question, as we search with it
    <peer>.jsonl     {"id", "passages": [{"rank", "path", "text"}], "search_ms"}
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PASSAGES = 10
"""How many passages a peer gives for a question."""


@dataclass(frozen=True)
class Ranked:
    """A passage as a peer gives it."""

    rank: int
    """1-based."""
    path: str
    """Of its document, inside the corpus."""
    text: str


@dataclass(frozen=True)
class Task:
    """What a peer is given."""

    corpus: Path
    documents: tuple[str, ...]
    queries: tuple[tuple[str, str], ...]
    """Id and query."""
    out: Path


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that every peer takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the documents")
    parser.add_argument("--documents", type=Path, required=True, help="list of paths inside it")
    parser.add_argument("--questions", type=Path, required=True, help="JSON lines: id, query")
    parser.add_argument("--out", type=Path, required=True, help="the run file to write")
    return parser


def read_task(given: argparse.Namespace) -> Task:
    """Read the files that the options name."""
    queries = [json.loads(line) for line in _lines(given.questions)]
    return Task(
        corpus=given.corpus,
        documents=tuple(_lines(given.documents)),
        queries=tuple((each["id"], each["query"]) for each in queries),
        out=given.out,
    )


def _lines(file: Path) -> list[str]:
    # A line separator inside a string is a character, not the end of a line.
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line]


def write_task(folder: Path, documents: Iterable[str], queries: Iterable[tuple[str, str]]) -> None:
    """Write what every peer is given into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "documents.txt").write_text("".join(f"{path}\n" for path in documents), "utf-8")
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as file:
        for identifier, query in queries:
            line = json.dumps({"id": identifier, "query": query}, ensure_ascii=False)
            file.write(f"{line}\n")


def answer(task: Task, search: Callable[[str], Sequence[tuple[str, str]]]) -> None:
    """Ask a peer every query and write its run file.

    The file appears when it is complete: one left over by a peer that died
    halfway would be scored as if the rest had been asked and not found.

    Args:
        task: What to ask.
        search: Query to pairs of path and text, best first.
    """
    # What a system does once, on its first query, is no part of a search.
    if task.queries:
        search(task.queries[0][1])
    unfinished = task.out.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as file:
        for identifier, query in task.queries:
            started = time.perf_counter()
            found = search(query)[:PASSAGES]
            elapsed = (time.perf_counter() - started) * 1000
            ranked = [Ranked(rank, *each) for rank, each in enumerate(found, start=1)]
            line = {
                "id": identifier,
                "passages": [asdict(each) for each in ranked],
                "search_ms": round(elapsed, 2),
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    unfinished.replace(task.out)


def say(words: str) -> None:
    """Tell the person who waits, on standard error."""
    sys.stderr.write(f"  {words}\n")
