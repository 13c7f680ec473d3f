"""Addresses in plain text become links, and nothing else does."""

from __future__ import annotations

import re
import time

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from api.page.links import linkified

_PIECES = st.sampled_from(
    ["http://a.example", "https://b.example/x?y=1&z=2", "javascript:alert(1)", "HTTPS://C.example",
     "<script>", '"', "'", "&", "&amp;", " ", "\n", "(", ")", ".", "mailto:a@b.example", "http://",
     "https://[", "data:text/html,x", "word", "onclick="]
)  # fmt: skip


@given(st.lists(st.one_of(_PIECES, st.text(max_size=5))).map("".join))
def test_no_text_becomes_more_than_links_to_the_web(text: str) -> None:
    # A parser of HTML reads these as other characters.
    text = "".join(each for each in text if each.isprintable() or each == "\n")
    page = BeautifulSoup(f"<pre>{linkified(text)}</pre>", "html.parser").pre
    assert page is not None
    assert page.get_text() == text
    for each in page.find_all(True):
        assert each.name == "a"
        assert set(each.attrs) == {"href", "target", "rel"}
        assert each["rel"] == ["noopener", "nofollow"]
        assert str(each["href"]).lower().startswith(("http://", "https://"))
        assert each["href"] == each.get_text()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("See https://a.example/b.", "https://a.example/b"),
        ("(https://a.example/b)", "https://a.example/b"),
        ("https://a.example/b_(c), then", "https://a.example/b_(c)"),
        ("[1] Title – https://a.example/b?c=d&e=f#g", "https://a.example/b?c=d&e=f#g"),
        ("https://a.example/ç", "https://a.example/ç"),
        ("<https://a.example>", "https://a.example"),
    ],
)
def test_an_address_ends_where_the_sentence_goes_on(text: str, address: str) -> None:
    links = BeautifulSoup(linkified(text), "html.parser").select("a")
    assert [each["href"] for each in links] == [address]


@given(st.text(alphabet="ab()[]{}.,", max_size=40))
def test_brackets_are_of_the_sentence_where_the_address_has_opened_none(path: str) -> None:
    address = f"https://a.example/{path}"
    while re.search(r"[.,]$", address) or any(
        address.endswith(closing) and address.count(opening) < address.count(closing)
        for opening, closing in ("()", "[]", "{}")
    ):
        address = address[:-1]
    [link] = BeautifulSoup(linkified(f"https://a.example/{path}"), "html.parser").select("a")
    assert link["href"] == address


@pytest.mark.parametrize("mark", [")", "(", ")]", "()", ".", "http://a.b/)", "http://a.b/) "])
def test_twice_the_text_does_not_take_more_than_about_twice_the_time(mark: str) -> None:
    def took(letters: int) -> float:
        text = "http://a.b/" + mark * (letters // len(mark))
        times = []
        for _ in range(3):
            begun = time.process_time()
            linkified(text)
            times.append(time.process_time() - begun)
        return min(times)

    # Eight times as long: squared time would be 64 times as much.
    assert took(80_000) < 24 * took(10_000)


def test_an_address_that_no_browser_takes_is_no_link() -> None:
    longest = "https://a.example/".ljust(2000, "x")
    links = BeautifulSoup(linkified(f"{longest} {longest}x"), "html.parser").select("a")
    assert [each["href"] for each in links] == [longest]


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "https://", "ftp://a.example", "a.example"]
)
def test_what_is_no_address_of_the_web_stays_text(text: str) -> None:
    assert "<a" not in linkified(text)
