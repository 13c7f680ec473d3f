"""Settings to wiring to app; run by uvicorn as a factory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastapi import FastAPI

from api import logs
from api.app import Access, Services, build_app
from api.desk.backup.backup import Places
from api.desk.backup.settling import finish
from api.desk.delivery.mails import Mails, Sender
from api.desk.delivery.models import Carrier, Channel
from api.desk.delivery.smtp import Smtp, SmtpServer
from api.desk.delivery.webhook import Webhook
from api.desk.delivery.zammad import Zammad
from api.desk.desk import Desk, open_desk
from api.desk.inbox.inbox import Inbox
from api.desk.inbox.mailbox import Account
from api.desk.outbox import Outlets
from api.desk.publishing import Publisher
from api.live import LiveIndex
from api.memory import waste_little
from api.page.page import Page
from api.routes.widget import WidgetTexts
from api.settings import ApiSettings, SignInSettings
from api.sign_in import Provider
from api.stopping import end_at_once_when_told_twice, end_with_parent
from rag.answerer import Answerer
from rag.embedder import Embedder
from rag.gaps.issues import Repositories
from rag.messages import Messages
from rag.settings import Settings, read_settings
from rag.usage import USAGE, Usage
from rag.wiring import (
    build_answerer,
    build_embedder,
    build_triager,
    open_store,
)

_SHIPPED = Path(__file__).resolve().parent.parent / "corpus" / "messages"


def create_app() -> FastAPI:
    """Build the app from the environment."""
    settings, own = read_settings(Settings), read_settings(ApiSettings)
    # Each worker process begins here.
    waste_little()
    logs.install(own.server.log)
    if own.server.workers == 1:
        end_at_once_when_told_twice()
    else:
        # Its parent tells it to stop; whoever presses Ctrl+C tells it as well.
        end_with_parent()
    embedder = build_embedder(settings)
    desk = build_desk(settings, own, embedder)
    chat, contact = _messages(settings.corpus_dir, "widget"), settings.answer.contact

    store = open_store(settings)

    def build() -> Answerer:
        return build_answerer(settings, store.open(), embedder)

    return build_app(
        Services(
            index=LiveIndex(store, build, settings.data_dir),
            usage=Usage(settings.data_dir / USAGE),
            widget_texts=WidgetTexts(chat, contact),
            page=Page(
                _messages(settings.corpus_dir, "page"),
                chat,
                _messages(settings.corpus_dir, "contribute"),
                contact,
            ),
            desk=desk,
            triager=build_triager(settings),
            publisher=_publisher(settings),
            carriers=_carriers(settings, own),
            inbox=build_inbox(settings, own, desk),
            repositories=Repositories.load(settings.corpus_dir),
            written=bool(settings.generator.model),
        ),
        Access(
            allowed_hosts=own.server.hosts,
            allowed_origins=own.server.origins,
            public_url=own.server.public_url,
            staff_token=own.staff_token.get_secret_value(),
            sign_in=_provider(own.sign_in),
            per_minute=own.limits.per_minute,
            tickets_per_hour=own.limits.tickets_per_hour,
            per_day=own.limits.per_day,
            total_per_day=own.limits.total_per_day,
            workers=own.server.workers,
        ),
    )


def build_desk(settings: Settings, own: ApiSettings, embedder: Embedder | None = None) -> Desk:
    """Open the desk that the settings name, its tables up to date.

    Args:
        settings: Where data live.
        own: Which database, and how long it keeps what it holds.
        embedder: Compares tickets; None: they are not compared.

    Raises:
        BadSetting: They name no database.
        DeskUnavailable: It is damaged, or of a later version.
    """
    desk = open_desk(
        own.desk.database_url.get_secret_value(),
        settings.data_dir,
        own.retention.conversation_days,
        own.retention.ticket_days,
        embedder,
        _outlets(own),
    )
    # Of a restore that was killed.
    finish(desk.database, Places(settings.data_dir, settings.index))
    return desk


def _outlets(own: ApiSettings) -> Outlets:
    """Where changes of tickets are told."""
    return Outlets(
        mail_domain=own.mail.sender.rpartition("@")[2] if own.mail.host else "",
        team=bool(own.mail.team),
        zammad=bool(own.zammad.url),
        webhook=bool(own.webhook.url),
    )


def _carriers(settings: Settings, own: ApiSettings) -> dict[Channel, Carrier]:
    """What takes them there.

    Raises:
        BadSetting: The texts of mails are broken.
    """
    mail, zammad, webhook, site = own.mail, own.zammad, own.webhook, own.address
    carriers: dict[Channel, Carrier] = {}
    if mail.host:
        password = mail.password.get_secret_value()
        server = SmtpServer(mail.host, mail.port, mail.security, mail.user, password)
        sender = Sender(mail.name, mail.sender, mail.reply_to, mail.team)
        smtp = Smtp(server, Mails(_messages(settings.corpus_dir, "mail"), sender, site))
        carriers |= {"mail": smtp, "team": smtp}
    if zammad.url:
        token = zammad.token.get_secret_value()
        carriers["zammad"] = Zammad(zammad.url, token, zammad.group, site)
    if webhook.url:
        carriers["webhook"] = Webhook(webhook.url, webhook.secret.get_secret_value(), site)
    return carriers


def open_inbox() -> tuple[Desk, Inbox | None]:
    """Open the desk and its mailbox from the environment, to look into it once."""
    settings, own = read_settings(Settings), read_settings(ApiSettings)
    desk = build_desk(settings, own)
    return desk, build_inbox(settings, own, desk)


def build_inbox(settings: Settings, own: ApiSettings, desk: Desk) -> Inbox | None:
    """What takes mails in; None: the settings name no mailbox."""
    mailbox = own.inbox
    if not mailbox.host:
        return None
    account = Account(
        host=mailbox.host,
        port=mailbox.port,
        security=mailbox.security,
        user=mailbox.user,
        password=mailbox.password.get_secret_value(),
        folder=mailbox.folder,
        done_folder=mailbox.done_folder,
    )
    mail = own.mail
    ours = (mailbox.user, mail.sender, mail.reply_to, mail.team, settings.answer.contact)
    return Inbox(
        account,
        desk.intake,
        [address for address in ours if "@" in address],
        own.limits.tickets_per_hour,
        mailbox.every_s,
    )


def _publisher(settings: Settings) -> Publisher:
    """What brings articles of staff into the index: the command, over the same data."""
    over = {
        "HELPDESK_DATA_DIR": str(settings.data_dir),
        "HELPDESK_INDEX_DIR": str(settings.index),
        "HELPDESK_CORPUS_DIR": str(settings.corpus_dir),
    }
    return Publisher((sys.executable, "-m", "ingest", "articles"), {**os.environ, **over})


def _provider(sign_in: SignInSettings) -> Provider | None:
    if not sign_in.issuer:
        return None
    return Provider(
        issuer=sign_in.issuer,
        client_id=sign_in.client_id,
        client_secret=sign_in.client_secret.get_secret_value(),
        name=sign_in.name,
        scopes=sign_in.scopes,
    )


def _messages(corpus: Path, part: str) -> Messages:
    """What a part of the site says; a corpus of one's own may say nothing of it.

    Raises:
        BadSetting: A file is broken.
    """
    own = corpus / "messages" / part
    return Messages.load(own if own.is_dir() else _SHIPPED / part)
