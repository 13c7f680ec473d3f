from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import shelf
from fakes import HashingEmbedder, chunk, retriever_of
from hypothesis import given
from hypothesis import strategies as st

from rag.asking import Asked, AskType
from rag.bullets import lists_in
from rag.citations import Footnotes
from rag.embedder import Vectors
from rag.enumerations import headings_in, tables_in
from rag.index import Generation
from rag.index_vectors import IndexVectors
from rag.list_fit import chance
from rag.lists import Listing, Lists, say
from rag.members import members_in
from rag.models import DataItem, Filters, Mention, Part, Question, Resource
from rag.text import fold

LISTED = Asked("list")
BERTHS = "Berths are given to craft such as ferries, tugs, trawlers and yachts."
TOOLS = ("Sounding lead", "Tide table", "Brass compass", "Signal flags")


def _resource(number: int, name: str, label: str | None, topic: str = "law") -> Resource:
    mention = Mention(
        source="aurora", path="pages/charts.md", title="Charts", section=("Harbour charts",),
        url=f"{shelf.SITE}/charts#harbour", anchor="harbour", page=None, text=name,
        address=f"https://charts.example/{number}", place="entry", label=label, country=None,
        topic=topic,
    )  # fmt: skip
    return Resource(f"r{number}", name, mention.address, "document", (mention,))


RESOURCES = tuple(
    _resource(number, f"Chart of basin {number}", label)
    for number, label in enumerate(
        ["informational", "recommended", None, *["required"] * 14, "recommended"]
    )
)


def _item(name: str, obligation: str) -> Part:
    return Part(
        f"Vessel | {name} | {obligation}",
        ("Vessel", name),
        item=DataItem("Vessel", name, "", "", "1..1", obligation, "", None),
    )


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    """An invented harbour: a list, headings, a register, items, countries."""
    pages = shelf.shelved(
        shelf.page(
            "pages/pilots.md",
            "Pilots",
            Part(
                "What a pilot carries\nOn board a pilot carries:\n"
                + "\n".join(TOOLS)
                + "\nPilots rest after each passage. They are paid by the tonne.",
                ("What a pilot carries",),
                "carries",
            ),
            Part("Passages\nBefore a passage", ("Passages",), "passages"),
            Part("Briefing\nIt lasts an hour.", ("Passages", "Briefing"), "briefing"),
            Part("Boarding\nBy the ladder.", ("Passages", "Boarding"), "boarding"),
            Part(
                f"{BERTHS} They are paid by the day.", ("Berths",), "berths"
            ),
        ),
        shelf.page(
            "pages/charts.md",
            "Charts",
            Part(
                "Harbour charts\n" + "\n".join(each.title for each in RESOURCES),
                ("Harbour charts",),
                "harbour",
            ),
            topic="law",
        ),
        shelf.page("pages/vessel.md", "Vessel class", _item("Length", "mandatory"),
                   _item("Flag", "optional"), _item("Draught", "mandatory")),
        shelf.page("pages/estonia.md", "Estonia", Part("Notes of Tallinn"), country="EE"),
        shelf.page("pages/malta.md", "Malta", Part("Notes of Valletta"), country="MT"),
        shelf.page("pages/spain.md", "Spain", country="ES", placeholder=True),
    )  # fmt: skip
    made = replace(pages, resources=RESOURCES)
    opened = shelf.written(tmp_path_factory.mktemp("harbour"), made).open()
    yield opened
    opened.close()


def _asked(generation: Generation, text: str, asked: Asked = LISTED) -> Listing | None:
    retriever = retriever_of(generation, HashingEmbedder())
    query = retriever.query(Question(text, "en"))
    return Lists(generation).find(query, asked, retriever.passages(query, 10), Filters())


