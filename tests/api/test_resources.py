"""The register of resources, as it is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient
from problems import problem_of


def listed(client: TestClient, **query: str) -> list[dict[str, Any]]:
    response = client.get("/v1/resources", params=query)
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"resources"}
    resources: list[dict[str, Any]] = response.json()["resources"]
    return resources


def test_every_resource_comes_with_every_mention(client: TestClient) -> None:
    code, toolkit = listed(client)
    assert set(code) == {"id", "title", "url", "kind", "labels", "mentions"}
    assert (code["title"], code["kind"]) == ("Code of consent", "standard")
    assert code["url"] == "https://codes.example/consent"
    assert [each["path"] for each in code["mentions"]] == [
        "pages/consent.md",
        "pages/estonia.md",
        "pages/training.md",
    ]
    assert code["mentions"][0] == {
        "source": "aurora", "path": "pages/consent.md", "title": "Consent", "section": ["Reading"],
        "url": "https://aurora.example/consent#reading", "page": None, "text": "Code of consent",
        "label": "required", "country": None, "topic": "law",
    }  # fmt: skip
    assert toolkit["url"] is None


def test_labels_that_differ_between_pages_are_all_kept_strongest_first(client: TestClient) -> None:
    assert listed(client)[0]["labels"] == ["required", "informational"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"label": "required"}, ["Code of consent"]),
        ({"label": "Informational"}, ["Code of consent"]),
        ({"label": "recommended"}, []),
        ({"country": "EE"}, ["Code of consent"]),
        ({"country": "PT"}, []),
        ({"topic": "Consent & law"}, ["Code of consent"]),
        ({"kind": "tool"}, ["Toolkit of stewards"]),
        ({"kind": "deliverable"}, []),
        ({"label": "required", "topic": "law"}, ["Code of consent"]),
        # Required on one page, filed under training on another: no place is both.
        ({"label": "required", "topic": "training"}, []),
        ({"label": "required", "country": "EE"}, []),
    ],
)
def test_a_resource_fits_where_one_place_fits(
    client: TestClient, query: dict[str, str], titles: list[str]
) -> None:
    assert [each["title"] for each in listed(client, **query)] == titles


@pytest.mark.parametrize(
    "query",
    [
        {"label": "nice"}, {"country": "XX"}, {"topic": "cheese"}, {"topic": ""},
        {"kind": "x" * 201}, {"kind": ""},
    ],
)  # fmt: skip
def test_what_nothing_can_fit_is_refused(client: TestClient, query: dict[str, str]) -> None:
    problem_of(client.get("/v1/resources", params=query), 422)
