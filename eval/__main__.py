"""Command line: ``python -m eval run | gate``."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from eval.gate import Floors, broken, corpus_hash
from eval.questions import Judged, read_questions
from eval.run import Row, Scores, as_json, build_index, score
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings
from rag.wiring import build_answerer, build_embedder, open_index

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Measure search, answers and abstention.",
)  # fmt: skip

_HERE = Path(__file__).resolve().parent
_DATA = _HERE / "data"
_FLOORS = _HERE / "floors.json"


@app.command()
def run(
    questions: Annotated[list[Path], typer.Option(help="Judged questions, JSON lines.")],
    corpus: Annotated[
        Path | None, typer.Option(help="Documents to index first; default: the current index.")
    ] = None,
    articles: Annotated[
        bool, typer.Option("--articles/--no-articles", help="Index the shipped articles too.")
    ] = True,
    report: Annotated[Path | None, typer.Option(help="Folder for a JSON report.")] = None,
) -> None:
    """Ask every question, print the scores with their 95 % intervals."""
    judged = _read(questions)
    settings = _settings()
    if corpus is not None:
        if not corpus.exists():
            _fail(f"{corpus}: no such file or folder", code=2)
        settings = _indexed(settings, corpus, articles=articles)
    rows, scores = _score(judged, settings)
    _show(scores)
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        file = report / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
        file.write_text(json.dumps(as_json(rows, scores), indent=1), encoding="utf-8")
        print(f"report: {file}")


@app.command()
def gate(
    accept: Annotated[
        bool, typer.Option("--accept", help="Set the floors to what is measured now.")
    ] = False,
) -> None:
    """Fail when a floor of eval/floors.json is broken, over our own questions."""
    judged = _read([_DATA / "questions.jsonl"])
    settings = _indexed(_settings(), _DATA / "documents", articles=True)
    _, scores = _score(judged, settings)
    _show(scores)
    articles = settings.corpus_dir / "articles"
    measured = corpus_hash([*_DATA.rglob("*.md"), *_DATA.glob("*.jsonl"), *articles.rglob("*.md")])
    floors = Floors.model_validate_json(_FLOORS.read_text(encoding="utf-8"))
    if accept:
        _accept(floors, scores, measured)
        return
    failures = broken(floors, scores, measured)
    for failure in failures:
        print(f"gate: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(1)
    print("gate: open")


def _accept(floors: Floors, scores: Scores, measured: str) -> None:
    new = floors.model_copy(
        update={
            "corpus": measured,
            "floors": {name: round(getattr(scores, name).mean, 3) for name in floors.floors},
            "ceilings": {name: round(getattr(scores, name).mean, 3) for name in floors.ceilings},
        }
    )
    _FLOORS.write_text(new.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"floors set in {_FLOORS.name}")


def _read(files: list[Path]) -> list[Judged]:
    try:
        return read_questions(files)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", code=2)
    except ValueError as error:
        _fail(str(error), code=2)


def _indexed(settings: Settings, corpus: Path, *, articles: bool) -> Settings:
    """Index a corpus beside the real index, so that measuring changes nothing."""
    place = hashlib.sha256(f"{corpus.resolve()} {articles}".encode()).hexdigest()[:12]
    data_dir = settings.data_dir / "eval" / place
    try:
        build_index(corpus, data_dir, articles=articles)
    except RuntimeError as error:
        _fail(str(error))
    return settings.model_copy(update={"data_dir": data_dir})


def _score(judged: list[Judged], settings: Settings) -> tuple[list[Row], Scores]:
    try:
        answerer = build_answerer(settings, open_index(settings), build_embedder(settings))
    except HelpdeskError as error:
        _fail(str(error))
    with _bar(len(judged)) as progress:
        return score(judged, answerer, progress)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console) as bars:
        task = bars.add_task("Asking", total=total)
        yield lambda count: bars.advance(task, count)


def _show(scores: Scores) -> None:
    for name, value in asdict(scores).items():
        if isinstance(value, dict):
            interval = f"[{value['low']:.3f}, {value['high']:.3f}]"
            print(f"{name:22} {value['mean']:.3f}  {interval}  n={value['count']}")
        else:
            print(f"{name:22} {value}")


def _settings() -> Settings:
    try:
        return read_settings(Settings)
    except HelpdeskError as error:
        _fail(str(error), code=2)


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"eval: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m eval")
