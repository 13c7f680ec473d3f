"""The examples that sorting is learned from, and those that it is judged by."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from eval.triage import Message, read_messages
from rag.countries import COUNTRIES
from rag.language import LANGUAGES

_ADDRESS = re.compile(r"[\w.+-]+@([\w.-]+\w)")
_RESERVED = re.compile(r"(^|\.)(example|test|invalid)(\.|$)")


@pytest.fixture(scope="module")
def learned(root: Path) -> list[Message]:
    files = sorted((root / "corpus" / "triage").glob("*.jsonl"))
    found = [(file.stem, message) for file in files for message in read_messages(file)]
    assert {stem for stem, message in found if stem != message.intent} == set()
    return [message for _, message in found]


@pytest.fixture(scope="module")
def judged(root: Path) -> list[Message]:
    return read_messages(root / "eval" / "data" / "triage.jsonl")


def test_every_language_and_every_intent_has_examples(learned: list[Message]) -> None:
    assert {message.language for message in learned} == set(LANGUAGES)
    counts = Counter(message.intent for message in learned)
    assert len(counts) == 18
    assert min(counts.values()) > 0.8 * max(counts.values())


def test_no_id_is_given_twice(learned: list[Message], judged: list[Message]) -> None:
    ids = Counter(message.id for message in [*learned, *judged])
    assert [each for each, count in ids.items() if count > 1] == []


def test_nobody_could_be_reached_at_an_address_in_them(
    learned: list[Message], judged: list[Message]
) -> None:
    hosts = {
        host
        for message in [*learned, *judged]
        for host in _ADDRESS.findall(f"{message.subject} {message.text}")
    }
    # The Framework's own mailbox is no person's.
    assert {host for host in hosts if not _RESERVED.search(host)} <= {"elixir-europe.org"}


def test_nothing_that_is_judged_by_was_learned(
    learned: list[Message], judged: list[Message]
) -> None:
    def cut(message: Message) -> set[str]:
        text = "".join(message.text.lower().split())
        return {text[at : at + 5] for at in range(len(text) - 4)}

    holding = defaultdict(list)
    for place, message in enumerate(judged):
        for piece in cut(message):
            holding[piece].append(place)
    sizes = [len(cut(message)) for message in judged]
    alike = []
    for message in learned:
        pieces = cut(message)
        shared = Counter(place for piece in pieces for place in holding.get(piece, ()))
        alike += [
            (message.id, judged[place].id)
            for place, count in shared.most_common(1)
            if count > 0.6 * min(sizes[place], len(pieces))
        ]
    assert alike == []


def test_no_country_is_told_that_the_helpdesk_does_not_know(
    learned: list[Message], judged: list[Message]
) -> None:
    assert {message.country for message in [*learned, *judged]} == {None, *COUNTRIES}
