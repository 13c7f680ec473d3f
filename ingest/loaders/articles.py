"""Knowledge articles: YAML front matter, statements in Markdown, evidence by key.

A statement is a paragraph that ends with the keys of its evidence,
``[^consent]``; the evidence stands in the front matter and holds on to the
supporting sentence by its hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ingest.loaders.textfile import read_text_file, split_front_matter
from ingest.models import Block, Document, Loaded, Problem, Section, fingerprint
from rag.errors import UnreadableDocument
from rag.models import Article, ArticleStatement, Evidence
from rag.text import fold

ARTICLES = "articles"
"""The name of the source that all shipped articles belong to."""

_MARKER = re.compile(r"\[\^([\w-]+)\]")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Evidence(_Strict):
    source: str
    path: str
    title: str
    section: list[str] = []
    url: str | None
    label: Literal["required", "recommended", "informational"] | None = None
    pin: str


def _as_iso(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


class _Front(_Strict):
    """The front matter of an article."""

    title: str
    kind: Literal["answer", "known_gap", "navigation", "contact", "safety"]
    intent: str
    audience: list[str]
    country: str | None = None
    label: str | None = None
    topics: list[str] = []
    ask: dict[str, list[str]]
    evidence: dict[str, _Evidence]
    checked: Annotated[str, BeforeValidator(_as_iso), Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    reviewed_by: str = ""
    see_also: list[str] = []


class LoadedArticles(Loaded):
    """The articles themselves, beside their documents."""

    def __init__(self) -> None:
        super().__init__()
        self.articles: list[Article] = []


def article_files(folder: Path) -> list[Path]:
    """Every article below a folder, in a fixed order."""
    return sorted(folder.rglob("*.md")) if folder.is_dir() else []


def load_articles(folder: Path) -> Iterator[LoadedArticles]:
    """Read every article, one result a file."""
    for path in article_files(folder):
        loaded = LoadedArticles()
        relative = f"{ARTICLES}/{path.relative_to(folder).as_posix()}"
        try:
            article = read_article(read_text_file(path), path.stem, relative)
        except UnreadableDocument as error:
            loaded.problems.append(Problem(relative, str(error)))
        else:
            loaded.articles.append(article)
            loaded.documents.append(_document(article))
        yield loaded


def read_article(text: str, article_id: str, path: str) -> Article:
    """Parse an article.

    Args:
        text: The whole file.
        article_id: Its file name without ``.md``.
        path: Where it is, for reports and citations.

    Raises:
        UnreadableDocument: The file is no article; the message says why.
    """
    given, body = split_front_matter(text)
    if given is None:
        raise UnreadableDocument("no front matter")
    try:
        front = _Front.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableDocument(f"{where}: {first['msg']}") from error
    statements = tuple(
        _statement(paragraph, front.evidence)
        for paragraph in re.split(r"\n\s*\n", body)
        if paragraph.strip()
    )
    if not statements:
        raise UnreadableDocument("no statement")
    return Article(
        article_id=article_id,
        document_id=path,
        path=path,
        title=front.title,
        kind=front.kind,
        intent=front.intent,
        asks=tuple(dict.fromkeys(ask for asks in front.ask.values() for ask in asks)),
        statements=statements,
        checked=front.checked,
        reviewed_by=front.reviewed_by,
        country=front.country,
        see_also=tuple(front.see_also),
    )


def _statement(paragraph: str, evidence: dict[str, _Evidence]) -> ArticleStatement:
    keys = _MARKER.findall(paragraph)
    words = fold(_MARKER.sub("", paragraph))
    unknown = [key for key in keys if key not in evidence]
    if unknown:
        raise UnreadableDocument(f"no evidence named {unknown[0]!r}")
    if not keys:
        raise UnreadableDocument(f"a statement without evidence: {words[:60]!r}")
    return ArticleStatement(
        text=words,
        evidence=tuple(
            Evidence(
                source=each.source,
                path=each.path,
                title=each.title,
                section=tuple(each.section),
                url=each.url,
                label=each.label,
                pin=each.pin,
            )
            for each in (evidence[key] for key in keys)
        ),
    )


def _document(article: Article) -> Document:
    blocks = tuple(Block(statement.text) for statement in article.statements)
    return Document(
        document_id=article.document_id,
        source=ARTICLES,
        path=article.path,
        title=article.title,
        url=None,
        language="en",
        sha256=fingerprint(article),
        sections=(Section(heading=(), blocks=blocks),),
        kind="article",
        country=article.country,
        published=article.checked,
        licence="Apache-2.0",
    )
