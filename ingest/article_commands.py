"""``python -m ingest articles check | new | publish | withdraw | report``: looking after them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ingest import pipeline
from ingest.article_checks import Coverage, Finding, check, coverage, read_shelf
from ingest.fetch.fetcher import Fetcher
from ingest.gather import DOCUMENT, Before, Task, gather
from ingest.loaders.articles import ARTICLES, article_files
from ingest.loaders.textfile import read_text_file
from ingest.models import Document, Fetched, Problem, Remote
from ingest.own_articles import WARNINGS, examine, own_files, published, withdrawn
from ingest.pipeline import Memory
from ingest.register import Vocabulary, build_register
from ingest.sources import Registry, named_sources
from ingest.terminal import Bars, fail, failing_in_a_line, show_list
from ingest.watch import exit_on_signals
from ingest.wiring import article_folders, client_of, core_settings, ingest_settings, knowledge_of
from rag.article_drafts import draft, file_name, material
from rag.errors import HelpdeskError, SourceUnavailable
from rag.language import detect_language
from rag.models import Article, Question
from rag.settings import Settings
from rag.text import fold, printable
from rag.usage import USAGE, Usage
from rag.wiring import build_embedder, build_retriever, open_index, open_store

app = typer.Typer(
    no_args_is_help=True, help="Check, draft and look after the knowledge articles."
)  # fmt: skip

_DRAFTS = "drafts"
"""Folder of drafts that are near no other article."""
_LIKELY, _NEAR = 0.5, 3
"""How sure it must be that an article answers already to name it to whoever drafts one, and
how many are named."""
_WAIT_S = 600
"""How long another ingest may go on before an article is brought in or taken out."""
_STOPPED = 143
"""Exit code of a command that was told to end, as shells have it."""
_NOT_MISSING = ("article", "strong", "unsafe", "unclear")
"""Outcomes that no further article would change."""


@app.command("check")
def check_articles(
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Check against this source, read now, instead of the index. May be repeated."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Tell whether every article still says what its sources say, in our own words."""
    settings = core_settings()
    shelf = read_shelf(*article_folders(settings))
    if not shelf.articles and not shelf.findings:
        fail(f"there are no articles in {settings.corpus_dir / ARTICLES}")
    try:
        documents, problems = (
            _read_now(source, settings) if source else (_indexed(settings), [])
        )  # fmt: skip
        vocabulary = Vocabulary.load(settings.corpus_dir)
    except (HelpdeskError, OSError) as error:
        fail(str(error))
    for problem in problems:
        typer.echo(printable(f"ingest: {problem.path}: {problem.problem}"), err=True)
    findings = check(shelf, documents)
    resources = build_register(documents, vocabulary)
    covered = coverage(shelf, documents, resources)
    if as_json:
        print(
            json.dumps(
                {
                    "findings": [asdict(each) for each in findings],
                    "coverage": asdict(covered),
                    "problems": [asdict(each) for each in problems],
                },
                ensure_ascii=False,
            )
        )
    else:
        _show_check(findings, covered)
    # What kept none of one's own back when it was published is told, and no more.
    shipped, own = (_paths(each) for each in article_folders(settings))
    failing = [e for e in findings if e.kind not in WARNINGS or e.path not in own - shipped]
    if failing or problems:
        raise typer.Exit(1)


def _paths(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in article_files(folder)}


def _indexed(settings: Settings) -> list[Document]:
    """The documents of the index; none where there is no index."""
    store = open_store(settings)
    if store.current() is None:
        return []
    documents = [DOCUMENT.validate_json(payload) for _, payload in store.open().payloads()]
    return [each for each in documents if each.kind != "article"]


