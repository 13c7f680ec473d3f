"""Command line: ``python -m eval run | compare | gate``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from eval.gate import FloorLowered, Floors, accepted, broken, corpus_hash
from eval.metrics import Interval
from eval.questions import Judged, read_questions
from eval.run import RUN, About, Run, ask, build_index, run_of
from eval.support import EntailmentModel, Supports, lexical_support, semantic_support
from eval.triage import read_messages
from eval.triaging import gated
from rag.errors import HelpdeskError
from rag.settings import Settings, read_settings
from rag.triage.sorter import Sorter
from rag.wiring import build_answerer, build_embedder, open_index

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Measure search, answers and abstention.",
)  # fmt: skip

_HERE = Path(__file__).resolve().parent
_DATA = _HERE / "data"
_FLOORS = _HERE / "floors.json"
_LEXICAL = "lexical"
_LISTED = 15
"""Questions that a comparison lists of each kind."""


@app.command()
def run(
    questions: Annotated[list[Path], typer.Option(help="Judged questions, JSON lines.")],
    corpus: Annotated[
        Path | None, typer.Option(help="Documents to index first; default: the current index.")
    ] = None,
    articles: Annotated[
        bool, typer.Option("--articles/--no-articles", help="Index the shipped articles too.")
    ] = True,
    report: Annotated[
        Path | None, typer.Option(help="Folder for run.json and a page with plots.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Who judges whether texts support statements: `lexical`, a check of words, or a"
            " cross-encoder for natural language inference by name or path. Default: words for"
            " facts, words and meaning for citations."
        ),
    ] = None,
) -> None:
    """Ask every question, print the scores with their 95 % intervals."""
    judged = _read(questions)
    settings = _settings()
    if report is not None:
        if report.exists() and not report.is_dir():
            _fail(f"{report}: not a folder", code=2)
        try:
            # Now, and not when all has been measured.
            report.mkdir(parents=True, exist_ok=True)
            (report / "run.json").touch()
        except OSError as error:
            _fail(f"{report}: no report can be written there: {error.strerror}", code=2)
    if corpus is not None and not corpus.exists():
        _fail(f"{corpus}: no such file or folder", code=2)
    supports = _judge(judge)
    if corpus is not None:
        settings = _indexed(settings, corpus, articles=articles)
    about = _about(questions, corpus, judge, settings)
    measured = _measure(judged, settings, supports, about, by_meaning=judge is None)
    _show(measured)
    if report is not None:
        # Here, as it brings matplotlib.
        from eval.report import write_report

        (report / "run.json").write_bytes(RUN.dump_json(measured, indent=1))
        print(f"report: {write_report(measured, report)}")
    if any(row.error for row in measured.rows):
        raise typer.Exit(1)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A run.json, or the folder of a report.")],
    second: Annotated[Path, typer.Argument(help="The run that is held against it.")],
) -> None:
    """Pair two runs question by question: what changed, and is it more than chance."""
    # Here, as it brings scipy's statistics.
    from eval.compare import Change
    from eval.compare import compare as paired

    found = paired(_kept(first), _kept(second))
    if not found.paired:
        _fail("the two runs have no question in common", code=2)
    print(f"{found.paired} questions paired; second less first, 95 % interval, p by permutation")
    for changed in found.about:
        print(f"not the same: {changed.id}: {changed.first} -> {changed.second}")
    for each in found.differences:
        gap = each.difference
        print(
            f"{each.name:22} {each.first:.3f} -> {each.second:.3f}  {gap.mean:+.3f}"
            f"  [{gap.low:+.3f}, {gap.high:+.3f}]  p={each.p_value:.4f}  n={gap.count}"
        )

    def listed(title: str, changes: Sequence[Change]) -> None:
        print(f"\n{title}: {len(changes)}")
        for change in changes[:_LISTED]:
            print(f"  {change.id}  {change.first} -> {change.second}")
        if len(changes) > _LISTED:
            print(f"  and {len(changes) - _LISTED} more")

    listed("evidence ranks higher (ranks by group)", found.won)
    listed("evidence ranks lower", found.lost)
    listed("answered or declined otherwise", found.decided)
    if found.only_first or found.only_second or found.reworded:
        print(
            f"\nthe questions differ: {found.only_first} only in the first run,"
            f" {found.only_second} only in the second, {found.reworded} with the same id and"
            " another wording or judgement; none of them was compared"
        )


@app.command()
def gate(
    accept: Annotated[
        bool, typer.Option("--accept", help="Set the floors to what is measured now.")
    ] = False,
    lower: Annotated[
        list[str] | None,
        typer.Option(help="With --accept: a floor that may fall, or a ceiling that may rise."),
    ] = None,
) -> None:
    """Fail when a floor of eval/floors.json is broken, over our own questions."""
    if lower and not accept:
        _fail("--lower goes with --accept", code=2)
    judged = _read([_DATA / "questions.jsonl"])
    try:
        floors = Floors.model_validate_json(_FLOORS.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        _fail(f"{_FLOORS.name}: {str(error).splitlines()[0]}")
    settings = _settings()
    shipped = Settings.model_construct()
    if accept and any(
        getattr(settings, part) != getattr(shipped, part)
        for part in ("embedder", "retrieval", "reranker")
    ):
        _fail("--accept measures the program as it ships; unset embedder, weights and reranker")
    settings = _indexed(settings, _DATA / "documents", articles=True)
    measured = _measure(judged, settings, lexical_support, {})
    _show(measured)
    scores = {**measured.scores, **_sorting()}
    corpus = corpus_hash(_gated(settings))
    failures = [f"{row.id}: {row.error}" for row in measured.rows if row.error]
    if accept and not failures:
        try:
            new = accepted(floors, scores, corpus, lower or ())
        except FloorLowered as error:
            _fail(f"floors stay: {error}")
        _FLOORS.write_text(new.model_dump_json(indent=1) + "\n", encoding="utf-8")
        print(f"floors set in {_FLOORS.name}")
        return
    failures += broken(floors, scores, corpus)
    for failure in failures:
        print(f"gate: {failure}", file=sys.stderr)
    if failures:
        raise typer.Exit(1)
    print("gate: open")


def _sorting() -> dict[str, Interval]:
    """How well messages that nothing learned from are sorted."""
    try:
        messages = read_messages(_DATA / "triage.jsonl")
        sorter = Sorter.load()
    except (HelpdeskError, OSError, ValueError) as error:
        _fail(str(error))
    with _bar(len(messages), "Sorting") as advance:
        scores = gated(messages, sorter, lambda: advance(1))
    for name, score in scores.items():
        print(f"{name:28} {score.mean:.3f}  n={score.count}")
    return scores


def _gated(settings: Settings) -> list[tuple[str, Path]]:
    """What the floors were set on: questions, messages, documents, articles.

    Code, glossary and countries are what is judged: they may change, and must not make it worse.
    """
    articles = settings.corpus_dir / "articles"
    return [
        ("questions.jsonl", _DATA / "questions.jsonl"),
        ("triage.jsonl", _DATA / "triage.jsonl"),
        *(
            (f"{root.name}/{file.relative_to(root).as_posix()}", file)
            for root in (_DATA / "documents", articles)
            for file in root.rglob("*")
            if file.is_file()
        ),
    ]


def _read(files: list[Path]) -> list[Judged]:
    try:
        judged = read_questions(files)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", code=2)
    except ValueError as error:
        _fail(str(error), code=2)
    if not judged:
        _fail(f"no question in {', '.join(map(str, files))}", code=2)
    return judged


def _kept(place: Path) -> Run:
    file = place / "run.json" if place.is_dir() else place
    try:
        return RUN.validate_json(file.read_bytes())
    except OSError as error:
        _fail(f"{file}: {error.strerror}", code=2)
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"])) or "it"
        _fail(f"{file}: not a run of this program ({where}: {what['msg']})", code=2)


def _judge(model: str | None) -> Supports:
    if model is None or model == _LEXICAL:
        return lexical_support
    try:
        return EntailmentModel(model)
    except ValueError as error:
        _fail(str(error))


def _indexed(settings: Settings, corpus: Path, *, articles: bool) -> Settings:
    """Index a corpus beside the real index, so that measuring changes nothing."""
    place = hashlib.sha256(f"{corpus.resolve()} {articles}".encode()).hexdigest()[:12]
    data_dir = settings.data_dir / "eval" / place
    try:
        build_index(corpus, data_dir, articles=articles)
    except RuntimeError as error:
        _fail(str(error))
    return settings.model_copy(update={"data_dir": data_dir, "index_dir": None})


def _measure(
    judged: list[Judged],
    settings: Settings,
    supports: Supports,
    about: About,
    *,
    by_meaning: bool = False,
) -> Run:
    try:
        embedder = build_embedder(settings)
        answerer = build_answerer(settings, open_index(settings), embedder)
    except HelpdeskError as error:
        _fail(str(error))
    with _bar(len(judged)) as progress:
        rows = ask(
            judged, answerer, lambda query: embedder.queries([query]), supports, progress,
            cited=semantic_support(embedder) if by_meaning else None,
        )  # fmt: skip
    index = answerer.generation.info
    return run_of(
        rows,
        {
            "generation": index.generation,
            "built_at": index.built_at,
            "embedder": index.embedder,
            "documents": index.documents,
            "chunks": index.chunks,
            **about,
        },
    )


def _about(
    questions: Sequence[Path], corpus: Path | None, judge: str | None, settings: Settings
) -> About:
    """What the scores belong to; files by name, as a report may leave this machine."""
    return {
        "questions": {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in questions
        },
        "corpus": corpus.resolve().name if corpus else "the current index",
        "retrieval": settings.retrieval.model_dump(mode="json"),
        "judge": judge or "lexical_support; citations: semantic_support",
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": _commit(),
    }


def _commit() -> str | None:
    """Which code was measured, None outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607
            cwd=_HERE, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    return done.stdout.strip() or None


