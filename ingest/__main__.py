"""Command line: ``python -m ingest run | status | rollback | remove``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingest import pipeline
from ingest.cache import EmbeddingCache
from ingest.loaders.articles import ARTICLES
from ingest.models import IngestReport
from ingest.register import Vocabulary
from ingest.sources import Named, named_sources
from rag.errors import HelpdeskError, NoIndex
from rag.index import Store
from rag.settings import Settings, read_settings
from rag.wiring import build_embedder, load_acronyms

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Bring the index up to date with its sources.",
)  # fmt: skip

_SHOWN = 20
"""Skipped files in the report for people; ``--json`` has them all."""


class _Bars:
    """Progress bars on a terminal, a line a step elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        if not self._console.is_terminal:
            print(f"{name} ({total})", file=sys.stderr)
            yield lambda _: None
            return
        columns = (
            TextColumn("{task.description:30}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total)
            yield lambda count: bars.advance(task, count)


@app.command()
def run(
    source: Annotated[
        list[str] | None,
        typer.Option(help="A Jekyll checkout, a folder, or a file. May be repeated."),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Web address of sources that name none themselves.")
    ] = None,
    articles: Annotated[
        bool, typer.Option("--articles/--no-articles", help="Index the shipped articles.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read the sources and build a new generation of the index."""
    if base_url and not base_url.startswith(("https://", "http://")):
        _fail("--base-url must begin with https:// or http://", code=2)
    settings = _settings()
    try:
        named = named_sources(source or [], settings.corpus_dir, base_url)
    except HelpdeskError as error:
        _fail(str(error))
    report = _run(settings, named, articles=articles)
    _show(report, as_json=as_json)
    if report.problems:
        raise typer.Exit(1)


def _run(
    settings: Settings, named: Named, *, articles: bool, removed: frozenset[str] = frozenset()
) -> IngestReport:
    try:
        return pipeline.run(
            named.sources,
            named.unavailable,
            articles=settings.corpus_dir / "articles" if articles else None,
            acronyms=load_acronyms(settings.corpus_dir),
            vocabulary=Vocabulary.load(settings.corpus_dir),
            store=Store(settings.data_dir),
            cache=EmbeddingCache(settings.data_dir / "embeddings.sqlite"),
            embedder=build_embedder(settings),
            progress=_Bars(),
            removed=removed,
        )
    except HelpdeskError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{settings.data_dir}: {error.strerror or error}")


def _show(report: IngestReport, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False))
        return
    counts = report.documents
    print(
        f"documents: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged,"
        f" {counts.removed} removed, {counts.skipped} skipped, {counts.placeholder} placeholders"
    )
    print(
        f"chunks: {report.chunks}, texts embedded: {report.embedded},"
        f" {report.seconds:.1f} s (embedding: {report.embedding_seconds:.1f} s)"
    )
    print(f"generation: {report.generation}")
    if report.skipped:
        print("skipped:")
    for each in report.skipped[:_SHOWN]:
        print(f"  {each.path}: {each.reason}")
    if len(report.skipped) > _SHOWN:
        print(f"  ... and {len(report.skipped) - _SHOWN} more (--json shows all)")
    for problem in report.problems:
        print(f"ingest: {problem.path}: {problem.problem}", file=sys.stderr)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what is indexed, how old it is, and which pages are still empty."""
    settings = _settings()
    try:
        generation = Store(settings.data_dir).open()
    except HelpdeskError as error:
        _fail(str(error))
    documents = generation.documents()
    sources: dict[str, int] = {}
    for document in documents:
        sources[document.source] = sources.get(document.source, 0) + 1
    empty = [gap for gap in generation.gaps if gap.kind == "page"]
    countries = [gap.country for gap in generation.gaps if gap.kind == "country_page"]
    stale = [
        article.article_id
        for article in generation.articles
        if any(each.stale for statement in article.statements for each in statement.evidence)
    ]
    if as_json:
        print(
            json.dumps(
                {
                    **asdict(generation.info),
                    "sources": sources,
                    "empty_pages": [gap.path for gap in empty],
                    "empty_sections": [
                        {"path": gap.path, "section": list(gap.section)}
                        for gap in generation.gaps
                        if gap.kind == "section"
                    ],
                    "empty_categories": [
                        gap.path for gap in generation.gaps if gap.kind == "category"
                    ],
                    "countries_without_resources": [
                        gap.country for gap in generation.gaps if gap.kind == "country"
                    ],
                    "countries_without_page": countries,
                    "resources": len(generation.resources),
                    "stale_articles": stale,
                },
                ensure_ascii=False,
            )
        )
        return
    info = generation.info
    print(f"generation {info.generation}, built {info.built_at} with {info.embedder}")
    for name, number in sorted(sources.items()):
        print(f"  {name}: {number} documents")
    print(
        f"  {info.chunks} chunks, {len(generation.articles)} articles,"
        f" {len(generation.resources)} linked resources"
    )
    print(f"empty pages: {len(empty)}")
    for gap in empty:
        print(f"  {gap.path}")
    if countries:
        print(f"countries without a page: {', '.join(filter(None, countries))}")
    if stale:
        print(f"stale articles: {', '.join(stale)}")


@app.command()
def rollback() -> None:
    """Go back to the generation before the current one."""
    store = Store(_settings().data_dir)
    current = store.current()
    earlier = [name for name in store.names() if current and name < current]
    if not earlier:
        _fail("there is no earlier generation")
    store.use(earlier[-1])
    print(f"generation: {earlier[-1]}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a source, as in status.")]) -> None:
    """Take the documents of a source out of the index."""
    settings = _settings()
    try:
        known = {document.source for document in Store(settings.data_dir).open().documents()}
    except NoIndex as error:
        _fail(str(error))
    except HelpdeskError as error:
        _fail(str(error))
    if name == ARTICLES:
        _fail(
            "the shipped articles are part of every index; leave them out with: run --no-articles"
        )
    if name not in known:
        _fail(f"no source named {name!r} is indexed; there are: {', '.join(sorted(known))}")
    _show(_run(settings, Named((), ()), articles=True, removed=frozenset({name})), as_json=False)


def _settings() -> Settings:
    try:
        return read_settings(Settings)
    except HelpdeskError as error:
        _fail(str(error), code=2)


def _fail(message: str, code: int = 1) -> NoReturn:
    print(f"ingest: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m ingest")
