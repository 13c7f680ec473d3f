"""The framework's resources, against the list of them that was made by hand."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from ingest.gaps import gaps_of
from ingest.models import Document, EmptyPage, Loaded
from ingest.register import Vocabulary, build_register, normal_address
from rag.models import Gap, Resource

Row = dict[str, str]

REQUIRED_ON_GOVERNANCE = {
    "https://zenodo.org/records/8279861",
    "https://zenodo.org/records/8279737",
    "https://zenodo.org/records/8279796",
    "https://zenodo.org/records/8411102",
    "https://zenodo.org/records/8279851",
}


@pytest.fixture(scope="module")
def read(framework_read: list[Loaded]) -> tuple[list[Document], list[EmptyPage]]:
    return (
        [document for each in framework_read for document in each.documents],
        [page for each in framework_read for page in each.empty_pages],
    )


@pytest.fixture(scope="module")
def register(read: tuple[list[Document], list[EmptyPage]], root: Path) -> tuple[Resource, ...]:
    return build_register(read[0], Vocabulary.load(root / "corpus"))


@pytest.fixture(scope="module")
def gaps(read: tuple[list[Document], list[EmptyPage]]) -> list[Gap]:
    return gaps_of(*read)


@pytest.fixture(scope="module")
def inventory(framework: Path) -> list[Row]:
    file = framework.parent.parent / "sources-inventory.csv"
    if not file.is_file():
        pytest.skip("the inventory beside the project is absent")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def pages_of(row: Row) -> set[str]:
    """The pages a row names: ``pages/a.md [Heading > Heading] ; pages/b.md [...]``."""
    return set(re.findall(r"[\w/ .-]+?\.(?:md|html)", row["pages_and_sections"])) or set()


def test_all_44_records_are_listed_on_the_pages_that_link_them(
    register: tuple[Resource, ...], inventory: list[Row]
) -> None:
    records = {row["address"]: row for row in inventory if row["kind"] == "Zenodo record"}
    assert len(records) == 44
    found = {each.url: each for each in register if each.kind == "deliverable"}
    assert set(found) == set(records)
    for address, row in records.items():
        mentions = found[address].mentions
        assert {each.path for each in mentions} == {page.strip() for page in pages_of(row)}
        assert len(mentions) == int(row["times_linked"]), address


def test_every_label_of_the_inventory_is_in_the_register_and_no_other(
    register: tuple[Resource, ...], inventory: list[Row]
) -> None:
    by_url = {each.url: each for each in register}
    wrong = []
    for row in inventory:
        resource = by_url.get(normal_address(row["address"], None))
        # A frame has no words; the register gives it the label of the heading it stands under.
        if resource is None or row["title_as_linked"] == "(iframe)":
            continue
        given = set(resource.labels)
        expected = set(re.findall(r"required|recommended|informational", row["label"].lower()))
        if given != expected:
            wrong.append((row["title_as_linked"], sorted(given), sorted(expected)))
    assert wrong == []


def test_a_label_that_differs_between_pages_is_kept_as_both(register: tuple[Resource, ...]) -> None:
    plan = next(each for each in register if each.url == "https://zenodo.org/records/8017856")
    assert {(each.path, each.label) for each in plan.mentions} == {
        ("pages/data-quality-inclusion.md", None),
        ("pages/usecases/population-genomics.md", "informational"),
    }


def test_what_is_required_on_the_governance_page_is_exactly_that(
    register: tuple[Resource, ...],
) -> None:
    required = {
        each.url
        for each in register
        for mention in each.mentions
        if mention.path == "pages/governance-elsi.md" and mention.label == "required"
    }
    assert required == REQUIRED_ON_GOVERNANCE


def test_everything_else_of_the_inventory_is_in_the_register_too(
    register: tuple[Resource, ...], inventory: list[Row]
) -> None:
    urls = {each.url for each in register}
    # The inventory cuts addresses at a closing bracket.
    urls |= {url.removesuffix(")") for url in urls if url}
    missing = [
        row["address"]
        for row in inventory
        if normal_address(row["address"], "https://framework.onemilliongenomes.eu/") not in urls
    ]
    assert missing == []


def test_every_mention_has_its_topic_and_national_ones_their_country(
    register: tuple[Resource, ...],
) -> None:
    topics: dict[str | None, set[str]] = defaultdict(set)
    for resource in register:
        for mention in resource.mentions:
            topics[mention.topic].add(mention.path)
            if mention.path.startswith("pages/national-implementation/"):
                assert mention.country is not None
    assert "pages/governance-elsi.md" in topics["elsi"]
    assert "pages/technical-infrastructure/data-discovery.md" in topics["infrastructure"]
    assert "pages/data-models-ontologies.md" in topics["data"]
    assert "pages/genomics-into-healthcare.md" in topics["healthcare"]
    assert "pages/technical-implementation.md" in topics["national"]
    assert "pages/citizen-hub/vulnerabilities.md" in topics["citizens"]
    assert topics[None] == set()


def test_countries_without_a_page_and_empty_sections_are_known_gaps(gaps: list[Gap]) -> None:
    assert {gap.country for gap in gaps if gap.kind == "country_page"} == {"PL", "SK"}
    assert ("pages/national-implementation.md", "Data quality and inclusion") in {
        (gap.path, gap.section[-1]) for gap in gaps if gap.kind == "section"
    }
    assert [gap.path for gap in gaps if gap.kind in ("category", "country")] == []
