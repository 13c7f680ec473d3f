"""A Jekyll checkout, read as its reader sees the built site."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from reading import load_jekyll

from ingest.loaders.jekyll import count_files, is_jekyll, site_address
from ingest.models import Document, Loaded, Source
from ingest.sources import Registry, named_sources

Write = Callable[..., Path]

CONFIG = """
title: Tide atlas
defaults:
  - scope: {path: "", type: pages}
    values: {permalink: "/:basename", layout: page}
"""
NOTICE = (
    "**We are still working on the content for this page.** If you are interested in adding to"
    " the page, then:\n\n[Feel free to contribute](/contribute)\n"
)


def page(body: str, **front: str) -> str:
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    return f"---\n{lines}---\n{body}\n"


def prose(words: int, stem: str = "w") -> str:
    return " ".join(f"{stem}{number}" for number in range(words))


@pytest.fixture
def load(write: Write) -> Callable[..., Loaded]:
    """Read a checkout of these files; a plain configuration unless they bring one."""

    def load_files(
        files: Mapping[str, str | bytes], address: str | None = "https://tide.example"
    ) -> Loaded:
        root = write({"_config.yml": CONFIG, **files})
        return merged(Source("atlas", "jekyll", root, address, published="2030-01-02"))

    return load_files


def merged(source: Source) -> Loaded:
    everything = Loaded()
    for each in load_jekyll(source):
        everything.documents += each.documents
        everything.empty_pages += each.empty_pages
        everything.skipped += each.skipped
        everything.problems += each.problems
    return everything


def skipped(loaded: Loaded) -> dict[str, str]:
    return {each.path: each.reason for each in loaded.skipped}


def problems(loaded: Loaded) -> dict[str, str]:
    return {each.path: each.problem for each in loaded.problems}


def urls(loaded: Loaded) -> dict[str, str | None]:
    return {each.path: each.url for each in loaded.documents}


def the(loaded: Loaded) -> Document:
    assert problems(loaded) == {}
    (document,) = loaded.documents
    return document


# Page and Document, side by side


def test_each_page_of_the_invented_checkout_yields_the_document_beside_it(tidewatch: Path) -> None:
    (source,) = named_sources([str(tidewatch)], Registry.load(tidewatch), None).sources
    loaded = merged(source)
    found = {each.path: described(each) for each in loaded.documents}
    expected = {
        path.relative_to(tidewatch).with_suffix(".md").as_posix(): json.loads(path.read_text())
        for path in sorted(tidewatch.rglob("*.json"))
    }
    assert found.keys() == expected.keys()
    for path, document in expected.items():
        assert found[path] == document, path
    assert problems(loaded) == {}
    assert skipped(loaded) == {
        "README.md": "not part of the site",
        "SOURCE.md": "not part of the site",
        "404.md": "error page",
        "pages/stations/TEMPLATE_station.md": "template or demo page",
        "pages/glossary.md": "no text",
    }
    assert [(each.path, each.title, each.url) for each in loaded.empty_pages] == [
        ("pages/glossary.md", "Glossary", "https://handbook.tidewatch.example/glossary")
    ]


def described(document: Document) -> dict[str, object]:
    """A document as the JSON beside its page says it."""
    return {
        "title": document.title,
        "url": document.url,
        "country": document.country,
        "published": document.published,
        "placeholder": document.placeholder,
        "sections": [
            {
                "heading": list(section.heading),
                "anchor": section.anchor,
                "label": section.label,
                "empty": section.empty,
                "blocks": [
                    [
                        block.text,
                        block.label,
                        block.entry,
                        [list(_link(each)) for each in block.links],
                    ]
                    for block in section.blocks
                ],
            }
            for section in document.sections
        ],
    }


def _link(link: object) -> tuple[object, ...]:
    return (link.text, link.address, link.label)  # type: ignore[attr-defined]


# Addresses


@pytest.mark.parametrize(
    ("path", "front", "address"),
    [
        ("pages/deep/down/ebb.md", {}, "/ebb"),
        ("pages/ebb.md", {"permalink": "/learn/ebb-and-flow"}, "/learn/ebb-and-flow"),
        ("pages/learn/index.md", {"permalink": "/learn/"}, "/learn/"),
        ("pages/pt_tides .md", {}, "/pt_tides%20"),
        ("pages/marée haute.md", {}, "/mar%C3%A9e%20haute"),
        ("index.md", {}, "/"),
        ("index.html", {}, "/"),
        ("ebb.html", {}, "/ebb"),
    ],
)
def test_a_page_answers_at_the_address_of_the_built_site(
    load: Callable[..., Loaded], path: str, front: dict[str, str], address: str
) -> None:
    loaded = load({path: page("<p>The tide turns.</p>", title="Tide", **front)})
    assert the(loaded).url == f"https://tide.example{address}"


@pytest.mark.parametrize(
    ("permalink", "address"),
    [
        ("", "/guide/ebb.html"),
        ("permalink: /:basename", "/ebb"),
        ("permalink: pretty", "/guide/ebb/"),
        ("permalink: /:path/:basename:output_ext", "/guide/ebb.html"),
    ],
)
def test_the_configuration_may_set_the_address_of_every_page(
    load: Callable[..., Loaded], permalink: str, address: str
) -> None:
    loaded = load({"_config.yml": permalink, "guide/ebb.md": page("It turns.", title="Ebb")})
    assert the(loaded).url == f"https://tide.example{address}"


def test_defaults_hold_inside_their_scope_and_later_ones_win(
    load: Callable[..., Loaded],
) -> None:
    config = """
