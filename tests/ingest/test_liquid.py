"""Liquid and the theme's includes, drawn as the words a reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.loaders.liquid import Site
from ingest.loaders.markdown import to_soup
from rag.errors import UnreadableDocument

STATIONS: tuple[dict[str, Any], ...] = (
    {
        "path": "pages/stations/south.md",
        "url": "/south",
        "type": "stations",
        "title": "South mole",
        "description": "Two gauges & a shelter.",
        "search_exclude": False,
    },
    {
        "path": "pages/stations/north.md",
        "url": "/north",
        "type": "stations",
        "title": "North pier",
        "description": "Introduction to North pier",
    },
    {
        "path": "pages/stations/old.md",
        "url": "/old",
        "type": "stations",
        "title": "Old jetty",
        "search_exclude": True,
    },
    {"path": "pages/stations/east.md", "url": "/east", "type": "stations", "title": "East beach"},
    {"path": "pages/knots.md", "url": "/knots", "type": "guides", "title": "Knots"},
)


def render(template: str, data: Mapping[str, Any] | None = None) -> str:
    site = Site(data or {}, STATIONS, {"title": "Tidewatch"})
    return site.render(template, {"title": "Stations", "path": "pages/stations.md"})


def words(markup: str) -> str:
    return " ".join(to_soup(markup).get_text(" ").split())


@pytest.mark.parametrize(
    "target",
    ["{{ '/rope' | relative_url }}", "{{'/rope' | relative_url}}", "{{ 'rope' | relative_url }}"],
)
def test_relative_url_is_the_path_however_it_is_written(target: str) -> None:
    assert render(f"[Rope]({target})") == "[Rope](/rope)"


def test_relative_url_leaves_a_full_address_alone() -> None:
    assert render("{{ 'https://rope.example/x' | relative_url }}") == "https://rope.example/x"


@pytest.mark.parametrize(
    "include",
    [
        '{% include section-navigation-tiles.html type="stations" search=true %}',
        "{% include section-navigation-tiles-simple.html type='stations' %}",
        "{%- include section-navigation-tiles.html type=stations -%}",
    ],
)
def test_tiles_are_drawn_from_the_children_in_file_order(include: str) -> None:
    soup = to_soup(render(f"# Stations\n\n{include}\n"))
    links = [(str(each["href"]), each.get_text()) for each in soup.find_all("a")]
    assert links == [("/east", "East beach"), ("/north", "North pier"), ("/south", "South mole")]


def test_a_tile_shows_the_description_unless_it_only_repeats_the_title() -> None:
    drawn = words(render('{% include section-navigation-tiles.html type="stations" %}'))
    assert drawn == "East beach North pier South mole : Two gauges & a shelter."


def test_tiles_of_a_type_that_nothing_has_are_no_words() -> None:
    assert render('{% include section-navigation-tiles.html type="lighthouses" %}') == ""


@pytest.mark.parametrize("kind", ["note", "tip", "warning"])
def test_a_callout_says_its_kind_and_its_content(kind: str) -> None:
    callout = '{% include callout.html type="KIND" content="Bring a [rope](/rope)." %}'
    drawn = words(f"Before.\n{render(callout.replace('KIND', kind))}\nAfter.")
    assert drawn == f"Before. {kind.capitalize()}: Bring a rope . After."


def test_an_include_may_stretch_over_several_lines() -> None:
    drawn = render('{% include callout.html\n   type="tip"\n   content="Bring a rope." %}')
    assert words(drawn) == "Tip: Bring a rope."


def test_of_a_figure_only_the_caption_is_words() -> None:
    include = '{% include image.html file="/a.png" caption="The slip at <low> water" alt="slip" %}'
    assert words(render(include)) == "The slip at <low> water"
    assert words(render('{% include image.html file="/a.png" %}')) == ""


def test_the_caption_of_a_figure_is_markdown() -> None:
    include = '{% include image.html file="/a.png" caption="The *old* slip ([map](/map))" %}'
    assert words(render(include)) == "The old slip ( map )"


@pytest.mark.parametrize(
    "template",
    [
        "{% include news.html %}",
        '{% include some/other-thing.html a="b" %}',
        "{% wibble %}",
        '{% octicon "mark-github" %}',
        "{% bibliography --cited %}",
        "{% bibliography %}",
        "{{ nothing.of.the.kind }}",
    ],
)
def test_what_is_not_known_vanishes_and_the_words_around_it_stay(template: str) -> None:
    assert words(render(f"Before {template} after.")) == "Before after."


def test_the_words_between_unknown_tags_stay() -> None:
    assert words(render("{% tabs %}Low water{% endtabs %} comes.")) == "Low water comes."


def test_a_tool_is_its_name_linked() -> None:
    data = {
        "tool_and_resource_list": [
            {"id": "plumb", "name": "Plumb line", "url": "https://plumb.example"}
        ]
    }
    soup = to_soup(render('Use the {% tool "plumb" %} daily.', data))
    assert soup.a is not None
    assert (soup.a["href"], soup.a.get_text()) == ("https://plumb.example", "Plumb line")


def test_a_tool_that_is_not_listed_is_named_by_its_id() -> None:
    assert words(render("Use {% tool 'sextant' %} daily.")) == "Use sextant daily."


def test_raw_text_is_left_as_it_is() -> None:
    template = "{% raw %}{{ page.title }} {% include x.html %}{% endraw %}"
    assert render(template) == "{{ page.title }} {% include x.html %}"


def test_a_template_sees_its_page_the_data_files_and_the_configuration() -> None:
    template = (
        "{{ page.title }} of {{ site.title }}:"
        "{% for item in site.data.sidebars.main %} {{ item.name }}{% endfor %}"
    )
    data = {"sidebars": {"main": [{"name": "Tides"}, {"name": "Knots"}]}}
    assert render(template, data) == "Stations of Tidewatch: Tides Knots"


def test_a_template_may_choose() -> None:
    template = "{% if page.title == 'Stations' %}open{% else %}closed{% endif %}"
    assert render(template) == "open"


def test_liquid_that_is_never_closed_makes_the_page_unreadable() -> None:
    with pytest.raises(UnreadableDocument, match="Liquid"):
        render("Before {{ page.title after.")


@given(st.text().filter(lambda text: "{{" not in text and "{%" not in text))
def test_text_without_liquid_is_untouched(text: str) -> None:
    assert render(text) == text
