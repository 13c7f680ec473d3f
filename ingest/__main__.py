"""Command line: ``python -m ingest run``, and what else is done with sources and articles."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from ingest import article_commands, pipeline
from ingest.doctor import of_index
from ingest.fetch.fetcher import Fetcher
from ingest.freshness_report import as_plain, lines_of
from ingest.gather import DOCUMENT, Task
from ingest.link_check import check_links
from ingest.loaders.articles import ARTICLES
from ingest.models import IngestReport
from ingest.online import of_services
from ingest.pipeline import Memory
from ingest.sources import Registry, listed_sources, named_sources
from ingest.sync import SyncLog
from ingest.terminal import SHOWN, Bars, fail, failing_in_a_line, show_list
from ingest.watch import due as due_sources
from ingest.watch import exit_on_signals, run_as_child
from ingest.watch import watch as keep_watch
from ingest.wiring import client_of, core_settings, ingest_settings, knowledge_of
from rag.errors import HelpdeskError
from rag.freshness import freshness_of
from rag.link_report import read_links, write_links
from rag.settings import Settings
from rag.source_states import SYNC, SourceState
from rag.text import printable
from rag.wiring import build_embedder, open_index, open_store

_ASKING_S = 20 * 60
"""For all linked addresses; what there is no time for is asked the next time, or never."""

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Bring the index up to date with its sources.",
)  # fmt: skip

app.add_typer(article_commands.app, name="articles")


@app.command()
def run(
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="A listed source, a Jekyll checkout, a folder, a file, the address of a site,"
            " of a GitHub repository or of something on Zenodo, or a DOI. May be repeated."
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Web address of sources that name none themselves.")
    ] = None,
    articles: Annotated[
        bool, typer.Option("--articles/--no-articles", help="Index the knowledge articles.")
    ] = True,
    due: Annotated[
        bool, typer.Option("--due", help="Only listed sources whose refresh interval has passed.")
    ] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Believe a source that has lost half of its documents."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Read the sources and build a new generation of the index."""
    if base_url and not base_url.startswith(("https://", "http://")):
        fail("--base-url must begin with https:// or http://", code=2)
    if due and source:
        fail("--due and --source exclude one another", code=2)
    settings, own = core_settings(), ingest_settings()
    try:
        registry = Registry.load(settings.corpus_dir)
        if due:
            waiting, _ = due_sources(registry.sources, _states(settings), datetime.now(UTC))
            named = listed_sources(waiting, registry)
        elif source:
            named = named_sources(source, registry, base_url, own.fetch.zenodo)
        else:
            named = listed_sources(registry.sources, registry)
    except HelpdeskError as error:
        fail(str(error))
    task = Task(named.sources, named.unavailable, accept=accept, anew=not source)
    report = _run(settings, task, registry, articles=articles)
    _show(report, as_json=as_json)
    if report.problems:
        raise typer.Exit(1)


def _run(settings: Settings, task: Task, registry: Registry, *, articles: bool) -> IngestReport:
    with failing_in_a_line(settings.index), client_of(settings) as client:
        memory = Memory.of(settings.data_dir, open_store(settings))
        own = ingest_settings().fetch
        embedder = build_embedder(settings)
        return pipeline.run(
            task,
            fetch=Fetcher(client, memory.downloads, zenodo=own.zenodo, github=own.github),
            knowledge=knowledge_of(settings, registry, embedder, articles=articles),
            memory=memory,
            embedder=embedder,
            progress=Bars(),
        )


