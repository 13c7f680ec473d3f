"""Mails read: whatever they hold, and what of them somebody wrote themselves."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_parts import ADA, ASKED, DESK, mail, part, parts

from api.desk.inbox.decoding import clean, decoded, header_text
from api.desk.inbox.html_text import html_text
from api.desk.inbox.mail import UnreadableMail
from api.desk.inbox.own_text import is_forwarded, own_text
from api.desk.inbox.reading import read_mail

WRITTEN = "It is about Norway.\n\nWho signs?"
QUOTE = "Dear Ada,\nit is under way."
INTRODUCTIONS = {
    "bg": f"На пн, 2.11.2026 г. в 09:12 ч. Desk <{DESK}> написа:",
    "cs": f"Dne po 2. 11. 2026 9:12 uživatel Desk <{DESK}> napsal:",
    "da": f"Den man. 2. nov. 2026 kl. 09.12 skrev Desk <{DESK}>:",
    "de": f"Am Mo., 2. Nov. 2026 um 09:12 Uhr schrieb Desk <{DESK}>:",
    "el": f"Στις Δευ 2 Νοε 2026 στις 9:12 π.μ., ο χρήστης Desk <{DESK}> έγραψε:",
    "en": f"On Mon, 2 Nov 2026 at 09:12, Desk <{DESK}> wrote:",
    "es": f"El lun, 2 nov 2026 a las 9:12, Desk (<{DESK}>) escribió:",
    "et": f"Kuupäev E, 2. november 2026 kell 09:12 kirjutas Desk <{DESK}>:",
    "fi": f"ma 2. marrask. 2026 klo 9.12 Desk <{DESK}> kirjoitti:",
    "fr": f"Le lun. 2 nov. 2026 à 09:12, Desk <{DESK}> a écrit :",
    "ga": f"Ar Luan 2 Samh 2026 ag 09:12, scríobh Desk <{DESK}>:",
    "hr": f"pon, 2. stu 2026. u 09:12 Desk <{DESK}> napisao je:",
    "hu": f"Desk <{DESK}> ezt írta (időpont: 2026. nov. 2., H, 9:12):",
    "it": f"Il giorno lun 2 nov 2026 alle ore 09:12 Desk <{DESK}> ha scritto:",
    "lt": f"2026-11-02, pr, 09:12 Desk <{DESK}> rašė:",
    "lv": f"pirmd., 2026. g. 2. nov., plkst. 09:12, lietotājs Desk <{DESK}> rakstīja:",
    "mt": f"Fit-Tnejn, 2 Nov 2026 fid-09:12, Desk <{DESK}> kiteb:",
    "nb": f"man. 2. nov. 2026 kl. 09:12 skrev Desk <{DESK}>:",
    "nl": f"Op ma 2 nov 2026 om 09:12 schreef Desk <{DESK}>:",
    "pl": f"pon., 2 lis 2026 o 09:12 Desk <{DESK}> napisał(a):",
    "pt": f"Desk <{DESK}> escreveu (segunda, 2/11/2026 à(s) 09:12):",
    "ro": f"În lun., 2 nov. 2026 la 09:12, Desk <{DESK}> a scris:",
    "sk": f"po 2. 11. 2026 o 9:12 Desk <{DESK}> napísal(a):",
    "sl": f"V V pon., 2. nov. 2026 ob 09:12 je oseba Desk <{DESK}> napisala:",
    "sv": f"Den mån 2 nov. 2026 kl 09:12 skrev Desk <{DESK}>:",
}
HEADS = {
    "cs": ("Od", "Odesláno", "Komu", "Předmět"),
    "de": ("Von", "Gesendet", "An", "Betreff"),
    "el": ("Από", "Στάλθηκε", "Προς", "Θέμα"),
    "en": ("From", "Sent", "To", "Subject"),
    "fi": ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"),
    "fr": ("De\xa0", "Envoyé\xa0", "À\xa0", "Objet\xa0"),
    "hu": ("Feladó", "Elküldve", "Címzett", "Tárgy"),
    "pl": ("Od", "Wysłane", "Do", "Temat"),
}


@pytest.mark.parametrize("introduction", INTRODUCTIONS.values(), ids=list(INTRODUCTIONS))
def test_a_quote_below_is_left_out_in_any_language(introduction: str) -> None:
    marked = "\n".join(f"> {line}" for line in QUOTE.splitlines())
    # Programs break it, mostly before the address; where the date comes later, after that.
    later = introduction.startswith("Desk")
    broken = introduction if later else introduction.replace(f" <{DESK}", f"\n<{DESK}")
    for told in (introduction, broken):
        assert own_text(f"{WRITTEN}\n\n{told}\n{marked}\n", answers=True) == WRITTEN
        assert own_text(f"{WRITTEN}\n\n{told}\n\n{QUOTE}\n", answers=True) == WRITTEN


@pytest.mark.parametrize("names", HEADS.values(), ids=list(HEADS))
def test_the_head_of_a_mail_below_is_left_out_in_any_language(names: tuple[str, ...]) -> None:
    values = (f"Desk <{DESK}>", "Monday 2 November 2026 09:12", ADA, "Re: contract")
    head = clean("\n".join(f"{name}: {value}" for name, value in zip(names, values, strict=True)))
    for before in ("", "_" * 32 + "\n", "-----Original-----\n"):
        assert own_text(f"{WRITTEN}\n\n{before}{head}\n\n{QUOTE}", answers=True) == WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        "Please ask Ada:\n- contracts\n- consent",
        "Write to ada@example.org:\nshe signs.",
        "In 2026 we asked:\nwho signs?",
        "Name: harbour\nPlace: Norway\nYear: 2026\nWho signs?",
        "> Which data?\nGenomes.\n> Which country?\nNorway.",
        "Thanks,\n\nand one more: who signs?",
        "Dear all\n-- the committee -- decides\nWho signs?",
    ],
)
def test_what_is_no_quote_stays(text: str) -> None:
    assert own_text(text, answers=True) == text


def test_a_new_question_keeps_what_it_quotes() -> None:
    text = f"{WRITTEN}\n\n{INTRODUCTIONS['en']}\n> {ASKED}"
    assert own_text(text, answers=False) == text


@given(st.text(alphabet="ab >:-_\n@.<2026", max_size=300), st.booleans())
def test_own_text_only_leaves_out(text: str, answers: bool) -> None:
    kept = own_text(text, answers=answers)
    assert bool(kept) == bool(text.strip())
    left = iter(text.split())
    assert all(word in left for word in kept.split())


@pytest.mark.parametrize("word", ["Fwd:", "FW:", "WG:", "TR :", "Továbbítás:"])
def test_a_mail_that_is_passed_on_is_known_by_its_subject(word: str) -> None:
    assert is_forwarded(f"{word} data")
    assert not is_forwarded(f"data {word}")


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        (b"caf\xe9", "latin-1", "café"),
        ("café".encode(), "latin-1", "café"),
        ("café".encode(), '"UTF-8"', "café"),
        (b"caf\xe9", None, "café"),
        (b"caf\xe9", "idna", "café"),
        ("日本語".encode("shift-jis"), "x-sjis", "日本語"),
        ("日本語".encode("iso-2022-jp"), "iso-2022-jp", "日本語"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("Ελληνικά".encode("iso-8859-7"), "iso-8859-7", "Ελληνικά"),
    ],
)
def test_bytes_are_read_by_their_charset_or_a_likely_one(
    content: bytes, charset: str | None, text: str
) -> None:
    assert decoded(content, charset) == text


@given(st.binary(max_size=400), st.one_of(st.none(), st.text(max_size=12)))
def test_any_bytes_become_text(content: bytes, charset: str | None) -> None:
    clean(decoded(content, charset)).encode()


@given(st.text(max_size=200))
def test_a_header_becomes_one_line_that_can_be_stored(raw: str) -> None:
    told = header_text(raw)
    told.encode()
    assert "\n" not in told
    assert "\0" not in told


@settings(max_examples=300)
@given(st.binary(max_size=600))
def test_any_bytes_are_a_mail_or_unreadable(raw: bytes) -> None:
    heads = b"From: Ada <ada@example.org>\r\nSubject: x\r\n"
    for each in (
        raw,
        heads + raw,
        heads + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + raw,
    ):
        try:
            found = read_mail(each, [DESK])
        except UnreadableMail:
            continue
        for text in (found.text, found.subject, found.name or ""):
            text.encode()
            assert "\0" not in text


@pytest.mark.parametrize(
    "raw",
    [
        mail("<" * 400_000, kind="text/html"),
        mail("<p>" * 130_000, kind="text/html"),
        mail("<blockquote>x" * 20_000, kind="text/html"),
        mail("a@" * 1_000_000),
        mail("-" * 1_000_000),
        mail("> \n" * 300_000),
        mail(more={"References": "<" * 500_000}),
        mail(sender="(" * 100_000 + ADA),
        mail(sender=",".join(["x"] * 50_000) + f" <{ADA}>"),
        mail(parts(*[part("x")] * 5000), kind="multipart/mixed; boundary=b1"),
        mail(
            "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n" * 3000,
            kind="multipart/mixed; boundary=b1",
        ),
        mail("-----BEGIN PGP SIGNED MESSAGE-----\n" * 10_000),
    ],
    ids=range(12),
)
def test_no_mail_takes_long_to_read(raw: bytes) -> None:
    began = time.process_time()
    try:
        found = read_mail(raw, [DESK])
        own_text(found.text, answers=True)
    except UnreadableMail:
        pass
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "raw",
    [
        mail("-----BEGIN PGP SIGNED MESSAGE-----\n" * 10_000),
        mail("-----BEGIN PGP SIGNED MESSAGE-----\na: b\n\n" * 8_000),
        mail(kind="text/plain" + ";" * 400_000),
        mail(kind="multipart/mixed; boundary=b1" + ';x="' * 100_000),
        mail(more={"Content-Disposition": "inline" + ";" * 400_000}),
        mail(parts(part(ASKED, "text/plain" + ";" * 400_000)), kind="multipart/mixed; boundary=b1"),
        mail(
            parts(*[part("x", "text/plain" + ";" * 9_000)] * 200),
            kind="multipart/mixed; boundary=b1",
        ),
    ],
    ids=range(7),
)
def test_no_mail_takes_more_than_a_second(raw: bytes) -> None:
    began = time.process_time()
    read_mail(raw, [DESK])
    assert time.process_time() - began < 1


def test_of_a_header_with_many_parameters_the_first_are_read() -> None:
    kind = "text/plain; charset=iso-8859-7" + "; x=y" * 50_000
    assert read_mail(mail("Ελληνικά".encode("iso-8859-7"), kind=kind), [DESK]).text == "Ελληνικά"


@pytest.mark.parametrize("encoding", ["8bit", "base64", "\xff"])
@pytest.mark.parametrize("kind", ["text/plain", "message/delivery-status", "image/png"])
def test_a_charset_that_is_no_name_spoils_no_mail(kind: str, encoding: str) -> None:
    wrong = (
        f"--b1\r\nContent-Type: {kind}; charset=iso\0-1\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n\xff\xfe\r\n"
    ).encode("latin-1")
    said = f"--b1\r\nContent-Type: text/plain\r\n\r\n{ASKED}\r\n".encode()
    for mixed in ("mixed", "report; report-type=delivery-status"):
        raw = mail(wrong + said + b"--b1--\r\n", kind=f"multipart/{mixed}; boundary=b1")
        assert ASKED in read_mail(raw, [DESK]).text


def test_each_text_that_is_signed_within_itself_is_opened() -> None:
    signed = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- - one\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----"
    )
    read = read_mail(mail(f"Above\n{signed}\nBetween\n{signed}\nBelow"), [DESK])
    assert read.text == "Above\n- one\nBetween\n- one\nBelow"
    opened = "-----BEGIN PGP SIGNED MESSAGE-----\n\nNever signed"
    assert read_mail(mail(opened), [DESK]).text == opened


def test_ids_with_bytes_beyond_ascii_are_none() -> None:
    foreign = "<a\udcff@x.org>"
    more = {"In-Reply-To": foreign, "References": f"<b@x.org> {foreign} <é@x.org>"}
    read = read_mail(mail(ident=foreign, more=more), [DESK])
    assert read.message_id == ""
    assert read.references == ("<b@x.org>",)


def test_who_sends_a_mail_cannot_say_that_a_part_was_left_out() -> None:
    told = part("x" * 2000, "application/pdf; name=a.pdf", "X-Left-Out: 99999999\r\n")
    read = read_mail(mail(parts(told), kind="multipart/mixed; boundary=b1"), [DESK])
    assert [each.size for each in read.attachments] == [2000]


def test_blocks_of_a_page_are_lines() -> None:
    page = "<ul><li>one<li>two</ul><table><tr><td>a</td><td>b</td></tr></table><pre>x\ny</pre>"
    assert html_text(page).split() == ["one", "two", "a", "b", "x", "y"]
    assert "one\ntwo" in html_text(page)


def test_a_quote_in_a_quote_is_marked_twice() -> None:
    page = "<p>Yes.</p><blockquote>Who?<blockquote>And when?</blockquote></blockquote>"
    assert html_text(page) == "Yes.\n\n> Who?\n>\n> > And when?"
