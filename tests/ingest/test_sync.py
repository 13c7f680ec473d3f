"""When a source was asked, and when it is due again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sources import ListedSource
from ingest.sync import SyncLog, due_at
from ingest.watch import due, watch
from rag.source_states import SourceState

NOON = datetime(2031, 5, 4, 12, 0, tzinfo=UTC)
HOUR = 3600
GEN = "20310504T120000000000Z-00000000"


@pytest.fixture
def log(tmp_path: Path) -> SyncLog:
    return SyncLog(tmp_path / "sync.json")


def at(moment: datetime, failures: int = 0) -> SourceState:
    problem = "it rains" if failures else None
    return SourceState(f"{moment:%Y-%m-%dT%H:%M:%SZ}", problem=problem, failures=failures)


def test_nothing_is_known_of_what_was_never_asked(log: SyncLog) -> None:
    assert log.states(GEN) == {}


def test_a_source_that_was_had_is_not_stale(log: SyncLog) -> None:
    log.record({"atlas": None}, was=GEN, generation=GEN, now=NOON)
    state = log.states(GEN)["atlas"]
    assert state == SourceState("2031-05-04T12:00:00Z", read_at="2031-05-04T12:00:00Z")
    assert not state.stale


def test_a_source_that_fails_is_stale_and_as_old_as_it_was_last_had(log: SyncLog) -> None:
    log.record({"atlas": None}, was=GEN, generation=GEN, now=NOON)
    log.record({"atlas": "it rains"}, was=GEN, generation=GEN, now=NOON + timedelta(hours=1))
    log.record({"atlas": "it pours"}, was=GEN, generation=GEN, now=NOON + timedelta(hours=2))
    state = log.states(GEN)["atlas"]
    assert (state.stale, state.problem, state.failures) == (True, "it pours", 2)
    assert (state.checked_at, state.read_at) == ("2031-05-04T14:00:00Z", "2031-05-04T12:00:00Z")


def test_a_source_that_comes_back_is_not_stale_any_more(log: SyncLog) -> None:
    log.record({"atlas": "it rains"}, was=GEN, generation=GEN, now=NOON)
    log.record({"atlas": None}, was=GEN, generation=GEN, now=NOON + timedelta(hours=1))
    assert (log.states(GEN)["atlas"].stale, log.states(GEN)["atlas"].failures) == (False, 0)


def test_the_others_stay_as_they_are_and_what_is_removed_is_forgotten(log: SyncLog) -> None:
    log.record({"atlas": None, "rope": None}, was=GEN, generation=GEN, now=NOON)
    log.record({}, was=GEN, generation=GEN, removed=["rope"])
    assert log.states(GEN).keys() == {"atlas"}


def test_a_damaged_log_asks_everything_anew(tmp_path: Path) -> None:
    file = tmp_path / "sync.json"
    odd = b'{"generation": null, "sources": {"atlas": {"checked_at": "garbage"}}}'
    for content in (b"", b"{", b"[]", b'{"atlas": 3}', b"\xff", odd):
        file.write_bytes(content)
        assert SyncLog(file).states(None) == {}


def test_what_is_known_speaks_of_one_generation(log: SyncLog) -> None:
    log.record({"atlas": None}, was=None, generation=GEN, now=NOON)
    assert log.states("another") == log.states(None) == {}
    # A run over another index begins anew; one that follows it goes on.
    log.record({"rope": None}, was="another", generation="third", now=NOON)
    assert log.states("third").keys() == {"rope"}
    log.record({"ebb": None}, was="third", generation="fourth", now=NOON)
    assert log.states("fourth").keys() == {"rope", "ebb"}


def test_going_back_on_purpose_takes_what_is_known_along(log: SyncLog) -> None:
    log.record({"atlas": None}, was=None, generation=GEN, now=NOON)
    log.follow("earlier")
    assert log.states("earlier").keys() == {"atlas"}


def test_a_source_is_due_when_its_interval_has_passed() -> None:
    assert due_at(None, HOUR, NOON) == NOON
    assert due_at(at(NOON), HOUR, NOON) == NOON + timedelta(hours=1)


def test_a_failing_source_is_tried_again_sooner_and_then_ever_later() -> None:
    waits = [due_at(at(NOON, failures), 24 * HOUR, NOON) - NOON for failures in range(1, 12)]
    assert waits[:3] == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=24)


def test_a_clock_that_was_set_back_asks_at_once() -> None:
    assert due_at(at(NOON + timedelta(days=400)), HOUR, NOON) == NOON


@given(st.integers(60, 10**7), st.integers(0, 10**6))
def test_no_source_waits_longer_than_its_interval(refresh_s: int, failures: int) -> None:
    assert due_at(at(NOON, failures), refresh_s, NOON) <= NOON + timedelta(seconds=refresh_s)


# What the watch does


LISTED = {
    "articles": ListedSource(name="articles", kind="articles"),
    "atlas": ListedSource(name="atlas", kind="folder", address="atlas", refresh="1h"),
    "rope": ListedSource(name="rope", kind="folder", address="rope", refresh="2h"),
}


def test_what_was_never_asked_is_due_but_for_the_articles() -> None:
    assert due(LISTED, {}, NOON)[0] == ["atlas", "rope"]


def test_only_what_is_due_is_asked_and_the_next_moment_is_known() -> None:
    states = {"atlas": at(NOON - timedelta(hours=1)), "rope": at(NOON - timedelta(hours=1))}
    assert due(LISTED, states, NOON) == (["atlas"], NOON + timedelta(hours=1))


def test_an_empty_list_is_looked_at_again() -> None:
    names, following = due({}, {}, NOON)
    assert names == []
    assert following > NOON


class Ended(Exception):
    """Ends a watch, as a signal does."""


def test_the_watch_runs_what_is_due_and_then_waits() -> None:
    plans = iter([(["atlas"], NOON), ([], datetime.now(UTC) + timedelta(seconds=30))])
    ran: list[list[str]] = []
    waits: list[float] = []

    def plan(now: datetime) -> tuple[list[str], datetime]:
        try:
            return next(plans)
        except StopIteration:
            raise Ended from None

    with pytest.raises(Ended):
        watch(plan, lambda names: ran.append(list(names)), waits.append)
    assert ran == [["atlas"]]
    breath, until_due = waits
    assert 1 < breath < 10
    assert 25 < until_due <= 30


def test_what_was_just_run_is_not_run_again_though_nothing_was_noted() -> None:
    looks: list[int] = []
    ran: list[list[str]] = []

    def plan(now: datetime) -> tuple[list[str], datetime]:
        looks.append(1)
        if len(looks) > 5:
            raise Ended
        return ["atlas"], now

    with pytest.raises(Ended):
        watch(plan, lambda names: ran.append(list(names)), lambda _: None)
    assert ran == [["atlas"]]


def test_a_day_that_is_none_asks_at_once() -> None:
    assert due_at(SourceState("2031-02-31T12:00:00Z"), HOUR, NOON) == NOON


def test_the_watch_looks_again_within_a_minute() -> None:
    waits: list[float] = []

    def plan(now: datetime) -> tuple[list[str], datetime]:
        if waits:
            raise Ended
        return [], now + timedelta(days=7)

    with pytest.raises(Ended):
        watch(plan, pytest.fail, waits.append)
    assert waits[0] <= 60
