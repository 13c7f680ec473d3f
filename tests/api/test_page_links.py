"""Addresses in plain text become links, and nothing else does."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "https://", "ftp://a.example", "a.example"]
)
def test_what_is_no_address_of_the_web_stays_text(text: str) -> None:
    assert "<a" not in linkified(text)
