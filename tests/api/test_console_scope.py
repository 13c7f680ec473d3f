"""Staff of one country: what is another's is not there for them, on no page of the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import app_over
from console import Colleague, colleague, opened, sign_in
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from rag.store import Store


@pytest.fixture(scope="module")
def app(store: Store, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_over(store, data_dir=tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def grace(app: FastAPI) -> Iterator[Colleague]:
    with colleague(app) as signed_in:
        yield signed_in


@pytest.fixture(scope="module")
def joao(app: FastAPI, grace: Colleague) -> Colleague:
    """Sees tickets of Portugal only."""
    return sign_in(TestClient(app), "João", "agent", "PT")


def _routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every route of the console that names a ticket."""
    return sorted(
        (method, each.path)
        for each in iter_route_contexts(app.routes)
        if each.path is not None and each.path.startswith("/desk/tickets/")
        for method in each.methods or ()
    )


def test_an_agent_of_one_country_cannot_reach_a_ticket_of_another(
    app: FastAPI, grace: Colleague, joao: Colleague
) -> None:
    routes = _routes(app)
    assert len(routes) >= 11
    for country in ("ES", None):
        ticket = opened(grace.desk, country=country)
        for method, path in routes:
            address = path.format(ticket_id=ticket.ticket_id, action="reply")
            form = {"proof": joao.proof, "version": "1", "reply": "Mine?", "note": "Mine?"}
            response = joao.http.request(method, address, data=form)
            assert response.status_code == 404, (method, path)
            assert ticket.question not in response.text
        assert grace.desk.tickets.read(grace.by, ticket.ticket_id).ticket.version == 1


def test_similar_tickets_are_looked_for_among_those_that_one_may_see(
    joao: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def near(by: object, *_: object) -> tuple[()]:
        asked.append(by)
        return ()

    monkeypatch.setattr(joao.desk.similar, "near", near)
    joao.ticket(opened(joao.desk, country="PT"))
    assert asked == [joao.by]
