"""Known gaps: what a site announces and has not written."""

from __future__ import annotations

from dataclasses import replace

from ingest.gaps import gaps_of
from ingest.loaders.html import parse_html, read_sections
from ingest.models import Document, EmptyPage
from ingest.register import mentions_of
from rag.countries import COUNTRIES
from rag.models import Gap

SITE = "https://harbour.example"
COVERED = "AT BE DE EE PT".split()


def page(name: str, html: str, **more: object) -> Document:
    sections = read_sections(parse_html(f"<body>{html}</body>").body).sections  # type: ignore[arg-type]
    document = Document(
        f"harbour:{name}.md", "harbour", f"{name}.md", name.capitalize(), f"{SITE}/{name}", "en",
        "0", sections,
    )  # fmt: skip
    document = replace(document, **more)  # type: ignore[arg-type]
    return replace(document, mentions=mentions_of(document, SITE))


def countries(**html: str) -> list[Document]:
    full = '<p><a href="https://x.example/kit">Kit</a></p>'
    return [
        page(code.lower(), html.get(code, full), country=code, placeholder=html.get(code) == "")
        for code in COVERED
    ]


def hub(*more: str) -> Document:
    tiles = "".join(f'<li><a href="/{code.lower()}">{code}</a></li>' for code in COVERED)
    return page("nations", f"{''.join(more)}<h2>By country</h2><ul>{tiles}</ul>")


def of_kind(gaps: list[Gap], kind: str) -> list[tuple[str, str | None]]:
    return [(gap.path, gap.country) for gap in gaps if gap.kind == kind]


def test_empty_pages_and_placeholders_and_empty_sections_are_gaps() -> None:
    empty = EmptyPage("harbour:news.md", "harbour", "news.md", "News", f"{SITE}/news")
    stub = page("ropes", "", placeholder=True)
    guide = page("guide", '<h2 id="tides">Tides</h2><h2>Nets</h2><p>Nets are mended.</p>')
    first, second, third = gaps_of([stub, guide], [empty])
    assert (first.kind, first.path, first.url) == ("page", "news.md", f"{SITE}/news")
    assert (second.kind, second.path) == ("page", "ropes.md")
    assert (third.kind, third.section, third.url) == ("section", ("Tides",), f"{SITE}/guide#tides")


def test_an_empty_section_without_an_anchor_has_the_address_of_its_page() -> None:
    (gap,) = gaps_of([page("guide", "<h2>Tides</h2><h2>Nets</h2><p>Nets are mended.</p>")], [])
    assert (gap.section, gap.url) == (("Tides",), f"{SITE}/guide")


def test_a_link_that_is_no_address_hides_no_gap() -> None:
    odd = hub('<p><a href="http://[broken">Odd</a> <a href="//[x">Odder</a></p>')
    gaps = gaps_of([odd, *countries()], [])
    assert len(of_kind(gaps, "country_page")) == len(set(COUNTRIES) - set(COVERED))


def test_a_country_without_a_page_is_missed_where_others_have_one() -> None:
    gaps = gaps_of([hub(), *countries()], [])
    missing = of_kind(gaps, "country_page")
    assert {country for _, country in missing} == set(COUNTRIES) - set(COVERED)
    assert {path for path, _ in missing} == {"nations.md"}
    poland = next(gap for gap in gaps if gap.country == "PL")
    assert (poland.title, poland.url) == ("Nations", f"{SITE}/nations")


def test_a_site_with_a_few_country_pages_promises_no_others() -> None:
    assert of_kind(gaps_of([hub(), *countries()[:3]], []), "country_page") == []


def test_without_a_page_that_lists_the_countries_none_is_missed() -> None:
    lonely = page("guide", '<p><a href="/at">Austria</a></p>')
    assert of_kind(gaps_of([lonely, *countries()], []), "country_page") == []


def test_a_country_page_with_words_and_no_resource_is_a_gap_of_its_own() -> None:
    gaps = gaps_of([hub(), *countries(BE="<p>We meet in spring.</p>", DE="")], [])
    assert of_kind(gaps, "country") == [("be.md", "BE")]
    assert of_kind(gaps, "page") == [("de.md", "DE")]


def test_a_category_of_the_hub_that_lists_nothing_is_a_gap() -> None:
    listed = hub(
        '<ul><li><h3><a href="/plans">Plans</a></h3></li>',
        '<li><h3><a href="/kits">Kits</a></h3></li></ul>',
        '<p>See also <a href="/about">what this is</a>.</p>',
    )
    plans = page("plans", "<p>Plans of the nations.</p>")
    kits = page("kits", '<p><a href="https://x.example/kit">Kit</a></p>')
    about = page("about", "<p>What this is.</p>")
    gaps = gaps_of([listed, plans, kits, about, *countries()], [])
    assert of_kind(gaps, "category") == [("plans.md", None)]
