"""The page of the API."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient


def test_the_page_of_the_api_asks_nothing_of_others_and_holds_no_script(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    asked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    # An icon that is none keeps browsers from asking for one.
    named = [address for address in asked if not address.startswith("data:")]
    assert len(named) >= 4
    for address in named:
        assert not address.startswith(("http", "/")), address
        assert client.get(f"/{address}").status_code == 200
    assert re.findall(r"<script(?![^>]*\ssrc=)", page.text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page.text) == []


def test_pages_that_load_scripts_from_elsewhere_are_not_there(client: TestClient) -> None:
    assert client.get("/redoc").status_code == 404
