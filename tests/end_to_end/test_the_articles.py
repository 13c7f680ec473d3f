"""The shipped articles over the real framework: they say what it says, and notice its changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from reading import load_folder

from ingest.article_checks import FEWEST_ASKS, Shelf, check, read_shelf
from ingest.evidence import Library, pinned_texts
from ingest.loaders.jekyll import JekyllReader
from ingest.models import Document, Loaded, Source
from ingest.sources import Registry, named_sources
from rag.models import Article, Evidence
from rag.text import letters_digits, pin, sentences

# All of the framework is read, twice over.
pytestmark = pytest.mark.timeout(600)

ADDRESS = "https://framework.onemilliongenomes.eu"
CONSIDERED, FEWEST = 40, 12
"""Pages that are changed, and how many of them at least have a sentence to change."""


@pytest.fixture(scope="module")
def shelf(root: Path) -> Shelf:
    return read_shelf(root / "corpus" / "articles")


def named(folder: Path, root: Path, address: str | None = None) -> Source:
    (source,) = named_sources([str(folder)], Registry.load(root / "corpus"), address).sources
    assert isinstance(source, Source)
    return source


@pytest.fixture(scope="module")
def source(framework_read: list[Loaded]) -> list[Document]:
    """The framework as its repository has it."""
    return [each for loaded in framework_read for each in loaded.documents]


@pytest.fixture(scope="module")
def site(rendered: Path, root: Path) -> list[Document]:
    """The framework as a browser gets it: a folder, under another name, without its PDFs."""
    folder = named(rendered, root, ADDRESS)
    return [each for loaded in load_folder(folder) for each in loaded.documents]


def held(articles: tuple[Article, ...]) -> Iterator[tuple[Article, Evidence]]:
    """Every piece of evidence with its article."""
    for article in articles:
        for statement in article.statements:
            for evidence in statement.evidence:
                yield article, evidence


# What they say


def test_the_check_is_green_over_the_framework_as_an_operator_types_it(
    framework: Path, root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "ingest", "articles", "check", "--json"]
    done = subprocess.run(
        [*command, "--source", str(framework)],
        cwd=root, env=dict(os.environ), capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["findings"], found["problems"]) == ([], [])
    assert done.returncode == 0, done.stderr
    covered = found["coverage"]
    assert covered["held"] == covered["evidence"] > 1_000
    assert (covered["pages_without"], covered["resources_without"]) == ([], [])
    assert not (tmp_path / "data").exists()


def test_the_site_gives_the_same_verdict_on_every_pin_of_a_page_that_both_hold(
    shelf: Shelf, source: list[Document], site: list[Document]
) -> None:
    here, there = Library(source), Library(site)
    differing: dict[tuple[str, str], set[str]] = {}
    compared = 0
    for article, evidence in held(shelf.articles):
        one, other = here.place_of(evidence), there.place_of(evidence)
        if one is None or other is None:
            continue
        compared += 1
        first, second = here.pins(one).get(evidence.pin), there.pins(other).get(evidence.pin)
        verdicts = [each and (each.label, each.section is None) for each in (first, second)]
        if verdicts[0] != verdicts[1]:
            differing.setdefault((evidence.path, evidence.pin), set()).add(article.article_id)
    assert compared > 1_000
    assert differing == {}


def test_the_check_is_green_over_the_site_and_only_files_are_out_of_sight(
    shelf: Shelf, source: list[Document], site: list[Document]
) -> None:
    over_the_source = check(shelf, source)
    assert [each for each in check(shelf, site) if each not in over_the_source] == []
    library = Library(site)
    unseen = {each.path for _, each in held(shelf.articles) if library.place_of(each) is None}
    files = {each.path for each in source if each.kind == "pdf"}
    assert unseen <= files


def test_the_source_and_the_site_together_are_no_worse_than_the_source(
    shelf: Shelf, source: list[Document], site: list[Document]
) -> None:
    """Each piece of evidence is looked up in its own source first."""
    assert check(shelf, [*site, *source]) == check(shelf, source)


# How they are asked


def test_every_article_is_asked_in_ways_enough(shelf: Shelf) -> None:
    assert len(shelf.articles) >= 150
    few = {each.path: len(each.asks) for each in shelf.articles if len(each.asks) < FEWEST_ASKS}
    assert few == {}


def test_a_third_of_all_ways_to_ask_is_not_english(shelf: Shelf) -> None:
    asked = [ask.language for article in shelf.articles for ask in article.asks]
    assert len(asked) >= 1_200
    assert 3 * sum(language != "en" for language in asked) >= len(asked)


def copied_from(questions: Path, articles: tuple[Article, ...], printed: str) -> list[str]:
    """The articles that are asked just as a judged question is; no question is told.

    The seven questions that the framework itself prints belong to everybody.
    """
    judged = set()
    for line in questions.read_text(encoding="utf-8").splitlines():
        given = json.loads(line)
        judged |= {letters_digits(given[key]) for key in ("question", "english") if given.get(key)}
    return [
        article.path
        for article in articles
        if any(
            asked in judged and asked not in printed
            for asked in (letters_digits(ask.text) for ask in article.asks)
        )
    ]


def test_no_way_to_ask_was_taken_from_the_judged_questions(
    shelf: Shelf, framework: Path, source: list[Document]
) -> None:
    questions = framework.parent.parent / "eval" / "dev.jsonl"
    if not questions.is_file():
        pytest.skip("the judged questions beside the project are absent")
    (page,) = (each for each in source if each.path == "pages/national-implementation.md")
    assert copied_from(questions, shelf.articles, letters_digits(page.text)) == []


# What they notice


class Checkout:
    """A copy of the framework's source, to be changed."""

    def __init__(self, framework: Path, root: Path, folder: Path):
        # A source is called as its folder is.
        self._folder = folder / framework.name
        self._root = root
        shutil.copytree(framework, self._folder)

    def raw(self, path: str) -> str:
        return (self._folder / path).read_text(encoding="utf-8")

    def pages(self, paths: Iterable[str]) -> list[Document]:
        """These pages as they are read now."""
        reader = JekyllReader(named(self._folder, self._root))
        return [each for path in paths for each in reader.read(path).documents]

    def changed(self, changes: Mapping[str, tuple[str, str]]) -> list[Document]:
        """Pages as they are read once a text of each has been replaced, and only then."""
        before = {path: self.raw(path) for path in changes}
        for path, (old, new) in changes.items():
            assert before[path].count(old) == 1
            (self._folder / path).write_text(before[path].replace(old, new), encoding="utf-8")
        try:
            return self.pages(changes)
        finally:
            for path, text in before.items():
                (self._folder / path).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def checkout(framework: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(framework, root, tmp_path_factory.mktemp("copy"))


def reworded(sentence: str) -> str:
    return f"{sentence[:-1]}, as everybody knew{sentence[-1]}"


def plain_sentences(document: Document, raw: str) -> list[str]:
    """Sentences that stand once on a page, and once in its file just as they are read."""
    everything = letters_digits(f"{document.title}\n{document.text}")
    return [
        text
        for text in sorted({pinned.text for pinned in pinned_texts(document)})
        if text.endswith(".")
        and len(text) > 40
        and len(sentences(text)) == 1
        and raw.count(text) == 1
        and everything.count(letters_digits(text)) == 1
    ]


def pinning(shelf: Shelf, document: Document, sentence: str) -> set[str]:
    """The articles that hold on to a sentence of a page, or to a paragraph around it."""
    wanted = letters_digits(sentence)
    texts = (each.text for each in pinned_texts(document))
    pins = {pin(text) for text in texts if wanted in letters_digits(text)}
    return {
        article.path
        for article, evidence in held(shelf.articles)
        if evidence.path == document.path and evidence.pin in pins
    }


def stale(shelf: Shelf, documents: Sequence[Document]) -> set[str]:
    # Some pages of the source are read here; the others are not gone.
    return {
        each.path
        for each in check(shelf, documents)
        if each.kind == "stale" and "its page is gone" not in each.said
    }


@pytest.fixture(scope="module")
def pages(shelf: Shelf, checkout: Checkout) -> list[Document]:
    """Pages that articles rest on, those with most evidence first."""
    count = Counter(evidence.path for _, evidence in held(shelf.articles))
    found = checkout.pages(path for path, _ in count.most_common() if path.endswith(".md"))
    assert stale(shelf, found) == set()
    return found


@pytest.fixture(scope="module")
def pinned(
    shelf: Shelf, checkout: Checkout, pages: list[Document]
) -> dict[str, dict[str, set[str]]]:
    """By page: its plain sentences, with the articles that hold on to each."""
    return {
        page.path: {
            each: pinning(shelf, page, each)
            for each in plain_sentences(page, checkout.raw(page.path))
        }
        for page in pages[:CONSIDERED]
    }


def test_a_changed_sentence_makes_exactly_the_articles_stale_that_hold_on_to_it(
    shelf: Shelf, checkout: Checkout, pinned: dict[str, dict[str, set[str]]]
) -> None:
    chosen = {
        path: max(found, key=lambda each: len(found[each]))
        for path, found in pinned.items()
        if any(found.values())
    }
    assert len(chosen) >= FEWEST
    after = checkout.changed({path: (text, reworded(text)) for path, text in chosen.items()})
    wanted = {path: pinned[path][text] for path, text in chosen.items()}
    assert {page.path: stale(shelf, [page]) for page in after} == wanted
    assert max(map(len, wanted.values())) > 1


def test_a_reworded_neighbour_makes_no_article_stale(
    shelf: Shelf, checkout: Checkout, pages: list[Document], pinned: dict[str, dict[str, set[str]]]
) -> None:
    chosen = {
        path: text
        for path, found in pinned.items()
        for text in [each for each in found if not found[each]][:1]
    }
    assert len(chosen) >= FEWEST
    after = checkout.changed({path: (text, reworded(text)) for path, text in chosen.items()})
    assert [page.path for page in after if reworded(chosen[page.path]) not in page.text] == []
    assert check(shelf, after) == check(shelf, [each for each in pages if each.path in chosen])


def test_a_change_of_markup_and_punctuation_makes_no_article_stale(
    shelf: Shelf, checkout: Checkout, pinned: dict[str, dict[str, set[str]]]
) -> None:
    chosen = {
        path: text
        for path, found in pinned.items()
        for text in [each for each in found if found[each] and "[" not in each][:1]
    }
    assert len(chosen) >= FEWEST
    after = checkout.changed({path: (text, f"**{text[:-1]}**!") for path, text in chosen.items()})
    assert [page.path for page in after if chosen[page.path] in page.text] == []
    assert stale(shelf, after) == set()


def test_a_page_that_is_emptied_makes_every_article_stale_that_holds_on_to_what_it_said(
    shelf: Shelf, checkout: Checkout, pages: list[Document]
) -> None:
    page = pages[0]
    *_, body = checkout.raw(page.path).split("---\n", 2)
    after = checkout.changed({page.path: (body, "\nWe are still working on this page.\n")})
    assert stale(shelf, after) == {
        article.path
        for article, evidence in held(shelf.articles)
        if evidence.path == page.path and evidence.pin != pin(page.title)
    }
