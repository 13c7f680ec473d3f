"""Mails taken in from a real mail server, awkward ones above all."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import shelf
from awkward import Awkward, World
from awkward_mails import EVERY
from awkward_others import attached
from fastapi.testclient import TestClient
from mail_parts import ADA, ASKED, BEA, CAL, DESK, mail
from parts import services
from pydantic import ValidationError
from servers.imap import PASSWORD, ImapServer
from sqlalchemy import select

from api.app import build_app
from api.desk.database import Database, DeskUnavailable
from api.desk.desk import Desk, open_desk
from api.desk.inbox.inbox import Inbox, Polled
from api.desk.inbox.intake import Intake, Taken
from api.desk.inbox.mail import Mail, UnreadableMail
from api.desk.inbox.mailbox import Mailbox, opened
from api.desk.inbox.reading import read_mail
from api.desk.models import Actor, Case, Limits, NewTicket, Seen
from api.desk.outbox import Outlets
from api.desk.persons import Persons
from api.desk.tables import MAILS, OUTBOX, TICKETS
from api.live import LiveIndex
from api.settings import InboxSettings
from rag.store import Store

STAFF = Actor("staff", "admin")
OUTLETS = Outlets(mail_domain="helpdesk.example.org", team=True)
_FOLDERS = count()


@dataclass
class Post:
    """A desk, its database, and a folder of a mail server that it takes its mails from."""

    desk: Desk
    database: Database
    server: ImapServer
    folder: str
    done: str = ""

    def __post_init__(self) -> None:
        self.inbox = self.reader()

    def reader(self) -> Inbox:
        """Another that reads the same folder."""
        account = self.server.account(self.folder, self.done)
        return Inbox(account, self.desk.intake, [DESK], 5, 60)

    def deliver(self, *mails: bytes) -> None:
        with self.server.client() as client:
            for each in mails:
                client.append(self.folder, each)

    def poll(self) -> Polled:
        polled = self.inbox.poll()
        assert not polled.why
        return polled

    def take(self, raw: bytes) -> str:
        """Have a mail taken without the server; says what became of it."""
        try:
            mail = read_mail(raw, [DESK])
        except UnreadableMail:
            return "unreadable"
        return self.desk.intake.take(mail, 5).became

    def left(self) -> list[tuple[bytes, ...]]:
        """Flags of the mails in the folder."""
        with self.server.client() as client:
            client.select_folder(self.folder, readonly=True)
            found = client.fetch(client.search(), ["FLAGS"])
            return [each[b"FLAGS"] for each in found.values()]

    def tickets(self) -> list[str]:
        """Their ids, the oldest first."""
        with self.database.reading() as connection:
            return list(connection.scalars(select(TICKETS.c.ticket_id).order_by("created_at")))

    def case(self, ticket_id: str) -> Case:
        return self.desk.tickets.read(STAFF, ticket_id)

    def ticket_of(self, email: str, question: str) -> tuple[str, str]:
        """A new ticket, and the Message-ID of the mail about it."""
        asked = NewTicket(question, (), None, None, email, None, None)
        ticket, _ = self.desk.tickets.open(asked)
        with self.database.reading() as connection:
            of_it = (OUTBOX.c.ticket_id == ticket.ticket_id) & (OUTBOX.c.channel == "mail")
            sent = connection.scalar(select(OUTBOX.c.message_id).where(of_it))
        assert sent
        return ticket.ticket_id, sent


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapServer]:
    with ImapServer(tmp_path_factory.mktemp("imap")) as running:
        yield running


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose desk has its tables."""
    made = tmp_path_factory.mktemp("empty")
    open_desk("", made, 30, 365).close()
    return made


@pytest.fixture
def post(server: ImapServer, empty: Path, tmp_path: Path) -> Iterator[Post]:
    data = tmp_path / "data"
    shutil.copytree(empty, data)
    desk = open_desk("", data, 30, 365, outlets=OUTLETS)
    folder = f"box{next(_FOLDERS)}"
    with server.client() as client:
        client.create_folder(folder)
    yield Post(desk, Database("", data), server, folder)
    desk.close()


@pytest.fixture
def world(post: Post) -> World:
    number, sent = post.ticket_of(ADA, "Where is the code book?")
    closed, closed_sent = post.ticket_of(CAL, "Where is the map of harbours?")
    post.desk.handling.close(STAFF, Seen(closed, 1))
    return World(number, sent, closed, closed_sent)


