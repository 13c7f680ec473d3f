"""What the routes call, for apps that tests build by themselves."""

from __future__ import annotations

import sys
from pathlib import Path

import shelf
from fakes import FixedSorter

from api.app import Services
from api.desk.desk import open_desk
from api.desk.publishing import Publisher
from api.live import LiveIndex
from api.page.page import Page
from api.routes.widget import WidgetTexts
from rag.contacts import load_contacts
from rag.embedder import Embedder
from rag.messages import Messages
from rag.triage.triager import Triager
from rag.usage import USAGE, Usage

DAYS = 30
"""How long conversations are kept."""
REFUSES = Publisher((sys.executable, "-c", "raise SystemExit(1)"), {})
"""Publishes nothing."""


def services(
    index: LiveIndex,
    data_dir: Path,
    embedder: Embedder | None = None,
    publisher: Publisher = REFUSES,
) -> Services:
    """The parts over an index, keeping their own in a data directory.

    Args:
        index: What answers.
        data_dir: Where what people send is kept.
        embedder: Compares tickets; by default they are not compared.
        publisher: Brings articles of staff into the index; by default it refuses them.
    """
    messages = shelf.ROOT / "corpus" / "messages"
    chat = Messages.load(messages / "widget")
    return Services(
        index=index,
        usage=Usage(data_dir / USAGE),
        widget_texts=WidgetTexts(chat, shelf.CONTACT),
        page=Page(
            Messages.load(messages / "page"),
            chat,
            Messages.load(messages / "contribute"),
            shelf.CONTACT,
        ),
        desk=open_desk("", data_dir, DAYS, embedder=embedder),
        triager=Triager(
            FixedSorter,  # type: ignore[arg-type]
            load_contacts(shelf.ROOT / "corpus"),
            shelf.CONTACT,
        ),
        publisher=publisher,
    )
