"""Gaps as issues."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import shelf
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BadSetting
from rag.gaps.issues import Issue, Repositories, Wanted, issue
from rag.gaps.places import Place

EVENTS = Place("section", "aurora", "Events", ("Next *one*",), "https://aurora.example/events#next")
HUB = "https://github.com/aurora/pages"


def test_it_says_what_is_asked_how_often_and_where_it_should_stand() -> None:
    told = issue(Wanted(("When is it?", "Where is it?"), 7, 12, ("English", "Polish"), EVENTS))
    assert told.title == "Not answered: When is it?"
    assert "Asked 7 times in 12 weeks, in English, Polish:" in told.body
    assert "```text\nWhen is it?\nWhere is it?\n```" in told.body
    assert "[Events \\> Next \\*one\\*](<https://aurora.example/events#next>)" in told.body
    assert "nothing stands below it" in told.body


def test_without_a_page_it_asks_for_one() -> None:
    body = issue(Wanted((), 1, 4, (), None)).body
    assert "a new one is needed" in body
    assert "Asked once" in body


@given(st.lists(st.text(), min_size=1))
def test_whatever_was_typed_stays_within_its_block(examples: list[str]) -> None:
    lines = issue(Wanted(examples, 2, 4, ("English",), EVENTS)).body.split("\n")
    fence = lines[4].removesuffix("text")
    assert set(fence) == {"`"}
    end = lines.index(fence, 5)
    assert lines[5:end] == [" ".join(each.split()) for each in examples]
    assert not any(fence in line for line in lines[5:end])
    assert lines[end + 2] == "## Where it should stand"


def test_the_form_is_filled_in_as_far_as_an_address_may_be_long() -> None:
    short = Issue("A & b", "Text\n#1").form(HUB)
    assert parse_qs(urlsplit(short).query) == {"title": ["A & b"], "body": ["Text\n#1"]}
    long = Issue("A & b", "x" * 7000).form(HUB)
    assert parse_qs(urlsplit(long).query) == {"title": ["A & b"]}


def test_a_place_is_filed_where_its_source_is_written_and_a_new_page_at_the_first() -> None:
    known = Repositories({"aurora": HUB, "other": f"{HUB}-2"})
    assert known.of(EVENTS) == HUB
    assert known.of(None) == HUB
    assert known.of(Place("there", "zenodo-1", "A report", (), None)) is None
    assert Repositories({}).of(None) is None


def test_only_repositories_are_read_from_the_list_of_sources(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(
        "sources:\n"
        "  - {name: aurora, kind: jekyll, address: 'https://github.com/aurora/pages.git'}\n"
        "  - {name: site, kind: site, address: 'https://aurora.example'}\n"
        "  - {name: articles, kind: articles}\n"
    )
    assert Repositories.load(tmp_path) == Repositories({"aurora": HUB})
    assert Repositories.load(tmp_path / "none") == Repositories({})
    (tmp_path / "sources.yaml").write_text("sources: 3")
    with pytest.raises(BadSetting, match="sources"):
        Repositories.load(tmp_path)


def test_the_list_that_ships_names_the_repository_of_the_framework() -> None:
    shipped = Repositories.load(shelf.ROOT / "corpus")
    assert list(shipped.by_source) == ["oneplusmg-framework"]