@contextmanager
def _bar(total: int, doing: str = "Asking") -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console) as bars:
        task = bars.add_task(doing, total=total)
        yield lambda count: bars.advance(task, count)


def _show(measured: Run) -> None:
    print(f"{'questions':22} {len(measured.rows)}")
    for name, value in measured.scores.items():
        if value.count:
            interval = f"[{value.low:.3f}, {value.high:.3f}]"
            print(f"{name:22} {value.mean:.3f}  {interval}  n={value.count}")
    for name, kind in measured.abstention.by_kind.items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in kind.reasons.items())
        told = f" ({reasons})" if reasons else ""
        print(f"{f'refused, {name}':32} {kind.refused} of {kind.questions}{told}")
    if measured.abstention.auroc is not None:
        print(f"{'AUROC of the top score':32} {measured.abstention.auroc:.3f}")
    for name, took in measured.latency.items():
        print(f"{f'{name} ms':32} p50 {took.p50:.1f}  p95 {took.p95:.1f}")
    if measured.search_over_embedding is not None:
        print(f"{'search over bare embedding, p50':32} {measured.search_over_embedding:.2f}")
    failed = [row.id for row in measured.rows if row.error]
    if failed:
        print(f"eval: {len(failed)} questions failed: {', '.join(failed[:5])}", file=sys.stderr)


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
