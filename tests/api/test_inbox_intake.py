"""Mails made into tickets by several at once, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from mail_parts import BEA, DESK, attached, mail, part, parts

from api.desk.audit import verify
from api.desk.desk import Desk
from api.desk.inbox.reading import read_mail
from api.desk.models import Actor, Limits, Seen

STAFF = Actor("staff", "admin")


def _taken(desk: Desk, *raws: bytes) -> Counter[str]:
    """What becomes of mails that are taken at the same time."""
    mails = [read_mail(raw, [DESK]) for raw in raws]
    with ThreadPoolExecutor(8) as pool:
        return Counter(each.became for each in pool.map(lambda m: desk.intake.take(m, 0), mails))


def test_one_mail_that_many_take_becomes_one_ticket(opened: Desk) -> None:
    assert _taken(opened, *[mail()] * 6) == {"ticket": 1, "taken": 5}
    assert len(opened.queue.page(STAFF, Limits(), 10, None)) == 1


def test_one_message_that_many_take_is_added_once(opened: Desk) -> None:
    first = mail(sender=f"<{BEA}>", ident="<first@example.com>")
    assert _taken(opened, first) == {"ticket": 1}
    more = {"In-Reply-To": "<first@example.com>"}
    added = mail("In Portugal.", "Re", f"<{BEA}>", ident="<second@example.com>", more=more)
    assert _taken(opened, *[added] * 6) == {"message": 1, "taken": 5}


def _became(desk: Desk, raw: bytes) -> str:
    return desk.intake.take(read_mail(raw, [DESK]), 0).became


def _answer(number: int, body: str | bytes = "Yes.", **more: str) -> bytes:
    answered = {"In-Reply-To": "<first@example.com>"}
    ident = f"<{number}@example.com>"
    return mail(body, "Re: A question", f"<{BEA}>", ident=ident, more=answered, **more)


@pytest.fixture
def asked(opened: Desk) -> str:
    """The number of a ticket that a mail became."""
    taken = opened.intake.take(
        read_mail(mail(sender=f"<{BEA}>", ident="<first@example.com>"), [DESK]), 0
    )
    assert taken.ticket
    return taken.ticket.ticket_id


def test_the_same_words_answer_each_reply_of_staff(opened: Desk, asked: str) -> None:
    for number in (1, 3):
        version = opened.tickets.read(STAFF, asked).ticket.version
        opened.handling.reply(STAFF, Seen(asked, version), "Is that right?")
        assert _became(opened, _answer(number)) == "message"
        assert _became(opened, _answer(number + 1)) == "repeat"


def test_words_of_staff_are_not_taken_for_those_of_who_asked(opened: Desk, asked: str) -> None:
    opened.handling.note(STAFF, Seen(asked, 1), "Yes.")
    assert _became(opened, _answer(1)) == "message"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (parts(attached("plan.pdf", b"%PDF")), "multipart/mixed; boundary=b1"),
        (parts(part("Yes."), attached("a.pdf", b"%PDF")), "multipart/mixed; boundary=b1"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----", "text/plain"),
        (b"", "text/plain"),
    ],
    ids=["attached", "text and attached", "encrypted", "empty"],
)
def test_of_which_the_words_are_not_all_is_no_repeat(
    opened: Desk, asked: str, body: bytes, kind: str
) -> None:
    assert [_became(opened, _answer(n, body, kind=kind)) for n in (1, 2)] == ["message"] * 2


def test_a_machine_that_sends_on_and_on_has_an_end(opened: Desk) -> None:
    carried = parts(part("Log"), attached("log.zip", b"x" * 2000))
    kind = "multipart/mixed; boundary=b1"
    became = [_became(opened, mail(carried, kind=kind, ident=f"<{n}@x.org>")) for n in range(22)]
    assert became == ["ticket"] * 20 + ["waits"] * 2


def test_many_mails_at_once_keep_the_audit_whole(opened: Desk) -> None:
    raws = [mail(f"Question {n}?", f"Subject {n}", ident=f"<{n}@x.org>") for n in range(12)]
    bulk = [mail(ident=f"<b{n}@x.org>", more={"Precedence": "bulk"}) for n in range(4)]
    assert _taken(opened, *raws, *bulk) == {"ticket": 12, "list": 4}
    assert verify(opened.database).broken_at is None
    opened.intake.forget()
