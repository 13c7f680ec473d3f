"""What clients did of late, counted over several processes: here, over several objects."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from pathlib import Path

import pytest
from fakes import Clock
from sqlalchemy import func, select

from api.desk import calls as counting
from api.desk.calls import EVERYBODY, Allowance, Calls
from api.desk.database import Database
from api.desk.desk import Desk
from api.desk.tables import CALL_KEYS, CALLS

DAY_S = 86_400
NOON = 20_000 * DAY_S + DAY_S // 2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(NOON)
    monkeypatch.setattr(counting, "time", made)
    return made


def _minute(most: int, of: str = "192.0.2.1") -> list[Allowance]:
    return [Allowance("minute", most, 60, of)]


def test_several_processes_count_together(opened: Desk, clock: Clock) -> None:
    one, other = Calls(opened.database), Calls(opened.database)
    assert [each.hit(_minute(3)) for each in (one, other, one)] == [None] * 3
    assert other.hit(_minute(3))
    assert one.hit(_minute(3))
    assert other.hit(_minute(3, "192.0.2.2")) is None


def test_any_minute_allows_as_many_and_says_when_the_next_is(opened: Desk, clock: Clock) -> None:
    calls = Calls(opened.database)
    for _ in range(3):
        assert calls.hit(_minute(3)) is None
        clock.now += 20
    wait_s = calls.hit(_minute(3))
    assert wait_s
    assert wait_s <= 5
    clock.now += wait_s - 1
    assert calls.hit(_minute(3))
    clock.now += 1
    assert calls.hit(_minute(3)) is None
    assert calls.hit(_minute(3)), "one has left the minute, not all"


def test_what_is_refused_is_not_counted(opened: Desk, clock: Clock) -> None:
    calls = Calls(opened.database)
    both = [*_minute(100), Allowance("total", 2, DAY_S, EVERYBODY)]
    assert [calls.hit(both) for _ in range(2)] == [None] * 2
    for _ in range(5):
        assert calls.hit(both) == DAY_S // 2
    with opened.database.reading() as connection:
        counted = connection.execute(select(CALLS.c.what, CALLS.c.count)).all()
    assert Counter(dict(tuple(each) for each in counted)) == {"minute": 2, "total": 2}


def test_a_new_day_begins_anew_and_leaves_nothing_of_the_old(opened: Desk, clock: Clock) -> None:
    calls = Calls(opened.database)
    daily = [Allowance("day", 1, DAY_S, "192.0.2.1")]
    assert calls.hit(daily) is None
    assert calls.hit(daily) == DAY_S // 2
    with opened.database.reading() as connection:
        client = connection.scalar(select(CALLS.c.client_hmac))
        key = connection.scalar(select(CALL_KEYS.c.key))
    clock.now += DAY_S // 2
    assert calls.hit(daily) is None
    clock.now += DAY_S
    Calls(opened.database).forget()
    with opened.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(CALL_KEYS)) == 0
        hashes = connection.scalars(select(CALLS.c.client_hmac)).all()
    assert client not in hashes
    assert len(key or b"") == 32


def test_hosts_whose_clocks_differ_at_midnight_count_the_new_day_together(
    opened: Desk, clock: Clock
) -> None:
    ahead, behind = Calls(opened.database), Calls(opened.database)
    daily = [Allowance("day", 2, DAY_S, "192.0.2.1")]
    clock.now += DAY_S // 2 + 1
    assert ahead.hit(daily) is None
    clock.now -= 2
    behind.forget()
    clock.now += 2
    assert behind.hit(daily) is None
    assert ahead.hit(daily)
    assert behind.hit(daily)


def test_nothing_of_a_day_is_there_when_it_is_over_and_hours_begin_anew(
    opened: Desk, clock: Clock
) -> None:
    calls = Calls(opened.database)
    every = [
        *_minute(9),
        Allowance("ticket", 1, 3600, "192.0.2.1"),
        Allowance("day", 9, DAY_S, "192.0.2.1"),
        Allowance("total", 9, DAY_S, EVERYBODY),
    ]
    clock.now += DAY_S // 2 - 30
    assert calls.hit(every) is None
    assert calls.hit(every) == 30
    clock.now += 30
    calls.forget()
    with opened.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(CALLS)) == 0
        assert connection.scalar(select(func.count()).select_from(CALL_KEYS)) == 0
    assert calls.hit(every) is None


@pytest.mark.parametrize("back_s", [30, 7200, 3 * DAY_S])
def test_a_clock_that_is_set_back_shuts_nobody_out(opened: Desk, clock: Clock, back_s: int) -> None:
    calls = Calls(opened.database)
    every = [*_minute(2), Allowance("day", 50, DAY_S, "192.0.2.1")]
    for _ in range(2):
        assert calls.hit(every) is None
    clock.now -= back_s
    wait_s = calls.hit(every) or 0
    assert wait_s <= 60 + back_s
    clock.now += 130
    assert calls.hit(every) is None


def _hit(url: str, data: str, times: int) -> int:
    database = Database(url, Path(data))
    database.migrate()
    calls = Calls(database)
    return sum(calls.hit(_minute(20)) is None for _ in range(times))


def test_processes_that_count_at_once_allow_no_more_than_is_allowed(
    opened: Desk, database_url: str, tmp_path: Path
) -> None:
    spawned = multiprocessing.get_context("spawn")
    with spawned.Pool(2) as pool:
        allowed = pool.starmap(_hit, [(database_url, str(tmp_path / "data"), 15)] * 2)
    assert sum(allowed) == 20
