"""Which ways of asking resemble judged questions; by hand: ``python -m eval.overlaps``.

Articles are written from pages and from what people ask, never from the
questions that judge them. Both are questions about the same pages, so some
resemble one another all the same; this lists them, and can leave them out of
a copy of the articles, so that the scores can be taken without them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
import yaml

from eval.questions import read_questions
from rag.settings import Settings, read_settings

RUN = 5
"""Words in a row that make two questions resemble one another."""
SHARE = 0.8
"""Share of the words of a way of asking that does."""
_WORD = re.compile(r"[^\W_]+")
_FEWEST = 3
"""Shorter ways of asking share all of their words with some question or other."""
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Overlap:
    """A way of asking that resembles a judged question."""

    article: str
    ask: str
    question_id: str
    run: bool
    """Whether it shares five words in a row; else it shares most of its words."""


def resembles(ask: str, question: str) -> bool | None:
    """How a way of asking resembles a question.

    Returns:
        True where five words in a row are shared, False where most of its words
        are, None where neither.
    """
    own, other = _words(ask), _words(question)
    runs = {tuple(own[at : at + RUN]) for at in range(len(own) - RUN + 1)}
    if any(tuple(other[at : at + RUN]) in runs for at in range(len(other) - RUN + 1)):
        return True
    distinct = set(own)
    if len(distinct) >= _FEWEST and len(distinct & set(other)) >= SHARE * len(distinct):
        return False
    return None


def overlaps(
    asks: Iterable[tuple[str, str]], questions: Sequence[tuple[str, str]]
) -> list[Overlap]:
    """Every way of asking that resembles a question, with the first that it resembles.

    Args:
        asks: Article and way of asking.
        questions: Id and text.
    """
    found = []
    for article, ask in asks:
        for question_id, text in questions:
            how = resembles(ask, text)
            if how is not None:
                found.append(Overlap(article, ask, question_id, how))
                break
    return found


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _asks(file: Path) -> dict[str, list[str]]:
    match = _FRONT.match(file.read_text(encoding="utf-8"))
    asks: dict[str, list[str]] = (yaml.safe_load(match[1]) if match else {}).get("ask", {})
    return asks


def without(folder: Path, copy: Path, left_out: Iterable[str]) -> None:
    """Copy a corpus, its articles without some ways of asking."""
    shutil.copytree(folder, copy)
    out = set(left_out)
    for file in sorted((copy / "articles").rglob("*.md")):
        asks = _asks(file)
        kept = {
            language: [each for each in listed if each not in out]
            for language, listed in asks.items()
        }
        if kept == asks:
            continue
        text = file.read_text(encoding="utf-8")
        match = _FRONT.match(text)
        assert match is not None  # noqa: S101 - it has asks
        front = yaml.safe_load(match[1]) | {
            "ask": {key: each for key, each in kept.items() if each}
        }
        written = yaml.safe_dump(front, allow_unicode=True, sort_keys=False)
        file.write_text(f"---\n{written}---\n{text[match.end() :]}", encoding="utf-8")


@app.command()
def main(
    questions: Annotated[list[Path], typer.Option(help="Judged questions, JSON lines.")],
    copy: Annotated[
        Path | None,
        typer.Option(help="New folder for a copy of the corpus without what is listed."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Count, and list nothing.")] = False,
) -> None:
    """List every way of asking that resembles a judged question."""
    corpus = read_settings(Settings).corpus_dir
    files = sorted((corpus / "articles").rglob("*.md"))
    asks = [(file.stem, ask) for file in files for listed in _asks(file).values() for ask in listed]
    judged = [
        (each.id, text)
        for each in read_questions(questions)
        for text in filter(None, dict.fromkeys((each.question, each.english)))
    ]
    found = overlaps(asks, judged)
    for each in [] if quiet else found:
        how = f"{RUN} words in a row" if each.run else f"{SHARE:.0%} of its words"
        typer.echo(f"{each.article}: {each.ask!r} shares {how} with {each.question_id}")
    asked = len({each.question_id for each in found})
    typer.echo(f"{len(found)} of {len(asks)} ways of asking resemble {asked} questions")
    if copy is not None:
        if copy.exists():
            typer.echo(f"eval.overlaps: {copy} exists already", err=True)
            raise typer.Exit(2)
        without(corpus, copy, (each.ask for each in found))
        typer.echo(f"without them: HELPDESK_CORPUS_DIR={copy}")


if __name__ == "__main__":
    app(prog_name="python -m eval.overlaps")
