"""Articles of whoever runs the helpdesk: checked one by one, and stored in the data directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
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


def own_files(folder: Path, article_id: str) -> list[Path]:
    """The files of an own article: itself, and what it is in other languages.

    Of itself there are two where it was killed on its way to another folder.
    """
    found = [each for each in article_files(folder) if each.stem == article_id]
    return found + [file for each in found for file in translation_files(each)]


@contextmanager
def published(folder: Path, article: Article, text: str) -> Iterator[None]:
    """Have an article among one's own; where what follows fails, as if it had never been.

    What it is in other languages goes where it goes.

    Args:
        folder: Of one's own articles.
        article: What the text was read as.
        text: Its whole file.
    """
    place = folder / article.intent / f"{article.article_id}.md"
    had = {each: each.read_bytes() for each in own_files(folder, article.article_id)}
    now = {place.with_name(each.name): content for each, content in had.items()}
    now[place] = text.encode()
    try:
        # The new ones are there first, so that whatever happens one of the two is.
        for each, content in now.items():
            _store(folder, each, content)
        for each in had.keys() - now.keys():
            each.unlink()
        yield
    except BaseException:
        _restore(folder, had)
        for each in now.keys() - had.keys():
            each.unlink(missing_ok=True)
        raise


@contextmanager
def withdrawn(folder: Path, article_id: str) -> Iterator[None]:
    """Have an own article gone with its translations; where what follows fails, there again."""
    had = {each: each.read_bytes() for each in own_files(folder, article_id)}
    try:
        # Itself at last: as long as it is there the others are found, too.
        for each in reversed(had):
            each.unlink()
        yield
    except BaseException:
        _restore(folder, had)
        raise


def _restore(folder: Path, had: Mapping[Path, bytes]) -> None:
    for each, content in had.items():
        _store(folder, each, content)


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