defaults:
  - {scope: {path: ""}, values: {permalink: "/all/:basename"}}
  - {scope: {path: "pages/stations"}, values: {permalink: "/stations/:basename"}}
  - {scope: {path: "pages/stations/north.md"}, values: {permalink: "/north"}}
  - {scope: {path: "", type: posts}, values: {permalink: "/blog/:basename"}}
"""
    body = {"body": "The tide turns.", "title": "Tide"}
    loaded = load(
        {
            "_config.yml": config,
            "pages/rope.md": page(**body),
            "pages/stations.md": page(**body),
            "pages/stations/south.md": page(**body),
            "pages/stations/north.md": page(**body),
            "pages/stations/own.md": page(**body, permalink="/own"),
        }
    )
    assert urls(loaded) == {
        "pages/rope.md": "https://tide.example/all/rope",
        "pages/stations.md": "https://tide.example/all/stations",
        "pages/stations/south.md": "https://tide.example/stations/south",
        "pages/stations/north.md": "https://tide.example/north",
        "pages/stations/own.md": "https://tide.example/own",
    }


def test_without_an_address_of_the_site_documents_have_no_url(load: Callable[..., Loaded]) -> None:
    assert the(load({"ebb.md": page("It turns.", title="Ebb")}, address=None)).url is None


@pytest.mark.parametrize(
    ("files", "address"),
    [
        (
            {"CNAME": "tide.example\n", "_config.yml": "url: https://other.example"},
            "https://tide.example",
        ),
        ({"CNAME": "\n", "_config.yml": "url: https://other.example/"}, "https://other.example"),
        ({"_config.yml": "url: https://other.example"}, "https://other.example"),
        ({"_config.yml": "url:"}, None),
        ({"_config.yml": "title: Tides"}, None),
    ],
)
def test_the_address_of_a_site_is_its_cname_else_its_url_else_none(
    write: Write, files: dict[str, str], address: str | None
) -> None:
    assert site_address(write(files)) == address


def test_a_folder_with_a_configuration_is_a_checkout(write: Write) -> None:
    assert is_jekyll(write({"_config.yml": ""}, "with"))
    assert not is_jekyll(write({"a.md": "x"}, "without"))


# What a page says


def test_a_page_without_a_title_takes_its_first_heading(load: Callable[..., Loaded]) -> None:
    document = the(
        load({"ebb.md": page("Hello.\n\n## Ebb and flow\n\nThey turn.\n\n## Other\n\nX.")})
    )
    assert document.title == "Ebb and flow"


def test_a_page_without_title_and_heading_takes_its_file_name(load: Callable[..., Loaded]) -> None:
    assert the(load({"ebb.md": page("They turn.")})).title == "ebb"


def test_a_hub_shows_the_titles_and_descriptions_of_its_children(
    load: Callable[..., Loaded],
) -> None:
    config = CONFIG + "  - {scope: {path: pages/stations}, values: {type: stations}}\n"
    loaded = load(
        {
            "_config.yml": config,
            "pages/stations.md": page(
                '{% include section-navigation-tiles.html type="stations" %}', title="Stations"
            ),
            "pages/stations/south.md": page(
                "It leans.", title="South mole", description="Two gauges."
            ),
            "pages/stations/north.md": page("It stands.", title="North pier"),
            "pages/stations/TEMPLATE_station.md": page(
                "Say it.", title="REPLACE THIS", search_exclude="true"
            ),
        }
    )
    (hub,) = (each for each in loaded.documents if each.path == "pages/stations.md")
    assert hub.text == "North pier\nSouth mole: Two gauges."


def test_a_page_written_in_html_is_its_main_part(load: Callable[..., Loaded]) -> None:
    document = the(
        load({"ebb.html": page("<nav>Menu</nav><main><h2>Ebb</h2><p>Goes.</p></main>", title="T")})
    )
    assert document.text == "Ebb\nGoes."


def test_a_page_without_words_of_its_own_is_drawn_from_its_layout(
    load: Callable[..., Loaded],
) -> None:
    layout = (
        "---\n---\n<html><body><nav>Menu</nav><main><h1>{{ page.title }}</h1>"
        "{% for item in site.data.sidebars.charts.items %}<h2>{{ item.title }}</h2>"
        "<p>{{ item.description }}</p>{% endfor %}</main></body></html>"
    )
    sidebar = "items:\n  - {title: Depths, description: How deep the channel is., url: /depths}\n"
    loaded = load(
        {
            "_layouts/chart-room.html": layout,
            "_data/sidebars/charts.yml": sidebar,
            "charts.md": page("", title="Chart room", layout="chart-room"),
        }
    )
    assert the(loaded).text == "Depths\nHow deep the channel is."


def test_a_layout_does_not_replace_the_words_of_a_page(load: Callable[..., Loaded]) -> None:
    loaded = load(
        {
            "_layouts/whole.html": "<html><body><p>Words of the layout.</p></body></html>",
            "ebb.md": page("It turns.", title="Ebb", layout="whole"),
        }
    )
    assert the(loaded).text == "It turns."


@pytest.mark.parametrize("layout", ["../secret", "missing", "part"])
def test_a_layout_that_is_no_whole_page_of_the_checkout_is_not_drawn(
    load: Callable[..., Loaded], layout: str
) -> None:
    loaded = load(
        {
            "secret.html": "<html><body>Outside</body></html>",
            "_layouts/part.html": "<p>{{ content }}</p> Frame",
            "ebb.md": page("", title="Ebb", layout=layout),
        }
    )
    assert loaded.documents == []


@pytest.mark.parametrize(
    ("front", "country"), [("PT", "PT"), ('"NO"', "NO"), ("NO", "NO"), ("", None)]
)
def test_a_country_page_carries_its_country(
    load: Callable[..., Loaded], front: str, country: str | None
) -> None:
    full = page("Volunteers read two gauges.", title="Tides there", country_code=front)
    loaded = load({"full.md": full, "empty.md": page("", title="Nothing", country_code=front)})
    assert the(loaded).country == country
    assert [each.country for each in loaded.empty_pages] == [country]


def test_a_document_says_where_it_comes_from(load: Callable[..., Loaded]) -> None:
    document = the(load({"pages/ebb.md": page("It turns.", title="Ebb")}))
    assert (document.document_id, document.source, document.path, document.language) == (
        "atlas:pages/ebb.md",
        "atlas",
        "pages/ebb.md",
        "en",
    )


def test_a_pdf_of_the_checkout_is_a_document_at_its_own_path(
    load: Callable[..., Loaded], pdf_bytes: Callable[..., bytes]
) -> None:
    document = the(load({"assets/log sheet .pdf": pdf_bytes(["Write the height of the water."])}))
    assert document.url == "https://tide.example/assets/log%20sheet%20.pdf"
    assert document.kind == "pdf"
    assert document.text == "Write the height of the water."


# What is left out


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("pages/TEMPLATE_station.md", "template or demo page"),
        ("pages/sample-accordion.md", "template or demo page"),
        ("test.html", "template or demo page"),
        ("404.md", "error page"),
        ("SOURCE.md", "not part of the site"),
    ],
)
def test_pages_that_are_no_content_are_skipped(
    load: Callable[..., Loaded], path: str, reason: str
) -> None:
    loaded = load({path: page("Words that nobody should cite.", title="X")})
    assert (loaded.documents, loaded.problems) == ([], [])
    assert skipped(loaded) == {path: reason}


def test_a_page_at_the_address_of_a_demo_is_skipped(load: Callable[..., Loaded]) -> None:
    loaded = load({"scroll.md": page("Words.", title="X", permalink="/learn/sample-scrolltab")})
    assert skipped(loaded) == {"scroll.md": "template or demo page"}


@pytest.mark.parametrize(
    "name", ["testing-the-water", "templates-of-tides", "samples", "demography"]
)
def test_a_page_whose_name_only_begins_like_a_demo_is_kept(
    load: Callable[..., Loaded], name: str
) -> None:
    assert the(load({f"{name}.md": page("It turns.", title="Ebb")})).path == f"{name}.md"


def test_a_page_that_repeats_its_paragraphs_shows_off_a_layout(
    load: Callable[..., Loaded],
) -> None:
    paragraphs = "\n\n".join(["Each panel of this page shows the very same nine words."] * 4)
    loaded = load({"tabs.md": page(f"## One\n\n{paragraphs}", title="Tabs")})
    assert skipped(loaded) == {"tabs.md": "template or demo page"}


def test_short_lines_may_repeat(load: Callable[..., Loaded]) -> None:
    lines = "\n\n".join(["Read the gauge."] * 6)
    assert the(load({"log.md": page(lines, title="Log")})).path == "log.md"


def test_a_file_without_front_matter_is_no_page(load: Callable[..., Loaded]) -> None:
    loaded = load({"notes.md": "Words.", "test.html": "<p>Words.</p>"})
    assert loaded.documents == []
    assert skipped(loaded) == {
        "notes.md": "no front matter, copied as it is",
        "test.html": "demo page",
    }


@pytest.mark.parametrize("excluded", ["README.md", "drafts", "drafts/", "drafts/idea.md"])
def test_what_the_configuration_excludes_is_not_part_of_the_site(
    load: Callable[..., Loaded], excluded: str
) -> None:
    path = excluded if excluded.endswith(".md") else "drafts/idea.md"
    config = f"exclude: [Gemfile, {excluded}]"
    loaded = load({"_config.yml": config, path: page("Words of nobody.", title="Draft")})
    assert loaded.documents == []
    assert skipped(loaded) == {path: "not part of the site"}


def test_a_page_that_is_not_published_is_left_out(load: Callable[..., Loaded]) -> None:
    loaded = load({"idea.md": page("Words of nobody.", title="Idea", published="false")})
    assert loaded.documents == []
    assert list(skipped(loaded)) == ["idea.md"]


def test_folders_that_jekyll_does_not_render_are_not_read(load: Callable[..., Loaded]) -> None:
    text = page("Words.", title="X")
    loaded = load(
        {
            "_includes/box.html": text,
            "_drafts/idea.md": text,
            ".github/help.md": text,
            "vendor/gem/readme.md": text,
            "assets/app.js": "1",
        }
    )
    assert loaded == Loaded()


# Pages that exist and are empty


def test_a_page_that_holds_only_the_notice_is_a_placeholder(load: Callable[..., Loaded]) -> None:
    document = the(load({"es.md": page(NOTICE, title="Spain", country_code="ES")}))
    assert document.placeholder
    assert (document.title, document.url, document.country, document.sections) == (
        "Spain",
        "https://tide.example/es",
        "ES",
        (),
    )


def test_a_page_with_content_before_the_notice_is_no_placeholder(
    load: Callable[..., Loaded],
) -> None:
    document = the(load({"pt.md": page(f"Volunteers read two gauges.\n\n{NOTICE}", title="PT")}))
    assert not document.placeholder
    assert document.text == "Volunteers read two gauges."


@pytest.mark.parametrize(
    "body",
    [
        "",
        "# Glossary",
        "{% include news.html %}",
        "...",
        "Lorem ipsum dolor sit amet.\n\nMore soon.",
    ],
)
def test_a_page_without_text_of_its_own_is_an_empty_page(
    load: Callable[..., Loaded], body: str
) -> None:
    loaded = load({"glossary.md": page(body, title="Glossary")})
    assert loaded.documents == []
    assert skipped(loaded) == {"glossary.md": "no text"}
    (empty,) = loaded.empty_pages
    assert (empty.document_id, empty.source, empty.path, empty.title, empty.url) == (
        "atlas:glossary.md",
        "atlas",
        "glossary.md",
        "Glossary",
        "https://tide.example/glossary",
    )


def test_a_long_page_with_one_line_of_filler_is_kept(load: Callable[..., Loaded]) -> None:
    document = the(load({"ebb.md": page(f"{prose(60)}.\n\nLorem ipsum dolor.", title="Ebb")}))
    assert document.text == f"{prose(60)}."


# Duplicates


def menu(*addresses: str) -> dict[str, str]:
    return {"_data/topnav.yml": json.dumps([{"title": "X", "url": each} for each in addresses])}


def test_of_two_pages_with_one_text_the_one_in_a_menu_is_kept(
    load: Callable[..., Loaded],
) -> None:
    text = prose(300)
    loaded = load(
        {
            **menu("/new-tables/"),
            "a-old-tables.md": page(f"{text} formerly", title="Old"),
            "new-tables.md": page(text, title="New"),
        }
    )
    assert the(loaded).path == "new-tables.md"
    assert skipped(loaded) == {"a-old-tables.md": "duplicate of new-tables.md"}


def test_without_a_menu_the_first_of_two_equal_pages_is_kept(load: Callable[..., Loaded]) -> None:
    loaded = load({name: page(prose(300), title="T") for name in ("b.md", "a.md")})
    assert the(loaded).path == "a.md"
    assert skipped(loaded) == {"b.md": "duplicate of a.md"}


def test_a_longer_page_that_contains_the_text_of_another_is_kept(
    load: Callable[..., Loaded],
) -> None:
    loaded = load(
        {
            **menu("/list"),
            "list.md": page(prose(200), title="List"),
            "whole.md": page(f"{prose(200)} {prose(60, 'v')}", title="Whole"),
        }
    )
    assert sorted(urls(loaded)) == ["list.md", "whole.md"]


def test_short_pages_may_look_alike(load: Callable[..., Loaded]) -> None:
    loaded = load({name: page(prose(100), title="T") for name in ("a.md", "b.md")})
    assert sorted(urls(loaded)) == ["a.md", "b.md"]


def test_pages_that_share_half_their_text_are_two(load: Callable[..., Loaded]) -> None:
    loaded = load(
        {
            "a.md": page(f"{prose(200)} {prose(200, 'a')}", title="A"),
            "b.md": page(f"{prose(200)} {prose(200, 'b')}", title="B"),
        }
    )
    assert sorted(urls(loaded)) == ["a.md", "b.md"]


# Dates


EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""What git calls a folder without files."""


