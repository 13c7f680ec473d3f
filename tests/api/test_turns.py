"""What one process of all does: who has it, and who takes it over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from postgres import Cluster
from sqlalchemy import update

from api import duties as doing
from api.desk.database import Database, DeskUnavailable
from api.desk.desk import Desk, open_desk
from api.desk.tables import LEASES
from api.desk.turns import LASTS_S, turn_of
from api.desk.turns import _Lease as Lease
from api.duties import Duties


def test_one_has_it_until_it_lets_go(opened: Desk) -> None:
    one, other = turn_of(opened.database, "x"), turn_of(opened.database, "x")
    assert one.take()
    assert one.take()
    assert not other.take()
    assert turn_of(opened.database, "y").take()
    other.release()
    assert not other.take(), "whoever does not have it cannot let go of it"
    one.release()
    assert other.take()
    assert not one.take()
    other.release()


@pytest.mark.parametrize("seconds", [-1, 3600])
def test_a_row_that_has_run_out_or_ends_too_late_is_taken_over(
    postgres: Cluster, tmp_path: Path, seconds: float
) -> None:
    database = Database(postgres.fresh(), tmp_path)
    database.migrate()
    one, other = turn_of(database, "x"), turn_of(database, "x")
    assert one.take()
    assert not other.take()
    with database.writing() as connection:
        connection.execute(update(LEASES).values(until=LEASES.c.until - LASTS_S + seconds))
    assert other.take()
    assert not one.take()
    database.close()


def test_duties_are_done_by_one_and_go_on_elsewhere_when_it_ends(
    opened: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doing, "TRIES_EVERY_S", 0.01)
    done: list[str] = []

    async def as_long_as_it_lasts(who: str) -> None:
        done.append(who)
        try:
            await asyncio.sleep(60)
        finally:
            done.append(f"{who} ended")

    async def two() -> None:
        first = asyncio.create_task(Duties(opened, [lambda: as_long_as_it_lasts("first")]).doing())
        while not done:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(
            Duties(opened, [lambda: as_long_as_it_lasts("second")]).doing()
        )
        await asyncio.sleep(0.2)
        assert done == ["first"]
        first.cancel()
        while "second" not in done:
            await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)

    asyncio.run(asyncio.wait_for(two(), 30))
    assert done == ["first", "first ended", "second", "second ended"]


def test_a_process_that_has_lost_the_duties_ends_them_and_one_that_cannot_tell_goes_on(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doing, "TRIES_EVERY_S", 0.01)
    monkeypatch.setattr(doing, "KEEPS_UP_S", 0.01)
    desk = open_desk(postgres.laid(), tmp_path, 30)
    take, asked, gone = Lease.take, [], [True]

    def taken(lease: Lease) -> bool:
        asked.append(lease)
        if gone[0] and len(asked) > 1:
            raise DeskUnavailable
        return take(lease)

    monkeypatch.setattr(Lease, "take", taken)
    done: list[str] = []

    async def duty() -> None:
        done.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            done.append("ended")

    async def lost() -> None:
        doing_it = asyncio.create_task(Duties(desk, [duty]).doing())
        while len(asked) < 5:
            await asyncio.sleep(0.01)
        assert done == ["begun"], "the database had gone"
        with desk.database.writing() as connection:
            connection.execute(update(LEASES).values(holder="another"))
        gone.clear()
        gone.append(False)
        async with asyncio.timeout(LASTS_S / 2):
            while done != ["begun", "ended"]:
                await asyncio.sleep(0.01)
        doing_it.cancel()
        await asyncio.gather(doing_it, return_exceptions=True)

    asyncio.run(lost())
    assert done == ["begun", "ended"]
    desk.close()
