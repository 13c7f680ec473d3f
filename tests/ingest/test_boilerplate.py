"""Which sentences are never indexed."""

from __future__ import annotations

import pytest

from ingest.boilerplate import is_boilerplate, is_filler, is_notice, is_of_its_making, says_nothing


@pytest.mark.parametrize(
    "sentence",
    [
        "We are still working on the content for this page.",
        "We are working on content for this section.",
        " If you are interested in adding to the page, then:",
        "Feel free to contribute",
        "This is a community-driven website, so contributions are welcome!",
        "You will, of course, be listed as a contributor on the page.",
    ],
)
def test_a_notice_is_known_by_its_beginning(sentence: str) -> None:
    assert is_notice(sentence)
    assert is_boilerplate(sentence)
    assert not is_filler(sentence)


@pytest.mark.parametrize(
    "text", ["Lorem ipsum dolor", "Sample Text", "Short text describing this role", "DELETE ME now"]
)
def test_filler_is_boilerplate_and_no_notice(text: str) -> None:
    assert is_filler(text)
    assert is_boilerplate(text)
    assert not is_notice(text)


@pytest.mark.parametrize(
    "text", ["Replace this rope every two years.", "Replace with the right knot, and pull."]
)
def test_an_instruction_is_no_filler(text: str) -> None:
    assert not is_boilerplate(text)


@pytest.mark.parametrize("description", ["Introduction to Ropes", "Short text describing a role."])
def test_a_description_that_repeats_its_title_says_nothing(description: str) -> None:
    assert says_nothing(description)


@pytest.mark.parametrize(
    "description",
    [
        "How ropes are tied.",
        "",
        "Introduction to ropes, and then how they are tied, wet and dry, " * 2,
    ],
)
def test_other_descriptions_say_something(description: str) -> None:
    assert not says_nothing(description)


@pytest.mark.parametrize(
    "line",
    [
        "Ana Reef | 2031-02-27",
        "Bo van der Quay 2031-02-27",
        "Reef Quay | 2031-02-27 && 2031-03-01",
        "Reef Quay | 2031-02-27 | expects another look",
        "Authors of latest version:",
        "Name | Date version release",
        "Row colours | optional column",
        "conditional",
        "Please leave comments below",
    ],
)
def test_how_a_sheet_was_made_is_told_from_what_it_says(line: str) -> None:
    assert is_of_its_making(line)


@pytest.mark.parametrize(
    "line",
    [
        "The Tide Office closed the quay on 2031-02-27.",
        "Gauge, Buoy | 2031-02-27",
        "Optional items are left empty.",
        "Name of the vessel",
        "The class was renamed. | 2031-02-27 | It was unclear.",
    ],
)
def test_what_a_sheet_says_is_kept(line: str) -> None:
    assert not is_of_its_making(line)