def git(folder: Path, *arguments: str, date: str = "2031-01-01") -> str:
    """Run git; returns what it says."""
    moment = f"{date}T12:00:00+0000"
    identity = {
        "GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@tide.example",
        "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@tide.example",
        "GIT_AUTHOR_DATE": "2020-02-02T12:00:00+0000", "GIT_COMMITTER_DATE": moment,
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
    }  # fmt: skip
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**os.environ, **identity},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def test_a_page_is_as_old_as_its_last_commit(write: Write, pdf_bytes: Callable[..., bytes]) -> None:
    files: dict[str, str | bytes] = {
        "_config.yml": CONFIG,
        "ebb.md": page("It goes.", title="Ebb"),
        "pages/marée .md": page("It comes.", title="Flow"),
        "log.pdf": pdf_bytes(["Write it down."]),
    }
    root = write(files)
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Begin", date="2031-03-04")
    write({"ebb.md": page("It goes far.", title="Ebb")})
    git(root, "commit", "--quiet", "-am", "Ebb", date="2032-05-06")
    write({"new.md": page("Not committed yet.", title="New")})

    (source,) = named_sources([str(root)], Registry.load(root), None).sources
    published = {each.path: each.published for each in merged(source).documents}
    assert published == {
        "ebb.md": "2032-05-06",
        "pages/marée .md": "2031-03-04",
        "log.pdf": "2031-03-04",
        "new.md": "2032-05-06",
    }


