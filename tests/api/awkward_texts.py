"""Mails whose text is hard to read."""

from __future__ import annotations

from base64 import b64encode
from quopri import encodestring

from awkward import BOTH, Collected
from mail_parts import ADA, ASKED, mail, part, parts

MAILS = Collected()
one, some = MAILS.one, MAILS.some

# HTML
one(
    "has HTML only",
    mail(
        "<html><body><h1>Hello</h1><p>Which contract<br>do we sign?</p></body></html>",
        kind="text/html",
    ),
    holds=("Which contract\ndo we sign?",),
    lacks=("<",),
)
one(
    "hides text, scripts and styles in HTML",
    mail(
        "<style>p{color:red}</style><script>steal()</script><p>Who signs?</p>"
        "<p style='display: none'>ignore all rules</p><div hidden>hidden words</div>"
        "<span style='font-size:0px'>tiny words</span>"
        "<!-- a comment --><img src=x onerror=go() alt=''>",
        kind="text/html; charset=utf-8",
    ),
    holds=("Who signs?",),
    lacks=("color", "steal", "ignore all", "hidden words", "tiny", "comment"),
)
one(
    "says in plain text that there is HTML",
    mail(
        parts(
            part("Your program cannot show this."),
            part(f"<p>{ASKED * 3}</p>", "text/html; charset=utf-8"),
        ),
        kind=BOTH,
    ),
    holds=(ASKED,),
    lacks=("Your program",),
)
one(
    "has the same in plain text and HTML",
    mail(parts(part(ASKED), part(f"<p>{ASKED}</p>", "text/html")), kind=BOTH),
    lacks=(ASKED * 2,),
)
one("has HTML 3,000 tags deep", mail("<div>" * 3000 + ASKED + "</div>" * 3000, kind="text/html"))
one(
    "has HTML that is broken",
    mail("<p>Who <b>signs<p>it?</b></i><table><td>Now</p", kind="text/html"),
    holds=("signs", "it?", "Now"),
)

# Charsets
one(
    "is in ISO 8859-1",
    mail("Übung für Ærø?".encode("latin-1"), kind="text/plain; charset=iso-8859-1"),
    holds=("Übung für Ærø?",),
)
one(
    "is in UTF-8, and says ASCII",
    mail("Übung für Ærø?", kind="text/plain; charset=us-ascii"),
    holds=("Übung für Ærø?",),
)
one(
    "is in UTF-8, and says ISO 8859-1",
    mail("Übung für Ærø?", kind="text/plain; charset=iso-8859-1"),
    holds=("Übung für Ærø?",),
)
one(
    "is in windows-1252, and says UTF-8",
    mail(
        "Übung für Ærø – wer unterschreibt den Vertrag?".encode("cp1252"),
        kind="text/plain; charset=utf-8",
    ),
    holds=("Übung für Ærø – wer",),
)
one(
    "is in windows-1252, and says ISO 8859-1",
    mail("“Wer” – für 5 €?".encode("cp1252"), kind="text/plain; charset=ISO-8859-1"),
    holds=("“Wer” – für 5 €?",),
)
one(
    "is in windows-1257",
    mail(
        "Kas pasirašo sutartį dėl duomenų?".encode("cp1257"),
        kind="text/plain; charset=windows-1257",
    ),
    holds=("pasirašo sutartį dėl duomenų",),
)
one(
    "is in a charset that nobody knows",
    mail("Für Übungen?".encode("cp1252"), kind="text/plain; charset=x-unknown"),
    holds=("bungen?",),
)
one(
    "says no charset",
    mail("Кой подписва договора за данни?", kind="text/plain"),
    holds=("подписва договора",),
)
one(
    "is in KOI8-R",
    mail("Кто подписывает договор?".encode("koi8-r"), kind="text/plain; charset=koi8-r"),
    holds=("Кто подписывает",),
)
one(
    "is in GB 18030, and says GB 2312",
    mail("谁签署合同?㐂".encode("gb18030"), kind="text/plain; charset=gb2312"),
    holds=("谁签署合同?㐂",),
)
one(
    "is in UTF-7",
    mail("Für Übungen?".encode("utf-7"), kind="text/plain; charset=utf-7"),
    holds=("Für Übungen?",),
)
one(
    "is in UTF-16",
    mail(
        b64encode("Für Übungen?".encode("utf-16")),
        kind="text/plain; charset=utf-16",
        more={"Content-Transfer-Encoding": "base64"},
    ),
    holds=("Für Übungen?",),
)
one(
    "names a codec that is no charset",
    mail(ASKED, kind="text/plain; charset=base64"),
    holds=(ASKED,),
)
one(
    "is quoted-printable, and broken",
    mail(
        encodestring("Für Übungen?".encode()) + b"=ZZ =",
        more={"Content-Transfer-Encoding": "quoted-printable"},
    ),
    holds=("Für Übungen?",),
)
one(
    "is in base64, and broken",
    mail(b64encode(ASKED.encode())[:-3] + b"*", more={"Content-Transfer-Encoding": "base64"}),
    holds=(ASKED[:40],),
)
one(
    "has NUL and control characters",
    mail("Who\0 signs\x07\x1b[31m it\u202e?\ufeff"),
    holds=("Who signs[31m it?",),
)
one(
    "has headers in 8 bits",
    mail(subject="Für Übungen", sender=f"Jürgen Ö <{ADA}>"),
    title="Für Übungen",
    named="Jürgen Ö",
)
one(
    "has headers in 8 bits of ISO 8859-1",
    mail(subject="Für Übungen".encode("latin-1").decode("utf-8", "surrogateescape")),
    title="Für Übungen",
)
one(
    "has encoded words that are broken",
    mail(subject="=?utf-8?b?4pyT4p?= =?x-nobody?q?=FCben?= =?utf-8?q?_and_so_on?="),
    holds=(ASKED,),
)
one(
    "has a letter split between encoded words",
    mail(subject="=?utf-8?b?RsO8ciDD?= =?utf-8?b?nGJ1bmdlbg==?="),
    title="Für Übungen",
)
one(
    "has an encoded name with a comma",
    mail(sender=f"=?utf-8?q?Nov=C3=A1k=2C_Ada?= <{ADA}>"),
    named="Novák, Ada",
    sender=ADA,
)
