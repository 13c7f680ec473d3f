"""One site, read twice: as the Jekyll checkout it is made from, and as the HTML a browser gets.

How words are counted: a page's words are its title and all its blocks, taken
apart at everything that is no letter or digit, in lower case. Of two readings
those agree that both have, each as often as the one that has it less often;
the share is taken of the longer reading, so that words too many count as much
as words too few. Quotation marks, dashes and dots that kramdown writes in
typesetters' form count as the plain ones of the source.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pytest

from ingest.loaders.folder import FolderReader, join_files
from ingest.loaders.jekyll import JekyllReader
from ingest.models import Document, EmptyPage, Loaded
from ingest.sources import Registry, named_sources

AGREEING = 0.98
ADDRESS = "https://framework.onemilliongenomes.eu"
HUBS = {"/usecases", "/your-role", "/national-implementation", "/data-life-cycle"}
"""The build of the rendered site lists a hub among its own tiles, which the live one does not."""
_TYPED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


@dataclass(frozen=True)
class Reading:
    """A site as one of its readers has it, by address."""

    documents: dict[str, Document]
    empty: set[str]
    skipped: dict[str, str]


@pytest.fixture(scope="module")
def source(framework: Path, root: Path) -> Reading:
    """As read from the checkout, near-duplicates kept, which only a whole site shows."""
    registry = Registry.load(root / "corpus")
    reader = JekyllReader(named_sources([str(framework)], registry, None).sources[0])
    paths = [path for path in reader.paths if path.endswith((".md", ".html"))]
    loaded = [reader.read(path) for path in paths]
    return Reading(
        {_address(each.url or ""): each for read in loaded for each in read.documents},
        {_address(each.url or "") for read in loaded for each in read.empty_pages},
        {each.path: each.reason for read in loaded for each in read.skipped},
    )


@pytest.fixture(scope="module")
def html(rendered: Path, root: Path) -> Reading:
    site = named_sources([str(rendered)], Registry.load(root / "corpus"), ADDRESS).sources[0]
    reader = FolderReader(site)
    read = [reader.read(path) for path in reader.paths if path.endswith(".html")]
    loaded = join_files(read, site)
    return Reading(
        {_file_address(each.path): each for read in loaded for each in read.documents},
        _no_text(loaded),
        {_file_address(each.path): each.reason for read in loaded for each in read.skipped},
    )


def _no_text(loaded: list[Loaded]) -> set[str]:
    gone = [each for read in loaded for each in read.skipped if each.reason == "no text"]
    empty: list[EmptyPage] = [each for read in loaded for each in read.empty_pages]
    return {_file_address(each.path) for each in [*gone, *empty]}


def _address(url: str) -> str:
    return unquote(url.removeprefix(ADDRESS)).rstrip("/")


def _file_address(path: str) -> str:
    plain = PurePosixPath(path).with_suffix("").as_posix()
    return f"/{plain}".removesuffix("/index").rstrip("/")


def _words(document: Document) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", f"{document.title}\n{document.text}".lower()))


def _agreement(one: Counter[str], other: Counter[str]) -> float:
    longer = max(one.total(), other.total())
    return (one & other).total() / longer if longer else 1.0


def test_both_readers_find_the_same_pages(source: Reading, html: Reading) -> None:
    assert len(source.documents) > 95
    assert set(source.documents) == set(html.documents)
    placeholders = {address for address, each in source.documents.items() if each.placeholder}
    assert len(placeholders) == 23
    assert placeholders == {address for address, each in html.documents.items() if each.placeholder}
    assert source.empty == html.empty


def test_the_pages_have_the_same_titles(source: Reading, html: Reading) -> None:
    differing = {
        address: (each.title, html.documents[address].title)
        for address, each in source.documents.items()
        if each.title != html.documents[address].title
    }
    assert differing == {}


def test_at_least_98_of_100_words_agree_on_every_page_and_over_all(
    source: Reading, html: Reading
) -> None:
    shares, every_source, every_html = {}, Counter[str](), Counter[str]()
    for address, document in source.documents.items():
        one, other = _words(document), _words(html.documents[address])
        shares[address] = _agreement(one, other)
        every_source += one
        every_html += other
    assert every_source.total() > 25_000
    assert _agreement(every_source, every_html) >= AGREEING
    assert {each: share for each, share in shares.items() if share < AGREEING} == {}


def test_sections_and_anchors_are_the_same(source: Reading, html: Reading) -> None:
    differing = {}
    for address, document in source.documents.items():
        one, other = _outline(document), _outline(html.documents[address])
        if one != other:
            differing[address] = (
                [each for each in one if each not in other],
                [each for each in other if each not in one],
            )
    assert differing == {}


def test_links_and_labels_are_the_same(source: Reading, html: Reading) -> None:
    differing = {}
    for address, document in source.documents.items():
        if address in HUBS:
            continue
        one, other = _links(document), _links(html.documents[address])
        if one != other:
            differing[address] = (one - other, other - one)
    assert differing == {}


def _outline(document: Document) -> list[tuple[tuple[str, ...], str | None, str | None]]:
    return [
        (tuple(map(_typed, each.heading)), each.anchor, each.label) for each in document.sections
    ]


def _typed(text: str) -> str:
    """Text as it is typed on a keyboard."""
    return text.translate(_TYPED).replace("---", "-").replace("--", "-")


def _links(document: Document) -> Counter[tuple[str, str | None]]:
    return Counter(
        (_typed(link.text), link.label)
        for section in document.sections
        for block in section.blocks
        for link in block.links
    )
