"""Pages as they come, taken apart."""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag
from fastapi.testclient import TestClient


def read(html: str) -> BeautifulSoup:
    """A page."""
    return BeautifulSoup(html, "lxml")


def one(page: BeautifulSoup | Tag, selector: str) -> Tag:
    """What a selector finds, which is one thing."""
    found = page.select(selector)
    assert len(found) == 1, (selector, found)
    return found[0]


def ask(client: TestClient, question: str, **more: str) -> BeautifulSoup:
    """The page with the answer, as whoever has no JavaScript gets it."""
    response = client.post("/ask", data={"question": question, **more})
    assert response.status_code == 200, response.text
    return read(response.text)
