from __future__ import annotations

from urllib.parse import quote

import pytest
import shelf
from fastapi.testclient import TestClient
from problems import problem_of

CONTRACT = {
    "id", "source", "path", "title", "url", "version", "published", "licence", "placeholder",
    "chunks",
}  # fmt: skip


def test_every_document_is_listed_with_the_fields_of_the_contract(client: TestClient) -> None:
    response = client.get("/v1/documents")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"documents"}
    expected = [stored.card.document_id for stored in shelf.framework().documents]
    assert [each["id"] for each in body["documents"]] == expected
    assert all(set(each) >= CONTRACT for each in body["documents"])


def test_each_listed_document_is_found_by_its_id(client: TestClient) -> None:
    for listed in client.get("/v1/documents").json()["documents"]:
        for path in (quote(listed["id"]), quote(listed["id"], safe="")):
            response = client.get(f"/v1/documents/{path}")
            assert response.status_code == 200
            assert response.json() == listed


def test_an_id_with_slashes_and_spaces_is_found(client: TestClient) -> None:
    found = client.get("/v1/documents/folder:notes/my%20file%20one.md").json()
    assert found["id"] == "folder:notes/my file one.md"
    assert found["title"] == "Notes of the archive"
    assert (found["url"], found["chunks"], found["placeholder"]) == (None, 1, False)


def test_a_page_that_is_still_empty_is_a_placeholder_without_chunks(client: TestClient) -> None:
    found = client.get("/v1/documents/aurora:pages/portugal.md").json()
    assert (found["placeholder"], found["chunks"]) == (True, 0)


@pytest.mark.parametrize(
    "path",
    ["nobody", "aurora:pages", "aurora:pages/../pages/access.md", "a%00b", "%ff", "%27%20OR%201"],
)
def test_an_id_nobody_has_is_not_found(client: TestClient, path: str) -> None:
    problem_of(client.get(f"/v1/documents/{path}"), 404)
