"""A static web host on this machine: serves a folder as GitHub Pages and its like do.

``/x`` answers with ``x.html``, ``/folder`` leads to ``/folder/``; files may be
changed while it runs.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

from servers.running import Handler, RunningServer

_TYPES = mimetypes.MimeTypes(filenames=())
_TYPES.add_type("application/vnd.oasis.opendocument.text", ".odt")
_TYPES.add_type("application/epub+zip", ".epub")
_TYPES.add_type("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx")


@dataclass(frozen=True)
class Asked:
    """A request that came, and how it was answered."""

    path: str
    """With its query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case."""
    status: int
    """0: the connection was cut."""

    @property
    def conditional(self) -> bool:
        return "if-none-match" in self.headers or "if-modified-since" in self.headers


@dataclass
class Answer:
    """What is sent in place of a file."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/html"})


def moved(location: str, status: int = 301) -> Answer:
    return Answer(b"", status, {"Location": location})


class SiteServer(RunningServer):
    """Serves a folder on 127.0.0.1."""

    def __init__(self, folder: Path):
        super().__init__(_Handler)
        self.folder = folder
        self.requests: list[Asked] = []
        self.robots: str | None = None
        self.sitemap: dict[str, str | None] | None = None
        """Paths of addresses, with the date of their last change; None: there is none."""
        self.answers: dict[str, Answer | Callable[[str], Answer]] = {}
        """By path of the address, in place of what the folder has."""
        self.more_headers: dict[str, dict[str, str]] = {}
        """By path of the address, beside the usual ones."""
        self.trap: Callable[[str], Answer | None] = lambda _: None
        """Asked for what neither the folder nor `answers` has."""
        self.cut: set[str] = set()
        """Paths where the connection is cut without an answer."""
        self.tags = True
        """Whether answers carry ETag and Last-Modified."""

    def list_all(self) -> None:
        """Make a sitemap of every page of the folder, as generators do."""
        self.sitemap = {
            self.address_of(path): None
            for path in sorted(self.folder.rglob("*.html"))
            if path.name != "404.html"
        }

    def address_of(self, path: Path) -> str:
        """The path of the address at which a page answers."""
        relative = path.relative_to(self.folder).as_posix()
        bare = relative.removesuffix(".html")
        if bare == "index" or bare.endswith("/index"):
            bare = bare.removesuffix("index")
        return "/" + quote(bare)

    def asked(self, path: str) -> list[Asked]:
        return [each for each in self.requests if each.path == path]

    def _answer(self, address: str) -> Answer:
        path = urlsplit(address).path
        given = self.answers.get(address) or self.answers.get(path)
        if given is not None:
            return given(address) if callable(given) else given
        if path == "/robots.txt" and self.robots is not None:
            return Answer(self.robots.encode(), headers={"Content-Type": "text/plain"})
        if path == "/sitemap.xml" and self.sitemap is not None:
            return Answer(self._sitemap(), headers={"Content-Type": "application/xml"})
        return self._file(path) or self.trap(address) or self._missing()

    def _sitemap(self) -> bytes:
        entries = "".join(
            f"<url><loc>{escape(self.address + path)}</loc>"
            + (f"<lastmod>{date}</lastmod>" if date else "")
            + "</url>\n"
            for path, date in (self.sitemap or {}).items()
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'
        ).encode()

    def _file(self, path: str) -> Answer | None:
        file = self.folder / unquote(path).lstrip("/")
        if path.endswith("/"):
            file = file / "index.html"
        elif file.is_dir():
            return moved(f"{path}/")
        elif not file.is_file():
            file = file.with_name(file.name + ".html")
        if not file.is_file():
            return None
        media = _TYPES.guess_type(file.name)[0] or "application/octet-stream"
        media = f"{media}; charset=utf-8" if media == "text/html" else media
        changed = formatdate(file.stat().st_mtime, usegmt=True)
        return Answer(file.read_bytes(), headers={"Content-Type": media, "Last-Modified": changed})

    def _missing(self) -> Answer:
        page = self.folder / "404.html"
        body = page.read_bytes() if page.is_file() else b"<h1>Nothing here</h1>"
        return Answer(body, 404)


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802
        site: SiteServer = self.server.owner
        headers = self.fields
        if urlsplit(self.path).path in site.cut:
            site.requests.append(Asked(self.path, headers, 0))
            self.close_connection = True
            return
        answer = site._answer(self.path)
        sent = dict(answer.headers) | site.more_headers.get(self.path, {})
        status, body = answer.status, answer.body
        if status == 200 and site.tags:
            sent.setdefault("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"')
            if _holds(headers, sent):
                status, body = 304, b""
        elif status == 200:
            sent.pop("Last-Modified", None)
        site.requests.append(Asked(self.path, headers, status))
        self.reply(status, body, sent)


def _holds(headers: Mapping[str, str], sent: Mapping[str, str]) -> bool:
    """Whether a condition says that the asker has what would be sent; RFC 9110, 13.2.2."""
    if "if-none-match" in headers:
        return sent.get("ETag") in [tag.strip() for tag in headers["if-none-match"].split(",")]
    if "if-modified-since" in headers and "Last-Modified" in sent:
        since = parsedate_to_datetime(headers["if-modified-since"])
        return parsedate_to_datetime(sent["Last-Modified"]) <= since
    return False
