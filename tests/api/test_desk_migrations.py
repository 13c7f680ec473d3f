"""Desks of earlier versions: brought up to date and back, and nothing that they held is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shelf
from actors import STAFF
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from postgres import Cluster
from sqlalchemy import MetaData, Table, insert, select

from api.desk.audit import verify
from api.desk.database import Database
from api.desk.desk import open_desk
from api.desk.models import Limits, Seen
from api.desk.tables import METADATA

THEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
TICKETS: list[dict[str, Any]] = [
    {
        "ticket_id": f"NMG-0000000{number}",
        "created_at": THEN.replace(day=number),
        "state": "new",
        "question": question,
        "history": [
            {"role": "user", "text": "Zażółć?"},
            {"role": "assistant", "text": "Penguins."},
        ],
        "answer_id": None,
        "name": None,
        "email": "ada@clinic.example",
        "country": "PT",
        "language": None,
        "consent_at": THEN,
        "token_sha256": str(number) * 64,
    }
    for number, question in ((1, "Who\n decides?"), (2, "word " * 500))
]
VECTORS = [{"ticket_id": "NMG-00000001", "model": "hashing", "vector": b"\0\1"}]


@pytest.fixture
def bring(empty_url: str, tmp_path: Path) -> Callable[[Callable[..., None], str], None]:
    """Brings a desk to a revision."""

    def to(way: Callable[..., None], revision: str) -> None:
        database = Database(empty_url, tmp_path / "data")
        (tmp_path / "data").mkdir(exist_ok=True)
        config = Config()
        config.set_main_option("script_location", str(shelf.ROOT / "api" / "desk" / "migrations"))
        with database._altering() as connection:
            config.attributes["connection"] = connection
            way(config, revision)
        database.close()

    return to


def _filled(database: Database) -> None:
    with database._altering() as connection:
        for name, rows in (("tickets", TICKETS), ("ticket_vectors", VECTORS)):
            connection.execute(insert(Table(name, MetaData(), autoload_with=connection)), rows)


def _held(database: Database, name: str) -> list[dict[str, Any]]:
    with database.reading() as connection:
        table = Table(name, MetaData(), autoload_with=connection)
        return [dict(row._mapping) for row in connection.execute(select(table))]


def test_tickets_of_before_can_be_handled_and_found(
    bring: Callable[..., None], empty_url: str, tmp_path: Path
) -> None:
    bring(command.upgrade, "0003")
    database = Database(empty_url, tmp_path / "data")
    _filled(database)
    database.close()
    desk = open_desk(empty_url, tmp_path / "data", 30)
    first = desk.tickets.read(STAFF, "NMG-00000001")
    ticket = first.ticket
    assert (ticket.title, ticket.priority, ticket.version) == ("Who decides?", "normal", 1)
    assert ticket.updated_at == ticket.created_at == THEN.replace(day=1)
    assert (ticket.tags, ticket.cited, ticket.triage, ticket.closed_at) == ((), (), None, None)
    assert (first.messages, first.history) == ((), ())
    assert len(desk.tickets.read(STAFF, "NMG-00000002").ticket.title) <= 100
    for text in ("decides", "ada clinic", "zazolc", "nmg-00000001"):
        assert "NMG-00000001" in [
            each.ticket_id for each in desk.queue.page(STAFF, Limits(text=text), 9, None)
        ], text
    assert desk.queue.page(STAFF, Limits(text="penguins"), 9, None) == []
    desk.handling.reply(STAFF, Seen("NMG-00000001", 1), "They do.")
    assert desk.queue.counts(STAFF, Limits(country="PT"))["pending"] == 1
    assert verify(desk.database).rows == 1
    desk.close()


def test_back_and_forth_again_nothing_of_before_is_lost(
    bring: Callable[..., None], empty_url: str, tmp_path: Path
) -> None:
    bring(command.upgrade, "0003")
    database = Database(empty_url, tmp_path / "data")
    _filled(database)
    before = {name: _held(database, name) for name in ("tickets", "ticket_vectors")}
    database.close()
    for _ in range(2):
        bring(command.upgrade, "head")
        bring(command.downgrade, "0003")
        assert {name: _held(database, name) for name in before} == before
        database.close()
    bring(command.downgrade, "base")
    bring(command.upgrade, "head")
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_hosts_that_start_together_change_the_tables_one_after_the_other(
    postgres: Cluster, tmp_path: Path
) -> None:
    url = postgres.fresh()
    hosts = [Database(url, tmp_path / f"host {number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda host: host.migrate(), hosts)) == [None] * 4
    assert len({host.revision() for host in hosts}) == 1
    for host in hosts:
        host.close()
