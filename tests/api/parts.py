"""What the routes call, for apps that tests build by themselves."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType

import shelf
from fakes import FixedSorter
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket

from api.app import Services
from api.desk.database import DESK
from api.desk.desk import open_desk
from api.desk.publishing import Publisher
from api.live import LiveIndex
from api.page.page import Page
from api.routes.widget import WidgetTexts
from rag.contacts import load_contacts
from rag.embedder import Embedder
from rag.triage.triager import Triager
from rag.usage import USAGE, Usage

DAYS = 30
"""How long conversations are kept."""
REFUSES = Publisher((sys.executable, "-c", "raise SystemExit(1)"), {})
"""Publishes nothing."""


class _Compiled(BytecodeCache):
    """Templates as they are compiled, once for the apps of all tests: to do so takes 60 ms."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


def compile_once(templates: Environment) -> None:
    """Have the templates of an app compiled as those of all apps."""
    templates.bytecode_cache = _COMPILED


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
    page, chat, contribution = (
        shelf.read_messages(shelf.ROOT / "corpus" / "messages" / each)
        for each in ("page", "widget", "contribute")
    )
    made = Page(page, chat, contribution, shelf.CONTACT)
    compile_once(made._templates)
    lay_tables(data_dir)
    return Services(
        index=index,
        usage=Usage(data_dir / USAGE),
        widget_texts=WidgetTexts(chat, shelf.CONTACT),
        page=made,
        desk=open_desk("", data_dir, DAYS, embedder=embedder),
        triager=Triager(
            FixedSorter,  # type: ignore[arg-type]
            load_contacts(shelf.ROOT / "corpus"),
            shelf.CONTACT,
        ),
        publisher=publisher,
    )


def lay_tables(data_dir: Path) -> None:
    """Put an empty desk with its tables into a data directory that has none.

    To make the tables takes four times as long as to look whether they are up to date. That an
    app makes them itself is shown by test_desk.py, test_desk_migrations.py, and every test
    that starts the server.
    """
    file = data_dir / DESK
    if not file.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_empty_desk())


@cache
def _empty_desk() -> bytes:
    with TemporaryDirectory() as made:
        open_desk("", Path(made), DAYS).close()
        return (Path(made) / DESK).read_bytes()
