"""Knowledge articles: YAML front matter, statements in Markdown, evidence by key.

A statement is a paragraph that ends with the keys of its evidence,
``[^consent]``; the evidence stands in the front matter and holds on to the
supporting sentence by its hash. ``<id>.<language>.md`` beside an article says
the same in another language, statement by statement, and names the text it was
made from by its hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ingest.loaders.textfile import cut_front_matter, read_text_file, split_front_matter
from ingest.models import Block, Document, Loaded, Problem, Section, Skipped, fingerprint
from rag.errors import UnreadableDocument
from rag.kept import load_yaml
from rag.models import Article, ArticleStatement, Evidence, Translation, asks_of
from rag.text import fold, pin

ARTICLES = "articles"
"""The source that all articles belong to; the folder of the shipped ones in the corpus, and of
one's own in the data directory."""

_MARKER = re.compile(r"\[\^([\w-]+)\]")
_FALSE_MARKER = re.compile(r"\[\d+\]")
"""In an answer it would pass for a citation."""
_PARAGRAPHS = re.compile(r"\n\s*\n")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Evidence(_Strict):
    source: str
    path: str
    title: str
    section: list[str] = []
    url: Annotated[str, Field(pattern=r"^https?://")] | None
    label: Literal["required", "recommended", "informational"] | None = None
    pin: str


