"""What the documents of several sources have to do with one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.models import Document
from ingest.overlaps import mark_superseded, one_document_an_address
from rag.models import Record, Related


def page(source: str, path: str, url: str | None, *aliases: str) -> Document:
    return Document(
        document_id=f"{source}:{path}", source=source, path=path, title=path, url=url,
        language="en", sha256=path, sections=(), aliases=aliases,
    )  # fmt: skip


def kept(*documents: Document, order: tuple[str, ...] = ("repo", "site")) -> list[str]:
    remaining, _ = one_document_an_address(documents, order)
    return [each.document_id for each in remaining]


def test_of_two_sources_with_one_address_the_first_listed_is_kept() -> None:
    source, built = page("repo", "a.md", "https://x/a"), page("site", "a.html", "https://x/a")
    assert kept(built, source) == ["repo:a.md"]
    assert kept(built, source, order=("site", "repo")) == ["site:a.html"]
    _, left_out = one_document_an_address([built, source], ("repo", "site"))
    assert [(each.path, each.reason) for each in left_out] == [
        ("site:a.html", "the same page as repo:a.md")
    ]


@pytest.mark.parametrize("written", ["https://x/a/", "https://x/a.html", "https://x/a/index.html"])
def test_an_address_is_one_however_it_is_written(written: str) -> None:
    assert kept(page("site", "a", written), page("repo", "a.md", "https://x/a")) == ["repo:a.md"]


def test_a_page_whose_copy_is_kept_elsewhere_is_left_out_too() -> None:
    source = page("repo", "a.md", "https://x/a", "https://x/old")
    assert kept(source, page("site", "old.html", "https://x/old")) == ["repo:a.md"]


def test_pages_of_one_source_and_pages_without_address_stay() -> None:
    same = [page("repo", "a.md", "https://x/a"), page("repo", "b.md", "https://x/a")]
    bare = [page("repo", "c.md", None), page("site", "c.md", None)]
    assert kept(*same, *bare) == ["repo:a.md", "repo:b.md", "repo:c.md", "site:c.md"]


def test_unlisted_sources_come_behind_the_listed_ones() -> None:
    assert kept(page("aside", "a.md", "https://x/a"), page("site", "a", "https://x/a")) == [
        "site:a"
    ]


_PAGES = st.lists(
    st.builds(
        page,
        st.sampled_from(["repo", "site", "aside", "beside"]),
        st.sampled_from("abc"),
        st.sampled_from(["https://x/1", "https://x/2/", "https://x/2", "https://x/3.html", None]),
    ),
    max_size=12,
)


@given(_PAGES)
def test_every_address_is_kept_by_exactly_one_source(pages: list[Document]) -> None:
    remaining, left_out = one_document_an_address(pages, ("repo", "site"))
    assert len(remaining) + len(left_out) == len(pages)

    def plain(each: Document) -> str:
        return (each.url or "").removesuffix("/").removesuffix(".html")

    for address in {plain(each) for each in pages if each.url}:
        assert len({each.source for each in remaining if plain(each) == address}) == 1


# Records that replace one another


def file_of(
    number: int,
    *related: tuple[str, int],
    concept: int | None = None,
    creators: tuple[str, ...] = ("Ebb, Ann",),
) -> Document:
    concept = concept if concept is not None else number - 1
    record = Record(
        record_id=str(number), concept_id=str(concept), title="Tides", access="open",
        url=f"https://zenodo.example/records/{number}",
        doi=f"10.5281/zenodo.{number}", concept_doi=f"10.5281/zenodo.{concept}",
        creators=creators,
        related=tuple(Related(kind, f"https://doi.org/10.5281/ZENODO.{to}", "doi")
                      for kind, to in related),
    )  # fmt: skip
    return Document(
        document_id=f"r{number}", source="z", path="a.pdf", title="Tides", url=None,
        language="en", sha256="", sections=(), record=record,
    )  # fmt: skip


def marks(*documents: Document) -> list[str | None]:
    return [each.superseded_by for each in mark_superseded(documents)]


def test_a_record_that_another_calls_its_older_version_is_superseded() -> None:
    newer = "https://zenodo.example/records/20"
    assert marks(file_of(10), file_of(20, ("isNewVersionOf", 10))) == [newer, None]
    assert marks(file_of(10), file_of(20, ("obsoletes", 9))) == [newer, None]


def test_a_stranger_cannot_call_a_record_replaced() -> None:
    stranger = file_of(666, ("obsoletes", 10), creators=("Flow, Ed",))
    assert marks(file_of(10), stranger) == [None, None]


def test_a_record_that_calls_itself_replaced_by_another_here_is_superseded() -> None:
    newer = "https://doi.org/10.5281/zenodo.77"
    assert marks(file_of(10, ("isObsoletedBy", 77)), file_of(77)) == [newer, None]
    assert marks(file_of(10, ("isPreviousVersionOf", 76)), file_of(77)) == [
        "https://doi.org/10.5281/zenodo.76", None,
    ]  # fmt: skip


def test_a_relation_that_authors_copied_from_version_to_version_says_nothing() -> None:
    # 5 is an older version of the same concept, and nothing of it is here.
    assert marks(file_of(6, ("isPreviousVersionOf", 5), concept=4)) == [None]


def test_a_new_version_of_its_own_concept_does_not_replace_itself() -> None:
    assert marks(file_of(20, ("isNewVersionOf", 19), ("isPreviousVersionOf", 19))) == [None]


def test_other_relations_replace_nothing() -> None:
    assert marks(file_of(10), file_of(20, ("references", 10), ("isPartOf", 10))) == [None, None]


def test_a_mark_goes_when_its_cause_has_gone() -> None:
    marked = mark_superseded([file_of(10), file_of(20, ("isNewVersionOf", 10))])
    assert marks(marked[0]) == [None]


def test_pages_without_a_record_are_left_alone() -> None:
    assert marks(page("repo", "a.md", "https://x/a")) == [None]