def test_a_history_that_was_cut_off_dates_no_page(write: Write, tmp_path: Path) -> None:
    root = write({"_config.yml": CONFIG, "ebb.md": page("It goes.", title="Ebb")})
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Begin", date="2031-03-04")
    write({"flow.md": page("It comes.", title="Flow")})
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Flow", date="2032-05-06")
    copy = tmp_path / "copy"
    git(root, "clone", "--quiet", "--depth", "1", root.as_uri(), str(copy))

    (source,) = named_sources([str(copy)], Registry.load(copy), None).sources
    dated = {(each.path, each.published, each.dated_by) for each in merged(source).documents}
    assert dated == {
        ("ebb.md", "2032-05-06", "snapshot"),
        ("flow.md", "2032-05-06", "snapshot"),
    }


@pytest.mark.parametrize("told", ["signature", "fetch"])
def test_no_program_that_a_checkout_names_is_run(write: Write, tmp_path: Path, told: str) -> None:
    mark = tmp_path / "was-run"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    root = write({"_config.yml": CONFIG, "ebb.md": page("It goes.", title="Ebb")})
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Begin")
    if told == "signature":
        git(root, "config", "log.showSignature", "true")
        git(root, "config", "gpg.program", str(program))
        commit = (root / ".git" / "HEAD").read_text().split()[1]
        signed = tmp_path / "commit"
        signed.write_text(
            f"tree {EMPTY_TREE}\nauthor A <a@tide.example> 1 +0000\n"
            "committer A <a@tide.example> 1 +0000\n"
            "gpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\nBegin\n"
        )
        git(root, "hash-object", "-t", "tree", "-w", os.devnull)
        name = git(root, "hash-object", "-t", "commit", "-w", str(signed))
        git(root, "update-ref", commit, name)
    else:
        git(root, "config", "core.repositoryFormatVersion", "1")
        git(root, "config", "extensions.partialClone", "origin")
        git(root, "config", "remote.origin.url", str(tmp_path))
        git(root, "config", "remote.origin.promisor", "true")
        git(root, "config", "remote.origin.uploadpack", str(program))
        tree = git(root, "rev-parse", "HEAD^{tree}")
        (root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    (source,) = named_sources([str(root)], Registry.load(root), None).sources
    merged(source)
    assert not mark.exists()


def test_without_a_repository_a_page_is_as_old_as_its_source(load: Callable[..., Loaded]) -> None:
    assert the(load({"ebb.md": page("It turns.", title="Ebb")})).published == "2030-01-02"


# Files that cannot be read


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"---\ntitle: [open\n---\nWords.", "the front matter is not YAML in line 3"),
        (b"---\n- one\n---\nWords.", "the front matter is not a mapping"),
        (b"---\ntitle: Ebb\nWords.", "the front matter is never closed"),
        (b"\xff\xfe\x00binary\x80", "not UTF-8 text"),
        (b"---\ntitle: Ebb\n---\nWords {{ never.closed", "Liquid"),
    ],
)
def test_a_page_that_cannot_be_read_is_a_problem_and_the_rest_is_read(
    load: Callable[..., Loaded], content: bytes, why: str
) -> None:
    loaded = load({"broken.md": content, "ebb.md": page("It turns.", title="Ebb")})
    assert list(urls(loaded)) == ["ebb.md"]
    assert list(problems(loaded)) == ["broken.md"]
    assert problems(loaded)["broken.md"].startswith(why)
    assert loaded.empty_pages == []


