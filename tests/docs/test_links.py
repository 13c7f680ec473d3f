from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup
from markdown_it import MarkdownIt


@cache
def _read(page: Path) -> BeautifulSoup:
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    return BeautifulSoup(markdown.render(page.read_text(encoding="utf-8")), "lxml")


def _anchors(page: Path) -> set[str]:
    """Places in a page, as forges name them after its headings."""
    found: set[str] = set()
    for heading in _read(page).select("h1, h2, h3, h4"):
        words = re.sub(r"[^\w\- ]", "", heading.get_text().strip().lower()).replace(" ", "-")
        name, number = words, 0
        while name in found:
            number += 1
            name = f"{words}-{number}"
        found.add(name)
    return found


def _addresses(page: Path) -> Iterator[str]:
    for each in _read(page).select("a[href], img[src]"):
        yield str(each.get("href") or each.get("src"))


def _fault(page: Path, address: str) -> str | None:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.exists():
        return "no such file"
    if target.is_dir() and not (target / "README.md").exists():
        return None if not parts.fragment else "a folder has no such place"
    if target.is_dir():
        target = target / "README.md"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in _anchors(target):
        return "no such heading"
    return None


def test_every_link_of_the_documents_leads_somewhere(root: Path, documents: list[Path]) -> None:
    faults = [
        f"{page.relative_to(root)}: {address}: {fault}"
        for page in documents
        for address in _addresses(page)
        if (fault := _fault(page, address))
    ]
    assert faults == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One place\n\n## One place\n\n[a](#one-place-1) [b](gone.md) [c](#gone)\n")
    assert [_fault(page, each) for each in _addresses(page)] == [
        None,
        "no such file",
        "no such heading",
    ]


def test_pictures_are_described(root: Path, documents: list[Path]) -> None:
    bare = [
        f"{page.relative_to(root)}: {picture.get('src')}"
        for page in documents
        for picture in _read(page).select("img")
        if len(str(picture.get("alt", ""))) < 20
    ]
    assert bare == []


def test_every_decision_is_in_the_list_of_decisions(root: Path) -> None:
    folder = root / "docs" / "decisions"
    listed = set(_addresses(folder / "README.md"))
    assert {each.name for each in folder.glob("0*.md")} <= listed
