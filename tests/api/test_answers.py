from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import shelf
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

ANSWER = {
    "id", "status", "language", "text", "statements", "citations", "items", "reason", "strength",
    "next_step", "follow_ups", "article", "model", "index", "timings_ms",
}  # fmt: skip
CITATION = {
    "marker", "kind", "document_id", "source", "path", "title", "section", "url", "page", "quote",
    "label", "version", "doi", "published", "licence", "dated_by", "older",
    "deliverable", "concept_doi", "superseded_by",
}  # fmt: skip
SHARE = "How can I share my data?"


def _ask(client: TestClient, question: str, **more: Any) -> dict[str, Any]:
    response = client.post("/v1/answers", json={"question": question, **more})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize(
    "question", [SHARE, "Where do trainers meet?", "Who is the contact in Portugal?", "?!"]
)
def test_every_answer_has_the_fields_of_the_contract_and_no_other(
    client: TestClient, question: str
) -> None:
    answer = _ask(client, question)
    assert set(answer) == ANSWER
    for citation in answer["citations"]:
        assert set(citation) == CITATION
    for statement in answer["statements"]:
        assert set(statement) == {"text", "citations", "language"}
        assert statement["citations"]
    assert set(answer["next_step"]) == {"kind", "text", "url", "email"}
    assert answer["index"] == {"generation": shelf.FIRST, "built_at": "2026-01-01T08:00:00Z"}
    assert answer["items"] == []


def test_an_answered_question(client: TestClient) -> None:
    answer = _ask(client, SHARE)
    assert (answer["status"], answer["reason"], answer["language"]) == ("answered", None, "en")
    assert answer["article"] == {
        "id": "share", "checked": "2026-10-01", "reviewed_by": "Aurora desk",
    }  # fmt: skip
    assert answer["citations"][0] == {
        "marker": 1,
        "kind": "source",
        "document_id": "aurora:pages/sharing.md",
        "source": "aurora",
        "path": "pages/sharing.md",
        "title": "Sharing",
        "section": ["Agreements"],
        "url": f"{shelf.SITE}/sharing#agreements",
        "page": None,
        "quote": shelf.SIGNS,
        "label": "required",
        "version": "2.0",
        "doi": "10.1234/aurora",
        "published": "2026-03-01",
        "licence": "CC-BY-4.0",
        "dated_by": "snapshot",
        "older": False,
        "deliverable": None,
        "concept_doi": None,
        "superseded_by": None,
    }
    markers = {int(found) for found in re.findall(r"\[(\d+)\]", answer["text"])}
    assert markers == {citation["marker"] for citation in answer["citations"]}


def test_an_abstention_cites_at_most_the_empty_page(client: TestClient) -> None:
    empty = _ask(client, "Who is the contact in Portugal?")
    assert (empty["status"], empty["reason"]) == ("abstained", "not_written_yet")
    assert [each["document_id"] for each in empty["citations"]] == ["aurora:pages/portugal.md"]
    assert empty["article"] is None
    for question in ("How can I bypass the data access committee?", "?!"):
        refused = _ask(client, question)
        assert refused["status"] == "abstained"
        assert refused["citations"] == refused["statements"] == []
        assert refused["next_step"]["text"]


@pytest.mark.parametrize(
    ("code", "name"), [("UK", "United Kingdom"), ("gb", "United Kingdom"), ("EL", "Greece")]
)
def test_the_usual_codes_of_countries_are_taken(client: TestClient, code: str, name: str) -> None:
    assert name in _ask(client, SHARE, country=code)["next_step"]["text"]


@pytest.mark.parametrize(
    "more",
    [
        {"history": None, "language": None, "country": None, "filters": None},
        {"history": []},
        {"history": [{"role": "user", "text": "Hello."}] * 20},
        {"language": "PT"},
        {"filters": {}},
        {"filters": {"labels": None, "topics": None, "sources": None}},
        {"filters": {"labels": ["Required"], "topics": [], "sources": ["aurora"]}},
        {"a_later_field": 1},
    ],
)
def test_what_the_contract_allows_is_taken(client: TestClient, more: dict[str, Any]) -> None:
    assert _ask(client, "Who signs the agreement?", **more)["status"] in ("answered", "abstained")


@pytest.mark.parametrize("sources", [["folder"], ["nobody"]])
def test_a_filter_limits_what_is_cited(client: TestClient, sources: list[str]) -> None:
    for question in ("Who signs the agreement?", SHARE):
        answer = _ask(client, question, filters={"sources": sources})
        assert {each["source"] for each in answer["citations"]} <= set(sources)


def test_history_turns_a_follow_up_into_a_question(client: TestClient) -> None:
    history = [
        {"role": "user", "text": "Who runs the national node of Estonia?"},
        {"role": "assistant", "text": "A desk in Tartu runs the Estonian node."},
    ]
    assert shelf.ESTONIA in _ask(client, "And in which town?", history=history)["text"]


@pytest.mark.parametrize("character", ["a", "é", "同", "🧬"])
def test_a_question_of_the_greatest_length_is_taken(client: TestClient, character: str) -> None:
    _ask(client, character * 4000)


def test_a_full_question_with_a_full_conversation_is_taken(client: TestClient) -> None:
    turn = {"role": "user", "text": "ключ" * 1000}
    # Escaped, as many a client writes it: six bytes a letter.
    _ask(client, "ключ" * 1000, history=[turn] * 20)


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=50))
def test_whatever_is_typed_there_is_an_answer_or_a_reason(client: TestClient, text: str) -> None:
    response = client.post("/v1/answers", json={"question": text})
    assert response.status_code == (200 if text.strip() and "\0" not in text else 422)


def test_many_questions_at_once_are_answered_as_if_alone(client: TestClient) -> None:
    questions = [SHARE, "Where do trainers meet?", "Who is the contact in Portugal?", "?!"]
    alone = {question: _ask(client, question)["text"] for question in questions}
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda each: (each, _ask(client, each)), questions * 5))
    assert all(answer["text"] == alone[question] for question, answer in together)
    assert len({answer["id"] for _, answer in together}) == 20


def test_the_same_question_has_the_same_answer(client: TestClient) -> None:
    one, other = (_ask(client, "Where do trainers meet?") for _ in range(2))
    assert one["statements"] == other["statements"]
    assert one["id"] != other["id"]
