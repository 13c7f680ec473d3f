"""Which sentences are never indexed."""

from __future__ import annotations

import pytest

from ingest.boilerplate import is_boilerplate, is_filler, is_notice, says_nothing


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