@pytest.mark.parametrize(
    ("name", "body"),
    [("deep.html", "<span>" * 5000 + "words"), ("deep.md", ">" * 3000 + "words")],
)
def test_a_page_nested_too_deeply_does_not_end_the_run(
    load: Callable[..., Loaded], name: str, body: str
) -> None:
    loaded = load({name: page(body, title="Deep"), "ebb.md": page("It turns.", title="Ebb")})
    assert "ebb.md" in urls(loaded)


def test_a_configuration_that_cannot_be_read_is_a_problem(load: Callable[..., Loaded]) -> None:
    loaded = load({"_config.yml": "defaults: [open", "ebb.md": page("It turns.", title="Ebb")})
    assert list(problems(loaded)) == ["_config.yml"], "every address may be wrong without it"


def test_every_file_that_is_looked_at_is_counted_once(
    write: Write, load: Callable[..., Loaded]
) -> None:
    files = {
        "_config.yml": CONFIG,
        "ebb.md": page("It turns.", title="Ebb"),
        "404.md": page("Gone.", title="404"),
        "notes.md": "No page.",
        "broken.md": "",
        "sheet.pdf": "no pdf",
        "_data/x.yml": "a: 1",
        "logo.png": "x",
    }
    root = write(files)
    results = list(load_jekyll(Source("atlas", "jekyll", root)))
    assert count_files(root) == len(results) == 5


