"""What a reply begins with, and what is read of a form: pure parts of the page of a ticket."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import shelf
from hypothesis import given
from hypothesis import strategies as st

from api.console.reply_text import reply_text
from api.console.typed import EDITED, Typed, Wrong
from api.page.texts import PageTexts
from rag.messages import Messages

MESSAGES = shelf.ROOT / "corpus" / "messages"
_TEXTS = PageTexts("pt", *(Messages.load(MESSAGES / part) for part in ("page", "widget")))
_STEP = {"kind": "contact", "text": "Escreva para…", "url": None, "email": shelf.CONTACT}
_ABSTAINED = {"status": "abstained", "text": "Nada.", "reason": "no_evidence", "next_step": _STEP}


@pytest.mark.parametrize(
    ("draft", "contact", "said"),
    [
        ({}, None, "Agradecemos."),
        ({"reason": "not_written_yet", "next_step": None}, None, "Agradecemos.\n\nNada."),
        (
            {"next_step": {**_STEP, "text": "Veja:", "email": None, "url": "https://a.example"}},
            None,
            "Agradecemos.\n\nVeja:\nhttps://a.example",
        ),
        (
            {},
            {"name": "Mirror Group", "address": "group@pt.example"},
            "Agradecemos.\n\nMirror Group: group@pt.example",
        ),
        ({}, {"name": "Mirror Group", "address": None}, "Agradecemos.\n\nMirror Group"),
        # Triage has found that no contact point answers such things.
        (
            {"next_step": {**_STEP, "text": "Veja group@pt.example", "email": "group@pt.example"}},
            None,
            "Agradecemos.",
        ),
        (
            {"next_step": {**_STEP, "text": "Veja group@pt.example", "email": "group@pt.example"}},
            {"name": "Mirror Group", "address": "group@pt.example"},
            "Agradecemos.\n\nVeja group@pt.example",
        ),
    ],
)
def test_a_draft_that_abstains_says_whom_to_ask_and_never_ourselves(
    draft: dict[str, Any], contact: dict[str, Any] | None, said: str
) -> None:
    triage = {"draft": {**_ABSTAINED, **draft}, "contact": contact}
    assert reply_text(triage, _TEXTS) == said
    assert reply_text(None, _TEXTS) == ""


_FIELD = st.sampled_from(
    ["version", "last", "reply", "note", "to", "assignee", *EDITED, *(f"was_{n}" for n in EDITED)]
)


@given(st.dictionaries(_FIELD, st.lists(st.text(max_size=25), max_size=2)))
def test_whatever_is_sent_is_read_and_told_if_it_cannot_be_taken(
    fields: dict[str, list[str]],
) -> None:
    typed = Typed.of("NMG-1", fields)
    assert typed.unsent("") == bool(typed.texts() or typed.edits)
    assert not typed.without(("reply", "note", "edits"), 2).unsent("")
    for take in (typed.changes, lambda: typed.written("reply"), lambda: typed.written("note")):
        with suppress(Wrong):
            take()
