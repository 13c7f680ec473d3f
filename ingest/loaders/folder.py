"""A folder of Markdown, HTML and PDF files, or one such file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from ingest.loaders.html import Reading, main_part, parse_html, read_sections
from ingest.loaders.markdown import to_soup
from ingest.loaders.pdf import read_pdf
from ingest.loaders.textfile import given_title, read_text_file, split_front_matter
from ingest.models import Document, Loaded, Problem, Skipped, Source, fingerprint
from rag.errors import UnreadableDocument
from rag.language import detect_language
from rag.text import fold

_TEXT_KINDS = (".md", ".markdown", ".html", ".htm", ".txt")


def folder_files(path: Path) -> list[Path]:
    """Every file below a folder, hidden ones left out, in a fixed order."""
    if path.is_file():
        return [path]
    return [
        each
        for each in sorted(path.rglob("*"))
        if each.is_file()
        and not each.is_symlink()
        and not any(part.startswith(".") for part in each.relative_to(path).parts)
    ]


def load_folder(source: Source) -> Iterator[Loaded]:
    """Read every file, one `Loaded` each."""
    root = source.path if source.path.is_dir() else source.path.parent
    for path in folder_files(source.path):
        relative = path.relative_to(root).as_posix()
        if not relative.isprintable():
            shown = relative.encode("unicode_escape").decode("ascii")
            yield Loaded(problems=[Problem(shown, "its name holds what cannot be printed")])
            continue
        url = f"{source.address}/{quote(relative)}" if source.address else None
        suffix = path.suffix.lower()
        if suffix == ".pdf":
            yield read_pdf(path, relative, source, url, published=source.published)
        elif suffix in _TEXT_KINDS:
            yield _read_text(path, relative, source, url)
        else:
            yield Loaded(skipped=[Skipped(relative, f"unknown type {suffix or '(no suffix)'}")])


def _read_text(path: Path, relative: str, source: Source, url: str | None) -> Loaded:
    loaded = Loaded()
    try:
        front, body = split_front_matter(read_text_file(path))
        title, reading = _parse(path.suffix.lower(), body)
    except UnreadableDocument as error:
        loaded.problems.append(Problem(relative, str(error)))
        return loaded
    except RecursionError:
        loaded.problems.append(Problem(relative, "nested too deeply"))
        return loaded
    title = given_title(front) or title or path.stem
    sections = reading.sections
    written = any(section.blocks for section in sections)
    if not written and not reading.notice:
        loaded.skipped.append(Skipped(relative, "no text"))
        return loaded
    loaded.documents.append(
        Document(
            document_id=f"{source.name}:{relative}",
            source=source.name,
            path=relative,
            title=title,
            url=url,
            language=detect_language("\n".join(section.text for section in sections) or title),
            sha256=fingerprint(title, url, sections, source.published, source.licence),
            sections=sections if written else (),
            placeholder=not written,
            published=source.published,
            licence=source.licence,
        )
    )
    return loaded


def _parse(suffix: str, body: str) -> tuple[str, Reading]:
    """The title a page gives itself, and its sections."""
    if suffix in (".html", ".htm"):
        soup = parse_html(body)
        root = main_part(soup)
        given = fold(soup.title.get_text()) if soup.title else ""
    else:
        soup = to_soup(body)
        root, given = soup.body or soup, ""
    heading = root.find("h1")
    title = fold(heading.get_text()) if heading else given
    return title, read_sections(root)
