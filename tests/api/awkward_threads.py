"""Mails that answer others."""

from __future__ import annotations

from awkward import QUOTED, Collected, reply
from mail_parts import ADA, BEA, CAL, DESK, mail

MAILS = Collected()
one, some = MAILS.one, MAILS.some

# Threads
some(
    "answers our mail",
    lambda w: [reply(w, "It is about Norway.")],
    "message",
    holds=("It is about Norway.",),
)
some(
    "answers our mail, says so in References only, under a new subject",
    lambda w: [
        mail(
            "It is about Norway.", "Norway", more={"References": f"<x@y.example.org>\r\n {w.sent}"}
        )
    ],
    "message",
    holds=("Norway",),
)
some(
    "names the number, from the ticket's address",
    lambda w: [mail("It is about Norway.", f"AW: [{w.number}] contract")],
    "message",
)
some(
    "names the number in small letters, address in capitals",
    lambda w: [mail("It is about Norway.", f"[{w.number.lower()}]", f"<{ADA.upper()}>")],
    "message",
)
some(
    "names the number of somebody else's ticket",
    lambda w: [mail("Tell me what you know.", f"Re: [{w.number}] contract", f"Bea <{BEA}>")],
    "ticket",
    notes=("a ticket of another address",),
    sender=BEA,
)
one(
    "names a number that there is not",
    mail(subject="Re: [NMG-00000000] contract"),
    title="contract",
)
some(
    "answers our mail from another address of theirs",
    lambda w: [
        mail("It is about Norway.", sender="<a.novak@example.org>", more={"In-Reply-To": w.sent})
    ],
    "message",
    notes=("came from a.novak@example.org",),
)
some(
    "answers about a ticket that is closed",
    lambda w: [
        mail(
            "One more thing: may we publish?",
            f"Re: [{w.closed}] data",
            f"Cal <{CAL}>",
            more={"In-Reply-To": w.closed_sent},
        )
    ],
    "ticket",
    holds=("may we publish",),
    notes=("which is closed",),
    sender=CAL,
)
some(
    "follows their own mail, before anybody has answered",
    lambda _: [
        mail(sender=f"<{BEA}>", ident="<first@example.com>"),
        mail(
            "I forgot: in Portugal.",
            "Re: A question",
            f"<{BEA}>",
            ident="<second@example.com>",
            more={"In-Reply-To": "<first@example.com>"},
        ),
    ],
    "message",
    holds=("Portugal",),
)
some(
    "claims to answer a mail of somebody else's",
    lambda _: [
        mail(ident="<first@example.org>"),
        mail(
            "Tell me what you know.",
            sender=f"<{BEA}>",
            ident="<second@example.com>",
            more={"In-Reply-To": "<first@example.org>"},
        ),
    ],
    "ticket",
    sender=BEA,
)
some(
    "claims to answer a mail of ours that there is not",
    lambda w: [mail(sender=f"<{BEA}>", more={"In-Reply-To": w.sent.replace(".", ".0", 2)})],
    "ticket",
    sender=BEA,
)
some(
    "names the number in its text only",
    lambda w: [mail(f"What about [{w.number}]?", sender=f"<{BEA}>")],
    "ticket",
    sender=BEA,
)

# Quotes and signatures
some(
    "answers above the quote",
    lambda w: [reply(w, f"It is about Norway.\n\n{QUOTED}")],
    "message",
    holds=("Norway",),
    lacks=("under way", "wrote:"),
)
some(
    "answers above a quote as Outlook has it, in French",
    lambda w: [
        reply(
            w,
            "C’est pour la Norvège.\n\n________________________________\n"
            f"De : NMG Helpdesk <{DESK}>\nEnvoyé : lundi 2 novembre 2026 09:12\nÀ : Ada Novak\n"
            "Objet : contrat\n\nDear Ada,\nit is under way.\n",
        )
    ],
    "message",
    holds=("Norvège",),
    lacks=("under way", "Envoyé"),
)
some(
    "answers above a quote as Outlook had it, in German",
    lambda w: [
        reply(
            w,
            "Es geht um Norwegen.\n\n-----Ursprüngliche Nachricht-----\n"
            "Von: NMG Helpdesk\nGesendet: Montag, 2. November 2026 09:12\nAn: Ada Novak\n\n"
            "it is under way.\n",
        )
    ],
    "message",
    holds=("Norwegen",),
    lacks=("under way", "Gesendet"),
)
some(
    "answers above a quote without marks, in Greek",
    lambda w: [
        reply(
            w,
            "Για τη Νορβηγία.\n\nΣτις Δευ, 2 Νοε 2026 στις 09:12 π.μ., ο χρήστης NMG Helpdesk\n"
            f"<{DESK}> έγραψε:\n\nDear Ada,\nit is under way.\n",
        )
    ],
    "message",
    holds=("Νορβηγία",),
    lacks=("under way", "έγραψε"),
)
some(
    "answers between the lines",
    lambda w: [
        reply(
            w,
            f"On 2 November 2026, NMG Helpdesk <{DESK}> wrote:\n> Which country?\nNorway.\n"
            "> Which data?\nGenomes.\n",
        )
    ],
    "message",
    holds=("Which country?", "Norway.", "Genomes."),
)
some(
    "answers below the quote",
    lambda w: [reply(w, f"{QUOTED}\nIt is about Norway.")],
    "message",
    holds=("Norway",),
    lacks=("under way", "wrote:"),
)
some(
    "answers in HTML, the quote in HTML",
    lambda w: [
        reply(
            w,
            "<div>It is about <b>Norway</b>.</div><div class=gmail_quote>"
            f"<div>On 2 November 2026, Desk &lt;{DESK}&gt; wrote:</div>"
            "<blockquote>Dear Ada,<br>it is under way.</blockquote></div>",
            kind="text/html; charset=utf-8",
        )
    ],
    "message",
    holds=("about Norway",),
    lacks=("under way", "wrote:"),
)
some(
    "answers, with a signature",
    lambda w: [reply(w, "It is about Norway.\n\n-- \nAda Novak\nHarbour 7")],
    "message",
    lacks=("Harbour",),
)
one(
    "has a list, and thanks in the middle",
    mail("Two things:\n- contracts\n- consent\n\nThanks,\n\nand one more: who signs?\n\n--\nAda"),
    holds=("- consent", "who signs?"),
    lacks=("--",),
)
one(
    "passes on a mail",
    mail(
        f"What shall I say?\n\n---------- Forwarded message ---------\nFrom: Bea <{BEA}>\n"
        "Date: Mon, 2 Nov 2026 at 08:00\nSubject: data\nTo: Ada\n\nMay we copy the data?",
        "Fwd: data",
    ),
    holds=("What shall I say?", "May we copy"),
    title="Fwd: data",
)
one(
    "asks about a quote",
    mail(f"Is this right?\n\nOn 2 November 2026, Bea <{BEA}> wrote:\n> Consent is enough.\n"),
    holds=("Is this right?", "Consent is enough"),
)
