"""Command line: ``python -m rag search | ask``."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from rag.answerer import Answerer
from rag.errors import BadSetting, HelpdeskError
from rag.models import Answer, Delta, Question
from rag.settings import Settings, read_settings
from rag.text import printable
from rag.wiring import build_answerer, build_embedder, open_index

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Search the index, or ask it.",
)  # fmt: skip

MAX_QUESTION = 4000
_MAX_PASSAGES = 100
_LONGEST = 5_000
"""Letters of a line that is printed."""


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to search for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=_MAX_PASSAGES, help="How many passages.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print ranked passages."""
    question = Question(_checked(query))
    passages = _answerer().search(question, k)
    if as_json:
        rows = [
            {
                "rank": passage.rank,
                "score": round(passage.score, 4),
                "document_id": passage.chunk.document_id,
                "source": passage.chunk.source,
                "path": passage.chunk.path,
                "title": passage.chunk.title,
                "section": list(passage.chunk.section),
                "url": passage.chunk.begins_at,
                "page": passage.chunk.page,
                "label": passage.chunk.label,
                "text": passage.chunk.text,
                "parent": asdict(passage.parent) if passage.parent else None,
                "also": [
                    {
                        "document_id": chunk.document_id,
                        "source": chunk.source,
                        "path": chunk.path,
                        "title": chunk.title,
                        "section": list(chunk.section),
                        "url": chunk.begins_at,
                        "page": chunk.page,
                    }
                    for chunk in passage.also
                ],
            }
            for passage in passages
        ]
        print(json.dumps({"query": query, "passages": rows}, ensure_ascii=False))
        return
    for passage in passages:
        chunk = passage.chunk
        print(printable(f"{passage.rank:3}. {chunk.heading}  [{passage.score:.3f}]"))
        print(printable(f"     {chunk.begins_at or chunk.path}", _LONGEST))
        print(printable(f"     {' '.join(chunk.text.split())}", 200))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What to ask.")],
    language: Annotated[str | None, typer.Option(help="ISO 639-1 of the wanted reply.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a cited answer."""
    if language is not None and not re.fullmatch(r"[a-z]{2}", language):
        _fail("--language takes an ISO 639-1 code, such as de", code=2)
    asked = Question(_checked(question), language=language)
    answerer = _answerer()
    try:
        for step in answerer.stream(asked):
            if isinstance(step, Delta) and not as_json:
                _print_piece(step.text)
            elif isinstance(step, Answer):
                _print_json(step) if as_json else _print_notes(step)
    except HelpdeskError as error:
        _fail(str(error))


def _print_piece(text: str) -> None:
    """Print text as it is made; a line it ends, or begins, may go on in the next piece."""
    print("\n".join(printable(line, _LONGEST) for line in text.split("\n")), end="", flush=True)


def _print_json(answer: Answer) -> None:
    print(json.dumps(asdict(answer), ensure_ascii=False))


def _print_notes(answer: Answer) -> None:
    """Print what stands below the text: the footnotes, and what to do next."""
    print()
    for citation in answer.citations:
        place = " > ".join((citation.title, *citation.section))
        label = f" ({citation.label})" if citation.label else ""
        print()
        print(printable(f"[{citation.marker}] {place}{label}"))
        print(printable(f"    {citation.url or citation.path}", _LONGEST))
        if citation.kind == "source":
            print(printable(f'    "{citation.quote}"', _LONGEST))
    if answer.next_step:
        print(f"\n{printable(answer.next_step.text, _LONGEST)}")
    if answer.follow_ups:
        print()
    for question in answer.follow_ups:
        print(printable(f"? {question}"))


def _answerer() -> Answerer:
    try:
        settings = read_settings(Settings)
        return build_answerer(settings, open_index(settings), build_embedder(settings))
    except BadSetting as error:
        _fail(str(error), code=2)
    except HelpdeskError as error:
        _fail(str(error))


def _checked(text: str) -> str:
    if not text.strip() or "\0" in text:
        _fail("the question is empty", code=2)
    if any("\ud800" <= character <= "\udfff" for character in text):
        _fail("the question is not valid text", code=2)
    if len(text) > MAX_QUESTION:
        _fail(f"the question is longer than {MAX_QUESTION} characters", code=2)
    return text


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"rag: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m rag")
