"""A source read in the process of the test: as a worker reads it, without its limits."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.loaders.folder import FolderReader, fill_languages, join_files
from ingest.loaders.jekyll import JekyllReader
from ingest.loaders.outline import join_pages
from ingest.models import Loaded, Source


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
