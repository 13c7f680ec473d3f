"""What keeps a draft of an article from being published."""

from __future__ import annotations

import re
from collections.abc import Mapping

from api.console.drafting import MOST_ASK, PART_OF_NAME
from api.desk.drafts import Content, Draft, DraftStatement
from api.desk.models import Ticket
from rag.models import Evidence
from rag.personal import find_personal
from rag.text import letters_digits


def obstacles(draft: Draft, ticket: Ticket | None) -> list[str]:
    """What has to be done before a draft can be published; nothing: it is ready for review.

    Args:
        draft: An article that staff write.
        ticket: It was made from; None: it is not kept any more.
    """
    content = draft.content
    found = []
    if not draft.title:
        found.append("It has no title.")
    if not any(content.asks.values()):
        found.append("No way of asking is given.")
    if any(len(ask) > MOST_ASK for asks in content.asks.values() for ask in asks):
        found.append(f"A way of asking is longer than {MOST_ASK} characters.")
    if not content.statements:
        found.append("It says nothing yet.")
    bare = [n for n, each in enumerate(content.statements, start=1) if not each.evidence]
    if bare:
        which = "Statement" if len(bare) == 1 else "Statements"
        verb = "needs" if len(bare) == 1 else "need"
        found.append(f"{which} {', '.join(map(str, bare))} {verb} evidence.")
    if personal(draft, ticket):
        found.append("Personal data are in it, see below.")
    return found


def personal(draft: Draft, ticket: Ticket | None) -> list[str]:
    """What of a draft tells of a person, each as it stands there; articles are public.

    Args:
        draft: An article that staff write.
        ticket: It was made from, which tells who asked; None: it is not kept any more.
    """
    content = draft.content
    texts = [
        draft.title,
        *(ask for asks in content.asks.values() for ask in asks),
        *(each.text for each in content.statements),
    ]
    found = [
        text[each.start : each.end]
        for text in (*texts, content.reviewed_by)
        for each in find_personal(text)
    ]
    found += _of_requester("\n".join(texts), content, ticket) if ticket else []
    return list(dict.fromkeys(found))


def _of_requester(text: str, content: Content, ticket: Ticket) -> list[str]:
    """Where a text has the address of who asked, or a part of their name, in whatever case.

    A word that the evidence has, too, tells nothing of them: a name may be a word.
    """
    parts = re.findall(rf"\w{{{PART_OF_NAME},}}", ticket.name or "")
    # Neither "von" nor "of the", unless all of it is written small.
    parts = [each for each in parts if not each.islower()] or parts
    one_of = "|".join(map(re.escape, (ticket.email, *parts)))
    said = re.findall(rf"(?<!\w)(?:{one_of})s?(?!\w)", text, re.IGNORECASE)
    chosen = (content.evidence[key] for each in content.statements for key in each.evidence)
    public = set(re.findall(r"\w+", " ".join(each.quote or "" for each in chosen)))
    return [each for each in said if each not in public]


def copied(statement: DraftStatement, evidence: Mapping[str, Evidence]) -> bool:
    """Whether a statement is its evidence, word for word."""
    said = letters_digits(statement.text)
    return any(said == letters_digits(evidence[key].quote or "") for key in statement.evidence)