def test_a_list_is_taken_whole_and_ends_where_the_text_goes_on(harbour: Generation) -> None:
    found = _asked(harbour, "What does a pilot carry on board?")
    assert found is not None
    assert tuple(each.title for each in found.entries) == TOOLS
    assert found.heading == "Pilots > What a pilot carries"


def test_every_resource_with_the_label_is_listed_however_many(harbour: Generation) -> None:
    required = Asked("list", labels=("required",))
    found = _asked(harbour, "Which harbour charts are required?", required)
    assert found is not None
    assert len(found.entries) == 14
    assert {each.label for each in found.entries} == {"required"}


def test_required_stands_before_recommended_and_informational(harbour: Generation) -> None:
    found = _asked(harbour, "list the harbour charts", Asked("list", kinds=("document",)))
    assert found is not None
    labels = [each.label for each in found.entries]
    ranks = {"required": 0, "recommended": 1, "informational": 2, None: 3}
    assert labels == sorted(labels, key=lambda label: ranks[label])
    assert len(labels) == len(RESOURCES)


def test_headings_side_by_side_are_a_list(harbour: Generation) -> None:
    found = list(headings_in(harbour.chunks_of("aurora:pages/pilots.md")))
    assert [entry.title for each in found if each.section for entry in each.entries] == [
        "Briefing",
        "Boarding",
    ]


def test_a_required_item_is_what_a_metadata_model_calls_mandatory(harbour: Generation) -> None:
    required = Asked("list", labels=("required",))
    found = _asked(harbour, "mandatory items of the vessel class", required)
    assert found is not None
    assert [each.title for each in found.entries] == ["Length", "Draught"]


def test_countries_are_those_whose_pages_hold_something(harbour: Generation) -> None:
    retriever = retriever_of(harbour, HashingEmbedder())
    query = retriever.query(Question("Which countries have published notes?", "en"))
    passages = retriever.passages(query, 10)
    best = max(
        Lists(harbour).candidates(query, LISTED, passages, Filters()), key=lambda each: each.score
    )
    assert [each.country for each in best.entries] == ["EE", "MT"]


@pytest.mark.parametrize("question", ["How deep is the sea?", "zinc", "list the winners of 1987"])
def test_no_list_is_better_than_a_wrong_one(harbour: Generation, question: str) -> None:
    assert _asked(harbour, question) is None


