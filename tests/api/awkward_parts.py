"""Mails of many parts, and of odd ones."""

from __future__ import annotations

from base64 import b64encode

from awkward import BOTH, MIXED, Collected
from mail_parts import ADA, ASKED, BEA, attached, mail, part, parts

MAILS = Collected()
one, some = MAILS.one, MAILS.some

# Parts
one(
    "has parts within parts",
    mail(
        parts(
            part(
                parts(
                    part(
                        parts(part(ASKED), part("<p>x</p>", "text/html"), boundary="b3"),
                        "multipart/alternative; boundary=b3",
                    ),
                    part(b"GIF", "image/gif", "Content-ID: <logo>\r\n"),
                    boundary="b2",
                ),
                "multipart/related; boundary=b2",
            ),
            attached("plan.pdf", b"%PDF" * 500),
        ),
        kind=MIXED,
    ),
    holds=(ASKED,),
    notes=("plan.pdf (application/pdf, 2 kB)",),
)


def deep(levels: int) -> bytes:
    inner = part(ASKED)
    for level in range(levels):
        name = f"d{level}"
        inner = part(parts(inner, boundary=name), f"multipart/mixed; boundary={name}")
    return inner


one("has parts 100 deep", mail(parts(deep(100)), "Who signs?", kind=MIXED), holds=("Who signs?",))
one(
    "has 1,000 parts",
    mail(parts(*[part("x", "text/x-note")] * 1000, part(ASKED)), "Who signs?", kind=MIXED),
    holds=("Who signs?",),
    notes=("and 2",),
)
one(
    "passes on a mail as a part, without a word",
    mail(
        parts(part(mail("May we copy the data?", "data", f"<{BEA}>"), "message/rfc822")),
        "Fwd: data",
        kind=MIXED,
    ),
    holds=("May we copy",),
    notes=("- data (message/rfc822)",),
    sender=ADA,
)
one(
    "has winmail.dat",
    mail(
        parts(part(ASKED), attached("winmail.dat", b"x\x9f" * 600, "application/ms-tnef")),
        kind=MIXED,
    ),
    notes=("winmail.dat",),
)
one(
    "invites to a meeting",
    mail(
        parts(
            part("Shall we meet?"),
            part(
                "BEGIN:VCALENDAR\nEND:VCALENDAR", "text/calendar; method=REQUEST; name=invite.ics"
            ),
        ),
        kind=BOTH,
    ),
    holds=("Shall we meet?",),
    lacks=("VCALENDAR",),
    notes=("invite.ics",),
)
one(
    "is signed by PGP",
    mail(
        parts(
            part(ASKED),
            part(
                "-----BEGIN PGP SIGNATURE-----",
                "application/pgp-signature",
                "Content-Disposition: attachment; filename=sign.asc\r\n",
            ),
        ),
        kind="multipart/signed; protocol=application/pgp-signature; boundary=b1",
    ),
    holds=(ASKED,),
)
one(
    "is signed by PGP within its text",
    mail(
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{ASKED}\n- - one\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEzBAEB\n-----END PGP SIGNATURE-----\n"
    ),
    holds=(f"{ASKED}\n- one",),
    lacks=("PGP", "iQEz"),
)
one(
    "is encrypted by PGP",
    mail(
        parts(
            part("Version: 1", "application/pgp-encrypted"),
            part("-----BEGIN PGP MESSAGE-----", "application/octet-stream"),
        ),
        kind="multipart/encrypted; boundary=b1",
    ),
    holds=("cannot be read",),
    notes=("Ask for it without encryption",),
)
one(
    "is encrypted by PGP within its text",
    mail("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----"),
    holds=("cannot be read",),
    lacks=("hQEMA",),
    notes=("Ask for it without encryption",),
)
one(
    "is encrypted by S/MIME",
    mail(
        b64encode(b"\x30\x82" * 300),
        kind="application/pkcs7-mime; name=smime.p7m",
        more={"Content-Transfer-Encoding": "base64"},
    ),
    holds=("cannot be read",),
    notes=("Ask for it without encryption",),
)
one("is of parts without a boundary", mail(ASKED, kind="multipart/mixed"), holds=(ASKED,))
one(
    "never ends its parts",
    mail(parts(part(ASKED)).replace(b"--b1--", b""), kind=MIXED),
    holds=(ASKED,),
)
one(
    "has a subject only",
    mail("", "Re: Who signs the contract?"),
    holds=("Who signs the contract?",),
    title="Who signs the contract?",
)
one(
    "has an attachment only",
    mail(parts(attached("plan.pdf", b"%PDF")), "", kind=MIXED),
    holds=("has no text",),
    notes=("plan.pdf",),
)
one("is empty", mail("", ""), "nothing")
one(
    "has an attachment whose name is a path",
    mail(parts(part(ASKED), attached("../../etc/=?utf-8?q?p=C3=A4ss?=\twd", b"x")), kind=MIXED),
    notes=("etc",),
)
