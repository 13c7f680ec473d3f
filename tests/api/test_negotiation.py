from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.negotiation import preferred

OFFERED = ("application/json", "text/event-stream")
RANGES = ("*/*", "application/*", "text/*", *OFFERED, "text/html", "TEXT/Event-Stream")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", OFFERED[0]),
        ("*/*", OFFERED[0]),
        ("text/event-stream", OFFERED[1]),
        ("TEXT/Event-Stream ; charset=utf-8", OFFERED[1]),
        ("text/event-stream;q=0.9,application/json;q=0.8", OFFERED[1]),
        ("text/event-stream;q=0.8, application/json;Q=0.9", OFFERED[0]),
        ("text/event-stream;q=1.0, application/json", OFFERED[0]),
        ("text/event-stream;q=0.5, */*;q=0.1", OFFERED[1]),
        ("text/event-stream;q=0.1, */*;q=0.5", OFFERED[0]),
        ("*/*, application/json;q=0", OFFERED[1]),
        ("*/*;q=0", None),
        ("text/html", None),
        ("text/html, application/json;q=0.000", None),
        ("text/event-stream;q=high", OFFERED[0]),
        ("text/event-stream;q=1.5, text/event-stream;q=0.2", OFFERED[1]),
        ("*/json", OFFERED[0]),
        (",,;q=1", OFFERED[0]),
    ],
)
def test_the_form_of_the_highest_quality_is_chosen(accept: str, chosen: str | None) -> None:
    assert preferred(accept, OFFERED) == chosen


@given(st.text(max_size=60))
def test_whatever_the_header_holds_there_is_a_choice_or_none(accept: str) -> None:
    assert preferred(accept, OFFERED) in (*OFFERED, None)


@given(st.lists(st.tuples(st.sampled_from(RANGES), st.integers(0, 1000)), min_size=1))
def test_what_is_chosen_is_wanted_by_some_range(wanted: list[tuple[str, int]]) -> None:
    chosen = preferred(", ".join(f"{kind};q={q / 1000:.3f}" for kind, q in wanted), OFFERED)
    if chosen is None:
        return
    family = f"{chosen.split('/')[0]}/*"
    assert any(q > 0 for kind, q in wanted if kind.lower() in (chosen, family, "*/*"))