def test_a_loop_without_end_is_a_problem_of_its_page(load: Callable[..., Loaded]) -> None:
    endless = "{% for i in (1..100000000) %}x{% endfor %}"
    loaded = load({"a.md": page(endless, title="Ebb"), "b.md": page("It turns.", title="Flow")})
    assert [each.path for each in loaded.documents] == ["b.md"]
    assert [each.path for each in loaded.problems] == ["a.md"]


def test_a_jupyter_book_is_a_folder_and_no_jekyll_checkout(write: Callable[..., Path]) -> None:
    book = write({"_config.yml": "title: Tides", "_toc.yml": "root: ebb", "ebb.md": "It turns."})
    assert not is_jekyll(book)
    assert is_jekyll(write({"_config.yml": "title: Tides"}, "site"))


@pytest.mark.parametrize(
    ("config", "address"),
    [
        ("url: https://tide.example", "https://tide.example"),
        ("url: 'https://tide.example/'  # ours", "https://tide.example"),
        ('title: x\nurl: "https://tide.example"\nbaseurl: /atlas/', "https://tide.example/atlas"),
        ("nested:\n  url: https://else.example", None),
        ("url: javascript:alert(1)//", None),
        ("url: https://ann:secret@tide.example", None),
        ("url: https://tide.example/\x1b[31m", None),
        ("url: [", None),
        ("a: &a {b: 1}\nc: &c {<<: [*a,*a,*a]}\nurl: https://tide.example", "https://tide.example"),
    ],
)
def test_the_address_of_a_checkout_is_plain_or_none(
    write: Callable[..., Path], config: str, address: str | None
) -> None:
    assert site_address(write({"_config.yml": config})) == address


@pytest.mark.parametrize(
    ("cname", "address"),
    [("tide.example\n", "https://tide.example"), ("<script>", None), ("a b", None),
     ("tide.example/\x1b[31m", None), ("x" * 10**6, None), ("", None)],
    ids=["host", "markup", "words", "escape", "long", "empty"],
)  # fmt: skip
def test_a_name_file_names_a_host_or_nothing(
    write: Callable[..., Path], cname: str, address: str | None
) -> None:
    assert site_address(write({"_config.yml": "", "CNAME": cname})) == address
