"""Mails that are too large, of nobody, or of machines."""

from __future__ import annotations

from awkward import MIXED, Collected, World, reply
from mail_parts import ADA, ASKED, BEA, DESK, mail, part, parts

MAILS = Collected()
one, some = MAILS.one, MAILS.some


def attached(megabytes: int) -> bytes:
    """A mail with a file of so many megabytes, as they are sent."""
    sent = b"\r\n".join([b"A" * 76] * (megabytes * 12_800))
    encoding = "Content-Transfer-Encoding: base64\r\n"
    return mail(
        parts(part(ASKED), part(sent, "application/zip; name=genome.zip", encoding)), kind=MIXED
    )


# Sizes
one(
    "has 20 MB attached",
    attached(20),
    holds=(ASKED,),
    notes=("genome.zip (application/zip, 14.",),
)
one(
    "is a text of 6 MB",
    mail(b"Who signs the contract? " * 250_000),
    holds=("Who signs",),
    notes=("The text was cut",),
)
one(
    "is a text of 50,000 characters",
    mail("Who signs? " * 4600),
    notes=("4000 of 50599 characters",),
)
one(
    "has 10,000 recipients",
    mail(more={"Cc": ",\r\n ".join(f"p{n}@example.org" for n in range(10_000))}),
    holds=(ASKED,),
)
one("has a subject of 100,000 letters", mail(subject="x" * 100_000), holds=(ASKED,))

# Who it is, and which
one("was written in 1970", mail(more={"Date": "Thu, 01 Jan 1970 00:00:00 +0000"}))
one("was written in 2099, at no time", mail(more={"Date": "32 Foo 2099 27:99"}))
some("comes twice", lambda _: [mail(), mail(more={"Received": "from elsewhere"})], "taken")
some(
    "has the id of another mail",
    lambda _: [mail(), mail("And who pays for it?", "Money")],
    "ticket",
    title="Money",
)
one("has no id", mail(ident=""))
one(
    "has lines in its name and subject",
    mail(subject="Who\r\n signs\r\n\tit?", sender=f"Ada\r\n Novak <{ADA}>"),
    title="Who signs it?",
    named="Ada Novak",
)
one(
    "would add headers",
    mail(subject="=?utf-8?q?Hi=0D=0ABcc=3A_all=40example=2Eorg?="),
    title="Hi Bcc: all@example.org",
)
one("is from nobody", mail(sender=""), "unreadable")
one("is from no address", mail(sender="undisclosed-recipients:;"), "unreadable")
one("is from two", mail(sender=f"Ada <{ADA}>, Bea <{BEA}>"), sender=ADA)
one("names another address as its name", mail(sender=f'"{BEA}" <{ADA}>'), sender=ADA)
one(
    "wants its answers elsewhere",
    mail(more={"Reply-To": BEA}),
    sender=ADA,
    notes=(f"answers to {BEA}",),
)

# Machines
one(
    "is an automatic reply",
    mail("I am away.", "Automatic reply", more={"Auto-Submitted": "auto-replied"}),
    "auto_reply",
)
some(
    "is an automatic reply to our mail",
    lambda w: [
        mail("I am away.", f"Re: [{w.number}]", more={"In-Reply-To": w.sent, "X-Autoreply": "yes"})
    ],
    "auto_reply",
)
one("says that it was sent by a person", mail(more={"Auto-Submitted": "no"}))
one("is bulk", mail(more={"Precedence": "bulk"}), "list")
one(
    "is of a mailing list",
    mail(more={"List-Id": "News <news.example.org>", "List-Unsubscribe": "<https://x>"}),
    "list",
)
one(
    "came by the group that is the helpdesk's address",
    mail(
        sender=f"'Ada' via Desk <{DESK}>",
        more={
            "List-Id": "Desk <desk.helpdesk.example.org>",
            "Precedence": "list",
            "X-Original-From": f"Ada <{ADA}>",
            "Reply-To": ADA,
        },
    ),
    sender=ADA,
)
one("is our own, come back", mail(more={"X-Helpdesk-Ticket": "NMG-00000000"}), "loop")
one("is from the helpdesk's own address", mail(sender=f"<{DESK.upper()}>"), "loop")
one("is spam, as the server says", mail(more={"X-Spam-Flag": "YES"}), "spam")
one("goes back to nobody", mail(more={"Return-Path": "<>"}), "auto_reply")


def bounce(world: World, action: str, status: str) -> bytes:
    whose = f"Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; {ADA}\n"
    report = f"{whose}Action: {action}\nStatus: {status}\n"
    named = f"Message-ID: {world.sent}\nX-Helpdesk-Ticket: {world.number}\n"
    original = f"From: {DESK}\nTo: {ADA}\n{named}\nDear Ada"
    return mail(
        parts(
            part("It did not arrive."),
            part(report, "message/delivery-status"),
            part(original, "message/rfc822"),
        ),
        "Undelivered",
        "MAILER-DAEMON@mx.example.org",
        "multipart/report; report-type=delivery-status; boundary=b1",
        more={"Return-Path": "<>", "Auto-Submitted": "auto-replied"},
    )


some(
    "says that our mail did not arrive",
    lambda w: [bounce(w, "failed", "5.1.1")],
    "note",
    notes=("came back: 5.1.1",),
)
some("says that our mail is late", lambda w: [bounce(w, "delayed", "4.4.1")], "bounce")
some(
    "says in words of its own that our mail did not arrive",
    lambda w: [
        mail(
            f"Hi. This is the program.\nSorry, no mailbox here. (#5.1.1)\n\nMessage-ID: {w.sent}\n",
            "failure",
            "MAILER-DAEMON@example.org",
            more={"Return-Path": "<>"},
        )
    ],
    "note",
    notes=("came back: 5.1.1",),
)
one(
    "says that a mail that is not ours did not arrive",
    mail(
        parts(part("Action: failed\n", "message/delivery-status")),
        "Undelivered",
        "MAILER-DAEMON@mx.example.org",
        "multipart/report; report-type=delivery-status; boundary=b1",
    ),
    "bounce",
)
one(
    "says that our mail was read",
    mail(
        parts(part("Disposition: displayed", "message/disposition-notification")),
        "Read",
        kind="multipart/report; report-type=disposition-notification; boundary=b1",
    ),
    "auto_reply",
)
some(
    "says the same again the same day",
    lambda _: [mail(), mail(ident="<2.ada@mail.example.org>")],
    "repeat",
)
some(
    "is the sixth question of one sender within the hour",
    lambda _: [
        mail(f"Question {n}?", ident=f"<{n}@example.com>", sender=f"<{BEA}>") for n in range(6)
    ],
    "waits",
)
some(
    "is the 21st message that nobody has answered",
    lambda w: [reply(w, f"Also {n}.", ident=f"<{n}@example.org>") for n in range(21)],
    "waits",
)
