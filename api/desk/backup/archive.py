"""The file of a backup: a zip that any program can open, with a list of all that is in it.

It is written under another name until it is whole and on the disk, and only whoever made it
can read it: addresses of people are in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, Self

from pydantic import TypeAdapter, ValidationError

from rag.errors import HelpdeskError

FORMAT = 1
"""Raised whenever an earlier program can no longer read what is written."""
_MANIFEST = "manifest.json"
_DRAFT = ".backup-draft"
_PIECE = 1 << 20
_FAST = 1
"""Of what zlib offers: a backup should be over soon, and disks are large."""
_MOST_MANIFEST = 1 << 26
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip
"""What reading a damaged file ends in."""


class BadBackup(HelpdeskError):
    """A file that is no backup, is not whole, or was made by a later version."""


@dataclass(frozen=True)
class Member:
    """One file of it."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    rows: int | None = None
    """Of a table; None: it is none."""


@dataclass(frozen=True)
class Manifest:
    """What is in a backup, and what made it."""

    format: int
    made_at: str
    """UTC, ISO 8601."""
    program: str
    """Version of the program that made it."""
    revision: str
    """Of the tables."""
    engine: str
    """That the tables were read from."""
    index_format: int | None
    """None: no index is in it."""
    generation: str | None
    members: tuple[Member, ...]
    left_out: tuple[str, ...] = ()
    """What should be in it and is not, and why; a line each."""

    def below(self, folder: str) -> tuple[Member, ...]:
        """The members in a folder, in their order."""
        return tuple(each for each in self.members if each.name.startswith(f"{folder}/"))


_ADAPTER: TypeAdapter[Manifest] = TypeAdapter(Manifest)


class Sink(Protocol):
    """Takes bytes, as an open file does."""

    def write(self, data: bytes, /) -> int:
        """Take some."""


class _Counted:
    """Passes bytes on, and remembers how many and their hash."""

    def __init__(self, sink: Sink):
        self._sink = sink
        self.size = 0
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self.size += len(data)
        self.sha256.update(data)
        return self._sink.write(data)


class Writer:
    """A backup that is being written."""

    def __init__(self, archive: zipfile.ZipFile):
        """Write into an archive."""
        self._archive = archive
        self._members: list[Member] = []

    def add(self, name: str, fill: Callable[[Sink], int | None], *, packed: bool = True) -> None:
        """Add a file.

        Args:
            name: Its path in the archive.
            fill: Called with what takes the bytes; returns how many rows that was, if any.
            packed: Whether it is worth to make it smaller.
        """
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o600 << 16
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info._compresslevel = _FAST  # type: ignore[attr-defined] # public from 3.13 on
        with self._archive.open(info, "w", force_zip64=True) as entry:
            counted = _Counted(entry)
            rows = fill(counted)
        self._members.append(Member(name, counted.size, counted.sha256.hexdigest(), rows))

    def drop(self, name: str) -> None:
        """List a file, or all of a folder, no more; the bytes stay behind."""
        gone = {each for each in self._members if f"{each.name}/".startswith(f"{name}/")}
        self._members = [each for each in self._members if each not in gone]
        for member in gone:
            self._archive.filelist.remove(self._archive.NameToInfo.pop(member.name))

    @property
    def members(self) -> tuple[Member, ...]:
        """What was added."""
        return tuple(self._members)

    def finish(self, manifest: Manifest) -> None:
        """List what is in it; without that it is none."""
        self._archive.writestr(_MANIFEST, _ADAPTER.dump_json(manifest, indent=1))


