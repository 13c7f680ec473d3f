"""What pages and sitemaps link."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.fetch import links as reader
from ingest.fetch.links import (
    Listed,
    page_links,
    read_sitemap,
    robots_directives,
    web_address,
)

PAGE = "https://tides.example/harbours/low"


def read(markup, url=PAGE):
    return page_links(markup.encode(), url, "nmg-helpdesk")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://tides.example", "https://tides.example/"),
        ("HTTPS://Tides.Example:443/A", "https://tides.example/A"),
        ("http://tides.example:80/", "http://tides.example/"),
        ("https://tides.example:8443/", "https://tides.example:8443/"),
        ("https://tides.example./", "https://tides.example/"),
        ("https://tides.example/a#part", "https://tides.example/a"),
        ("https://tides.example/a/./b/../c", "https://tides.example/a/c"),
        ("https://tides.example/../../a", "https://tides.example/a"),
        ("https://tides.example/a/..", "https://tides.example/"),
        ("https://tides.example/%2e%2E/a", "https://tides.example/a"),
        ("https://tides.example/%7Eann/%c3%a9", "https://tides.example/~ann/%C3%A9"),
        ("https://tides.example/low tide é", "https://tides.example/low%20tide%20%C3%A9"),
        ("https://tides.example/100%", "https://tides.example/100%25"),
        ("https://tides.example/a%2Fb", "https://tides.example/a%2Fb"),
        ("https://tides.example/a?", "https://tides.example/a"),
        ("https://tides.example/a?b=1&utm_source=x&fbclid=y", "https://tides.example/a?b=1"),
        ("https://tides.example/a?gclid=y", "https://tides.example/a"),
        ("https://tidesé.example/", "https://xn--tides-fsa.example/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("\n https://tides.example/a\n", "https://tides.example/a"),
    ],
)
def test_an_address_has_one_normal_form(written, normal):
    assert web_address(written) == normal


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("high", "https://tides.example/harbours/high"),
        ("./high", "https://tides.example/harbours/high"),
        ("../", "https://tides.example/"),
        ("/high", "https://tides.example/high"),
        ("//other.example/x", "https://other.example/x"),
        ("?page=2", "https://tides.example/harbours/low?page=2"),
    ],
)
def test_a_relative_address_belongs_to_its_page(written, found):
    assert web_address(written, PAGE) == found


@pytest.mark.parametrize(
    "written",
    [
        "mailto:ann@tides.example", "javascript:void(0)", "tel:+1", "data:text/html,x",
        "ftp://tides.example/", "https://ann:secret@tides.example/",
        "https://tides.example:99999/", "https://[tides/", "https://tides.example/" + "a" * 3_000,
    ],
)  # fmt: skip
def test_what_is_no_page_of_the_web_has_no_address(written):
    assert web_address(written, PAGE) is None


@given(st.text(max_size=80))
def test_the_normal_form_is_its_own_normal_form(text):
    for written in (text, f"https://tides.example/{text}", f"https://tides.example/?{text}"):
        normal = web_address(written, PAGE)
        assert normal is None or web_address(normal) == normal


@given(st.text(alphabet="<>!-/='\"[]& \n\tabhrefscipt?#;:.%é\x00", max_size=200))
def test_any_markup_can_be_read(markup):
    found = read(markup)
    assert all(link.startswith(("http://", "https://")) for link in found.links)


def test_links_are_found_wherever_elements_name_pages():
    found = read(
        '<a href="a">A</a><map><area href=b></map><iframe src="c"></iframe>'
        "<embed src='d.pdf'><object data=e.pdf></object><svg><a xlink:href='f'/></svg>"
        '<link rel="next" href="g"><link rel=alternate hreflang=fr href=h>'
        '<img src="no1"><script src="no2"></script><link rel=stylesheet href=no3>'
        '<a href="#no4">Up</a><a name=no5>Here</a>'
    )
    names = [link.rpartition("/")[2] for link in found.links]
    assert names == ["a", "b", "c", "d.pdf", "e.pdf", "f", "g", "h"]


def test_what_is_no_markup_links_nothing():
    found = read(
        "<!-- <a href=no1> --><script>'<a href=no2>'</script><style><a href=no3></style>"
        "<![CDATA[ <a href=no4 ]]><![if IE]><a href=yes>&lt;a href=no5>"
        "<!-- <a href=no6>"
    )
    assert found.links == ("https://tides.example/harbours/yes",)


def test_each_address_is_told_once_and_in_order():
    found = read("<a href=b></a><a href='/harbours/a'></a><a href=b#x></a><a href=./a></a>")
    assert [link[-1] for link in found.links] == ["b", "a"]


def test_a_base_moves_what_is_relative_and_only_the_first_counts():
    found = read("<base href='/seas/'><base href='/no/'><a href=north>")
    assert found.links == ("https://tides.example/seas/north",)


def test_links_in_menus_header_and_footer_are_told_apart():
    found = read(
        "<header><a href=1></a></header><nav><ul><li><a href=2></a></ul></nav>"
        "<div role='navigation'><div><a href=3></a></div><a href=4></a></div>"
        "<main><a href=5></a></main><aside><a href=6></a></aside><footer><a href=7></a></footer>"
        "<a href=8></a>"
    )
    assert [link[-1] for link in found.menus] == ["1", "2", "3", "4", "6", "7"]
    assert len(found.links) == 8


def test_a_menu_that_is_never_closed_ends_where_the_content_begins():
    found = read("<nav><a href=1></a><main><a href=2></a></main><a href=3></a>")
    assert [link[-1] for link in found.menus] == ["1"]


def test_links_that_robots_shall_not_follow_are_left_out_and_stay_in_menus():
    found = read("<nav><a rel='external nofollow' href=1></a></nav><a href=2></a>")
    assert [link[-1] for link in found.links] == ["2"]
    assert [link[-1] for link in found.menus] == ["1"]


@pytest.mark.parametrize(
    ("content", "directives", "links"),
    [
        ("noindex", {"noindex"}, 1),
        ("NOINDEX, NoFollow", {"noindex", "nofollow"}, 0),
        ("none", {"noindex", "nofollow"}, 0),
        ("index, follow, max-snippet:-1", set(), 1),
    ],
)
@pytest.mark.parametrize("name", ["robots", "ROBOTS", "nmg-helpdesk"])
def test_a_page_tells_robots_what_it_wants(name, content, directives, links):
    found = read(f'<meta name="{name}" content="{content}"><a href=1></a>')
    assert (found.directives, len(found.links)) == (directives, links)


def test_what_a_page_tells_another_robot_is_not_for_us():
    assert not read('<meta name="otherbot" content="noindex">').directives


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("noindex", {"noindex"}),
        ("otherbot: noindex, nofollow", set()),
        ("otherbot: noindex, nmg-helpdesk: nofollow", {"nofollow"}),
        ("unavailable_after: 1 Jan 2031, none", {"noindex", "nofollow"}),
        ("", set()),
    ],
)
def test_a_header_tells_robots_what_it_wants(header, told):
    assert robots_directives(header, "nmg-helpdesk") == told


def test_a_page_names_its_address_its_language_and_where_it_leads():
    found = read(
        '<html lang="pt-BR"><link rel="canonical" href="/low"><link rel=canonical href=/no>'
        "<meta http-equiv=Refresh content=\"0; URL='/high'\">"
    )
    assert found.canonical == "https://tides.example/low"
    assert found.leads_to == "https://tides.example/high"
    assert found.language == "pt"


@pytest.mark.parametrize("language", ["", "x", "english", "12"])
def test_a_language_that_is_none_is_not_told(language):
    assert read(f'<html lang="{language}">').language is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_links_are_found_in_any_usual_encoding(encoding):
    found = page_links("<p>é</p><a href='né'>".encode(encoding), PAGE, "r")
    assert found.links == ("https://tides.example/harbours/n%C3%A9",)


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<a ",
        "<a href='",
        '<a x="',
        "</",
        "<![cdata[",
        "<!x",
        "<?",
        "<script></",
        "&#",
        "<a\0",
    ],
)
def test_unfinished_markup_takes_time_that_grows_with_its_length(piece):
    content = (piece * (500_000 // len(piece))).encode()
    began = time.process_time()
    page_links(content, PAGE, "r")
    with_sitemap = read_sitemap(content, PAGE)
    assert time.process_time() - began < 5
    assert not with_sitemap.pages


def test_a_page_of_endless_links_is_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "_MAX_LINKS", 10)
    assert len(read("".join(f"<a href={number}>" for number in range(50))).links) == 10
    monkeypatch.setattr(reader, "_MAX_TAGS", 5)
    assert len(read("".join(f"<a href={number}>" for number in range(50))).links) == 5


SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
    xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<!-- <url><loc>https://tides.example/no1</loc></url> -->
<url><loc> https://tides.example/a?x=1&amp;y=2 </loc><lastmod>2031-05-04T12:00:00+02:00</lastmod>
<image:image><image:loc>https://tides.example/no2.png</image:loc></image:image></url>
<url><lastmod>yesterday</lastmod><loc><![CDATA[https://tides.example/b]]></loc></url>
<url><loc>/c</loc></url>
<url><lastmod>2031-01-01</lastmod></url>
<url><loc>mailto:no3</loc></url>
</urlset>"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_sitemap_lists_pages_with_their_dates(pack):
    found = read_sitemap(pack(SITEMAP.encode()), "https://tides.example/sitemap.xml")
    assert found.pages == (
        Listed("https://tides.example/a?x=1&y=2", "2031-05-04"),
        Listed("https://tides.example/b", None),
        Listed("https://tides.example/c", None),
    )
    assert not found.sitemaps


def test_names_of_a_sitemap_may_carry_a_prefix():
    text = "<s:urlset><s:url><s:loc>https://tides.example/a</s:loc></s:url></s:urlset>"
    assert read_sitemap(text.encode(), PAGE).pages == (Listed("https://tides.example/a"),)


def test_an_index_lists_sitemaps():
    text = "<sitemapindex><sitemap><loc>/one.xml.gz</loc></sitemap></sitemapindex>"
    found = read_sitemap(text.encode(), PAGE)
    assert found.sitemaps == ("https://tides.example/one.xml.gz",)
    assert not found.pages


def test_a_web_page_in_place_of_a_sitemap_lists_nothing():
    assert read_sitemap(b"<html><body><a href=/x>Nothing here</a>", PAGE).pages == ()


def test_a_packed_sitemap_that_is_damaged_is_none():
    for content in (gzip.compress(SITEMAP.encode())[:-30], b"\x1f\x8bnonsense"):
        with pytest.raises(ValueError, match="damaged"):
            read_sitemap(content, PAGE)


def test_a_packed_sitemap_cannot_grow_beyond_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "_MAX_SITEMAP", 10_000)
    bomb = gzip.compress(b" " * 1_000_000)
    with pytest.raises(ValueError, match="larger than"):
        read_sitemap(bomb, PAGE)


def test_an_endless_sitemap_is_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "_MAX_LISTED", 3)
    text = "".join(f"<url><loc>/{number}</loc></url>" for number in range(9))
    assert len(read_sitemap(text.encode(), PAGE).pages) == 3
