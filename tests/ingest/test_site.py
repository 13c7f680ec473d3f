"""Web sites, crawled: invented ones and the real framework, served on this machine."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from servers.site import Answer, SiteServer, moved

from ingest.fetch import site as crawler
from ingest.fetch.client import Client
from ingest.fetch.downloads import Downloads
from ingest.fetch.site import fetch_site
from ingest.models import Fetched, Remote, SourceFile
from rag.errors import SourceUnavailable

SITE = {
    "index.html": "<nav><a href='/low'>Low</a></nav><p><a href='harbours/'>Harbours</a>",
    "low.html": "<nav><a href='/'>Home</a></nav><p>The harbour falls dry.",
    "harbours/index.html": "<p><a href='north'>North</a> <a href='map.pdf'>Map</a>",
    "harbours/north.html": "<p>Deep at all times.",
    "harbours/map.pdf": b"%PDF-1.7 invented",
    "lost.html": "<p>Nobody links this.",
}


@dataclass
class Harbour:
    """A served site, and a crawler of it that remembers."""

    server: SiteServer
    client: Client
    downloads: Downloads
    waits: list[float] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)

    def crawl(self, below: str = "/") -> Fetched:
        remote = Remote("tides", "site", self.server.address + below, licence="cc0")
        return fetch_site(
            remote, self.client, self.downloads, self.counted.append, sleep=self.waits.append
        )

    def write(self, **pages: str | bytes) -> None:
        """Write pages by name, without their suffix."""
        for name, content in pages.items():
            path = self.server.folder / f"{name}.html"
            path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def harbour(write: Callable[..., Path], tmp_path: Path) -> Iterator[Harbour]:
    with SiteServer(write(SITE)) as server, _client() as client:
        yield Harbour(server, client, Downloads(tmp_path / "downloads"))


def _client() -> Client:
    return Client("nmg-helpdesk/test", allowed_hosts=frozenset({"127.0.0.1"}), sleep=lambda _: None)


def paths(fetched: Fetched) -> list[str]:
    return [file.path for file in fetched.source.files or ()]


def by_path(fetched: Fetched) -> dict[str, SourceFile]:
    return {file.path: file for file in fetched.source.files or ()}


def reasons(fetched: Fetched) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in fetched.skipped}


def problems(fetched: Fetched) -> dict[str, str]:
    return {problem.path: problem.problem for problem in fetched.problems}


# What is found


def test_a_site_is_followed_from_its_first_page_on(harbour):
    fetched = harbour.crawl()
    assert paths(fetched) == [
        "harbours/index.html", "harbours/map.pdf", "harbours/north.html", "index.html", "low.html",
    ]  # fmt: skip
    assert not fetched.skipped
    assert not fetched.problems
    source = fetched.source
    assert (source.kind, source.address, source.licence) == ("site", harbour.server.address, "cc0")
    assert source.path == harbour.downloads.directory
    for file in source.files or ():
        assert file.file.read_bytes() == (harbour.server.folder / file.path).read_bytes()
        assert file.file.suffix == Path(file.path).suffix
    assert by_path(fetched)["harbours/north.html"].url == f"{source.address}/harbours/north"
    assert sum(harbour.counted) == len(harbour.server.requests) - 2  # robots.txt, sitemap.xml


def test_a_sitemap_leads_to_what_no_page_links(harbour):
    harbour.server.list_all()
    assert "lost.html" in paths(harbour.crawl())


def test_a_sitemap_named_in_robots_txt_is_read_packed_and_through_an_index(harbour):
    address = harbour.server.address
    harbour.server.robots = f"Sitemap: {address}/index-of-maps.xml\n"
    harbour.server.answers["/index-of-maps.xml"] = Answer(
        b"<sitemapindex><sitemap><loc>/map1.xml.gz</loc></sitemap>"
        b"<sitemap><loc>https://elsewhere.example/map2.xml</loc></sitemap></sitemapindex>"
    )
    harbour.server.answers["/map1.xml.gz"] = Answer(
        gzip.compress(b"<urlset><url><loc>/lost</loc></url></urlset>")
    )
    assert "lost.html" in paths(harbour.crawl())


def test_menus_are_told_for_each_page(harbour):
    menus = dict(harbour.crawl().source.menus.links)
    assert menus == {"index.html": ("/low",), "low.html": ("/",)}


def test_menus_name_the_address_under_which_a_page_is_known(harbour):
    harbour.server.answers["/tide"] = moved("/low")
    harbour.write(index="<footer><a href='/tide'></a><a href='/low#x'></a></footer>")
    assert dict(harbour.crawl().source.menus.links)["index.html"] == ("/low",)


def test_a_crawl_stays_below_the_path_that_was_named(harbour):
    harbour.write(**{"harbours/north": "<a href='/low'>Low</a><a href='/harbours'></a>"})
    assert paths(harbour.crawl("/harbours/")) == [
        "harbours/index.html", "harbours/map.pdf", "harbours/north.html",
    ]  # fmt: skip
    assert paths(harbour.crawl("/harbours")) == paths(harbour.crawl("/harbours/index.html"))
    assert not harbour.server.asked("/low")


def test_a_page_named_without_a_slash_is_the_head_of_what_is_below(harbour):
    harbour.write(tides="<a href='/tides/spring'></a><a href='/tidesong'></a>")
    (harbour.server.folder / "tides").mkdir()
    harbour.write(**{"tides/spring": "High", "tidesong": "La"})
    harbour.server.answers["/tides"] = Answer((harbour.server.folder / "tides.html").read_bytes())
    assert paths(harbour.crawl("/tides")) == ["tides.html", "tides/spring.html"]


def test_a_home_page_that_leads_into_a_folder_does_not_limit_the_site(harbour):
    harbour.server.answers["/"] = moved("/harbours/")
    harbour.write(**{"harbours/index": "<a href='/low'>Low</a>"})
    assert paths(harbour.crawl()) == ["harbours/index.html", "low.html"]


def test_other_hosts_are_not_asked(harbour, write, tmp_path):
    other = write({"index.html": "Elsewhere"}, "other")
    with SiteServer(other) as elsewhere:
        harbour.server.answers["/out"] = moved(f"http://localhost:{elsewhere.address[-5:]}/")
        harbour.write(index=f"<a href='{elsewhere.address}/'></a><a href='/out'></a>")
        fetched = harbour.crawl()
        assert paths(fetched) == ["index.html"]
        assert "another host" in reasons(fetched)["out.html"]
        assert not elsewhere.requests


def test_the_host_that_answers_for_the_start_is_the_site(harbour, write):
    front = write({"robots.txt": "User-agent: *\nDisallow: /low\n"}, "front")
    with SiteServer(front) as door:
        door.answers["/"] = moved(f"{harbour.server.address}/")
        remote = Remote("tides", "site", f"{door.address}/")
        fetched = fetch_site(remote, harbour.client, harbour.downloads, lambda _: None)
    assert fetched.source.address == harbour.server.address
    # The rules of the door say nothing of the house.
    assert "low.html" in paths(fetched)


def test_with_and_without_www_is_one_site():
    site = crawler._Site.around("https://www.tides.example/")
    assert site.own("http://tides.example/low") == "https://www.tides.example/low"
    assert site.own("https://tides.example:8443/low") is None
    assert site.own("https://wet.tides.example/low") is None


# What is a document


@pytest.mark.parametrize(
    ("address", "answer", "path"),
    [
        ("/a.php", Answer(b"<p>A"), "a.php.html"),
        ("/a.htm", Answer(b"<p>A"), "a.htm"),
        ("/a.pdf", Answer(b"<p>Not a PDF file"), "a.pdf.html"),
        ("/get/7", Answer(b"%PDF-1", headers={"Content-Type": "application/pdf"}), "get/7.pdf"),
        ("/get/8", Answer(b"%PDF-1", headers={}), "get/8.pdf"),
        ("/get/9", Answer(b"\n<!DOCTYPE html><p>", headers={}), "get/9.html"),
        (
            "/a.docx",
            Answer(b"PK\x03\x04", headers={"Content-Type": "application/octet-stream"}),
            "a.docx",
        ),
        (
            "/a.epub",
            Answer(b"PK\x03\x04", headers={"Content-Type": "application/epub+zip"}),
            "a.epub",
        ),
        (
            "/a",
            Answer(b"", headers={"Content-Type": "application/vnd.oasis.opendocument.text"}),
            "a.odt",
        ),
        ("/low%20%20tide%20", Answer(b"<p>A"), "low  tide .html"),
        ("/%C3%A9t%C3%A9", Answer(b"<p>A"), "été.html"),
        ("/a%2Fb%0A", Answer(b"<p>A"), "a%2Fb%0A.html"),
        ("/%ff", Answer(b"<p>A"), "%FF.html"),
    ],
)
def test_a_file_is_named_by_its_address_and_what_the_server_says_it_is(
    address, answer, path, harbour
):
    harbour.server.answers[address] = harbour.server.answers[address.upper()] = answer
    harbour.write(index=f"<a href='{address}'>A</a>")
    assert path in paths(harbour.crawl())


@pytest.mark.parametrize(
    ("media", "body"),
    [("image/png", b"\x89PNG"), ("text/plain", b"Plain"), ("", b"GIF89a"), ("", b"PK\x03\x04")],
)
def test_what_is_no_document_is_left_out_and_not_kept(media, body, harbour):
    harbour.server.answers["/a"] = Answer(body, headers={"Content-Type": media} if media else {})
    harbour.write(index="<a href='/a'>A</a>")
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html"]
    assert reasons(fetched)["a.html"].startswith("no document")
    assert harbour.crawl() == fetched
    assert [each.status for each in harbour.server.asked("/a")] == [200, 304]


def test_what_is_no_document_by_its_name_is_not_asked_for(harbour):
    names = ("a.png", "a.css", "a.JS", "a.zip", "a.xml", "a.mp4", "a.xlsx")
    harbour.write(index="".join(f"<a href='/{name}'></a>" for name in names))
    assert paths(harbour.crawl()) == ["index.html"]
    assert len(harbour.server.requests) == 3


def test_a_page_larger_than_a_page_is_left_out(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_MAX_PAGE", 1_000)
    harbour.write(low="x" * 1_001)
    fetched = harbour.crawl()
    assert "low.html" not in paths(fetched)
    assert "larger than" in reasons(fetched)["low.html"]


def test_a_file_larger_than_a_file_is_left_out(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_MAX_FILE_MB", 1)
    (harbour.server.folder / "harbours/map.pdf").write_bytes(b"%PDF-1.7" + bytes(2**20))
    fetched = harbour.crawl()
    assert "harbours/map.pdf" not in paths(fetched)
    assert "larger than 1 MB" in reasons(fetched)["harbours/map.pdf"]


# Once each


def test_ways_to_write_an_address_are_one_page(harbour):
    port = harbour.server.address.rpartition(":")[2]
    harbour.write(
        index=f"<a href='/low#a'></a><a href='./low?utm_source=x'></a><a href='/x/../low'></a>"
        f"<a href='HTTP://127.0.0.1:{port}/l%6Fw'></a><a href='//127.0.0.1:{port}/low'></a>"
    )
    assert paths(harbour.crawl()) == ["index.html", "low.html"]
    assert len(harbour.server.asked("/low")) == 1


def test_spellings_with_the_same_bytes_are_one_page(harbour):
    low = (harbour.server.folder / "low.html").read_bytes()
    harbour.server.answers["/low/"] = Answer(low)
    harbour.write(
        index="<a href='/low/'></a><a href='/low.html'></a><a href='/low'></a>"
        "<a href='/index.html'></a><a href='/index'></a>"
    )
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "low.html"]
    assert [file.url for file in fetched.source.files] == [
        f"{harbour.server.address}/", f"{harbour.server.address}/low",
    ]  # fmt: skip


@pytest.mark.parametrize(("listed", "path"), [("/low/", "low/index.html"), ("/low", "low.html")])
def test_of_spellings_the_one_in_the_sitemap_counts(listed, path, harbour):
    low = (harbour.server.folder / "low.html").read_bytes()
    harbour.server.answers["/low/"] = Answer(low)
    harbour.server.sitemap = {listed: None}
    harbour.write(index="<a href='/low/'></a><a href='/low'></a>")
    assert paths(harbour.crawl()) == ["index.html", path]


def test_of_spellings_the_canonical_one_counts_most(harbour):
    harbour.write(
        index="<a href='/low'></a><a href='/low.html'></a>",
        low="<link rel=canonical href='/low.html'>",
    )
    harbour.server.sitemap = {"/low": None}
    assert by_path(harbour.crawl())["low.html"].url == f"{harbour.server.address}/low.html"


def test_spellings_with_other_bytes_are_other_pages(harbour):
    harbour.server.answers["/low/"] = Answer(b"<p>A folder")
    harbour.server.answers["/low.html"] = Answer(b"<p>A file")
    harbour.write(index="<a href='/low/'></a><a href='/low.html'></a><a href='/low'></a>")
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "low.2.html", "low.html", "low/index.html"]
    assert by_path(fetched)["low.html"].url == f"{harbour.server.address}/low"


def test_a_redirect_is_not_a_page_of_its_own(harbour):
    harbour.server.answers["/tide"] = moved("/ebb", 302)
    harbour.server.answers["/ebb"] = moved("/low")
    harbour.write(index="<a href='/tide'></a><a href='/low'></a>")
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "low.html"]
    assert harbour.crawl() == fetched


def test_what_a_redirect_led_to_is_not_asked_for_again(harbour):
    harbour.server.answers["/tide"] = moved("/low")
    harbour.write(index="<a href='/tide'></a><a href='/low'></a>")
    harbour.crawl()
    assert len(harbour.server.asked("/low")) == 1


def test_a_page_is_known_by_its_canonical_address(harbour):
    harbour.write(
        index="<a href='/print'></a>",
        print="<link rel=canonical href='/low'><p>For the printer.",
    )
    assert paths(harbour.crawl()) == ["index.html", "low.html"]


@pytest.mark.parametrize("canonical", ["/nowhere", "/", "https://other.example/low", "/closed"])
def test_a_canonical_address_that_is_none_is_not_believed(canonical, harbour):
    harbour.server.robots = "User-agent: *\nDisallow: /closed\n"
    harbour.write(
        index="<a href='/low'></a>",
        closed="Closed",
        low=f"<link rel=canonical href='{canonical}'><p>The harbour falls dry.",
    )
    assert paths(harbour.crawl()) == ["index.html", "low.html"]


def test_canonical_addresses_that_go_in_circles_leave_one_page(harbour):
    harbour.write(
        index="<a href='/a'></a><a href='/bb'></a><a href='/c'></a>",
        a="<link rel=canonical href='/bb'>A",
        bb="<link rel=canonical href='/a'>B",
        c="<link rel=canonical href='/bb'>C",
    )
    assert paths(harbour.crawl()) == ["a.html", "index.html"]


def test_a_page_that_sends_its_readers_on_is_none(harbour):
    harbour.write(
        index="<a href='/old'></a><a href='/moved'></a>",
        old="<meta http-equiv=refresh content='0; url=/low'>Moved",
        moved="<meta http-equiv=refresh content='0; url=https://other.example/'>Moved",
    )
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "low.html"]
    assert reasons(fetched) == {"moved.html": "leads to another site"}


def test_addresses_with_a_query_are_followed_from_the_sitemap_only(harbour):
    harbour.server.answers["/low?at=noon"] = Answer(b"<p>At noon")
    harbour.server.answers["/low?at=night"] = Answer(b"<p>At night")
    harbour.server.sitemap = {"/low?at=noon": None}
    harbour.write(index="<a href='/low?at=noon'></a><a href='/low?at=night'></a>")
    assert paths(harbour.crawl()) == ["index.html", "low?at=noon.html"]


# Traps


def test_a_redirect_that_goes_in_circles_is_a_broken_link(harbour):
    harbour.server.answers["/a"], harbour.server.answers["/b"] = moved("/b"), moved("/a")
    harbour.write(index="<a href='/a'></a><a href='/low'></a>")
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "low.html"]
    assert not fetched.problems


def test_a_calendar_without_end_is_cut_off(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_MAX_PAGES", 12)
    days = iter(range(10**6))
    harbour.server.trap = lambda _: Answer(
        f"<a href='/day/{next(days)}'></a><a href='/day/{next(days)}'></a>".encode()
    )
    harbour.write(index="<a href='/day/x'></a><a href='/low'></a>")
    fetched = harbour.crawl()
    assert len(paths(fetched)) == 12
    assert "low.html" in paths(fetched)
    (problem,) = fetched.problems
    assert "only the first 12 pages" in problem.problem
    assert len(harbour.server.requests) < 20


def test_addresses_that_lead_nowhere_are_cut_off_too(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_MAX_ASKED", 10)
    harbour.write(index="".join(f"<a href='/{number}'></a>" for number in range(50)))
    assert len(harbour.crawl().problems) == 1
    assert len(harbour.server.requests) == 10


def test_a_crawl_takes_in_only_so_much(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_MAX_TOTAL", 10)
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html"]
    assert len(fetched.problems) == 1


def test_a_relative_link_that_repeats_itself_is_not_followed_for_ever(harbour):
    harbour.server.trap = lambda path: Answer(f"<a href='deeper/'>{path}</a>".encode())
    harbour.write(index="<a href='/deeper/'></a>")
    assert len(paths(harbour.crawl())) == 1 + crawler._MAX_REPEATED


# Robots


def test_what_robots_shall_not_read_is_not_asked_for(harbour):
    harbour.server.robots = "User-agent: *\nDisallow: /harbours/n\n"
    fetched = harbour.crawl()
    assert "harbours/north.html" not in paths(fetched)
    assert reasons(fetched) == {"harbours/north.html": "closed to robots"}
    assert not harbour.server.asked("/harbours/north")


def test_a_rule_for_us_comes_before_that_for_all(harbour):
    harbour.server.robots = (
        "User-agent: *\nDisallow: /\n\nUser-agent: NMG-Helpdesk\nDisallow: /low\n"
    )
    assert reasons(harbour.crawl()) == {"low.html": "closed to robots"}


def test_a_redirect_to_what_is_closed_is_closed(harbour):
    harbour.server.robots = "User-agent: *\nDisallow: /low\n"
    harbour.server.answers["/tide"] = moved("/low")
    harbour.write(index="<a href='/tide'></a>")
    assert paths(harbour.crawl()) == ["index.html"]


def test_a_site_closed_to_robots_is_not_read(harbour):
    harbour.server.robots = "User-agent: *\nDisallow: /\n"
    with pytest.raises(SourceUnavailable, match=r"robots\.txt"):
        harbour.crawl()
    assert [each.path for each in harbour.server.requests] == ["/robots.txt"]


def test_without_an_answer_on_robots_nothing_is_read(harbour):
    harbour.server.answers["/robots.txt"] = Answer(status=500)
    with pytest.raises(SourceUnavailable, match=r"robots\.txt answered 500"):
        harbour.crawl()
    harbour.server.answers["/robots.txt"] = Answer(status=503)
    with pytest.raises(SourceUnavailable, match=r"robots\.txt cannot be had"):
        harbour.crawl()
    assert {each.path for each in harbour.server.requests} == {"/robots.txt"}


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_rules_that_are_not_there_allow_all(status, harbour):
    harbour.server.answers["/robots.txt"] = Answer(b"Disallow: /", status)
    assert "low.html" in paths(harbour.crawl())


@pytest.mark.parametrize(("asked", "waited"), [("2.5", 2.5), ("86400", 10), ("-1", 0), ("x", 0)])
def test_a_site_is_asked_as_slowly_as_it_wants_within_reason(asked, waited, harbour):
    harbour.server.robots = f"User-agent: *\nCrawl-delay: {asked}\n"
    harbour.crawl()
    after = len(harbour.server.requests) - 1
    assert harbour.waits == ([waited] * after if waited else [])


def test_a_page_that_wants_not_to_be_found_is_left_out_and_its_links_are_followed(harbour):
    harbour.write(index="<a href='/low'></a>", low="<meta name=robots content=noindex>"
                  "<a href='/lost'></a>")  # fmt: skip
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "lost.html"]
    assert reasons(fetched) == {"low.html": "noindex"}


def test_headers_speak_to_robots_too_and_may_take_it_back(harbour):
    harbour.write(index="<a href='/low'></a>", low="<a href='/lost'></a>")
    harbour.server.more_headers["/low"] = {"X-Robots-Tag": "noindex, nofollow"}
    assert paths(harbour.crawl()) == ["index.html"]
    harbour.server.more_headers.clear()
    harbour.server.tags = False
    assert paths(harbour.crawl()) == ["index.html", "lost.html", "low.html"]


# Again


def test_an_unchanged_site_costs_only_conditional_requests(harbour):
    harbour.server.robots = "User-agent: *\nDisallow:\n"
    harbour.server.list_all()
    first = harbour.crawl()
    asked = {each.path for each in harbour.server.requests}
    harbour.server.requests.clear()
    assert harbour.crawl() == first
    assert {each.path for each in harbour.server.requests} == asked
    assert all(each.conditional and each.status == 304 for each in harbour.server.requests)


def test_links_are_read_once_a_body(harbour, monkeypatch):
    first = harbour.crawl()
    monkeypatch.setattr(crawler, "page_links", None)
    assert harbour.crawl() == first
    harbour.server.tags = False
    assert harbour.crawl() == first


def test_a_new_reader_reads_unchanged_bodies_anew(harbour, monkeypatch):
    harbour.crawl()
    monkeypatch.setattr(crawler, "_VERSION", crawler._VERSION + 1)
    monkeypatch.setattr(crawler, "page_links", lambda *_: crawler.PageLinks())
    assert paths(harbour.crawl()) == ["index.html"]


def test_exactly_what_changed_is_changed(harbour):
    before = by_path(harbour.crawl())
    harbour.write(low="<p>It is wet again.", index=SITE["index.html"] + "<a href='/lost'></a>")
    (harbour.server.folder / "harbours/north.html").unlink()
    fetched = harbour.crawl()
    after = by_path(fetched)
    assert before.keys() - after.keys() == {"harbours/north.html"}
    assert after.keys() - before.keys() == {"lost.html"}
    same = before.keys() & after.keys()
    assert {path for path in same if before[path].file != after[path].file} == {
        "index.html", "low.html",
    }  # fmt: skip
    assert not fetched.problems
    gone = harbour.downloads.page("tides", f"{harbour.server.address}/harbours/north")
    assert gone is None or gone.file is None


def test_a_dead_link_is_not_asked_for_at_every_crawl(harbour, monkeypatch):
    harbour.write(index=SITE["index.html"] + "<a href='/sunk'></a>")
    harbour.crawl()
    assert [each.status for each in harbour.server.asked("/sunk")] == [404]
    harbour.crawl()
    assert len(harbour.server.asked("/sunk")) == 1
    monkeypatch.setattr(crawler, "_GONE_DAYS", 0)
    harbour.crawl()
    assert len(harbour.server.asked("/sunk")) == 2


def test_a_dead_link_is_asked_for_when_the_sitemap_lists_it(harbour):
    harbour.write(index=SITE["index.html"] + "<a href='/sunk'></a>")
    harbour.crawl()
    harbour.write(sunk="<h1>Sunk</h1><p>It is afloat again.")
    assert "sunk.html" not in paths(harbour.crawl())
    harbour.server.list_all()
    assert "sunk.html" in paths(harbour.crawl())


def test_a_page_is_as_old_as_its_bytes(harbour):
    path = harbour.server.folder / "low.html"
    os.utime(path, (1.9e9, 1e9))
    assert by_path(harbour.crawl())["low.html"].published == "2001-09-09"
    # Built anew with the same bytes.
    harbour.server.answers["/low"] = Answer(
        path.read_bytes(),
        headers={"Content-Type": "text/html", "ETag": '"new"', "Last-Modified": "Sun, 01 Jan 2012"},
    )
    assert by_path(harbour.crawl())["low.html"].published == "2001-09-09"
    del harbour.server.answers["/low"]
    harbour.write(low="<p>It is wet again.")
    os.utime(path, (1.9e9, 1.1e9))
    low = by_path(harbour.crawl())["low.html"]
    assert (low.published, low.dated_by) == ("2004-11-09", "snapshot")


@pytest.mark.parametrize("said", [None, "soon", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_page_that_does_not_say_since_when_is_as_it_is_since_today(said, harbour):
    headers = {"Content-Type": "text/html"} | ({"Last-Modified": said} if said else {})
    harbour.server.answers["/low"] = Answer(b"<p>Low", headers=headers)
    days = {datetime.now(UTC).date().isoformat()}
    published = by_path(harbour.crawl())["low.html"].published
    days.add(datetime.now(UTC).date().isoformat())
    assert published in days


def test_the_sitemap_dates_pages_itself(harbour):
    harbour.server.sitemap = {"/": "2031-02-03", "/low": "2031-01-01", "/lost": None}
    found = by_path(harbour.crawl())
    assert (found["low.html"].published, found["low.html"].dated_by) == ("2031-01-01", "page")
    assert found["lost.html"].dated_by == "snapshot"


def test_a_date_that_all_pages_share_is_that_of_the_sitemap(harbour):
    harbour.server.list_all()
    harbour.server.sitemap = dict.fromkeys(harbour.server.sitemap, "2031-02-03")
    assert {file.dated_by for file in harbour.crawl().source.files} == {"snapshot"}


def test_a_page_names_its_language(harbour):
    harbour.write(low="<html lang='fr-BE'><p>Sec.")
    found = by_path(harbour.crawl())
    assert (found["low.html"].language, found["index.html"].language) == ("fr", None)


def test_a_redirect_that_leads_elsewhere_by_now_is_asked_anew(harbour):
    same_tag = {"Content-Type": "text/html", "ETag": '"1"'}
    harbour.server.answers["/a"] = Answer(b"<p>A", headers=dict(same_tag))
    harbour.server.answers["/b"] = Answer(b"<p>B", headers=dict(same_tag))
    harbour.server.answers["/x"] = moved("/a")
    harbour.write(index="<a href='/x'></a>")
    assert paths(harbour.crawl()) == ["a.html", "index.html"]
    harbour.server.answers["/x"] = moved("/b")
    found = by_path(harbour.crawl())
    assert [*found] == ["b.html", "index.html"]
    assert found["b.html"].file.read_bytes() == b"<p>B"


def test_a_stored_body_that_is_lost_is_fetched_again(harbour):
    first = harbour.crawl()
    shutil.rmtree(harbour.downloads.directory / "files")
    assert harbour.crawl() == first
    assert all(file.file.is_file() for file in first.source.files)


# What fails


def test_a_server_that_is_down_is_no_empty_site(harbour):
    first = harbour.crawl()
    address = harbour.server.address
    harbour.server.stop()
    with _client() as client, pytest.raises(SourceUnavailable):
        fetch_site(Remote("tides", "site", address), client, harbour.downloads, lambda _: None)
    # What is known is not forgotten over it.
    for file in first.source.files:
        assert file.file.is_file()
        assert harbour.downloads.page("tides", file.url)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_first_page_that_fails_is_no_empty_site(status, harbour):
    harbour.server.answers["/"] = Answer(status=status)
    with pytest.raises(SourceUnavailable, match=str(status)):
        harbour.crawl()


def test_an_address_that_is_none_is_refused(harbour):
    with pytest.raises(SourceUnavailable):
        fetch_site(
            Remote("tides", "site", "tides"), harbour.client, harbour.downloads, lambda _: None
        )


@pytest.mark.parametrize("failure", [500, 503, 400, "cut"])
def test_a_known_page_that_fails_is_reported_and_what_it_links_is_still_found(failure, harbour):
    before = harbour.crawl()
    if failure == "cut":
        harbour.server.cut.add("/harbours/")
    else:
        harbour.server.answers["/harbours/"] = Answer(status=failure)
    fetched = harbour.crawl()
    assert [*problems(fetched)] == ["harbours/index.html"]
    assert by_path(fetched) == by_path(before)
    harbour.server.cut.clear()
    harbour.server.answers.clear()
    assert harbour.crawl() == before


def test_a_failing_page_known_by_another_address_is_no_problem(harbour):
    harbour.write(index="<a href='/low'></a><a href='/low.html'></a>")
    harbour.crawl()
    harbour.server.answers["/low.html"] = Answer(status=500)
    fetched = harbour.crawl()
    assert paths(fetched) == ["index.html", "low.html"]
    assert not fetched.problems


def test_a_page_that_another_address_still_leads_to_is_no_problem(harbour):
    harbour.server.answers["/tide"] = moved("/low")
    harbour.write(index="<a href='/low'></a><a href='/tide'></a>")
    harbour.crawl()
    harbour.server.answers["/tide"] = Answer(status=500)
    harbour.write(low="<p>It is wet again.")
    fetched = harbour.crawl()
    assert by_path(fetched)["low.html"].file.read_text() == "<p>It is wet again."
    assert not fetched.problems


@pytest.mark.parametrize(("status", "reason"), [(404, None), (410, None), (451, "not public")])
def test_a_known_page_that_is_gone_is_gone(status, reason, harbour):
    harbour.crawl()
    harbour.server.answers["/low"] = Answer(status=status)
    fetched = harbour.crawl()
    assert "low.html" not in paths(fetched)
    assert not fetched.problems
    assert reasons(fetched).get("low.html", "").startswith(reason or "")
    assert bool(fetched.skipped) == bool(reason)


@pytest.mark.parametrize("status", [404, 400, 500])
def test_a_broken_link_to_a_page_never_seen_is_no_problem(status, harbour):
    harbour.write(index="<a href='/broken'></a>")
    harbour.server.answers["/broken"] = Answer(status=status)
    assert not harbour.crawl().problems


def test_a_page_of_the_sitemap_that_fails_is_a_problem_though_never_seen(harbour):
    harbour.server.sitemap = {"/lost": None}
    harbour.server.answers["/lost"] = Answer(status=500)
    assert [*problems(harbour.crawl())] == ["lost.html"]


@pytest.mark.parametrize(
    "answer", [Answer(status=500), Answer(status=503), Answer(b"\x1f\x8bdamaged")]
)
def test_a_sitemap_that_fails_is_not_taken_for_an_empty_one(answer, harbour):
    harbour.server.list_all()
    before = harbour.crawl()
    harbour.server.answers["/sitemap.xml"] = answer
    fetched = harbour.crawl()
    assert [*problems(fetched)] == ["tides"]
    assert "sitemap.xml" in problems(fetched)["tides"]
    if answer.status != 200:
        assert paths(fetched) == paths(before)


def test_a_site_that_goes_down_on_the_way_is_unavailable(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_GIVE_UP", 3)
    harbour.crawl()
    harbour.server.cut |= {"/low", "/harbours/", "/harbours/north", "/harbours/map.pdf"}
    with pytest.raises(SourceUnavailable, match="fails throughout"):
        harbour.crawl()


def test_a_site_with_many_broken_pages_goes_on(harbour, monkeypatch):
    monkeypatch.setattr(crawler, "_GIVE_UP", 2)
    harbour.write(index="<a href='/1'></a><a href='/low'></a><a href='/2'></a><a href='/lost'></a>")
    harbour.server.cut |= {"/1", "/2"}
    assert paths(harbour.crawl()) == ["index.html", "lost.html", "low.html"]


def test_a_sitemap_that_leads_to_another_host_is_none(harbour):
    harbour.server.answers["/sitemap.xml"] = moved("http://localhost:1/")
    assert not harbour.crawl().problems


def test_what_is_still_in_use_is_kept(harbour):
    fetched = harbour.crawl()
    for file in fetched.source.files:
        os.utime(file.file, (0, 0))
    harbour.crawl()
    harbour.downloads.prune()
    assert all(file.file.is_file() for file in fetched.source.files)


# The real framework


@pytest.fixture
def framework_site(rendered: Path, tmp_path: Path) -> Iterator[Harbour]:
    copy = tmp_path / "rendered"
    shutil.copytree(rendered, copy)
    with SiteServer(copy) as server, _client() as client:
        yield Harbour(server, client, Downloads(tmp_path / "downloads"))


def _wants_not_to_be_found(page: Path) -> bool:
    return b'name="robots" content="noindex"' in page.read_bytes()


def test_the_framework_has_the_same_pages_once_each(framework_site):
    folder = framework_site.server.folder
    framework_site.server.list_all()
    fetched = framework_site.crawl()
    every = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.html")}
    del every["404.html"]
    left_out = {path for path, page in every.items() if _wants_not_to_be_found(page)}
    assert len(every) == 121
    assert paths(fetched) == sorted(every.keys() - left_out)
    assert {*reasons(fetched)} == left_out
    assert not fetched.problems
    for path, file in by_path(fetched).items():
        assert file.file.read_bytes() == every[path].read_bytes()
        assert file.url == framework_site.server.address + framework_site.server.address_of(
            every[path]
        )
        assert file.language == "en"


def test_without_a_sitemap_what_the_framework_links_is_found_once_each(framework_site):
    fetched = framework_site.crawl()
    found = paths(fetched)
    assert len(found) == len({*found}) == 83
    assert {"index.html", "governance-elsi.html", "lets-talk-genomics/index.html",
            "mt_resources .html"} <= {*found}  # fmt: skip
    # Stubs that nothing leads to, by what is known of the site.
    assert not {"glossary.html", "test.html", "lets-talk-genomics/sample-accordion.html"} & {*found}
    assert "/governance-elsi" in dict(fetched.source.menus.links)["cancer.html"]


def test_an_unchanged_framework_costs_only_conditional_requests(framework_site):
    server = framework_site.server
    server.robots = "User-agent: *\nDisallow:\n"
    server.list_all()
    first = framework_site.crawl()
    server.requests.clear()
    assert framework_site.crawl() == first
    # Beside the pages: robots.txt, the sitemap, and a redirect with its target.
    assert len(server.requests) == 121 + 4
    assert all(each.conditional and each.status in (304, 301) for each in server.requests)


def test_a_changed_framework_differs_in_what_changed(framework_site):
    server = framework_site.server
    server.list_all()
    before = by_path(framework_site.crawl())
    folder = server.folder
    (folder / "cancer.html").write_text("<p>Other words.")
    (folder / "contact.html").unlink()
    (folder / "new.html").write_text("<p>New.")
    server.list_all()
    fetched = framework_site.crawl()
    after = by_path(fetched)
    assert after.keys() ^ before.keys() == {"contact.html", "new.html"}
    unchanged = before.keys() - {"contact.html", "cancer.html"}
    assert all(after[path] == before[path] for path in unchanged)
    assert replace(after["cancer.html"], file=Path(), published="", language="en") == replace(
        before["cancer.html"], file=Path(), published=""
    )
    assert not fetched.problems


# What looks like less and is not


@pytest.mark.parametrize(
    "answer",
    [Answer(status=403), Answer(status=401), moved("http://127.0.0.2/login"),
     Answer(b"<html><body>Please log in.</body></html>")],
    ids=["refused", "closed", "led away", "login"],
)  # fmt: skip
def test_a_sitemap_that_cannot_be_had_is_not_an_empty_one(harbour, answer):
    harbour.server.list_all()
    before = harbour.crawl()
    assert "lost.html" in paths(before)
    harbour.server.answers["/sitemap.xml"] = answer
    for _ in range(2):
        fetched = harbour.crawl()
        assert paths(fetched) == paths(before)
        assert [*problems(fetched)] == ["tides"]


def test_a_sitemap_that_is_gone_lists_nothing(harbour):
    harbour.server.list_all()
    harbour.crawl()
    harbour.server.sitemap = None
    fetched = harbour.crawl()
    assert "lost.html" not in paths(fetched)
    assert not fetched.problems


def test_a_page_in_place_of_a_sitemap_that_never_was_is_nothing(harbour):
    harbour.server.answers["/sitemap.xml"] = Answer(b"<html><body>Welcome.</body></html>")
    assert not harbour.crawl().problems


def test_a_known_page_that_refuses_us_is_kept_and_reported(harbour):
    before = harbour.crawl()
    harbour.server.answers["/low"] = Answer(status=403)
    fetched = harbour.crawl()
    assert paths(fetched) == paths(before)
    assert [*problems(fetched)] == ["low.html"]


def test_a_page_that_was_missing_once_is_asked_for_again(harbour):
    before = harbour.crawl()
    harbour.server.answers["/low"] = Answer(status=404)
    assert "low.html" not in paths(harbour.crawl())
    del harbour.server.answers["/low"]
    assert paths(harbour.crawl()) == paths(before)


def test_a_page_may_close_itself_by_a_header_alone(harbour):
    assert "low.html" in paths(harbour.crawl())
    harbour.server.more_headers["/low"] = {"X-Robots-Tag": "noindex"}
    assert "low.html" not in paths(harbour.crawl())


def test_a_slow_site_does_not_keep_the_others_waiting(harbour, monkeypatch):
    before = harbour.crawl()
    monkeypatch.setattr(crawler, "_MAX_CRAWL_S", -1)
    fetched = harbour.crawl()
    # All that was not reached keeps its state: the problem is that of the whole source.
    assert [*problems(fetched)] == ["tides"]
    assert {*paths(fetched)} < {*paths(before)}


def test_a_site_that_says_the_same_everywhere_is_not_believed(harbour):
    harbour.write(**{f"page{number}": f"<p>Pier {number} is open." for number in range(8)})
    harbour.server.list_all()
    before = harbour.crawl()
    down = Answer(b"<html><body><p>We are down for maintenance.</body></html>")
    for path in (*harbour.server.sitemap, "/low"):
        harbour.server.answers[path] = down
    with pytest.raises(SourceUnavailable, match="hold the same"):
        harbour.crawl()
    harbour.server.answers.clear()
    assert by_path(harbour.crawl()) == by_path(before)


def test_a_menu_without_end_is_cut(harbour):
    many = "".join(f"<a rel=nofollow href='/{'x' * 1000}{n}'>n</a>" for n in range(2000))
    harbour.write(index=f"<nav>{many}</nav><p>Harbour.")
    fetched = harbour.crawl()
    assert sum(map(len, dict(fetched.source.menus.links).get("index.html", ()))) < 1_000_000