@contextmanager
def writing(place: Path) -> Iterator[Writer]:
    """Write a backup; where this raises, or is killed, there is none.

    Args:
        place: Its file, which is not there yet.

    Raises:
        BadBackup: It is.
        OSError: It cannot be written.
    """
    if place.exists():
        raise BadBackup(f"{place} is there already; no backup is written over another file")
    _tidy(place.parent)
    draft = place.with_name(f".{place.name}{_DRAFT}")
    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        # Whoever looks whether it was left behind sees that it was not.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        with open(handle, "w+b", closefd=False) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive:
                yield Writer(archive)
            file.flush()
            os.fsync(handle)
        draft.rename(place)
    except BlockingIOError as error:
        raise BadBackup(f"{place} is being written by another backup") from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    flush_folder(place.parent)


def _tidy(folder: Path) -> None:
    """Remove what killed backups left: addresses of people are in it."""
    for draft in folder.glob(f".*{_DRAFT}"):
        with suppress(OSError):
            handle = os.open(draft, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink()
            finally:
                os.close(handle)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Reader:
    """A backup that is there, opened for reading."""

    def __init__(self, place: Path):
        """Open it and read its list.

        Raises:
            BadBackup: It is none, or was made by a later version.
        """
        held = ExitStack()
        try:
            self._archive = held.enter_context(zipfile.ZipFile(place))
            with self._archive.open(_MANIFEST) as entry:
                told = entry.read(_MOST_MANIFEST)
            self.manifest = _ADAPTER.validate_json(told)
            # From here on whoever reads it closes it.
            held.pop_all()
        except OSError as error:
            raise BadBackup(f"{place}: {error.strerror or 'cannot be read'}") from error
        except ValidationError as error:
            raise BadBackup(f"{place}: its list of contents cannot be read") from error
        except _BROKEN as error:
            raise BadBackup(f"{place} is no backup of the helpdesk, or not whole") from error
        finally:
            held.close()
        if self.manifest.format > FORMAT:
            raise BadBackup(
                f"{place} was made by a later version of this program"
                f" ({self.manifest.program}); run that one"
            )
        self._place = place

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def check(self, progress: Callable[[int], None]) -> None:
        """Read all of it, and look whether it is what was written.

        Args:
            progress: Called with the number of bytes read since the last call.

        Raises:
            BadBackup: Something of it is missing or damaged.
        """
        names = [each.name for each in self.manifest.members]
        if len(set(names)) != len(names) or any(map(_unsafe, names)):
            raise BadBackup(f"{self._place}: its list of contents names what cannot be")
        for member in self.manifest.members:
            counted = _Counted(_Nowhere())
            try:
                with self.open(member) as entry:
                    while (
                        piece := entry.read(_PIECE)
                    ) and counted.size <= member.size:  # a wrong list must not be read for ever
                        counted.write(piece)
                        progress(len(piece))
            except _BROKEN as error:
                raise self._damaged(member) from error
            if (counted.size, counted.sha256.hexdigest()) != (member.size, member.sha256):
                raise self._damaged(member)

    def open(self, member: Member) -> IO[bytes]:
        """Open one file of it."""
        return self._archive.open(member.name)

    def extract(self, members: Sequence[Member], below: str, folder: Path) -> None:
        """Write some files into a folder, and have them on the disk.

        Args:
            members: Files that `check` has read.
            below: The beginning of their names that is left out.
            folder: Where they go.
        """
        folders = {folder}
        for member in members:
            place = folder / member.name.removeprefix(f"{below}/")
            place.parent.mkdir(parents=True, exist_ok=True)
            folders.add(place.parent)
            with self.open(member) as entry, place.open("wb") as file:
                while piece := entry.read(_PIECE):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        for each in folders:
            if each.is_dir():
                flush_folder(each)

    def _damaged(self, member: Member) -> BadBackup:
        return BadBackup(f"{self._place} is damaged: {member.name}; take another backup")


class _Nowhere:
    """Takes bytes and forgets them."""

    def write(self, data: bytes, /) -> int:
        return len(data)


def _unsafe(name: str) -> bool:
    """Whether a name leads elsewhere than into the folder it is unpacked in."""
    parts = PurePosixPath(name).parts
    return not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
