"""The register of resources: one entry for each thing, one mention for each place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.loaders.html import parse_html, read_sections
from ingest.models import Document
from ingest.register import Vocabulary, build_register, mentions_of, normal_address
from rag.errors import BadSetting
from rag.models import Resource

SITE = "https://harbour.example"
PAGE = f"{SITE}/guide"
RECORD = "https://zenodo.org/records/4242"
VOCABULARY = Vocabulary(
    (("zenodo.org", "deliverable"), ("norms.example/std", "standard"), (".pdf", "document")),
    {"law": "law", "rulesofthesea": "law"},
)


def page(html: str, path: str = "guide.md", **more: object) -> Document:
    sections = read_sections(parse_html(f"<body>{html}</body>").body).sections  # type: ignore[arg-type]
    document = Document(
        f"harbour:{path}", "harbour", path, "Guide", f"{SITE}/{path.removesuffix('.md')}", "en",
        "0", sections,
    )  # fmt: skip
    document = replace(document, **more)  # type: ignore[arg-type]
    return replace(document, mentions=mentions_of(document, SITE))


def register(*pages: Document) -> tuple[Resource, ...]:
    return build_register(pages, VOCABULARY)


def the(*pages: Document) -> Resource:
    (resource,) = register(*pages)
    return resource


LABEL = '<span class="badge badge-warning">Required</span>'
LESS = '<span class="badge badge-primary">Informational</span>'


@pytest.mark.parametrize(
    "address",
    [
        "https://zenodo.org/record/4242",
        "https://zenodo.org/records/4242",
        "http://www.zenodo.org/record/4242#.YXGkS9bMKdY",
        "https://zenodo.org/records/4242?token=x",
        "https://doi.org/10.5281/zenodo.4242",
        "https://zenodo.org/doi/10.5281/zenodo.4242",
        "https://zenodo.org/api/records/4242",
        "(https://zenodo.org/records/4242)",
        "%5Bhttps://zenodo.org/records/4242%5D",
        "  https://zenodo.org/record/4242/files/report.pdf ",
    ],
)
def test_a_record_has_one_address_however_it_is_linked(address: str) -> None:
    assert normal_address(address, PAGE) == RECORD


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("files/a b.pdf", f"{SITE}/files/a%20b.pdf"),
        ("/files/a%20b.pdf", f"{SITE}/files/a%20b.pdf"),
        ("https://A.example/x?utm_source=chat&q=1#top", "https://a.example/x?q=1#top"),
        ("https://a.example/x?q=a%2Bb", "https://a.example/x?q=a%2Bb"),
        (
            "https://www.youtube.com/embed/abc_DEF-1?si=x",
            "https://www.youtube.com/watch?v=abc_DEF-1",
        ),
        ("https://youtu.be/abc_DEF-1", "https://www.youtube.com/watch?v=abc_DEF-1"),
        ("mailto:desk@harbour.example", None),
        ("javascript:alert(1)", None),
        ("#part", None),
        ("", None),
        ("https://", None),
        ("http://[::1", None),
        ("//[::1", None),
    ],
)
def test_an_address_is_resolved_and_rid_of_tracking(address: str, normal: str | None) -> None:
    assert normal_address(address, PAGE) == normal


@given(st.text(max_size=80))
def test_no_address_breaks_the_reader_and_a_normal_one_stays(address: str) -> None:
    once = normal_address(address, PAGE)
    if once is not None:
        assert once.startswith(("https://", "http://"))
        assert normal_address(once, None) == once


def test_a_label_belongs_to_the_link_before_it() -> None:
    html = (
        f'<h2 id="forms-required"><a href="https://norms.example/std/a">Anchor</a> {LABEL},'
        f' <a href="https://norms.example/std/b">Buoy</a> {LESS}</h2><p>Text.</p>'
    )
    anchor, buoy = register(page(html))
    assert (anchor.title, anchor.labels, anchor.kind) == ("Anchor", ("required",), "standard")
    assert (buoy.title, buoy.labels) == ("Buoy", ("informational",))
    assert anchor.mentions[0].url == f"{PAGE}#forms-required"
    assert anchor.mentions[0].place == "heading"


def test_a_label_on_the_next_line_belongs_to_the_entry_above() -> None:
    html = f'<h3 id="log"><a href="{RECORD}">Log of tides</a></h3><p>{LABEL}</p><p>Text.</p>'
    assert the(page(html)).labels == ("required",)


def test_labels_that_differ_between_pages_are_both_kept() -> None:
    first = page(f'<p><a href="{RECORD}">Plan of the quay</a> {LESS}</p>')
    second = page(f'<h2><a href="https://zenodo.org/record/4242">Plan</a> {LABEL}</h2>', "other.md")
    third = page(f'<p>See the <a href="{RECORD}">plan</a>.</p>', "third.md")
    resource = the(first, second, third)
    assert resource.labels == ("required", "informational")
    assert [(each.path, each.label) for each in resource.mentions] == [
        ("guide.md", "informational"),
        ("other.md", "required"),
        ("third.md", None),
    ]


def test_a_heading_names_a_resource_better_than_words_inside_a_sentence() -> None:
    loose = page(f'<p>More is said <a href="{RECORD}">here, in the long report</a>.</p>', "a.md")
    heading = page(f'<h2><a href="{RECORD}">Report on tides:</a></h2>', "b.md")
    assert the(loose, heading).title == "Report on tides"


@pytest.mark.parametrize("words", ["here", "read more", "this page", "fishing rights"])
def test_a_record_linked_only_from_loose_words_is_named_by_its_number(words: str) -> None:
    assert the(page(f'<p>Those <a href="{RECORD}">{words}</a>.</p>')).title == "Zenodo record 4242"


def test_a_bare_address_in_a_table_is_named_by_its_row() -> None:
    html = '<table><tr><td>Chart</td><td><a href="https://x.example/c">https://x.example/c</a></td>'
    assert the(page(f"{html}</tr></table>")).title == "Chart"


def test_links_between_pages_of_the_site_are_no_resources_but_files_and_labels_are() -> None:
    html = (
        '<p><a href="/other">Other page</a>, <a href="mailto:a@b.example">mail</a></p>'
        '<ul><li><a href="files/map.pdf">Map</a></li></ul>'
        f'<h2><a href="/rules">Rules</a> {LABEL}</h2>'
    )
    found = {each.title: (each.url, each.kind) for each in register(page(html))}
    assert found == {
        "Map": (f"{SITE}/files/map.pdf", "document"),
        "Rules": (f"{SITE}/rules", "page"),
    }


def test_a_neighbour_whose_address_begins_alike_is_another_site() -> None:
    links = '<p><a href="/guide/nets">Nets</a> <a href="/guidebook/ropes">Ropes</a></p>'
    found = mentions_of(page(links), f"{SITE}/guide")
    assert [each.text for each in found] == ["Ropes"]


def test_what_is_labelled_without_a_link_joins_its_namesake() -> None:
    linked = page(
        f'<h2><a href="https://norms.example/std/tide">Tide format</a> {LESS}</h2>', "b.md"
    )
    bare = page(f"<h2>Tide Format {LABEL}</h2><p>In progress.</p>", "a.md")
    resource = the(bare, linked)
    assert resource.url == "https://norms.example/std/tide"
    assert {(each.path, each.label) for each in resource.mentions} == {
        ("a.md", "required"),
        ("b.md", "informational"),
    }


def test_what_is_labelled_without_a_link_anywhere_is_listed_without_address() -> None:
    resource = the(page(f"<h2>Rope list {LABEL}</h2><p>In progress.</p>"))
    assert (resource.title, resource.url, resource.labels) == ("Rope list", None, ("required",))


def test_the_country_is_that_of_the_page_or_the_one_the_entry_names() -> None:
    national = page(f'<p><a href="{RECORD}">Plan</a></p>', country="PT")
    assert the(national).mentions[0].country == "PT"
    named = page('<p>Sweden: <a href="https://x.example/kit">Starter kit</a></p>')
    entry = page('<p><a href="https://x.example/kit">Finnish starter kit</a></p>')
    under = page('<h3>Estonia</h3><p><a href="https://x.example/film">Film</a></p>')
    both = page('<p><a href="https://x.example/kit">Finnish and Swedish kit</a></p>')
    long = page(f'<p>What Malta has to say about it in full: <a href="{RECORD}">Plan</a></p>')
    found = [the(each).mentions[0].country for each in (named, entry, under, both, long)]
    assert found == ["SE", "FI", "EE", None, None]


def test_the_topic_goes_by_its_known_name_else_by_the_sites_own() -> None:
    known = page(f'<p><a href="{RECORD}">Plan</a></p>', topic="Rules of the Sea")
    other = page(f'<p><a href="{RECORD}">Plan</a></p>', "b.md", topic="Nets & ropes")
    assert [each.topic for each in the(known, other).mentions] == ["law", "nets-ropes"]


def test_the_same_thing_under_two_spellings_of_its_address_is_one_resource() -> None:
    first = page('<p><a href="http://www.x.example/kit/">Kit</a></p>')
    second = page('<p><a href="https://x.example/kit">Kit</a></p>', "b.md")
    assert len(the(first, second).mentions) == 2


def test_pages_in_menus_come_before_older_ones() -> None:
    old = page(f'<p><a href="{RECORD}">Old name of it</a></p>', "a.md", older=True)
    new = page(f'<p><a href="{RECORD}">New name of it</a></p>', "b.md")
    assert the(old, new).title == "New name of it"


def test_ids_stay_the_same_from_run_to_run() -> None:
    html = f'<p><a href="{RECORD}">Plan</a></p><p><a href="https://x.example/kit">Kit</a></p>'
    assert next(each.resource_id for each in register(page(html))) == "zenodo-4242"
    assert register(page(html)) == register(page(html))


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://zenodo.org/records/1", "deliverable"),
        ("https://www.norms.example/std/x", "standard"),
        ("https://norms.example/shop", "page"),
        ("https://notnorms.example/std/x", "page"),
        ("https://x.example/A.PDF", "document"),
        (None, "page"),
    ],
)
def test_the_kind_is_told_by_the_address(url: str | None, kind: str) -> None:
    assert VOCABULARY.kind_of(url) == kind


def test_the_shipped_vocabulary_is_read_and_knows_the_common_hosts(root: Path) -> None:
    shipped = Vocabulary.load(root / "corpus")
    assert shipped.kind_of("https://zenodo.org/records/1") == "deliverable"
    assert shipped.kind_of("https://www.ga4gh.org/product/beacon-api/") == "standard"
    assert shipped.kind_of("https://github.com/x/y") == "code"
    assert shipped.topic_of("Legal, ethics and governance") == "elsi"
    assert shipped.topic_of("usecases") == shipped.topic_of("Use cases") == "use-cases"


def test_a_broken_vocabulary_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "kinds.yaml").write_text("kinds: 7\n")
    with pytest.raises(BadSetting, match=r"^kinds\.yaml cannot be read: [^\n]+$"):
        Vocabulary.load(tmp_path)


def test_without_a_vocabulary_everything_is_a_page(tmp_path: Path) -> None:
    assert Vocabulary.load(tmp_path).kind_of("https://zenodo.org/records/1") == "page"
