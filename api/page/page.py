"""The page as its routes call it."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.page.links import linkified
from api.page.texts import PageTexts, chosen_language
from api.page.views import SourceRow, mail_address, source_rows, web_address
from rag.index import Generation
from rag.messages import Messages

_TEMPLATES = Path(__file__).parent.parent / "templates"


class Page:
    """Its texts, its templates, and what it tells of the index."""

    def __init__(self, page: Messages, chat: Messages, contribution: Messages, contact: str):
        """Put the page together.

        Args:
            page: What it says.
            chat: What the chat says, and the page where both say the same.
            contribution: What the page says by which resources are contributed.
            contact: Mail address of a person.
        """
        self._page = page
        self._chat = chat
        self.contribution = contribution
        self.contact = contact
        self._sources: tuple[str, tuple[SourceRow, ...]] = ("", ())
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(web=web_address, mail=mail_address, linkified=linkified)

    def texts(self, named: str | None, accept: str) -> PageTexts:
        """Return the texts for a reader, by what they chose and what their browser wants."""
        language = chosen_language(named, accept, self._page.languages())
        return PageTexts(language, self._page, self._chat)

    def render(self, template: str, texts: PageTexts, **values: object) -> str:
        """Fill a template; whatever it is given is escaped."""
        found = self._templates.get_template(template)
        return found.render(
            texts=texts, say=texts.say, chat=texts.as_chat, contact=self.contact, **values
        )

    def sources(self, generation: Generation) -> tuple[SourceRow, ...]:
        """Return what is indexed; read once for a generation, as all documents are listed."""
        built, rows = self._sources
        if built != generation.info.generation:
            rows = source_rows(generation.documents())
            self._sources = (generation.info.generation, rows)
        return rows
