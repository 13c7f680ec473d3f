"""What a reply begins with: the draft of triage as plain text, for staff to check and change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.page.texts import PageTexts

_OPEN = ("no_evidence", "unclear")
"""Reasons to abstain that are no answer to a person."""


def place(citation: Mapping[str, Any]) -> str:
    """Where a citation stands: title and headings in one line."""
    named = [citation.get("title"), *citation.get("section", ())]
    return " › ".join(dict.fromkeys(each for each in named if each)) or citation["document_id"]


def reply_text(triage: Mapping[str, Any] | None, texts: PageTexts) -> str:
    """Write the draft of a ticket as a reply.

    Args:
        triage: What triage found; None: nobody has sorted the ticket.
        texts: In the language of who asked.

    Returns:
        Statements with their markers and the list of sources; where the draft abstains what
        can be said all the same; empty where there is no draft.
    """
    if triage is None:
        return ""
    draft = triage["draft"]
    if draft["status"] == "answered":
        return _answer(draft)
    said = [texts.as_chat("thanks")]
    if draft["reason"] not in _OPEN:
        said.append(draft["text"])
    step, whom = draft["next_step"], triage["contact"]
    # No contact point that triage does not name, nor ourselves.
    named = step and step["email"] and (whom is None or step["email"] != whom["address"])
    if whom and (named or not (step and step["email"])):
        said.append(": ".join(each for each in (whom["name"], whom["address"]) if each))
    if step and not named and step["text"] not in draft["text"]:
        said.append("\n".join(each for each in (step["text"], step["url"]) if each))
    return "\n\n".join(each.strip() for each in said)


def _answer(draft: Mapping[str, Any]) -> str:
    said = [
        " ".join([each["text"], *(f"[{marker}]" for marker in each["citations"])])
        for each in draft["statements"]
    ]
    sources = [_source(each) for each in draft["citations"]]
    return "\n\n".join([*said, "\n".join(["Sources", *sources])])


def _source(citation: Mapping[str, Any]) -> str:
    line = f"[{citation['marker']}] {place(citation)}"
    return f"{line} – {citation['url']}" if citation["url"] else line
