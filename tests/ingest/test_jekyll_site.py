"""What the pages of a Jekyll site say of one another: copies, menus, topics, dates."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from reading import load_jekyll

from ingest.loaders.jekyll import JekyllReader, site_address
from ingest.loaders.outline import join_pages
from ingest.models import Document, Source

Write = Callable[..., Path]
Load = Callable[..., dict[str, Document]]

CONFIG = """
defaults:
  - {scope: {path: ""}, values: {permalink: "/:basename", sidebar: tides}}
  - {scope: {path: pages/stations}, values: {type: tide-stations}}
"""


def page(body: str = "The tide turns here.", **front: str) -> str:
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    return f"---\n{lines}---\n{body}\n"


def menu(*entries: Mapping[str, Any]) -> str:
    return json.dumps({"title": "Atlas", "subitems": list(entries)})


def prose(words: int) -> str:
    return " ".join(f"w{number}" for number in range(words))


@pytest.fixture
def load(write: Write) -> Load:
    """Read a checkout of these files: path to document."""

    def load_files(
        files: Mapping[str, str | bytes], address: str | None = "https://tide.example"
    ) -> dict[str, Document]:
        root = write({"_config.yml": CONFIG, **files})
        source = Source("atlas", "jekyll", root, address, published="2030-01-02")
        return {each.path: each for loaded in load_jekyll(source) for each in loaded.documents}

    return load_files


# Copies


def test_a_page_answers_for_the_addresses_of_its_copies(load: Load) -> None:
    text = prose(300)
    documents = load(
        {
            "_data/topnav.yml": menu({"url": "/new"}),
            "new.md": page(text, title="New"),
            "old.md": page(text, title="Old"),
            "older.md": page(text, title="Older"),
            "other.md": page("Something else.", title="Other"),
        }
    )
    assert documents.keys() == {"new.md", "other.md"}
    assert documents["new.md"].aliases == ("https://tide.example/old", "https://tide.example/older")
    assert documents["other.md"].aliases == ()


def test_a_page_that_loses_its_copy_has_changed(load: Load) -> None:
    text = prose(300)
    files = {"new.md": page(text, title="T"), "old.md": page(text, title="T")}
    with_copy = load(files)["new.md"]
    assert load({**files, "old.md": page("Else.")})["new.md"].sha256 != with_copy.sha256


# Pages that have left the menus


def test_pages_that_no_link_leads_to_are_older(load: Load) -> None:
    documents = load(
        {
            "_data/topnav.yml": menu({"url": "/in-the-bar"}),
            "_data/footer.yml": json.dumps({"columns": [{"children": [{"url": "/legal"}]}]}),
            "_data/sidebars/tides.yml": menu({"title": "Tides", "subitems": [{"url": "/ebb/"}]}),
            "_data/sidebars/attic.yml": menu({"title": "Attic", "url": "/attic"}),
            "index.md": page("[Flow]({{ '/flow' | relative_url }})", title="Home"),
            "in-the-bar.md": page(),
            "legal.md": page(),
            "ebb.md": page("[Rope](rope#knots) and [far](https://else.example/lost)"),
            "flow.md": page("See [the moon](https://tide.example/moon)."),
            "rope.md": page(),
            "moon.md": page(),
            "lost.md": page("[Also lost](/also-lost) [odd](http://[)"),
            "also-lost.md": page(),
            "attic.md": page(),
        }
    )
    older = {path for path, document in documents.items() if document.older}
    assert older == {"lost.md", "also-lost.md", "attic.md"}


def test_a_menu_counts_once_a_page_that_draws_it_is_reached(load: Load) -> None:
    documents = load(
        {
            "_data/sidebars/tides.yml": menu({"title": "Tides", "url": "/rooms"}),
            "_data/sidebars/attic.yml": menu({"title": "Attic", "url": "/chest"}),
            "index.md": page(),
            "rooms.md": page(sidebar="attic"),
            "chest.md": page(),
        }
    )
    assert not any(document.older for document in documents.values())


def test_the_copy_in_a_menu_keeps_a_page_from_being_older(load: Load) -> None:
    text = prose(300)
    documents = load(
        {
            "_data/sidebars/tides.yml": menu({"title": "Tides", "url": "/b"}),
            "index.md": page("[A](/a)"),
            "a.md": page(text),
            "b.md": page(text),
        }
    )
    assert not documents["b.md"].older


def test_without_menus_no_page_is_older(load: Load) -> None:
    documents = load({"index.md": page(), "ebb.md": page()})
    assert not any(document.older for document in documents.values())


def test_a_site_without_an_address_is_followed_by_its_own_links(load: Load) -> None:
    files = {
        "_data/topnav.yml": menu({"url": "/ebb"}),
        "ebb.md": page("[Flow](/flow)"),
        "flow.md": page(),
        "lost.md": page(),
    }
    older = {path for path, each in load(files, address=None).items() if each.older}
    assert older == {"lost.md"}


def test_of_the_framework_the_old_life_cycle_and_roles_are_older(framework: Path) -> None:
    source = Source("framework", "jekyll", framework, site_address(framework))
    reader = JekyllReader(source)
    read = [reader.read(path) for path in reader.paths if not path.endswith(".pdf")]
    joined = join_pages(read, reader.outline, source)
    documents = [each for loaded in joined for each in loaded.documents]
    older = {str(each.url).rsplit("/", 1)[-1] for each in documents if each.older}
    assert older >= {"data-life-cycle", "preparation", "inclusion", "storage", "use", "your-role"}
    assert not older & {"governance-elsi", "data-discovery", "usecases", "es_resources", "cancer"}
    assert len(older) == 17
    aliases = {alias.rsplit("/", 1)[-1] for each in documents for alias in each.aliases}
    assert aliases == {
        "technical-architecture",
        "sequencing-guidelines",
        "healthcare-integration-sustainability",
    }
    topics = {str(each.url).rsplit("/", 1)[-1]: each.topic for each in documents}
    assert topics["access-management"] == "Technical infrastructure"
    assert topics["es_resources"] == "National implementation"


# Topics


SIDEBAR = menu(
    {"title": "Forms", "url": "/forms", "subitems": [{"title": "Log", "url": "/log"}]},
    {"title": "Piers", "subitems": [{"title": "X", "subitems": [{"url": "/pier"}]}]},
)


@pytest.mark.parametrize(
    ("path", "front", "topic"),
    [
        ("pages/forms.md", {}, "Forms"),
        ("pages/log.md", {}, "Forms"),
        ("pages/pier.md", {}, "Piers"),
        ("pages/stations/pier.md", {}, "Stations"),
        ("pages/stations/mole.md", {}, "Stations"),
        ("pages/knots_and_ropes/rope.md", {}, "Knots and ropes"),
        ("pages/knots_and_ropes/rope.md", {"type": "tool"}, "Knots and ropes"),
        ("pages/rope.md", {"type": "tide-craft"}, "Tide craft"),
        ("pages/log.md", {"type": "tide-craft"}, "Forms"),
        ("index.md", {}, "Home"),
        ("pages/knots.md", {}, "Knots"),
        ("pages/rope.md", {}, None),
        ("rope.md", {}, None),
    ],
)
def test_the_topic_of_a_page_is_its_folder_else_its_menu_entry_else_its_type(
    load: Load, path: str, front: dict[str, str], topic: str | None
) -> None:
    files = {
        "_data/sidebars/tides.yml": SIDEBAR,
        "pages/knots/reef.md": page(),
        path: page(**front),
    }
    assert load(files)[path].topic == topic


def test_of_several_menus_that_of_the_page_counts_then_the_deepest_entry(load: Load) -> None:
    files = {
        "_data/sidebars/a.yml": menu({"title": "Top of A", "url": "/log"}),
        "_data/sidebars/b.yml": menu({"title": "Deep in B", "subitems": [{"url": "/log"}]}),
    }
    assert load({**files, "log.md": page(sidebar="a")})["log.md"].topic == "Top of A"
    assert load({**files, "log.md": page(sidebar="b")})["log.md"].topic == "Deep in B"
    assert load({**files, "log.md": page(sidebar="none")})["log.md"].topic == "Deep in B"


def test_a_file_has_the_topic_of_the_page_that_links_it(
    load: Load, pdf_bytes: Callable[..., bytes]
) -> None:
    documents = load(
        {
            "_data/sidebars/tides.yml": SIDEBAR,
            "assets/log sheet .pdf": pdf_bytes(["Write the height of the water."]),
            "assets/alone.pdf": pdf_bytes(["Nobody links this."]),
            "log.md": page("[Sheet]({{ '/assets/log%20sheet%20.pdf' | relative_url }})"),
        }
    )
    assert documents["assets/log sheet .pdf"].topic == "Forms"
    assert documents["assets/alone.pdf"].topic is None


# Dates


@pytest.mark.parametrize(
    ("front", "published", "dated_by"),
    [
        ({}, "2030-01-02", "snapshot"),
        ({"date": "2029-03-04"}, "2029-03-04", "page"),
        ({"date": '"2029-03-04 10:00"'}, "2029-03-04", "page"),
        ({"date": "2029-03-04", "last_modified_at": "2029-05-06"}, "2029-05-06", "page"),
        ({"date": "soon"}, "2030-01-02", "snapshot"),
    ],
)
def test_a_date_says_whether_it_is_that_of_the_page_or_of_the_whole_source(
    load: Load, front: dict[str, str], published: str, dated_by: str
) -> None:
    document = load({"ebb.md": page(**front)})["ebb.md"]
    assert (document.published, document.dated_by) == (published, dated_by)


# Languages


def test_a_page_is_in_the_language_it_or_its_site_names_else_that_of_its_text(load: Load) -> None:
    german = "Das Wasser steht morgens am höchsten und fällt bis zum Abend wieder ab."
    files = {"a.md": page(german), "b.md": page(german, lang="fr"), "c.md": page("Oslo")}
    assert {path: each.language for path, each in load(files).items()} == {
        "a.md": "de",
        "b.md": "fr",
        "c.md": "de",
    }
    named = load({**files, "_config.yml": f"lang: es-ES\n{CONFIG}"})
    assert [each.language for each in named.values()] == ["es", "fr", "es"]
