"""What the routes call, for apps that tests build by themselves."""

from __future__ import annotations

from pathlib import Path

import shelf
from fakes import FixedSorter

from api.app import Services
from api.desk.desk import open_desk
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


def services(index: LiveIndex, data_dir: Path, embedder: Embedder | None = None) -> Services:
    """The parts over an index, keeping their own in a data directory.

    Args:
        index: What answers.
        data_dir: Where what people send is kept.
        embedder: Compares tickets; by default they are not compared.
    """
    messages = shelf.ROOT / "corpus" / "messages"
    chat = Messages.load(messages / "widget")
    return Services(
        index=index,
        usage=Usage(data_dir / USAGE),
        widget_texts=WidgetTexts(chat, shelf.CONTACT),
        page=Page(Messages.load(messages / "page"), chat, shelf.CONTACT),
        desk=open_desk("", data_dir, DAYS, embedder=embedder),
        triager=Triager(
            FixedSorter,  # type: ignore[arg-type]
            load_contacts(shelf.ROOT / "corpus"),
            shelf.CONTACT,
        ),
    )