@pytest.mark.parametrize("awkward", EVERY, ids=[each.name for each in EVERY])
def test_an_awkward_mail_ends_as_it_should(awkward: Awkward, post: Post, world: World) -> None:
    before = post.tickets()
    for raw in awkward.mails(world):
        became = post.take(raw)
    assert became == awkward.became
    if became == "ticket":
        assert set(post.tickets()) > set(before)
    new = [ticket_id for ticket_id in post.tickets() if ticket_id not in before]
    if new and awkward.became != "message":
        _check_ticket(awkward, post.case(new[-1]), post.case(world.number))
    elif awkward.became == "message":
        case = post.case(new[0] if new else world.number)
        written = [each.text for each in case.messages if each.kind == "requester"]
        _check_text(awkward, written[-1])
        _check_notes(awkward, case)
    elif awkward.became == "note":
        _check_notes(awkward, post.case(world.number))
    else:
        assert len(post.case(world.number).messages) == (20 if awkward.became == "waits" else 0)


def _check_ticket(awkward: Awkward, case: Case, other: Case) -> None:
    ticket = case.ticket
    assert not other.messages
    _check_text(awkward, ticket.question)
    _check_notes(awkward, case)
    assert awkward.title in ("", ticket.title)
    assert awkward.sender in ("", ticket.email)
    assert awkward.named in (None, ticket.name)
    assert ticket.title.isprintable()
    assert len(ticket.question) <= 4000


def _check_text(awkward: Awkward, text: str) -> None:
    for each in awkward.holds:
        assert each in text
    for each in awkward.lacks:
        assert each not in text


def _check_notes(awkward: Awkward, case: Case) -> None:
    notes = [each.text for each in case.messages if each.kind == "note"]
    assert all(each.author == "helpdesk" for each in case.messages if each.kind == "note")
    assert len(notes) == len(awkward.notes), notes
    for expected, note in zip(awkward.notes, notes, strict=True):
        assert expected in note


def test_a_mail_is_marked_and_moved_only_when_its_ticket_is_stored(post: Post) -> None:
    post.done = f"{post.folder}done"
    post.inbox = post.reader()
    with post.server.client() as client:
        client.create_folder(post.done)
    post.deliver(mail())
    assert post.poll().became == {"ticket": 1}
    assert not post.left()
    assert len(post.tickets()) == 1
    with post.server.client() as client:
        assert client.folder_status(post.done, ["MESSAGES"])[b"MESSAGES"] == 1
    assert not post.poll().became


def test_without_a_folder_to_move_it_to_a_mail_stays_and_is_read(post: Post) -> None:
    post.done = "nowhere"
    post.inbox = post.reader()
    post.deliver(mail())
    post.poll()
    assert [b"\\Seen" in flags for flags in post.left()] == [True]
    assert not post.poll().became


