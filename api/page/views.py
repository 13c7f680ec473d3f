"""What the page shows of the index and of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from rag.index import Generation
from rag.models import Answer, Citation, IndexedDocument, Item, Statement

_MAIL = re.compile(r"[^\s@?&%#,;]+@[^\s@?&%#,;]+")
_LABEL = re.compile(r" \((required|recommended|informational)\)$")


@dataclass(frozen=True)
class SourceRow:
    """What is indexed of one place."""

    name: str
    """Its host on the web, else the name of the source; empty for our own articles."""
    url: str | None
    documents: int
    """With content."""
    empty: int
    newest: str
    """The newest date of a document, as it is given; empty where none has one."""


@dataclass(frozen=True)
class Cited:
    """A citation, and the language of what it quotes."""

    citation: Citation
    language: str | None
    """ISO 639-1; None where it is not known."""

    @property
    def place(self) -> str:
        """Title and headings in one line."""
        return " › ".join(dict.fromkeys([self.citation.title, *self.citation.section]))


@dataclass(frozen=True)
class Entry:
    """An item of a complete list, and what is said of it behind its title."""

    item: Item
    more: str
    language: str | None


@dataclass(frozen=True)
class AnswerView:
    """An answer in the order in which it is read."""

    question: str
    answer: Answer
    opening: str
    """What stands before the statements: a hedge, a refusal, the language of the sources."""
    prose: tuple[Statement, ...]
    entries: tuple[Entry, ...]
    cited: tuple[Cited, ...]

    @classmethod
    def of(cls, question: str, answer: Answer, generation: Generation) -> AnswerView:
        """Order an answer."""
        prose, entries = _parted(answer)
        return cls(
            question=question,
            answer=answer,
            opening=_opening(answer),
            prose=prose,
            entries=entries,
            cited=tuple(Cited(each, _language(each, generation)) for each in answer.citations),
        )

    @property
    def address_is_shown(self) -> bool:
        """Whether the next step leads to what is cited anyway."""
        step = self.answer.next_step
        return step is not None and any(each.url == step.url for each in self.answer.citations)


def source_rows(documents: Iterable[IndexedDocument]) -> tuple[SourceRow, ...]:
    """Sum up what is indexed, the largest first and our own articles last.

    By host, as the records of a repository such as Zenodo are a source each,
    and a site and the repository that it is made from are one to a reader.
    """
    groups: dict[str, list[IndexedDocument]] = {}
    for each in documents:
        name = "" if each.kind == "article" else _host(each.url) or each.source
        groups.setdefault(name, []).append(each)
    rows = [_row(name, found) for name, found in groups.items()]
    return tuple(sorted(rows, key=lambda row: (not row.name, -row.documents, row.name)))


def _row(name: str, documents: Sequence[IndexedDocument]) -> SourceRow:
    addresses = [urlsplit(each.url) for each in documents if each.url]
    empty = sum(each.placeholder for each in documents)
    return SourceRow(
        name=name,
        url=f"{addresses[0].scheme}://{addresses[0].netloc}/" if addresses else None,
        documents=len(documents) - empty,
        empty=empty,
        newest=max((each.published or "" for each in documents), default=""),
    )


def _host(url: str | None) -> str | None:
    return urlsplit(url).netloc if url and web_address(url) else None


def _opening(answer: Answer) -> str:
    if not answer.statements:
        return answer.text.strip()
    before, found, _ = answer.text.partition(answer.statements[0].text)
    return before.removesuffix("\n- ").strip() if found else ""


def _parted(answer: Answer) -> tuple[tuple[Statement, ...], tuple[Entry, ...]]:
    """Part the statements that name an item, which become its entry, from the others."""
    left = list(answer.items)
    prose, entries = [], []
    for said in answer.statements:
        item = next(
            (
                each
                for each in left
                if each.marker in said.citations and _names(said.text, each.title)
            ),
            None,
        )
        if item is None:
            prose.append(said)
            continue
        left.remove(item)
        told = said.text.removeprefix(item.title) if said.text.startswith(item.title) else ""
        more = _LABEL.sub("", told)
        entries.append(Entry(item, more, said.language))
    return tuple(prose), (*entries, *(Entry(each, "", None) for each in left))


def _names(text: str, title: str) -> bool:
    """Whether a statement is an item of a list, the heading of the list before it or not."""
    return text.startswith(title) or text.endswith(f": {title}")


def _language(citation: Citation, generation: Generation) -> str | None:
    document = generation.document(citation.document_id)
    return document.language if document else None


def web_address(url: str | None) -> str | None:
    """Return an address of the web; None for any other."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def mail_address(email: str | None) -> str | None:
    """Return the link to a mail address; None where it brings more, such as a text of its own."""
    return f"mailto:{email}" if email and _MAIL.fullmatch(email) else None
