"""Mails made into tickets by several at once, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from mail_parts import BEA, DESK, mail

from api.desk.audit import verify
from api.desk.desk import Desk
from api.desk.inbox.reading import read_mail
from api.desk.models import Actor, Limits

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


def test_many_mails_at_once_keep_the_audit_whole(opened: Desk) -> None:
    raws = [mail(f"Question {n}?", f"Subject {n}", ident=f"<{n}@x.org>") for n in range(12)]
    bulk = [mail(ident=f"<b{n}@x.org>", more={"Precedence": "bulk"}) for n in range(4)]
    assert _taken(opened, *raws, *bulk) == {"ticket": 12, "list": 4}
    assert verify(opened._database).broken_at is None
    opened.intake.forget()
