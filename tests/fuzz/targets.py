"""Every parser that is given foreign bytes, as a function of bytes: what fuzzing calls.

A parser may return, or raise what it declares. Anything else that leaves it is a defect.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from protego import Protego
from pydantic import ValidationError

from api.completions import CompletionIn
from api.desk.inbox.mail import UnreadableMail
from api.desk.inbox.reading import read_mail
from api.errors import CallRefused
from api.mcp_server import AskArguments, SearchArguments
from api.negotiation import preferred
from api.origin import origin_of
from api.page.contribution import Contribution
from api.requests import QuestionIn, TicketIn
from eval.questions import read_questions
from ingest.fetch.archive import UnpackLimits, unpack
from ingest.fetch.links import page_links, read_sitemap, robots_directives, web_address
from ingest.fetch.zenodo_records import ZenodoAddress, ZenodoRecord
from ingest.loaders.articles import read_article
from ingest.loaders.folder import read_file
from ingest.loaders.html import read_page
from ingest.loaders.liquid import Site
from ingest.loaders.markdown import to_soup
from ingest.models import Source
from rag.countries import countries_in
from rag.errors import SourceUnavailable, UnreadableDocument
from rag.language import detect_language
from rag.personal.finder import find_personal, mask

_HERE = "https://harbour.example/"
_OWN = ("desk@helpdesk.example.org",)
_SITE = Site(
    {"tools": {"one": {"name": "One"}}}, [{"path": "a.md", "title": "A"}], {"title": "Site"}
)
_UNPACK = UnpackLimits(megabytes=8, seconds=5)


@dataclass(frozen=True)
class Target:
    """A parser."""

    read: Callable[[bytes], object]
    raises: tuple[type[Exception], ...] = ()
    """What it declares to raise."""

    def __call__(self, content: bytes) -> None:
        """Read it; what else is raised is a defect."""
        try:
            self.read(content)
        except self.raises:
            return


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _file(suffix: str) -> Callable[[bytes], object]:
    """A file of a kind, read as the worker of an ingest reads it."""

    def read(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(content)
            return read_file(path, path.name, Source("fuzz", "folder", Path(folder)), None)

    return read


def _archive(content: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "archive.tar.gz"
        path.write_bytes(content)
        return unpack(path, Path(folder) / "into", _UNPACK)


def _questions(content: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "questions.jsonl"
        path.write_bytes(content)
        return read_questions([path])


def _zenodo(content: bytes) -> object:
    record = ZenodoRecord.model_validate_json(content)
    return record.facts(_HERE), record.licence, record.language, record.published, record.access


def _robots(content: bytes) -> object:
    rules = Protego.parse(content.decode("utf-8-sig", errors="replace"))
    directives = robots_directives(_text(content), "nmg-helpdesk")
    return rules.can_fetch(_HERE, "nmg-helpdesk"), rules.crawl_delay("nmg-helpdesk"), directives


def _links(content: bytes) -> object:
    return page_links(content, _HERE, "nmg-helpdesk"), web_address(_text(content)[:3000], _HERE)


def _typed(content: bytes) -> object:
    """What a person types: masked, its language, its countries."""
    text = _text(content)[:4000]
    found = find_personal(text)
    masked = mask(text, found)
    assert len(masked) < 10 * len(text) + 100
    return masked, detect_language(text), countries_in(text)


def _calls(content: bytes) -> object:
    """Bodies of calls, as the framework hands them on."""
    said = json.loads(content)
    for kind in (QuestionIn, TicketIn, AskArguments, SearchArguments):
        with suppress(ValidationError):
            kind.model_validate(said)
    return CompletionIn.model_validate(said).to_question()


def _headers(content: bytes) -> object:
    text = _text(content)
    with suppress(ValueError):
        origin_of(text)
    return preferred(text, ("application/json", "text/event-stream"))


def _contributed(content: bytes) -> object:
    fields = dict(each.partition("=")[::2] for each in _text(content).split("&"))
    given = Contribution.of(fields, [*fields.values()])
    return given.faults(), given.faults_of_sender()


TARGETS: Mapping[str, Target] = {
    "html": Target(lambda content: read_page(_text(content)), (RecursionError,)),
    "html-file": Target(_file(".html")),
    "markdown": Target(lambda content: to_soup(_text(content)), (RecursionError, UnreadableDocument)),
    "markdown-file": Target(_file(".md")),
    "text-file": Target(_file(".txt")),
    "liquid": Target(
        lambda content: _SITE.render(_text(content), {"path": "a.md", "title": "A"}),
        (UnreadableDocument,),
    ),
    "pdf": Target(_file(".pdf")),
    "docx": Target(_file(".docx")),
    "odt": Target(_file(".odt")),
    "epub": Target(_file(".epub")),
    "archive": Target(_archive, (SourceUnavailable,)),
    "zenodo": Target(_zenodo, (ValidationError,)),
    "zenodo-address": Target(lambda content: ZenodoAddress.parse(_text(content)), (SourceUnavailable,)),
    "sitemap": Target(lambda content: read_sitemap(content, f"{_HERE}sitemap.xml")),
    "robots": Target(_robots),
    "links": Target(_links),
    "mail": Target(lambda content: read_mail(content, _OWN), (UnreadableMail,)),
    "calls": Target(_calls, (ValueError, RecursionError, CallRefused)),
    "headers": Target(_headers),
    "contributed": Target(_contributed),
    "typed": Target(_typed),
    "article": Target(lambda content: read_article(_text(content), "id", "a/id.md"), (UnreadableDocument,)),
    "questions": Target(_questions, (ValueError,)),
}  # fmt: skip
"""By name."""