def test_one_that_was_taken_and_not_marked_is_known_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.deliver(mail())

    def dies(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(Mailbox, "taken", dies)
        assert post.inbox.poll().why
    assert post.left() == [(b"\\Recent",)] or b"\\Seen" not in post.left()[0]
    assert post.reader().poll().became == {"taken": 1}
    assert len(post.tickets()) == 1
    assert not post.reader().poll().became


def test_a_mail_that_cannot_be_read_is_left_to_people_and_stops_no_other(post: Post) -> None:
    post.deliver(mail(sender=""), mail())
    assert post.poll().became == {"unreadable": 1, "ticket": 1}
    assert b"\\Flagged" in post.left()[0]
    assert b"\\Seen" not in post.left()[0]
    assert not post.poll().became


def test_one_over_which_something_fails_is_tried_again_after_the_others(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.deliver(mail("Who pays?", "Money"), mail())
    take = Intake.take

    def fails(intake: Intake, read: Mail, limit: int) -> Taken:
        if read.subject == "Money":
            raise DeskUnavailable("not now")
        return take(intake, read, limit)

    with monkeypatch.context() as patched:
        patched.setattr(Intake, "take", fails)
        assert not post.inbox.poll().became
        assert post.inbox.poll().became == {"ticket": 1}
    assert post.poll().became == {"ticket": 1}


def test_a_mail_over_which_the_desk_breaks_is_left_to_people_and_stops_no_other(
    post: Post, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    post.deliver(mail("Quokka?", "Money"), mail())
    take = Intake.take

    def breaks(intake: Intake, read: Mail, limit: int) -> Taken:
        if read.subject == "Money":
            raise ValueError(read.text)
        return take(intake, read, limit)

    monkeypatch.setattr(Intake, "take", breaks)
    polled = post.poll()
    assert polled.became == {"unreadable": 1, "ticket": 1}
    assert len(polled.tickets) == 1
    assert "ValueError" in caplog.text
    assert "Quokka" not in caplog.text
    assert [b"\\Flagged" in flags for flags in post.left()] == [True, False]


def test_what_was_opened_is_told_although_the_look_breaks_off(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.deliver(mail())

    def breaks(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr(Mailbox, "taken", breaks)
    polled = post.inbox.poll()
    assert polled.why == "ValueError"
    assert [each.ticket_id for each in polled.tickets] == post.tickets()


def test_a_mail_of_which_the_server_gives_nothing_is_not_asked_for_at_once_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.deliver(mail())
    asked = []
    monkeypatch.setattr(Mailbox, "fetch", lambda _, uid: asked.append(uid))
    for _ in range(3):
        assert not post.poll().became
    assert len(asked) == 1


def test_ids_in_8_bits_stop_no_poll(post: Post) -> None:
    post.deliver(mail(ident="<a\udcff@x.org>", more={"References": "<b\udcff@x.org>"}))
    assert post.poll().became == {"ticket": 1}


def test_of_a_large_mail_only_the_text_is_fetched(post: Post, world: World) -> None:
    # Of those over 5 MB; that of 20 the server would hand over in ten seconds.
    large = Awkward(
        "", lambda _: [attached(6)], "ticket", (ASKED,), notes=("genome.zip (application/zip, 4.",)
    )
    post.deliver(*large.mails(world))
    with opened(post.server.account(post.folder), lambda _: None) as mailbox:
        fetched = mailbox.fetch(mailbox.unread()[0])
    assert fetched
    assert len(fetched.raw) < 2000
    assert post.poll().became == {"ticket": 1}
    _check_ticket(large, post.case(post.tickets()[-1]), post.case(world.number))


def test_the_server_hands_over_each_mail_as_it_was_sent(post: Post, world: World) -> None:
    mails = [raw for each in EVERY for raw in each.mails(world)[-1:] if len(raw) < 1_000_000]
    post.deliver(*mails)
    with opened(post.server.account(post.folder), lambda _: None) as mailbox:
        numbers = mailbox.unread()
        assert len(numbers) == len(mails)
        for number, raw in zip(numbers, mails, strict=True):
            fetched = mailbox.fetch(number)
            assert fetched
            assert _read(fetched.raw) == _read(raw)


def _read(raw: bytes) -> tuple[str, ...]:
    try:
        found = read_mail(raw, [DESK])
    except UnreadableMail:
        return ("unreadable",)
    return (found.nature, found.sender, found.subject[:1000], found.text, found.message_id)


def test_two_servers_that_read_one_mailbox_open_one_ticket(post: Post) -> None:
    post.deliver(*(mail(f"Question {n}?", ident=f"<{n}@x.org>") for n in range(5)))
    readers = [post.reader(), post.reader(), post.reader()]
    with ThreadPoolExecutor() as pool:
        polled = list(pool.map(lambda each: each.poll(), readers))
    assert sum(each.became["ticket"] for each in polled) == 5
    assert len(post.tickets()) == 5


def test_mails_that_wait_are_taken_later(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = [mail(f"Question {n}?", ident=f"<{n}@x.org>") for n in range(7)]
    post.deliver(*mails, mail(sender=BEA))
    assert post.poll().became == {"ticket": 6, "waits": 2}
    assert not post.poll().became
    monkeypatch.setattr("api.desk.inbox.intake._HOUR", timedelta(0))
    assert post.reader().poll().became == {"ticket": 2}


def test_nothing_that_was_written_is_logged(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post.deliver(mail("Quokka and numbat?", "Bandicoot"), mail("Bilby", sender="Wombat <x>"))
    post.poll()
    for word in ("Quokka", "Bandicoot", "Bilby", "Wombat", ADA, PASSWORD):
        assert word not in caplog.text


def test_a_server_that_is_away_or_refuses_is_told_in_a_word(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = replace(post.server.account(post.folder), password="not it")  # noqa: S106
    assert "neither user nor password" in Inbox(wrong, post.desk.intake, [], 5, 60).poll().why
    gone = replace(wrong, port=1)
    assert Inbox(gone, post.desk.intake, [], 5, 60).poll().why
    assert PASSWORD not in caplog.text


def test_a_mail_from_the_mailbox_is_acknowledged_as_an_answer_to_it(post: Post) -> None:
    post.deliver(mail())
    post.poll()
    with post.database.reading() as connection:
        payload = connection.scalar(select(OUTBOX.c.payload).where(OUTBOX.c.channel == "mail"))
    assert payload["in_reply_to"] == "<1.ada@mail.example.org>"


def test_what_is_kept_of_a_mail_holds_no_words_and_goes_with_the_ticket(post: Post) -> None:
    post.deliver(mail(), mail(more={"Precedence": "bulk"}, ident="<2@x.org>"))
    post.poll()
    with post.database.reading() as connection:
        rows = connection.execute(select(MAILS)).all()
    assert {row.became for row in rows} == {"ticket", "list"}
    assert ADA not in str(rows)
    Persons(post.database).erase(ADA)
    with post.database.reading() as connection:
        assert [row.became for row in connection.execute(select(MAILS))] == ["list"]


def test_a_reply_opens_a_ticket_again_that_was_answered(post: Post, world: World) -> None:
    post.desk.handling.reply(STAFF, Seen(world.number, 1), "Under the desk.")
    assert post.case(world.number).ticket.state == "pending"
    assert post.take(mail("Not there.", "Re", more={"In-Reply-To": world.sent})) == "message"
    case = post.case(world.number)
    assert case.ticket.state == "open"
    assert case.history[-1].who == "requester"


def test_a_running_server_takes_mails_and_sorts_their_tickets(
    post: Post, store: Store, tmp_path: Path
) -> None:
    parts = services(LiveIndex(store, lambda: shelf.answerer_over(store.open())), tmp_path / "own")
    inbox = Inbox(post.server.account(post.folder), parts.desk.intake, [DESK], 5, 0.1)
    post.deliver(mail())
    with TestClient(build_app(replace(parts, inbox=inbox))):
        until = time.monotonic() + 30
        while not _sorted(parts.desk):
            assert time.monotonic() < until, "no mail was taken, or its ticket is not sorted"
            time.sleep(0.05)


def _sorted(desk: Desk) -> bool:
    found = desk.queue.page(STAFF, Limits(), 1, None)
    return bool(found) and found[0].intent is not None


def test_the_command_takes_what_is_there_and_tells_what_became_of_it(
    post: Post, tmp_path: Path
) -> None:
    post.deliver(mail(), mail(more={"Precedence": "bulk"}, ident="<2@x.org>"))
    account = post.server.account(post.folder)
    env = {
        **os.environ,
        "HELPDESK_DATA_DIR": str(tmp_path / "data"),
        "HELPDESK_SERVER__PUBLIC_URL": "https://helpdesk.example.org",
        "HELPDESK_MAIL__HOST": "127.0.0.1",
        "HELPDESK_MAIL__SENDER": "desk@helpdesk.example.org",
        "HELPDESK_INBOX__HOST": account.host,
        "HELPDESK_INBOX__PORT": str(account.port),
        "HELPDESK_INBOX__SECURITY": "none",
        "HELPDESK_INBOX__USER": account.user,
        "HELPDESK_INBOX__PASSWORD": account.password,
        "HELPDESK_INBOX__FOLDER": account.folder,
    }
    command = [sys.executable, "-m", "api.desk", "inbox"]
    told = subprocess.run(command, env=env, cwd=shelf.ROOT, capture_output=True, text=True)
    assert told.stdout == "list 1, ticket 1\n", told.stderr
    assert len(post.tickets()) == 1
    none = subprocess.run(
        command, env={**env, "HELPDESK_INBOX__HOST": ""}, cwd=shelf.ROOT, capture_output=True
    )
    assert none.returncode == 2
    assert b"HELPDESK_INBOX__HOST" in none.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "imap.example.org"},
        {"host": "imap.example.org", "user": "desk"},
        {"host": "imap.example.org", "user": "desk", "password": "x", "security": "none"},
        {"every_s": 1},
    ],
)
def test_a_mailbox_is_named_as_a_whole_and_its_password_sent_encrypted(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(ValidationError):
        InboxSettings(**wrong)  # type: ignore[arg-type]
