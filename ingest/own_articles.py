"""Articles of whoever runs the helpdesk: checked one by one, and stored in the data directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ingest.article_checks import Finding, check_one
from ingest.loaders.articles import ARTICLES, article_files, read_article_file, translation_files
from ingest.models import Document
from rag.models import Article

WARNINGS = frozenset({"few asks"})
"""Findings that keep no article back: one that a single ticket asked for is asked in few ways."""
_NAME = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
"""What a file or folder may be called that somebody else has named."""


def examine(
    file: Path, shipped: Path, others: Sequence[Article], documents: Sequence[Document]
) -> tuple[Article | None, list[Finding]]:
    """Check an article that is to be published, whose file is named after it.

    Args:
        file: Anywhere; no translation beside it is looked at.
        shipped: Folder of the shipped articles, whose names are taken.
        others: The articles in the index; an earlier state of it may be among them.
        documents: The documents of the index.

    Returns:
        The article, None where it cannot be read, and all that was found.
    """
    name = file.stem

    def refused(said: str) -> tuple[None, list[Finding]]:
        return None, [Finding(file.name, "unreadable", said)]

    if not _NAME.fullmatch(name) or file.suffix != ".md":
        return refused("its file is not named <id>.md, of small letters, digits and hyphens")
    taken = next((each for each in article_files(shipped) if each.stem == name), None)
    if taken:
        return refused(f"its name is taken by {ARTICLES}/{taken.relative_to(shipped).as_posix()}")
    read = read_article_file(file, file.parent)
    article = read.article
    if article is None:
        return refused(str(read.problem))
    if not _NAME.fullmatch(article.intent):
        return refused(f"intent: {article.intent!r} is no name of a folder")
    if read.draft:
        return None, [Finding(file.name, "draft", "still being written, and not indexed")]
    beside = [each for each in others if each.article_id != name]
    return article, check_one(replace(article, translations=()), beside, documents)


def own_file(folder: Path, article_id: str) -> Path | None:
    """The file of an own article, None where there is none."""
    return next((each for each in article_files(folder) if each.stem == article_id), None)


@contextmanager
def published(folder: Path, article: Article, text: str) -> Iterator[None]:
    """Have an article among one's own; where what follows fails, as if it had never been.

    Args:
        folder: Of one's own articles.
        article: What the text was read as.
        text: Its whole file.
    """
    place = folder / article.intent / f"{article.article_id}.md"
    before = own_file(folder, article.article_id)
    had = before.read_bytes() if before else b""
    _store(folder, place, text.encode())
    # The new one is there first, so that whatever happens one of the two is.
    if before and before != place:
        before.unlink()
    try:
        yield
    except BaseException:
        if before:
            _store(folder, before, had)
        if before != place:
            place.unlink()
        raise


@contextmanager
def withdrawn(folder: Path, file: Path) -> Iterator[None]:
    """Have an own article gone with its translations; where what follows fails, there again."""
    had = {each: each.read_bytes() for each in (file, *translation_files(file))}
    for each in had:
        each.unlink()
    try:
        yield
    except BaseException:
        for each, content in had.items():
            _store(folder, each, content)
        raise


def _store(folder: Path, place: Path, content: bytes) -> None:
    """Write a file that is there as a whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    # Outside the folder, where a killed process would leave it to be read as an article.
    draft = folder.with_name(f".{folder.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place)