def _read_now(names: Sequence[str], settings: Settings) -> tuple[list[Document], list[Problem]]:
    """Read sources as a run would, and keep nothing of it."""
    own = ingest_settings().fetch
    registry = Registry.load(settings.corpus_dir)
    named = named_sources(names, registry, None, own.zenodo)
    with TemporaryDirectory(prefix="articles-") as folder, client_of(settings) as client:
        memory = Memory.of(Path(folder))
        found = gather(
            Task(named.sources, named.unavailable),
            Before(),
            articles=(),
            order=tuple(registry.sources),
            fetch=Fetcher(client, memory.downloads, zenodo=own.zenodo, github=own.github),
            readings=memory.readings,
            progress=Bars(),
        )
    if not found.documents and not found.problems:
        fail("nothing to check against is in: " + ", ".join(names))
    return found.documents, found.problems


def _show_findings(findings: Sequence[Finding]) -> None:
    for each in findings:
        typer.echo(printable(f"{each.kind:14} {each.path}: {each.said}"), err=True)


def _show_check(findings: Sequence[Finding], covered: Coverage) -> None:
    _show_findings(findings)
    others = covered.asks - covered.asks_by_language.get("en", 0)
    kinds = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in covered.kinds.items())
    languages = len(covered.asks_by_language)
    if covered.evidence and covered.unread == covered.evidence:
        print("no page they rest on is at hand; name a source with --source")
    print(f"articles: {covered.articles} ({kinds})")
    print(f"ways of asking: {covered.asks}, {others} not English, in {languages} languages")
    print(
        f"statements: {covered.statements}; evidence: {covered.held} of {covered.evidence}"
        f" sentences found, {covered.unread} on pages that are not at hand"
    )
    print(f"translations: {sum(covered.translations.values())}")
    show_list("pages that no article rests on:", covered.pages_without)
    show_list("labelled resources that no article names:", covered.resources_without)
    print(f"findings: {len(findings)}")