def test_sentences_are_not_compared_for_a_list_that_cannot_be_meant_anyway(
    harbour: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    retriever = retriever_of(harbour, HashingEmbedder())
    query = retriever.query(Question("What does a pilot carry on board?", "en"))
    passages = retriever.passages(query, 10)
    read: list[int] = []
    compare = IndexVectors.sentence_cosines

    def noted(vectors: IndexVectors, number: int, vector: Vectors) -> Vectors:
        read.append(number)
        return compare(vectors, number, vector)

    monkeypatch.setattr(IndexVectors, "sentence_cosines", noted)
    lists = Lists(harbour)
    assert lists.find(query, Asked("fact", lists=-9.0), passages, Filters()) is None
    assert read == []
    assert lists.find(query, LISTED, passages, Filters()) is not None
    assert read != []


@pytest.mark.parametrize("lists", [-3.0, -1.0, 0.0, 1.0])
@pytest.mark.parametrize("kind", ["fact", "list"])
def test_what_is_left_out_for_speed_was_no_list_before(
    harbour: Generation, kind: AskType, lists: float
) -> None:
    asked = Asked(kind, lists=lists)
    retriever = retriever_of(harbour, HashingEmbedder())
    for question in ("What does a pilot carry on board?", "mandatory items of the vessel class",
                     "Which harbour charts are required?", "How deep is the sea?"):  # fmt: skip
        query = retriever.query(Question(question, "en"))
        passages = retriever.passages(query, 10)
        held = Lists(harbour).candidates(query, asked, passages, Filters())
        best = max((each.score for each in held), default=-9.0)
        found = Lists(harbour).find(query, asked, passages, Filters())
        assert (found is not None) is (chance(best, asked) >= 0.5)


def test_each_entry_is_cited_at_its_very_place(harbour: Generation) -> None:
    for question, asked in (
        ("What does a pilot carry on board?", LISTED),
        ("Which harbour charts are required?", Asked("list", labels=("required",))),
    ):
        found = _asked(harbour, question, asked)
        assert found is not None
        notes = Footnotes(harbour)
        statements, items = say(found, notes)
        cited = {each.marker: each for each in notes.citations}
        assert [item.title for item in items] == [each.title for each in found.entries]
        for statement, item in zip(statements, items, strict=True):
            assert statement.citations == (item.marker,)
            assert cited[item.marker].quote == item.title
            assert (cited[item.marker].url or "").endswith(("#carries", "#harbour"))


def test_what_one_sentence_enumerates_is_told_by_it_once(harbour: Generation) -> None:
    (page,) = harbour.chunks_of("aurora:pages/pilots.md")
    (found,) = members_in(page)
    assert [each.title for each in found.entries] == ["ferries", "tugs", "trawlers", "yachts"]
    listing = Listing(found.title, found.section, found.intro, found.entries)
    statements, items = say(listing, Footnotes(harbour))
    assert [each.text for each in statements] == [BERTHS]
    assert [each.marker for each in items] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("We sell:\nrope\ntar\nThe shop is shut on Sunday. Come on Monday.", ["rope", "tar"]),
        ("Rope: for knots.\nTar: for hulls.\nOil: for lamps.", ["Rope", "Tar", "Oil"]),
        ("Is it deep?\nIs it wide?\nNo one knows", ["Is it deep?", "Is it wide?"]),
        ("The yard builds boats. It has two docks.\nThe docks are old. They leak.", []),
        ("Only one thing", []),
    ],
)
def test_a_list_is_told_by_its_form(text: str, titles: list[str]) -> None:
    found = list(lists_in([chunk(text)]))
    assert [entry.title for each in found for entry in each.entries] == titles


@given(st.lists(st.text(alphabet="ab .:?\n-", max_size=30), max_size=6))
def test_every_entry_is_a_line_of_the_text(texts: list[str]) -> None:
    held = [chunk("\n".join(texts))]
    lines = {fold(line) for line in held[0].text.split("\n")}
    for found in lists_in(held):
        assert len(found.entries) > 1
        for entry in found.entries:
            assert fold(entry.place.text) in lines
            assert entry.title in fold(entry.place.text)


def test_rows_of_a_table_are_a_list_and_so_are_those_that_share_a_cell() -> None:
    rows = ["Load | Crane | East", "Load | Belt | West", "Load | Ramp | West", "Sail | Tug | East"]
    found = list(tables_in([chunk("\n".join(rows))]))
    assert [[each.title for each in table.entries] for table in found] == [
        ["Crane", "Belt", "Ramp", "Tug"],
        ["Crane", "Belt", "Ramp"],
    ]


def test_the_row_that_names_the_columns_is_no_entry() -> None:
    rows = ["Craft | Length", "Ferry | 90 m", "Tug | 20 m", "Yacht | 12 m"]
    (found,) = tables_in([chunk("\n".join(rows))])
    assert [each.title for each in found.entries] == ["Ferry", "Tug", "Yacht"]


def test_what_must_be_done_may_be_a_list_that_knows_no_labels(harbour: Generation) -> None:
    found = _asked(harbour, "What must a pilot carry on board?", Asked("list", ("required",)))
    assert found is not None
    assert tuple(each.title for each in found.entries) == TOOLS


def test_a_list_that_fits_is_shown_where_the_vector_alone_asks_for_one(harbour: Generation) -> None:
    asked = "What does a pilot carry on board?"
    assert _asked(harbour, asked, Asked("fact", lists=3.0)) is not None
    assert _asked(harbour, asked, Asked("fact", lists=-9.0)) is None
