"""Links of the sources: which lead nowhere, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from servers.misbehaving import Misbehaving, answer, hang_up, redirect

from ingest.fetch.client import Client
from ingest.link_check import check_links
from ingest.loaders.html import parse_html, read_sections
from ingest.models import Document
from rag.link_report import LinkReport
from rag.models import Gap

SITE = "https://harbour.example"
FIRST, SECOND = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 6, 4, tzinfo=UTC)
LOCAL = frozenset({"127.0.0.1"})


def page(name: str, html: str, **more: object) -> Document:
    sections = read_sections(parse_html(f"<body>{html}</body>").body).sections  # type: ignore[arg-type]
    document = Document(
        f"harbour:{name}.md", "harbour", f"{name}.md", name.capitalize(), f"{SITE}/{name}", "en",
        "0", sections,
    )  # fmt: skip
    return replace(document, **more)  # type: ignore[arg-type]


PAGES = [
    page("nets", '<h2 id="knots">Knots</h2><p>Tied.</p><h2 id="twine">Twine</h2><p>Spun.</p>'),
    *(page(name, f"<h2 id='a'>{name}</h2><p>About {name}.</p>") for name in ("b", "c", "d")),
]


def linking(*links: str, **more: object) -> list[Document]:
    items = "".join(f'<li><a href="{each}">there</a></li>' for each in links)
    return [*PAGES, page("hub", f"<h2 id='all'>All</h2><ul>{items}</ul>", **more)]


def check(
    documents: list[Document],
    *,
    gaps: tuple[Gap, ...] = (),
    before: LinkReport | None = None,
    client: Client | None = None,
    now: datetime = FIRST,
) -> LinkReport:
    return check_links(documents, gaps, "g", before, client, now=now)


def lost(report: LinkReport) -> list[tuple[str, str]]:
    return [(each.kind, each.address.removeprefix(SITE)) for each in report.lost]


# ---- what the index tells


@pytest.mark.parametrize(
    "link",
    [
        "/nets", "/nets/", "nets", "/nets.html", "/nets/index.html", "/nets#twine", "#all", "#",
        "#top", f"{SITE}/nets#knots", "/nets#:~:text=Spun", "/picture.png", "mailto:a@b.example",
        "https://x.example/a#b",
    ],
)  # fmt: skip
def test_a_link_that_leads_somewhere_or_elsewhere_is_fine(link: str) -> None:
    assert check(linking(link)).lost == ()


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ("/nets#ropes", "anchor"),
        ("#ropes", "anchor"),
        ("/ropes", "page"),
        ("/ropes#knots", "page"),
        (f"{SITE}/deep/ropes.html", "page"),
    ],
)
def test_places_and_pages_that_are_not_there_are_found(link: str, kind: str) -> None:
    report = check(linking(link))
    (found,) = report.lost
    assert (found.kind, found.dead) == (kind, True)
    (where,) = found.places
    assert (where.path, where.section, where.url, where.text) == (
        "hub.md", ("All",), f"{SITE}/hub#all", "there",
    )  # fmt: skip


def test_an_empty_page_and_an_alias_are_there() -> None:
    empty = Gap("page", "harbour:news.md", "harbour", "news.md", "News", (), f"{SITE}/news")
    documents = linking("/news#any", "/old-hub", aliases=(f"{SITE}/old-hub",))
    assert check(documents, gaps=(empty,)).lost == ()


def test_a_page_without_headings_is_not_said_to_lack_a_place() -> None:
    documents = [*linking("/plain#any"), page("plain", "<p>Without any heading.</p>")]
    assert check(documents).lost == ()


def test_a_single_file_is_no_site() -> None:
    alone = page("hub", '<p><a href="/ropes">ropes</a></p>')
    assert check([alone]).lost == ()


def test_one_address_is_told_once_with_all_its_places() -> None:
    (found,) = check([*linking("/ropes"), page("more", '<p><a href="/ropes">R</a></p>')]).lost
    assert [each.path for each in found.places] == ["hub.md", "more.md"]


def test_since_when_a_link_is_dead_is_remembered() -> None:
    before = check(linking("/ropes"))
    after = check(linking("/ropes", "/masts"), before=before, now=SECOND)
    assert {each.address.removeprefix(SITE): each.since[:10] for each in after.lost} == {
        "/ropes": "2026-05-04",
        "/masts": "2026-06-04",
    }


# ---- what is asked


@pytest.fixture
def web() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        yield server


@pytest.fixture
def client() -> Iterator[Client]:
    with Client("test", allowed_hosts=LOCAL, sleep=lambda _: None) as opened:
        yield opened


def test_addresses_elsewhere_are_told_dead_where_they_are_gone(
    web: Misbehaving, client: Client
) -> None:
    links = [
        web.on("/fine", answer(200, b"x" * 5_000_000)),
        web.on("/gone", answer(404)),
        web.on("/over", answer(410)),
        web.on("/moved", redirect("/gone")),
        web.on("/shut", answer(403)),
        web.on("/broken", answer(500)),
        web.on("/cut", hang_up),
    ]
    report = check(linking(*links, "/ropes"), client=client)
    told = {each.address.rpartition("/")[2]: each.dead for each in report.lost}
    assert told == {
        "gone": True,
        "over": True,
        "moved": True,
        "broken": False,
        "cut": False,
        "ropes": False,
    }
    assert (report.asked, report.unasked, report.asked_at) == (8, 0, "2026-05-04T00:00:00Z")


def test_each_address_is_asked_once_however_often_it_is_linked(
    web: Misbehaving, client: Client
) -> None:
    address = web.on("/fine", answer(200))
    check(linking(address, f"{address}#a", f"{address}#b"), client=client)
    assert web.paths == ["/fine"]


def test_what_was_answered_is_kept_until_it_is_asked_again(
    web: Misbehaving, client: Client
) -> None:
    documents = linking(web.on("/gone", answer(404)))
    before = check(documents, client=client)
    later = check(documents, before=before, now=SECOND)
    assert later.lost == before.lost
    assert (later.asked_at, later.checked_at[:10]) == (before.asked_at, "2026-06-04")
    mended = check(linking(), before=before, now=SECOND)
    assert mended.lost == ()
    web.on("/gone", answer(200))
    assert check(documents, before=before, client=client, now=SECOND).lost == ()


def test_where_time_is_up_the_rest_is_left_for_the_next_time(
    web: Misbehaving, client: Client
) -> None:
    client.allow(-1)
    report = check(linking(web.on("/gone", answer(404))), client=client)
    assert (report.asked, report.unasked, report.lost) == (0, 1, ())
