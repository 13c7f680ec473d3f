from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shelf
from fastapi.testclient import TestClient
from problems import problem_of

from rag.store import Store

PASSAGE = {
    "rank", "score", "document_id", "source", "path", "title", "section", "url", "page", "label",
    "text", "parent", "also",
}  # fmt: skip
PLACE = {"document_id", "source", "path", "title", "section", "url", "page"}


def _search(client: TestClient, **query: str | int) -> list[dict[str, Any]]:
    response = client.get("/v1/search", params=query)
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"query", "passages"}
    assert body["query"] == query["q"]
    found: list[dict[str, Any]] = body["passages"]
    return found


def test_passages_come_ranked_with_their_place(client: TestClient) -> None:
    found = _search(client, q="Who is the steward?")
    assert [each["rank"] for each in found] == list(range(1, len(found) + 1))
    assert [each["score"] for each in found] == sorted(
        (each["score"] for each in found), reverse=True
    )
    assert all(set(each) == PASSAGE for each in found)
    first = found[0]
    assert first["document_id"] == "aurora:pages/sharing.md"
    assert first["url"] == f"{shelf.SITE}/sharing#agreements"
    # Its two sections differ in heading and label, so the passage has neither.
    assert (first["section"], first["label"]) == ([], None)
    assert first["text"] == f"{shelf.SIGNS} {shelf.NAMES}\n{shelf.TRAVEL}"


def test_a_passage_of_a_pdf_has_its_page(client: TestClient) -> None:
    (found,) = _search(client, q="coverage", type="pdf")
    assert (found["page"], found["url"]) == (3, f"{shelf.SITE}/guide.pdf#page=3")


def test_ten_passages_at_most_come_unasked(client: TestClient) -> None:
    assert len(_search(client, q="a")) == 8


@pytest.mark.parametrize(("k", "count"), [(1, 1), (3, 3), (100, 8)])
def test_as_many_passages_come_as_asked_for(client: TestClient, k: int, count: int) -> None:
    assert len(_search(client, q="Who signs?", k=k)) == count


@pytest.mark.parametrize("k", ["0", "-1", "101", "many", "1.5", ""])
def test_any_other_number_of_passages_is_refused(client: TestClient, k: str) -> None:
    body = problem_of(client.get("/v1/search", params={"q": "Who signs?", "k": k}), 422)
    assert body["errors"][0]["field"] == "k"


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"label": "required"}, {"Sharing", "Access"}),
        ({"label": "RECOMMENDED"}, {"Sharing"}),
        ({"country": "EE"}, {"Estonia"}),
        ({"country": "ee"}, {"Estonia"}),
        ({"country": "PT"}, set()),
        ({"source": "folder"}, {"Notes of the archive"}),
        ({"source": "nobody"}, set()),
        ({"type": "pdf"}, {"Guide to quality"}),
        ({"type": "article"}, {"Storage fees"}),
        ({"type": "page", "source": "folder"}, {"Notes of the archive"}),
        ({"type": "pdf", "label": "required"}, set()),
    ],
)
def test_filters_limit_the_passages(
    client: TestClient, query: dict[str, str], titles: set[str]
) -> None:
    found = _search(client, q="Who signs the agreement?", k=100, **query)
    assert {each["title"] for each in found} == titles


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"label": "forbidden"}, "label"),
        ({"country": "XX"}, "country"),
        ({"type": "poem"}, "type"),
        ({"source": ""}, "source"),
        ({"source": "x" * 201}, "source"),
    ],
)
def test_a_filter_nothing_can_pass_is_refused(
    client: TestClient, query: dict[str, str], field: str
) -> None:
    body = problem_of(client.get("/v1/search", params={"q": "Who?", **query}), 422)
    assert body["errors"][0]["field"] == field


@pytest.mark.parametrize("name", ["law", "Law", "consent & law"])
def test_a_topic_limits_the_search_by_any_of_its_names(client: TestClient, name: str) -> None:
    body = client.get("/v1/search", params={"q": "Who decides?", "topic": name}).json()
    assert {each["path"] for each in body["passages"]} == {"pages/consent.md"}


def test_a_topic_nobody_writes_about_is_refused_with_those_there_are(client: TestClient) -> None:
    body = problem_of(client.get("/v1/search", params={"q": "Who?", "topic": "cheese"}), 422)
    assert "law, training" in body["detail"]
    assert "cheese" not in body["detail"]


@pytest.mark.parametrize("query", ["", "   ", "a\0b", "x" * 4001])
def test_a_query_that_is_no_question_is_refused(client: TestClient, query: str) -> None:
    problem_of(client.get("/v1/search", params={"q": query}), 422)


def test_a_query_is_needed(client: TestClient) -> None:
    body = problem_of(client.get("/v1/search"), 422)
    assert body["errors"][0]["field"] == "q"


def test_broken_bytes_in_a_query_do_no_harm(client: TestClient) -> None:
    assert client.get("/v1/search?q=%ff%fe+who").status_code in (200, 422)


def _doubled(folder: Path) -> Store:
    """A page of two passages, and a copy of the first on another page."""
    text = "The orchard has one gate, and the steward of the orchard holds its only key."
    stored, (first,) = shelf.page("a.md", "Orchard", shelf.Part(text, ("Gates",), "gates"))
    second = shelf.replace(
        first,
        chunk_id="aurora:a.md#1",
        parts=(shelf.Part("Pears are green.", ("Gates",), "gates"),),
    )
    copied, (copy,) = shelf.page("b.md", "Copy", shelf.Part(text, ("Doors",), "doors"))
    made = shelf.Shelf(documents=(stored, copied), chunks=(first, second, copy))
    return shelf.written(folder, made)


def test_a_passage_brings_the_section_around_it_and_the_places_that_say_the_same(
    serve: Callable[[Store], TestClient], tmp_path: Path
) -> None:
    with serve(_doubled(tmp_path)) as client:
        first, other = _search(client, q="Which key has the gate of the orchard?")
    assert set(first) == PASSAGE
    assert (first["path"], other["path"]) == ("a.md", "a.md")
    assert first["parent"] == {
        "section": ["Gates"],
        "text": f"{first['text']}\n{other['text']}",
        "chunk_ids": ["aurora:a.md#0", "aurora:a.md#1"],
        "whole": True,
    }
    assert first["also"] == [
        {
            "document_id": "aurora:b.md", "source": "aurora", "path": "b.md", "title": "Copy",
            "section": ["Doors"], "url": f"{shelf.SITE}/b#doors", "page": None,
        }
    ]  # fmt: skip
    assert other["also"] == []


def test_a_passage_that_is_the_whole_document_has_no_section_around_it(client: TestClient) -> None:
    (found,) = _search(client, q="coverage", type="pdf")
    assert (found["parent"], found["also"]) == (None, [])


def test_the_description_of_the_api_tells_what_a_passage_brings(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["PassageOut"]["properties"]) == PASSAGE
    assert set(schemas["PassageOut"]["required"]) == PASSAGE
    assert set(schemas["PlaceOut"]["properties"]) == PLACE
    assert set(schemas["ParentOut"]["properties"]) == {"section", "text", "chunk_ids", "whole"}
    assert "say the same" in schemas["PassageOut"]["properties"]["also"]["description"]
