"""Mails that the helpdesk sends: what they say, and what becomes of them at an SMTP server."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP, SMTPUTF8, Policy, default
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.smtp import SmtpServer, Taken, Way
from telling import (
    ASKED,
    DESK_ADDRESS,
    EVERYWHERE,
    MAIL_ONLY,
    SENDER,
    SITE,
    TEAM,
    TEXTS,
    deliver,
    reply,
    rows,
    smtp,
    telling,
)

from api.desk.delivery.mails import HEADER, Mail, Mails
from api.desk.delivery.models import Delivery, Undelivered
from api.desk.desk import Desk
from api.desk.models import Case, Message, Ticket
from rag.language import LANGUAGES
from rag.messages import FALLBACK

HOUR = 3600.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with telling("", tmp_path / "data", MAIL_ONLY) as opened:
        yield opened


def _sent(desk: Desk, server: SmtpServer, **how: object) -> list[Taken]:
    sender = how.pop("sender", SENDER)
    carrier = smtp(server.port, sender, **how)  # type: ignore[arg-type]
    deliver(desk, {"mail": carrier, "team": carrier})
    return server.taken


def test_who_asks_is_sent_their_link_and_not_a_word_of_what_was_typed(desk: Desk) -> None:
    with SmtpServer() as server:
        ticket, token = desk.tickets.open(ASKED)
        (taken,) = _sent(desk, server)
    mail = taken.mail
    assert (taken.sender, taken.recipients) == (DESK_ADDRESS, (ASKED.email,))
    assert mail["Subject"] == f"[{ticket.ticket_id}] We have received your question"
    assert mail["To"] == ASKED.email
    assert mail["From"] == f"NMG Helpdesk <{DESK_ADDRESS}>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail[HEADER] == ticket.ticket_id
    assert mail["Reply-To"] is None
    assert f"{SITE}/tickets/{ticket.ticket_id}?token={token}" in mail.get_content()
    # Anybody may have typed it, with the address of somebody who never asked.
    assert "samples" not in taken.raw.decode()
    assert "Ada" not in taken.raw.decode().replace(ASKED.email, "")


def test_a_reply_comes_with_the_question_and_how_to_answer(desk: Desk) -> None:
    with SmtpServer() as server:
        ticket, _ = desk.tickets.open(ASKED)
        reply(desk, ticket, "They may.\n\nSee https://steward.example/rules.")
        received, replied = (each.mail for each in _sent(desk, server))
        assert replied["Subject"] == f"[{ticket.ticket_id}] {ticket.title}"
        assert replied["In-Reply-To"] == replied["References"] == received["Message-ID"]
        assert replied["Auto-Submitted"] is None
        said = replied.get_content().replace("\r\n", "\n")
        assert said.startswith("They may.\n\nSee https://steward.example/rules.\n\n-- \n")
        assert f"“{ASKED.question}”" in said
        assert "the link that you were given" in said
        reply(desk, ticket, "And more.")
        more = _sent(desk, server, sender=replace(SENDER, reply_to="box@nmg.example"))[-1].mail
    assert more["References"].split() == [received["Message-ID"], replied["Message-ID"]]
    assert more["Reply-To"] == "box@nmg.example"
    assert "answer this mail" in more.get_content()


@pytest.mark.parametrize("language", LANGUAGES)
def test_mails_have_every_text_in_every_language(language: str) -> None:
    def fields(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)

    texts, english = TEXTS.texts[language], TEXTS.texts[FALLBACK]
    assert {key: fields(text) for key, text in texts.items()} == {
        key: fields(text) for key, text in english.items()
    }


def test_a_person_is_written_to_in_their_language(desk: Desk) -> None:
    with SmtpServer() as server:
        ticket, token = desk.tickets.open(replace(ASKED, language="de"))
        desk.tickets.open(replace(ASKED, language="ja"))
        german, english = _sent(desk, server)
    assert german.mail["Subject"] == f"[{ticket.ticket_id}] Wir haben Ihre Frage erhalten"
    assert f"?token={token}" in german.mail.get_content()
    assert english.mail["Subject"].endswith("We have received your question")


def test_who_asked_by_mail_has_it_in_the_same_thread(desk: Desk) -> None:
    with SmtpServer() as server:
        desk.tickets.open(ASKED, "<their.mail@clinic.example>")
        desk.tickets.open(ASKED, "<a>\r\nBcc: everybody@clinic.example")
        in_thread, forged = _sent(desk, server)
    assert in_thread.mail["In-Reply-To"] == "<their.mail@clinic.example>"
    assert forged.mail["In-Reply-To"] is None
    assert forged.mail["Bcc"] is None


def test_the_team_learns_that_there_is_something_and_nothing_of_anybody(tmp_path: Path) -> None:
    with telling("", tmp_path / "data", EVERYWHERE) as desk, SmtpServer() as server:
        ticket, token = desk.tickets.open(ASKED)
        desk.tickets.write_back(ticket.ticket_id, token, "Any news?")
        of_team = [each for each in _sent(desk, server) if each.recipients == (TEAM,)]
    assert [each.mail["Subject"].partition("] ")[2] for each in of_team] == [
        "The person wrote back", "New question",
    ]  # fmt: skip
    for each in of_team:
        text = each.raw.decode()
        assert f"{SITE}/desk/tickets/{ticket.ticket_id}" in each.mail.get_content()
        assert "Portugal" in text
        assert each.mail["Auto-Submitted"] == "auto-generated"
        for theirs in ("samples", "news", "Ada", ASKED.email, token):
            assert theirs not in text


def test_letters_of_all_kinds_arrive_in_lines_that_every_server_takes(desk: Desk) -> None:
    text = "Ευχαριστώ, žluťoučký kůň 🕊\n" + "very " * 400 + "\n.\n..\nFrom here\n"
    with SmtpServer() as server:
        ticket, _ = desk.tickets.open(replace(ASKED, question="Ποιος αποφασίζει; 🕊"))
        reply(desk, ticket, text)
        replied = _sent(desk, server)[1]
    assert replied.mail["Subject"].endswith("Ποιος αποφασίζει; 🕊")
    assert text.rstrip() in replied.mail.get_content().replace("\r\n", "\n")
    assert replied.raw.isascii()
    assert max(len(line) for line in replied.raw.split(b"\r\n")) <= 998


@pytest.mark.parametrize(
    ("address", "utf8", "arrives_at"),
    [
        ("ada@bücher.example", True, "ada@xn--bcher-kva.example"),
        ("ädä@clinic.example", True, "ädä@clinic.example"),
        ("ädä@clinic.example", False, None),
    ],
)
def test_addresses_in_other_letters_are_reached_where_the_server_can(
    desk: Desk, address: str, utf8: bool, arrives_at: str | None
) -> None:
    with SmtpServer(utf8=utf8) as server:
        desk.tickets.open(replace(ASKED, email=address))
        taken = _sent(desk, server)
    assert [each.recipients[0] for each in taken] == ([arrives_at] if arrives_at else [])
    assert (rows(desk)[0]["state"] == "done") == bool(arrives_at)


@pytest.mark.parametrize(
    ("way", "state", "error"),
    [
        ("refuse recipient", "dead", "recipient refused, 550"),
        ("refuse", "dead", "mail refused, 554"),
        ("refuse later", "waiting", "recipient refused, 451"),
        ("refuse sender", "waiting", "server refuses, 550"),
        ("die before", "waiting", "no connection"),
        ("die between", "waiting", "no connection"),
        ("die after", "done", None),
        ("slow", "done", None),
    ],
)
def test_what_the_server_does_decides_what_becomes_of_a_mail(
    desk: Desk, way: Way, state: str, error: str | None
) -> None:
    with SmtpServer(behave=lambda: way) as server:
        desk.tickets.open(ASKED)
        _sent(desk, server)
    row = rows(desk)[0]
    assert (row["state"], row["last_error"]) == (state, error)


def test_a_mail_that_is_repeated_is_the_same_to_the_letter(desk: Desk) -> None:
    ways: list[Way] = ["die between", "take"]
    with SmtpServer(behave=lambda: ways.pop(0)) as server:
        desk.tickets.open(ASKED)
        carrier = smtp(server.port)
        deliver(desk, {"mail": carrier})
        deliver(desk, {"mail": carrier}, HOUR)
    first, again = server.taken
    assert first.raw == again.raw
    assert rows(desk)[0]["state"] == "done"


def test_a_server_that_cannot_be_reached_or_says_nothing_is_asked_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.tickets.open(ASKED)
    with SmtpServer() as server:
        gone = server.port
    deliver(desk, {"mail": smtp(gone)})
    assert rows(desk)[0]["last_error"] == "no connection"
    monkeypatch.setattr("api.desk.delivery.smtp._ALL_S", 0.1)
    with SmtpServer(behave=lambda: "slow", slow_s=1) as server:
        deliver(desk, {"mail": smtp(server.port)}, HOUR)
    assert rows(desk)[0]["last_error"] == "server too slow"
    assert rows(desk)[0]["state"] == "waiting"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_password_is_sent_encrypted_to_a_server_that_proves_who_it_is(
    desk: Desk, certificate: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    how = {"security": security, "host": "localhost", "user": "desk", "password": "pässword"}
    with SmtpServer(tls=tls, implicit=security == "tls", login=("desk", "pässword")) as server:
        desk.tickets.open(ASKED)
        assert _sent(desk, server, **how) == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        deliver(desk, {"mail": smtp(server.port, **how)}, 2 * HOUR)
        wrong = {**how, "password": "wrong"}
        desk.tickets.open(ASKED)
        deliver(desk, {"mail": smtp(server.port, **wrong)})
    (taken,) = server.taken
    assert (taken.encrypted, taken.user) == (True, "desk")
    assert [each["last_error"] for each in rows(desk)] == [None, "server refuses, 535"]


def test_a_server_without_starttls_gets_no_mail(desk: Desk) -> None:
    with SmtpServer() as server:
        desk.tickets.open(ASKED)
        assert _sent(desk, server, security="starttls") == []
    assert rows(desk)[0]["last_error"] == "server lacks what is needed"


@given(title=st.text(min_size=1), text=st.text(), name=st.text())
def test_whatever_is_written_no_header_is_added(title: str, text: str, name: str) -> None:
    mail = _written(title, text, name)
    read = message_from_bytes(mail.message.as_bytes(), policy=default)
    assert sorted(read.keys()) == sorted([
        "From", "To", "Subject", "Date", "Message-ID", HEADER, "Content-Type", "MIME-Version",
        "Content-Transfer-Encoding",
    ])  # fmt: skip
    assert read["To"].addresses[0].addr_spec == ASKED.email
    assert len(read["From"].addresses) == 1
    assert mail.recipient == ASKED.email


@pytest.mark.parametrize("policy", [SMTP, SMTPUTF8])
def test_long_ids_stay_whole_beside_a_long_subject_in_other_letters(policy: Policy) -> None:
    theirs, *ours = (f"<{str(at) * 100}@clinic.example>" for at in range(6))
    title = ("Ποιος αποφασίζει για τα δεδομένα; " * 6).strip()
    mail = _written(
        title,
        "Text",
        "Ada",
        payload={"number": 1, "in_reply_to": theirs},
        message_id=ours[-1],
        earlier=tuple(ours[:-1]),
    )
    raw = mail.message.as_bytes(policy=policy)
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.decode().split("\r\n"))) <= 130
    read = message_from_bytes(raw)
    names = ("References", "In-Reply-To", "Message-ID")
    plain = {name: " ".join(str(read[name]).split()) for name in names}
    assert plain["References"] == " ".join((theirs, *ours[:-1]))
    assert plain["In-Reply-To"] == ours[-2]
    assert plain["Message-ID"] == ours[-1]
    assert message_from_bytes(raw, policy=default)["Subject"] == f"[NMG-00000001] {title}"


@given(st.text())
def test_what_is_no_address_is_written_to_by_nobody(address: str) -> None:
    with pytest.raises(Undelivered) as refused:
        _written("Title", "Text", "Ada", f"{address}\r\nBcc: all@clinic.example")
    assert refused.value.for_good


def _written(title: str, text: str, name: str, email: str = ASKED.email, **told: Any) -> Mail:
    now = dt.datetime.now(dt.UTC)
    ticket = Ticket(
        **{**vars(ASKED), "email": email, "name": name},
        ticket_id="NMG-00000001",
        created_at=now,
        state="pending",
        consent_at=now,
        title=title,
        intent=None,
        priority="normal",
        group=None,
        assignee=None,
        tags=(),
        first_reply_at=None,
        updated_at=now,
        closed_at=None,
        version=2,
        triage=None,
        cited=(),
    )
    delivery = Delivery(
        "1", ticket.ticket_id, "mail", "replied", {"number": 1}, "<1@nmg.example>", now, 1, (), None
    )
    case = Case(ticket, (Message(1, "reply", "S-1", now, text),), ())
    return Mails(TEXTS, SENDER, SITE).write(replace(delivery, **told), case)