@app.command("new")
def new_article(
    question: Annotated[str, typer.Argument(help="As people ask it.")],
) -> None:
    """Draft an article from the passages that a search finds for a question."""
    settings = core_settings()
    if not any(letter.isalnum() for letter in question):
        fail("the question is empty", code=2)
    question = fold(question)
    folder = settings.corpus_dir / ARTICLES
    if not folder.is_dir():
        fail(f"there are no articles in {folder}")
    try:
        generation = open_index(settings)
        retriever = build_retriever(settings, generation, build_embedder(settings))
    except HelpdeskError as error:
        fail(str(error))
    query = retriever.query(Question(question))
    brought = retriever.find(query, 10)
    near = [each for each in brought.fits if each.certainty >= _LIKELY][:_NEAR]
    found = material(generation, query, brought.passages)
    if not found:
        fail("nothing indexed has to do with it; there is nothing to begin with")
    topic = Path(near[0].article.path).parent.relative_to(ARTICLES) if near else Path(_DRAFTS)
    name = file_name(question)
    taken = {file.stem for each in article_folders(settings) for file in article_files(each)}
    if name in taken:
        fail(f"there is an article named {name} already")
    file = folder / topic / f"{name}.md"
    text = draft(
        question,
        detect_language(question),
        near[0].article.intent if near else "about",
        found,
        datetime.now(UTC).date(),
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as draft_file:
            draft_file.write(text)
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    print(f"draft: {file}")
    print("Say each statement in your own words, most important first; add ways people ask;")
    print("take `draft: true` out; then: python -m ingest articles check")
    for each in near:
        print(printable(f"near it: {each.article.article_id} ({each.article.title})"))


@app.command("publish")
def publish_article(
    file: Annotated[Path, typer.Argument(help="The article, as <id>.md; it stays where it is.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Check an article of your own, and bring it into the index; no source is read again."""
    exit_on_signals(_STOPPED)
    settings = core_settings()
    shipped, own = article_folders(settings)
    with failing_in_a_line(settings.index):
        generation = open_index(settings)
        documents = _indexed(settings)
        article, findings = examine(file, shipped, generation.articles, documents)
        refused = article is None or any(each.kind not in WARNINGS for each in findings)
        built = None
        if article is not None and not refused:
            change = published(own, article, read_text_file(file))
            built = _build_anew(settings, change)
    if as_json:
        _print_json(
            article=file.stem,
            published=not refused,
            there=not refused or _is_there(file.stem, shipped, own, generation.articles),
            findings=[{"kind": each.kind, "said": each.said} for each in findings],
            generation=built,
        )
    else:
        _show_findings(findings)
        print("refused; nothing has changed" if refused else f"published; generation: {built}")
    if refused:
        raise typer.Exit(1)


@app.command("withdraw")
def withdraw_article(
    article_id: Annotated[str, typer.Argument(help="Name of an article of your own.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Take an article of your own out of the index again; no source is read again."""
    exit_on_signals(_STOPPED)
    settings = core_settings()
    shipped, own = article_folders(settings)
    with failing_in_a_line(settings.index):
        store = open_store(settings)
        built = store.current()
        indexed = store.open().articles if built else ()
        there = _is_there(article_id, shipped, own, indexed)
        if there:
            built = _build_anew(settings, withdrawn(own, article_id))
    if as_json:
        _print_json(article=article_id, withdrawn=there, generation=built)
    elif there:
        print(f"withdrawn; generation: {built}")
    else:
        fail(f"there is no article named {article_id} in {own}")
    if not there:
        raise typer.Exit(1)


def _is_there(article_id: str, shipped: Path, own: Path, indexed: Sequence[Article]) -> bool:
    """Whether one's own articles have one of this name, or the index has it still.

    Of a command that was killed either may be left.
    """
    if own_files(own, article_id):
        return True
    known = any(each.article_id == article_id for each in indexed)
    return known and all(each.stem != article_id for each in article_files(shipped))


def _build_anew(settings: Settings, change: AbstractContextManager[None]) -> str | None:
    """Bring the index up to date with a change of the articles; its generation.

    Whatever else is indexed stays as it is stored.
    """
    embedder = build_embedder(settings)
    registry = Registry.load(settings.corpus_dir)
    report = pipeline.run(
        Task(),
        fetch=_fetch_nothing,
        knowledge=knowledge_of(settings, registry, embedder),
        memory=Memory.of(settings.data_dir, open_store(settings)),
        embedder=embedder,
        progress=Bars(),
        change=change,
        wait_s=_WAIT_S,
    )
    for problem in report.problems:
        typer.echo(printable(f"ingest: {problem.path}: {problem.problem}"), err=True)
    return report.generation


def _fetch_nothing(source: Remote, _: Callable[[int], None]) -> Fetched:
    raise SourceUnavailable(f"{source.name} is not asked for")


def _print_json(**told: object) -> None:
    print(json.dumps(told, ensure_ascii=False))


@app.command("report")
def report(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say which articles are stale, which nobody needed, and where one is missing."""
    settings = core_settings()
    try:
        generation = open_index(settings)
    except HelpdeskError as error:
        fail(str(error))
    try:
        since, counts = Usage(settings.data_dir / USAGE).read()
    except sqlite3.Error as error:
        fail(f"{settings.data_dir / USAGE}: {error}; it can be removed, counting begins anew")
    stale = sorted(each.article_id for each in generation.articles if each.stale)
    known = {each.article_id for each in generation.articles}
    answered: dict[str, int] = {}
    for each in counts:
        if each.subject not in known and "article" not in each.outcome:
            continue
        answered[each.subject] = answered.get(each.subject, 0) + each.count
    unused = sorted(known - answered.keys())
    missing = [each for each in counts if each.outcome not in _NOT_MISSING]
    if as_json:
        print(
            json.dumps(
                {
                    "since": since,
                    "stale": stale,
                    "unused": unused,
                    "used": answered,
                    "missing": [asdict(each) for each in missing],
                },
                ensure_ascii=False,
            )
        )
        return
    show_list(f"stale: {len(stale)}", stale)
    if since is None:
        print("nothing has been asked yet")
        return
    print(f"answers counted since {since}: {sum(each.count for each in counts)}")
    show_list(f"articles that answered nothing: {len(unused)}", unused)
    show_list(
        "asked, and not answered well (kind, article or document that came nearest):",
        [f"{each.count} x {each.outcome}, {each.subject or 'none'}" for each in missing],
    )