def _states(settings: Settings) -> dict[str, SourceState]:
    log = SyncLog(settings.index / SYNC)
    return log.states(open_store(settings).current())


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
    for fate in ("added", "changed", "removed"):
        show_list(f"{fate}:", getattr(report, fate))
    show_list("skipped:", [f"{each.path}: {each.reason}" for each in report.skipped])
    show_list("stale, kept as they were:", report.stale)
    for problem in report.problems[:SHOWN]:
        print(printable(f"ingest: {problem.path}: {problem.problem}"), file=sys.stderr)
    if len(report.problems) > SHOWN:
        more = len(report.problems) - SHOWN
        print(f"ingest: ... and {more} more problems (--json shows all)", file=sys.stderr)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what is indexed, how old it is, and which pages are still empty."""
    settings = core_settings()
    try:
        generation = open_index(settings)
    except HelpdeskError as error:
        fail(str(error))
    documents = generation.documents()
    states = _states(settings)
    sources: dict[str, int] = {}
    for document in documents:
        sources[document.source] = sources.get(document.source, 0) + 1
    empty = [gap for gap in generation.gaps if gap.kind == "page"]
    countries = [gap.country for gap in generation.gaps if gap.kind == "country_page"]
    stale = [article.article_id for article in generation.articles if article.stale]
    if as_json:
        print(
            json.dumps(
                {
                    **asdict(generation.info),
                    "sources": sources,
                    "sync": {name: asdict(state) for name, state in states.items()},
                    "stale": [name for name, state in states.items() if state.stale],
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
    for name in sorted(sources.keys() | states.keys()):
        number = sources.get(name, 0)
        print(printable(f"  {name}: {number} documents{_as_of(states.get(name))}"))
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


def _as_of(state: SourceState | None) -> str:
    if state is None:
        return ""
    if state.problem is None:
        return f", as of {state.read_at}"
    last = f"last had {state.read_at}" if state.read_at else "never had"
    return f", STALE, {last}: {state.problem}"


@app.command()
def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Ask Zenodo, GitHub and the sites as well.")
    ] = False,
) -> None:
    """Check the index, and with --online what is assumed of the services it comes from."""
    settings = core_settings()
    try:
        store = open_store(settings)
        found = list(of_index(store, settings.data_dir, build_embedder(settings).name))
        registry = Registry.load(settings.corpus_dir)
    except HelpdeskError as error:
        fail(str(error))
    if online:
        own = ingest_settings().fetch
        found += of_services(
            lambda: client_of(settings),
            registry,
            store,
            zenodo=own.zenodo,
            github=own.github,
        )
    for each in found:
        print(printable(f"{each.verdict:7} {each.name}: {each.said}"))
    if any(each.verdict == "fault" for each in found):
        raise typer.Exit(1)


@app.command()
def freshness(
    links: Annotated[
        bool, typer.Option("--links", help="Ask for linked addresses elsewhere as well.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say what has gone from under articles, where pages differ, and which links are dead."""
    settings = core_settings()
    with failing_in_a_line(settings.index):
        generation = open_index(settings)
        documents = [DOCUMENT.validate_json(payload) for _, payload in generation.payloads()]
        checked = partial(
            check_links, documents, generation.gaps, generation.info.generation,
            read_links(settings.index),
        )  # fmt: skip
        if links:
            with client_of(settings) as client, Bars().step("Asking for links", 0) as count:
                client.allow(_ASKING_S)
                report = checked(client, count)
        else:
            report = checked(None)
        write_links(settings.index, report)
        found = freshness_of(generation)
    if as_json:
        print(json.dumps(as_plain(found, report), ensure_ascii=False))
    else:
        print("\n".join(lines_of(found, report)))


@app.command()
def watch() -> None:
    """Bring every listed source up to date when it is due, until stopped."""
    settings = core_settings()
    exit_on_signals()
    try:
        known = Registry.load(settings.corpus_dir)
    except HelpdeskError as error:
        fail(str(error))
    print(f"watching {len(known.sources)} sources", flush=True)

    def plan(now: datetime) -> tuple[list[str], datetime]:
        nonlocal known
        try:
            known = Registry.load(settings.corpus_dir)
        except HelpdeskError as error:
            # Somebody is writing it; what it said before goes on.
            print(f"ingest: {error}", file=sys.stderr, flush=True)
        return due_sources(known.sources, _states(settings), now)

    def run_due(names: Sequence[str]) -> None:
        before = _states(settings)
        code = run_as_child()
        after = _states(settings)
        unheard = [name for name in names if after.get(name) == before.get(name)]
        if unheard:
            _note_failure(settings, unheard, f"its sync ended with exit code {code}")

    keep_watch(plan, run_due)


def _note_failure(settings: Settings, names: Sequence[str], problem: str) -> None:
    """Have sources wait whose run could not even say what became of them."""
    store = open_store(settings)
    try:
        store.directory.mkdir(parents=True, exist_ok=True)
        with store.locked():
            now = store.current()
            log = SyncLog(settings.index / SYNC)
            log.record(dict.fromkeys(names, problem), was=now, generation=now)
    except (HelpdeskError, OSError) as error:
        print(f"ingest: {error}", file=sys.stderr, flush=True)


@app.command()
def rollback() -> None:
    """Go back to the generation before the current one, until a source is read again."""
    settings = core_settings()
    store = open_store(settings)
    try:
        with store.locked():
            current = store.current()
            earlier = [name for name in store.names() if current and name < current]
            if not earlier:
                fail("there is no earlier generation")
            store.use(earlier[-1])
            SyncLog(settings.index / SYNC).follow(earlier[-1])
    except HelpdeskError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{settings.index}: {error.strerror or error}")
    print(f"generation: {earlier[-1]}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a source, as in status.")]) -> None:
    """Take the documents of a source out of the index."""
    settings = core_settings()
    try:
        known = {document.source for document in open_index(settings).documents()}
        registry = Registry.load(settings.corpus_dir)
    except HelpdeskError as error:
        fail(str(error))
    known |= _states(settings).keys()
    if name == ARTICLES:
        fail("the articles are part of every index; leave them out with: run --no-articles")
    if name not in known:
        fail(f"no source named {name!r} is indexed; there are: {', '.join(sorted(known))}")
    _show(_run(settings, Task(removed=frozenset({name})), registry, articles=True), as_json=False)
    if name in registry.sources:
        print(f"{name} is listed in sources.yaml: the next run without --source reads it again")


if __name__ == "__main__":
    app(prog_name="python -m ingest")
