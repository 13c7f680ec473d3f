"""What is to be told of tickets: stored with them, sent once, kept until it has arrived."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from actors import PORTUGAL, STAFF
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from telling import ASKED, EVERYWHERE, MAIL_ONLY, Noted, deliver, reply, rows, telling

from api.desk.audit import verify
from api.desk.delivery.models import Undelivered
from api.desk.desk import Desk
from api.desk.models import NewTicket
from api.desk.outbox import CLAIM, GIVES_UP, LONGEST, NOWHERE, NoSuchDelivery, ticket_sent
from api.desk.persons import Persons
from api.desk.tables import OUTBOX

HOUR = 3600.0


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    with telling(database_url, tmp_path / "data") as opened:
        yield opened


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=20)


def test_each_change_is_told_where_it_should_be(desk: Desk) -> None:
    ticket, token = desk.tickets.open(ASKED)
    reply(desk, ticket)
    desk.tickets.write_back(ticket.ticket_id, token, "Thank you.")
    told = sorted((each["what"], each["channel"]) for each in rows(desk))
    assert told == [
        ("opened", "mail"), ("opened", "team"), ("opened", "webhook"), ("opened", "zammad"),
        ("replied", "mail"), ("replied", "webhook"), ("replied", "zammad"),
        ("written", "team"), ("written", "webhook"), ("written", "zammad"),
    ]  # fmt: skip


def test_nothing_is_kept_for_what_is_not_set_up(tmp_path: Path) -> None:
    for outlets, channels in ((NOWHERE, []), (MAIL_ONLY, ["mail"])):
        with telling("", tmp_path / str(len(channels)), outlets) as desk:
            desk.tickets.open(ASKED)
            assert [each["channel"] for each in rows(desk)] == channels


def test_a_change_that_is_not_stored_is_not_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("api.desk.tickets.record", broken)
    with pytest.raises(RuntimeError):
        desk.tickets.open(ASKED)
    assert rows(desk) == []


def test_what_has_arrived_is_not_sent_again_and_holds_no_token(desk: Desk) -> None:
    _, token = desk.tickets.open(ASKED)
    mail = Noted()
    assert deliver(desk, {"mail": mail}) == 1
    assert mail.carried[0][0].payload["token"] == token
    assert deliver(desk, {"mail": mail}, 99 * HOUR) == 0
    row = next(each for each in rows(desk) if each["channel"] == "mail")
    assert (row["state"], row["payload"], row["reference"]) == ("done", None, "there-1")
    assert token not in str(rows(desk))


def test_others_are_told_of_a_new_ticket_when_it_could_be_sorted(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    mail, team = Noted(), Noted()
    assert deliver(desk, {"mail": mail, "team": team}, later_s=1) == 1
    assert deliver(desk, {"mail": mail, "team": team}, later_s=11) == 1
    assert (len(mail.carried), len(team.carried)) == (1, 1)


def test_a_process_that_dies_meanwhile_leaves_it_to_another(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    now = _soon()
    taken = desk.outbox.claim("mail", now)
    assert taken is not None
    assert taken.attempts == 1
    assert desk.outbox.claim("mail", now + CLAIM / 2) is None
    over = desk.outbox.claim("mail", now + CLAIM * 1.01)
    assert over is not None
    assert (over.delivery_id, over.message_id) == (taken.delivery_id, taken.message_id)
    assert over.attempts == 2
    # The first was slow, not dead: what it has to say counts no more.
    desk.outbox.failed(taken, Undelivered("no connection", for_good=True), now)
    assert rows(desk)[0]["state"] == "waiting"


def test_of_several_workers_one_gets_it(desk: Desk) -> None:
    for number in range(12):
        desk.tickets.open(NewTicket(**{**vars(ASKED), "email": f"a{number}@clinic.example"}))
    taken: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        while claimed := desk.outbox.claim("mail", _soon()):
            taken.append(claimed.delivery_id)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(taken) == len(set(taken)) == 12


def test_where_it_goes_wrong_the_times_between_grow_until_it_is_given_up(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    now, waits = _soon(), []
    while True:
        delivery = desk.outbox.claim("mail", now)
        assert delivery is not None
        desk.outbox.failed(delivery, Undelivered("no connection"), now)
        row = next(each for each in rows(desk) if each["channel"] == "mail")
        if row["state"] == "dead":
            break
        waits.append(row["due_at"] - now)
        now = row["due_at"]
    assert timedelta(seconds=40) <= waits[0] <= timedelta(seconds=80)
    assert all(later > sooner for sooner, later in zip(waits, waits[2:5], strict=False))
    assert LONGEST * 0.7 <= max(waits) <= LONGEST * 1.25
    assert GIVES_UP - LONGEST * 1.25 <= now - row["since"] <= GIVES_UP
    assert 15 <= len(waits) <= 30
    assert row["last_error"] == "no connection"
    assert desk.outbox.claim("mail", now + GIVES_UP) is None


def test_what_cannot_be_mended_is_given_up_at_once_and_what_takes_people_is_not_hurried(
    desk: Desk,
) -> None:
    desk.tickets.open(ASKED)
    gone = Noted(lambda _: Undelivered("recipient refused, 550", for_good=True))
    locked = Noted(lambda _: Undelivered("server refuses, 401", wait_s=HOUR))
    deliver(desk, {"mail": gone, "zammad": locked})
    assert deliver(desk, {"mail": gone, "zammad": locked}, 0.9 * HOUR) == 0
    states = {each["channel"]: each["state"] for each in rows(desk)}
    assert (states["mail"], states["zammad"]) == ("dead", "waiting")


def test_whatever_goes_wrong_with_one_the_others_are_delivered(desk: Desk) -> None:
    first, _ = desk.tickets.open(ASKED)
    desk.tickets.open(ASKED)

    def fails(delivery: object) -> Exception | None:
        return KeyError("number") if first.ticket_id in str(delivery) else None

    mail = Noted(fails)
    deliver(desk, {"mail": mail})
    assert len(mail.carried) == 1
    failed = next(each for each in rows(desk) if each["last_error"])
    assert (failed["ticket_id"], failed["last_error"]) == (first.ticket_id, "KeyError")


def test_zammad_and_webhook_learn_things_in_their_order(desk: Desk) -> None:
    ticket, _ = desk.tickets.open(ASKED)
    reply(desk, ticket)
    down = Noted(lambda _: Undelivered("no connection"))
    deliver(desk, {"webhook": down})
    up = Noted()
    # The reply is due, and what comes before it is not.
    assert deliver(desk, {"webhook": up}) == 0
    assert deliver(desk, {"webhook": up}, HOUR) == 2
    assert [each.what for each, _ in up.carried] == ["opened", "replied"]


def test_an_erased_ticket_is_told_nowhere(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    Persons(desk.database).erase(ASKED.email)
    assert rows(desk) == []


def test_a_ticket_that_is_erased_while_it_is_told_troubles_nobody(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    delivery = desk.outbox.claim("mail", _soon())
    assert delivery is not None
    Persons(desk.database).erase(ASKED.email)
    desk.outbox.done(delivery, None)
    desk.outbox.failed(delivery, Undelivered("no connection"), _soon())
    assert rows(desk) == []


def test_answers_are_known_by_what_was_sent_to_the_person_only(desk: Desk) -> None:
    ticket, _ = desk.tickets.open(ASKED)
    deliver(desk, {"mail": Noted(), "team": Noted()})
    sent = {each["channel"]: each["message_id"] for each in rows(desk)}
    with desk.database.reading() as connection:
        known = ["<other@nmg.example>", "<\0>", sent["mail"]]
        assert ticket_sent(connection, known) == ticket.ticket_id
        assert ticket_sent(connection, [sent["team"], "<other@nmg.example>"]) is None


def test_staff_see_what_has_not_arrived_of_their_countries_and_have_it_sent_again(
    desk: Desk,
) -> None:
    ours, _ = desk.tickets.open(ASKED)
    theirs, _ = desk.tickets.open(NewTicket(**{**vars(ASKED), "country": "ES"}))
    dead = Noted(lambda _: Undelivered("mail refused, 554", for_good=True))
    deliver(desk, {"mail": dead})
    assert desk.outbox.counts(STAFF) == {"waiting": 6, "dead": 2}
    assert desk.outbox.counts(PORTUGAL) == {"waiting": 3, "dead": 1}
    seen = desk.outbox.undone(PORTUGAL, 9)
    assert {each.ticket_id for each in seen} == {ours.ticket_id}
    assert (seen[0].state, seen[0].last_error) == ("dead", "mail refused, 554")
    other = next(
        each.delivery_id
        for each in desk.outbox.undone(STAFF, 9)
        if each.ticket_id == theirs.ticket_id
    )
    with pytest.raises(NoSuchDelivery):
        desk.outbox.again(PORTUGAL, other)
    desk.outbox.again(PORTUGAL, seen[0].delivery_id)
    up = Noted()
    assert deliver(desk, {"mail": up}) == 1
    # It was tried before, so a receiver may have it: whoever carries it can tell.
    assert up.carried[0][0].attempts == 2
    with pytest.raises(NoSuchDelivery):
        desk.outbox.again(PORTUGAL, seen[0].delivery_id)
    history = desk.tickets.read(STAFF, ours.ticket_id).history
    assert (history[-1].who, history[-1].action, history[-1].fields) == (
        PORTUGAL.who, "resend", ("mail",),
    )  # fmt: skip
    assert verify(desk.database).broken_at is None


def test_what_is_sent_again_is_tried_for_as_long_as_if_it_were_new(desk: Desk) -> None:
    desk.tickets.open(ASKED)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    with desk.database.writing() as connection:
        old = {"created_at": long_ago, "since": long_ago, "state": "dead", "attempts": 22}
        connection.execute(update(OUTBOX).where(OUTBOX.c.channel == "mail").values(old))
    desk.outbox.again(STAFF, desk.outbox.undone(STAFF, 1)[0].delivery_id)
    deliver(desk, {"mail": Noted(lambda _: Undelivered("no connection"))})
    row = next(each for each in rows(desk) if each["channel"] == "mail")
    assert row["state"] == "waiting"
    assert row["due_at"] < datetime.now(UTC) + timedelta(minutes=3)


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_without_mail_the_team_is_not_told_by_mail(
    mail: bool, team: bool, zammad: bool, webhook: bool
) -> None:
    outlets = type(EVERYWHERE)("nmg.example" if mail else "", team, zammad, webhook)
    told = outlets.channels("opened")
    assert ("team" in told) == (mail and team)
    assert {"zammad", "webhook"} & set(told) == {
        name for name, on in (("zammad", zammad), ("webhook", webhook)) if on
    }
