"""A source read in the process of the test: as a worker reads it, without its limits."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.loaders.folder import FolderReader, fill_languages, join_files
from ingest.loaders.jekyll import JekyllReader
from ingest.loaders.outline import Outline, join_pages
from ingest.models import Loaded, Source
from ingest.sandbox import Limits
from ingest.worker import REPLY, Opened, Reply


def load_jekyll(source: Source) -> Iterator[Loaded]:
    """Read a checkout, one `Loaded` a file."""
    reader = JekyllReader(source)
    read = fill_languages([reader.read(path) for path in reader.paths])
    yield from join_pages(read, reader.outline, source)


def load_folder(source: Source) -> Iterator[Loaded]:
    """Read a folder, one `Loaded` a file."""
    reader = FolderReader(source)
    read = fill_languages([reader.read(path) for path in reader.paths])
    yield from join_files(read, source)


class ReaderHere:
    """A worker in the process of the test: it says what a worker says, and has no limits.

    To start one takes longer than all the rest of a small ingest. Of the process itself
    test_limits.py knows, and every test that types a command as an operator does.
    """

    def __init__(self, source: Source, limits: Limits, leave_out: frozenset[str]):
        self._source, self._leave_out = source, leave_out

    def __enter__(self) -> ReaderHere:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def open(self) -> Opened:
        if self._source.kind == "jekyll":
            self._reader = JekyllReader(self._source, lambda _: None, self._leave_out)
            outline = self._reader.outline
        else:
            self._reader, outline = FolderReader(self._source), Outline()
        return _told(Reply(opened=Opened(self._reader.paths, outline))).opened

    def read(self, path: str) -> Loaded:
        return _told(Reply(loaded=self._reader.read(path))).loaded

    def is_swollen(self) -> bool:
        return False


def _told(reply: Reply) -> Reply:
    """What arrives of a reply that goes from process to process."""
    return REPLY.validate_json(REPLY.dump_json(reply, exclude_defaults=True))