def _as_iso(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _norwegian(given: object) -> object:
    # YAML takes a bare `no` for false; here it can only be a language.
    if not isinstance(given, dict):
        return given
    return {("no" if key is False else key): asks for key, asks in given.items()}


_LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
_AskText = Annotated[str, Field(max_length=300, pattern=r"[^\W_]")]
_Audience = Literal[
    "researcher", "data_holder", "infrastructure", "policy", "clinician", "citizen",
    "contact_point", "staff",
]  # fmt: skip


class _Front(_Strict):
    """The front matter of an article."""

    title: Annotated[str, Field(min_length=1)]
    kind: Literal["answer", "known_gap", "navigation", "contact", "safety"]
    intent: Annotated[str, Field(min_length=1)]
    audience: list[str]
    country: str | None = None
    label: str | None = None
    topics: list[str] = []
    ask: Annotated[dict[_LanguageCode, list[_AskText]], BeforeValidator(_norwegian)]
    evidence: dict[str, _Evidence]
    checked: Annotated[str, BeforeValidator(_as_iso), Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    reviewed_by: str = ""
    see_also: list[str] = []
    draft: bool = False
    """Still being written: checked, and not indexed."""


class _TranslationFront(_Strict):
    """The front matter of an article in another language."""

    title: str
    of: str
    """What it was made from, see `body_pin`."""
    reviewed_by: str = ""


class LoadedArticles(Loaded):
    """The articles themselves, beside their documents."""

    def __init__(self) -> None:
        super().__init__()
        self.articles: list[Article] = []


def article_files(folder: Path) -> list[Path]:
    """Every article below a folder, in a fixed order; no translations."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.rglob("*.md") if "." not in path.stem)
    # What is no regular file (a pipe, a device) would never end.
    return sorted(path for path in found if path.is_file())


def translation_files(article: Path) -> list[Path]:
    """The translations that lie beside an article, by language."""
    return sorted(path for path in article.parent.glob(f"{article.stem}.*.md") if path.is_file())


@dataclass(frozen=True)
class TranslationFile:
    """What came of reading a translation; with neither, the article has been written anew since."""

    path: str
    """Below the folder of articles."""
    read: Translation | None = None
    problem: str | None = None


@dataclass(frozen=True)
class ArticleFile:
    """What came of reading an article and what lies beside it."""

    path: str
    """Below the folder of articles."""
    article: Article | None = None
    """With those of its translations that could be read; its path is that of the file."""
    problem: str | None = None
    """Why there is no article."""
    taken_by: str | None = None
    """The path of an earlier file with the same name, which is that of an article."""
    draft: bool = False
    """Still being written: no translation is read."""
    pin: str = ""
    """What a translation names when it was made from this one, see `body_pin`."""
    translations: tuple[TranslationFile, ...] = ()


def read_articles(*folders: Path) -> Iterator[ArticleFile]:
    """Read every article below some folders with its translations, in a fixed order.

    A name belongs to the first folder that has it: an article of one's own cannot
    take the place of a shipped one unseen.
    """
    first: dict[str, str] = {}
    for folder in folders:
        for file in article_files(folder):
            read = read_article_file(file, folder)
            yield replace(read, taken_by=first.get(file.stem))
            first.setdefault(file.stem, read.path)


def read_article_file(file: Path, folder: Path) -> ArticleFile:
    """Read an article of a folder with its translations, whatever else is there."""
    path = file.relative_to(folder).as_posix()
    try:
        text = read_text_file(file)
        article, draft = _read(text, file.stem, path)
    except UnreadableDocument as error:
        return ArticleFile(path, problem=str(error))
    translations = () if draft else tuple(_translations(file, text, folder))
    return ArticleFile(
        path,
        replace(article, translations=tuple(each.read for each in translations if each.read)),
        draft=draft,
        pin=body_pin(text),
        translations=translations,
    )


def _translations(article: Path, original: str, folder: Path) -> Iterator[TranslationFile]:
    for file in translation_files(article):
        path = file.relative_to(folder).as_posix()
        try:
            yield TranslationFile(path, read_translation(read_text_file(file), file, original))
        except UnreadableDocument as error:
            yield TranslationFile(path, problem=str(error))


def load_articles(*folders: Path) -> Iterator[LoadedArticles]:
    """What is indexed of every article of some folders, one result an article."""
    for file in read_articles(*folders):
        loaded = LoadedArticles()
        place = f"{ARTICLES}/{file.path}"
        if file.taken_by:
            problem = f"its name is taken by {ARTICLES}/{file.taken_by}"
            loaded.problems.append(Problem(place, problem))
        elif file.article is None:
            loaded.problems.append(Problem(place, str(file.problem)))
        elif file.draft:
            loaded.skipped.append(Skipped(place, "draft"))
        else:
            loaded.problems += [
                Problem(f"{ARTICLES}/{each.path}", each.problem)
                for each in file.translations
                if each.problem
            ]
            article = replace(file.article, document_id=place, path=place)
            loaded.articles.append(article)
            loaded.documents.append(_document(article))
        yield loaded


def body_pin(text: str) -> str:
    """The hash of an article's statements: what a translation was made from.

    Args:
        text: The whole file of the article.
    """
    return pin(_body(text))


def _body(text: str) -> str:
    return cut_front_matter(text)[1]


def read_article(text: str, article_id: str, path: str) -> Article:
    """Parse an article, without its translations.

    Args:
        text: The whole file.
        article_id: Its file name without ``.md``.
        path: Where it is, for reports and citations.

    Raises:
        UnreadableDocument: The file is no article; the message says why.
    """
    article, _ = _read(text, article_id, path)
    return article


def _read(text: str, article_id: str, path: str) -> tuple[Article, bool]:
    """An article, and whether it is still being written."""
    front, body = _parsed(text, _Front)
    statements = tuple(_statement(paragraph, front.evidence) for paragraph in _paragraphs(body))
    if not statements:
        raise UnreadableDocument("no statement")
    article = Article(
        article_id=article_id,
        document_id=path,
        path=path,
        title=front.title,
        kind=front.kind,
        intent=front.intent,
        asks=asks_of(front.ask),
        statements=statements,
        checked=front.checked,
        reviewed_by=front.reviewed_by,
        country=front.country,
        see_also=tuple(front.see_also),
    )
    return article, front.draft


def read_translation(text: str, file: Path, original: str) -> Translation | None:
    """Parse an article in another language.

    Args:
        text: The whole file.
        file: Where it is; its name ends with the language.
        original: The whole file of the article.

    Returns:
        None where the article has been written anew since.

    Raises:
        UnreadableDocument: It does not say the same: other statements, or other evidence.
    """
    front, body = _parsed(text, _TranslationFront)
    told, telling = _paragraphs(body), _paragraphs(_body(original))
    if front.of != body_pin(original):
        return None
    if [_MARKER.findall(each) for each in told] != [_MARKER.findall(each) for each in telling]:
        raise UnreadableDocument("its statements do not rest on the evidence of the original's")
    return Translation(
        language=file.stem.rpartition(".")[2],
        title=front.title,
        statements=tuple(fold(_MARKER.sub("", paragraph)) for paragraph in told),
        reviewed_by=front.reviewed_by,
    )


_Matter = TypeVar("_Matter", bound=_Strict)


def _parsed(text: str, form: type[_Matter]) -> tuple[_Matter, str]:
    given, body = split_front_matter(text, load_yaml)
    if given is None:
        raise UnreadableDocument("no front matter")
    try:
        return form.model_validate(given), body
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UnreadableDocument(f"{where}: {first['msg']}") from error


def _paragraphs(body: str) -> list[str]:
    return [paragraph for paragraph in _PARAGRAPHS.split(body) if paragraph.strip()]


def _statement(paragraph: str, evidence: dict[str, _Evidence]) -> ArticleStatement:
    keys = _MARKER.findall(paragraph)
    words = fold(_MARKER.sub("", paragraph))
    unknown = [key for key in keys if key not in evidence]
    if not words.isprintable() or _FALSE_MARKER.search(words):
        raise UnreadableDocument(f"control characters, or a marker [n], in {words[:60]!r}")
    if not words:
        raise UnreadableDocument("a statement that says nothing")
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
