"""Articles that staff write: what is stored of them, by one at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from actors import OTHER, PORTUGAL, STAFF

from api.desk.audit import verify
from api.desk.database import Database
from api.desk.desk import Desk, open_desk
from api.desk.drafts import (
    Content,
    Draft,
    DraftChanged,
    DraftStatement,
    Found,
    NoSuchDraft,
    Outcome,
    SeenDraft,
)
from api.desk.models import NewTicket, Seen
from api.desk.persons import Persons
from rag.models import Evidence

SENTENCE = Evidence(
    source="aurora",
    path="pages/sharing.md",
    title="Sharing",
    section=("Agreements",),
    url="https://aurora.example/sharing#agreements",
    label="required",
    pin="0123456789abcdef",
    chunk_id="aurora:pages/sharing.md#0",
    quote="Every holder signs.",
)
CONTENT = Content(
    intent="share_data",
    audience=("researcher",),
    country=None,
    asks={"en": ("How do I share?",), "pt": ("Como partilho?",)},
    statements=(DraftStatement("Sign first.", ("e1",)), DraftStatement("Then send.")),
    evidence={"e1": SENTENCE},
)


def _begun(desk: Desk, country: str | None = "PT", ticket: str = "NMG-1") -> Draft:
    return desk.drafts.begin(STAFF, ticket, country, "Sharing", CONTENT)


def _seen(draft: Draft) -> SeenDraft:
    return SeenDraft(draft.draft_id, draft.version)


def test_a_draft_is_read_as_it_was_written(opened: Desk) -> None:
    draft = _begun(opened)
    read = opened.drafts.read(OTHER, draft.draft_id)
    assert read == draft
    assert (read.title, read.content, read.state, read.author) == (
        "Sharing", CONTENT, "draft", STAFF.who,
    )  # fmt: skip
    assert read.draft_id.startswith("D-")


def test_a_ticket_makes_one_draft_until_that_is_withdrawn(opened: Desk) -> None:
    first = _begun(opened)
    assert _begun(opened) == first
    assert opened.drafts.of_ticket(STAFF, "NMG-1") == first.draft_id
    opened.drafts.withdraw(STAFF, _seen(first))
    assert opened.drafts.of_ticket(STAFF, "NMG-1") is None
    assert _begun(opened).draft_id != first.draft_id


def test_whoever_was_slower_is_told_how_the_draft_is_now(opened: Desk) -> None:
    draft = _begun(opened)
    saved = opened.drafts.save(OTHER, _seen(draft), "Sharing data", CONTENT)
    assert (saved.title, saved.version) == ("Sharing data", 2)
    with pytest.raises(DraftChanged) as told:
        opened.drafts.save(STAFF, _seen(draft), "Another title", CONTENT)
    assert told.value.draft == saved
    assert told.value.who == OTHER.who
    assert opened.drafts.read(STAFF, draft.draft_id) == saved


def test_of_many_at_once_one_is_stored(opened: Desk) -> None:
    draft = _begun(opened)

    def save(number: int) -> bool:
        try:
            opened.drafts.save(STAFF, _seen(draft), f"Title {number}", CONTENT)
        except DraftChanged:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(save, range(8))) == 1
    assert opened.drafts.read(STAFF, draft.draft_id).version == 2


def test_saving_what_is_there_changes_nothing(opened: Desk) -> None:
    draft = _begun(opened)
    assert opened.drafts.save(OTHER, _seen(draft), draft.title, draft.content) == draft


def test_what_is_being_published_is_not_changed(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    assert draft.state == "publishing"
    for change in (
        lambda: opened.drafts.save(STAFF, _seen(draft), "Other", CONTENT),
        lambda: opened.drafts.publish(STAFF, _seen(draft)),
        lambda: opened.drafts.withdraw(STAFF, _seen(draft)),
    ):
        with pytest.raises(DraftChanged):
            change()


def test_a_draft_is_published_written_anew_and_withdrawn(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    opened.drafts.finish(_seen(draft), Outcome("published", (), "20260101"))
    draft = opened.drafts.read(STAFF, draft.draft_id)
    name = f"sharing-{draft.draft_id[2:].lower()}"
    assert (draft.state, draft.article_id, draft.generation) == ("published", name, "20260101")
    draft = opened.drafts.save(STAFF, _seen(draft), "Sharing, anew", CONTENT)
    assert (draft.state, draft.article_id, draft.generation) == ("draft", name, "20260101")
    draft = opened.drafts.withdraw(STAFF, _seen(draft))
    assert draft.state == "withdrawing"
    opened.drafts.finish(_seen(draft), Outcome("withdrawn", gone=True))
    draft = opened.drafts.read(STAFF, draft.draft_id)
    assert (draft.state, draft.article_id, draft.generation) == ("withdrawn", None, None)


def test_what_was_never_published_is_withdrawn_at_once(opened: Desk) -> None:
    assert opened.drafts.withdraw(STAFF, _seen(_begun(opened))).state == "withdrawn"


def test_a_refused_draft_says_why_until_it_is_published_again(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    found = Found("stale", "its sentence is gone")
    opened.drafts.finish(_seen(draft), Outcome("refused", (found,)))
    draft = opened.drafts.read(STAFF, draft.draft_id)
    assert (draft.state, draft.findings) == ("refused", (found,))
    draft = opened.drafts.save(STAFF, _seen(draft), "Sharing, mended", CONTENT)
    assert (draft.state, draft.findings) == ("draft", (found,))
    assert opened.drafts.publish(STAFF, _seen(draft)).findings == ()


def test_what_a_server_left_half_done_is_given_back_with_a_word(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    other = _begun(opened, ticket="NMG-2")
    assert opened.drafts.resume(opened.drafts.busy()) == [draft.draft_id]
    back = opened.drafts.read(STAFF, draft.draft_id)
    assert (back.state, [each.kind for each in back.findings]) == ("draft", ["interrupted"])
    assert opened.drafts.read(STAFF, other.draft_id) == other
    assert opened.drafts.resume(opened.drafts.busy()) == []
    # Whoever began it comes too late, and what was begun anew is not theirs.
    assert not opened.drafts.waits(_seen(draft))
    anew = opened.drafts.publish(STAFF, _seen(back))
    assert opened.drafts.waits(_seen(anew))
    opened.drafts.finish(_seen(draft), Outcome("published", (), "20260101"))
    assert opened.drafts.read(STAFF, draft.draft_id) == anew


def test_what_has_changed_since_it_was_looked_at_is_not_given_back(opened: Desk) -> None:
    before = _begun(opened)
    draft = opened.drafts.publish(STAFF, _seen(before))
    assert opened.drafts.busy() == {_seen(draft)}
    assert opened.drafts.resume([_seen(before)]) == []
    assert opened.drafts.read(STAFF, draft.draft_id) == draft


def test_what_was_broken_off_can_be_withdrawn_from_the_index(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    assert draft.article_id
    opened.drafts.resume(opened.drafts.busy())
    back = opened.drafts.read(STAFF, draft.draft_id)
    assert opened.drafts.withdraw(STAFF, _seen(back)).state == "withdrawing"


def test_what_is_known_to_be_nowhere_is_given_up_at_once(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    opened.drafts.finish(_seen(draft), Outcome("refused", gone=True))
    back = opened.drafts.read(STAFF, draft.draft_id)
    assert back.article_id is None
    assert opened.drafts.withdraw(STAFF, _seen(back)).state == "withdrawn"


def test_an_article_keeps_its_name_under_another_title(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    opened.drafts.finish(_seen(draft), Outcome("published", (), "20260101"))
    back = opened.drafts.read(STAFF, draft.draft_id)
    saved = opened.drafts.save(STAFF, _seen(back), "Another title", CONTENT)
    assert opened.drafts.publish(STAFF, _seen(saved)).article_id == draft.article_id


def test_two_articles_of_the_same_title_never_share_a_name(opened: Desk) -> None:
    one, other = (
        opened.drafts.publish(STAFF, _seen(_begun(opened, ticket=each))).article_id
        for each in ("NMG-1", "NMG-2")
    )
    assert one != other


def test_what_was_half_withdrawn_is_still_published(opened: Desk) -> None:
    draft = opened.drafts.publish(STAFF, _seen(_begun(opened)))
    opened.drafts.finish(_seen(draft), Outcome("published", (), "20260101"))
    opened.drafts.withdraw(STAFF, _seen(opened.drafts.read(STAFF, draft.draft_id)))
    opened.drafts.resume(opened.drafts.busy())
    assert opened.drafts.read(STAFF, draft.draft_id).state == "published"


@pytest.mark.parametrize("country", ["ES", None])
def test_drafts_of_other_countries_are_none_of_theirs(opened: Desk, country: str | None) -> None:
    theirs, own = _begun(opened, country), _begun(opened, "PT", ticket="NMG-2")
    calls: list[Callable[[], object]] = [
        lambda: opened.drafts.read(PORTUGAL, theirs.draft_id),
        lambda: opened.drafts.of_ticket(PORTUGAL, "NMG-1"),
        lambda: opened.drafts.begin(PORTUGAL, "NMG-1", country, "Title", CONTENT),
        lambda: opened.drafts.begin(PORTUGAL, "NMG-9", country, "Title", CONTENT),
        lambda: opened.drafts.save(PORTUGAL, _seen(theirs), "Title", CONTENT),
        lambda: opened.drafts.publish(PORTUGAL, _seen(theirs)),
        lambda: opened.drafts.withdraw(PORTUGAL, _seen(theirs)),
    ]
    for call in calls:
        with pytest.raises(NoSuchDraft):
            call()
    assert [each.draft_id for each in opened.drafts.page(PORTUGAL)] == [own.draft_id]
    assert opened.drafts.read(STAFF, theirs.draft_id) == theirs


@pytest.mark.parametrize("draft_id", ["D-NOBODY", "", "\0", "D-" + "X" * 500])
def test_a_draft_that_nobody_knows_is_none(opened: Desk, draft_id: str) -> None:
    with pytest.raises(NoSuchDraft):
        opened.drafts.read(STAFF, draft_id)
    opened.drafts.finish(SeenDraft(draft_id, 1), Outcome("published"))


def test_the_last_changed_is_listed_first(opened: Desk) -> None:
    first, second = _begun(opened, ticket="NMG-1"), _begun(opened, ticket="NMG-2")
    opened.drafts.save(STAFF, _seen(first), "Changed", CONTENT)
    listed = opened.drafts.page(STAFF)
    assert [each.draft_id for each in listed] == [first.draft_id, second.draft_id]
    assert listed[0].title == "Changed"


def test_the_audit_tells_what_was_done_and_never_what_was_written(
    opened: Desk, tmp_path: Path
) -> None:
    draft = _begun(opened)
    draft = opened.drafts.save(
        OTHER, _seen(draft), draft.title, replace(CONTENT, reviewed_by="Helpdesk lead")
    )
    draft = opened.drafts.publish(STAFF, _seen(draft))
    opened.drafts.finish(_seen(draft), Outcome("published", (), "20260101"))
    history = opened.drafts.history(STAFF, draft.draft_id)
    assert [(each.who, each.action, each.fields) for each in history] == [
        ("staff", "draft", ("content", "title")),
        ("another", "edit", ("content",)),
        ("staff", "publish", ("article_id", "state")),
        ("helpdesk", "published", ("generation", "state")),
    ]
    assert verify(opened.database).broken_at is None


def test_a_draft_goes_where_its_ticket_goes(opened: Desk) -> None:
    asked = NewTicket("May we share?", (), None, None, "ada@clinic.example", "PT", "en")
    ticket = opened.tickets.open(asked)[0]
    draft = _begun(opened, "PT", ticket.ticket_id)
    opened.drafts.read(PORTUGAL, draft.draft_id)
    opened.handling.change(STAFF, Seen(ticket.ticket_id, 1), {"country": "ES"})
    with pytest.raises(NoSuchDraft):
        opened.drafts.read(PORTUGAL, draft.draft_id)
    assert opened.drafts.read(STAFF, draft.draft_id).country == "ES"


def test_what_was_begun_from_the_ticket_of_somebody_goes_with_it(
    database_url: str, tmp_path: Path
) -> None:
    desk = open_desk(database_url, tmp_path / "data", 30)
    asked = NewTicket("May we share?", (), None, None, "ada@clinic.example", "PT", "en")
    one, other, third = (desk.tickets.open(asked)[0].ticket_id for _ in range(3))
    kept = _begun(desk, "PT", "NMG-OTHER")
    begun = _begun(desk, "PT", one)
    public = _begun(desk, "PT", other)
    on_its_way = desk.drafts.publish(STAFF, _seen(public))
    desk.drafts.finish(_seen(on_its_way), Outcome("published", (), "2026"))
    # Nobody knows yet whether this is public.
    unsure = desk.drafts.publish(STAFF, _seen(_begun(desk, "PT", third)))
    database = Database(database_url, tmp_path / "data")
    persons = Persons(database)
    found = persons.find("Ada@clinic.example")
    ids = {each.draft_id for each in (begun, public, unsure)}
    assert {each["draft_id"] for each in found.drafts} == ids
    persons.erase("ada@clinic.example")
    with pytest.raises(NoSuchDraft):
        desk.drafts.read(STAFF, begun.draft_id)
    for each in (public, unsure):
        assert desk.drafts.read(STAFF, each.draft_id).ticket_id is None
    assert desk.drafts.read(STAFF, kept.draft_id) == kept
    database.close()
    desk.close()
