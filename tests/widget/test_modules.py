"""The modules that know no page, as a browser runs them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from visit import Visit

from api.requests import MAX_QUESTION, MAX_TRANSCRIPT, MAX_TRANSCRIPT_TEXT, MAX_TURNS

_READ = """async ([home, bodies]) => {
  const { serverSentEvents } = await import(`${home}/widget/answer-stream.js`);
  const read = [];
  for (const pieces of bodies) {
    const body = new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new Uint8Array(piece));
        controller.close();
      },
    });
    const events = [];
    for await (const each of serverSentEvents(body)) events.push([each.event, each.data]);
    read.push(events);
  }
  return read;
}"""
_HISTORY = """async ([home, talks]) => {
  const { Conversation } = await import(`${home}/widget/conversation.js`);
  return talks.map((exchanges) => {
    const talk = new Conversation();
    for (const [question, text] of exchanges) talk.add(question, { text });
    return talk.history;
  });
}"""
_TRANSCRIPT = """async ([home, exchanges, places]) => {
  const { Conversation } = await import(`${home}/widget/conversation.js`);
  const talk = new Conversation();
  for (const [question, text] of exchanges) talk.add(question, { text });
  const upTo = places.map((place) => talk.transcript(talk.exchanges[place].answer));
  return [...upTo, talk.transcript()];
}"""
_ADDRESSES = """async ([home, addresses]) => {
  const { webAddress } = await import(`${home}/widget/dom.js`);
  return addresses.map((each) => webAddress(each));
}"""

# Whatever may stand in a field, line ends and halves of characters apart.
_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
_NAMES = st.text(st.characters(categories=["Ll"], codec="ascii"), min_size=1, max_size=8)
_ENDS = st.sampled_from(["\n", "\r\n"])


@st.composite
def _bodies(draw: st.DrawFn) -> tuple[list[tuple[str, Any]], list[list[int]]]:
    """Events, and the pieces in which their bytes come."""
    events: list[tuple[str, Any]] = []
    text = ""
    for _ in range(draw(st.integers(0, 4))):
        end = draw(_ENDS)
        name = draw(st.none() | _NAMES)
        data = draw(st.dictionaries(_NAMES, _VALUES, max_size=2))
        spaced = draw(st.booleans())
        lines = _json_lines(data, draw(st.booleans()))
        extra = draw(st.sampled_from(["", f": a comment{end}", f"id: 7{end}", f"retry: 1{end}"]))
        text += extra
        if name is not None:
            text += f"event:{' ' if spaced else ''}{name}{end}"
        text += "".join(f"data:{' ' if spaced else ''}{line}{end}" for line in lines)
        text += end
        events.append((name or "message", data))
        if draw(st.booleans()):
            # A block without data is no event, and its name goes with it.
            text += f"event: nothing{end}{end}"
    raw = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    places = [0, *cuts, len(raw)]
    pieces = [list(raw[a:b]) for a, b in pairwise(places)]
    return events, pieces


def _json_lines(data: dict[str, str], parted: bool) -> list[str]:
    return json.dumps(data, indent=1 if parted else None, ensure_ascii=False).split("\n")


@pytest.fixture
def home(visit: Visit) -> str:
    """Address of the helpdesk; the page of the visit may load its modules."""
    visit.go()
    return visit.helpdesk


def test_events_are_read_whatever_pieces_they_come_in(visit: Visit, home: str) -> None:
    # Many at a time, as each call of the browser takes its time; not made smaller for that reason.
    @settings(max_examples=5, phases=[Phase.generate])
    @given(st.lists(_bodies(), min_size=15, max_size=15))
    def check(bodies: list[tuple[list[tuple[str, Any]], list[list[int]]]]) -> None:
        read = visit.page.evaluate(_READ, [home, [pieces for _, pieces in bodies]])
        assert read == [[list(event) for event in events] for events, _ in bodies]

    check()


def test_every_cut_within_a_character_and_a_line_end_is_harmless(visit: Visit, home: str) -> None:
    raw = 'event: delta\r\ndata: {"text": "γένωμα 🧬"}\r\n\r\n'.encode()
    bodies = [[list(raw[:place]), list(raw[place:])] for place in range(len(raw) + 1)]
    read = visit.page.evaluate(_READ, [home, bodies])
    assert read == [[["delta", {"text": "γένωμα 🧬"}]]] * len(bodies)


def test_an_event_without_its_end_is_none(visit: Visit, home: str) -> None:
    whole = 'event: delta\ndata: {"text": "a"}\n\n'
    for body in (whole[:-1], whole[:-2], whole[:20]):
        assert visit.page.evaluate(_READ, [home, [[list(body.encode())]]]) == [[]]


def test_the_history_keeps_to_what_the_api_takes(visit: Visit, home: str) -> None:
    talks = [
        [[f"question {number}", f"answer {number}"] for number in range(count)]
        for count in (0, 1, 9, 10, 11, 200)
    ]
    long = [["🧬" * (MAX_QUESTION + 1), "x" * 5 * MAX_QUESTION], ["q", ""], ["q", "  "]]
    *short, cut = visit.page.evaluate(_HISTORY, [home, [*talks, long]])
    for talk, history in zip(talks, short, strict=True):
        said = [text for exchange in talk for text in exchange]
        assert [each["text"] for each in history] == said[-MAX_TURNS:]
        assert [each["role"] for each in history] == ["user", "assistant"] * (len(history) // 2)
    # By character, not by half of one; an answer without text is left out.
    assert [each["text"] for each in cut] == ["🧬" * MAX_QUESTION, "x" * MAX_QUESTION, "q", "q"]


def test_the_transcript_keeps_to_what_the_api_takes(visit: Visit, home: str) -> None:
    talk = [[f"question {number}", "🧬" * (MAX_TRANSCRIPT_TEXT + 1)] for number in range(101)]
    *upto, whole = visit.page.evaluate(_TRANSCRIPT, [home, talk, [0, 7]])
    assert [len(each) for each in upto] == [2, 16]
    assert upto[1][-2:] == [
        {"role": "user", "text": "question 7"},
        {"role": "assistant", "text": "🧬" * MAX_TRANSCRIPT_TEXT},
    ]
    assert len(whole) == MAX_TRANSCRIPT
    assert whole[0]["text"] == "question 1"


def test_only_addresses_of_the_web_are_addresses(visit: Visit, home: str) -> None:
    good = {
        "https://a.example/b#c": "https://a.example/b#c",
        "HTTP://A.example": "http://a.example/",
        " https://a.example/ ": "https://a.example/",
        "/privacy": f"{visit.host.origin}/privacy",
    }
    bad = [
        None,
        "",
        "javascript:1",
        "JaVaScRiPt:1",
        "\x01javascript:1",
        "java\tscript:1",
        "data:text/html,1",
        "file:///etc",
        "mailto:a@b.example",
        "blob:https://a.example/1",
        "http://",
    ]
    found = visit.page.evaluate(_ADDRESSES, [home, [*good, *bad]])
    assert found == [*good.values(), *[None] * len(bad)]
