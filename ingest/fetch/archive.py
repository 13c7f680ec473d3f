"""Unpacking an archive that somebody else packed, within limits and within its folder."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rag.errors import SourceUnavailable

_HEADERS = 16 * 1024
"""Bytes between the end of one entry and the contents of the next: headers with
long names, and what `tarfile` reads ahead. It keeps all of them in memory."""
_TOO_MUCH = "the archive has headers larger than any name needs"
_GLOBAL_HEADERS = 100
"""That hold for all entries; GitHub sets one."""
_BLOCK = 4096
_MAX_NAME = 255
"""Bytes of a file name, on all file systems in common use."""
_ODD = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")
"""Back slashes, control characters, bytes that are no UTF-8."""
_SMALL = 10 * 2**20
"""Up to here the ratio is not looked at: a short text may repeat itself."""


@dataclass(frozen=True)
class UnpackLimits:
    """What an archive may unpack to."""

    entries: int = 20_000
    """Files, folders and links, also folders that are only named in a path."""
    megabytes: int = 300
    """Of the archive, unpacked."""
    file_megabytes: int = 50
    """Of one file."""
    ratio: int = 200
    """Of unpacked to packed size; looked at from 10 MB on."""
    path_length: int = 1_000
    path_depth: int = 40
    seconds: float = 120


def unpack(archive: Path, into: Path, limits: UnpackLimits = UnpackLimits()) -> Path:
    """Unpack a ``.tar.gz``, such as GitHub makes of a commit.

    Links are left out: a repository may hold some, and no reader follows them.
    Anything else that is neither file nor folder, or whose path leads out, is
    no accident, and the whole archive is refused.

    Args:
        archive: The file.
        into: A folder that is new or empty; after a refusal the caller removes it.
        limits: What it may unpack to.

    Returns:
        The one folder at the top of the archive; `into` where there are several
        entries at the top.

    Raises:
        SourceUnavailable: It is damaged, breaks a limit or would write
            elsewhere; the message says which in one line.
    """
    into.mkdir(parents=True, exist_ok=True)
    most = min(limits.megabytes * 2**20, max(_SMALL, archive.stat().st_size * limits.ratio))
    try:
        with gzip.open(archive, "rb") as packed:
            return _unpack(_Reader(packed, most), into, limits)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceUnavailable("the archive is incomplete or damaged") from error
    except (tarfile.TarError, RecursionError, ValueError) as error:
        # ValueError: a header with nonsense where a number belongs.
        raise SourceUnavailable("the archive is damaged") from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise SourceUnavailable("the archive has a file and a folder of one name") from error


class _Reader(io.RawIOBase):
    """The unpacked stream, of which only so much is ever read."""

    def __init__(self, packed: gzip.GzipFile, most: int):
        """Begin before the first header.

        Args:
            packed: The archive.
            most: Bytes that it may unpack to.
        """
        super().__init__()
        self._packed = packed
        self._most = most
        self._position = 0
        self._headers_end: int | None = _HEADERS
        self.text_end = 0
        """Where the last byte stands that is not zero."""

    def expect_headers(self) -> None:
        """Allow a few bytes from here on."""
        self._headers_end = self._position + _HEADERS

    def expect_content(self) -> None:
        """Allow all that the archive may unpack to."""
        self._headers_end = None

    def read(self, size: int = -1, /) -> bytes:
        """Return that many bytes, or what there still is."""
        data = self._packed.read(size)
        if text := data.rstrip(b"\0"):
            self.text_end = self._position + len(text)
        self._position += len(data)
        if self._position > self._most:
            raise SourceUnavailable("the archive unpacks to more than is allowed")
        if self._headers_end is not None and self._position > self._headers_end:
            raise SourceUnavailable(_TOO_MUCH)
        return data


def _unpack(reader: _Reader, into: Path, limits: UnpackLimits) -> Path:
    until = time.monotonic() + limits.seconds
    entries = 0
    folders: set[PurePosixPath] = set()
    tops: set[str] = set()
    files = 0
    # As a stream: nothing is ever looked at twice, so nothing has to be kept.
    with tarfile.open(fileobj=reader, mode="r|", bufsize=_BLOCK) as tar:
        while True:
            reader.expect_headers()
            member = tar.next()
            if member is None:
                break
            # Else it keeps every header, each with a copy of the global ones.
            tar.members.clear()  # type: ignore[attr-defined]
            if len(tar.pax_headers) > _GLOBAL_HEADERS:
                raise SourceUnavailable(_TOO_MUCH)
            entries += 1
            path = _checked(member, limits)
            folders.update(path.parents)
            if entries + len(folders) > limits.entries:
                raise SourceUnavailable(f"the archive has more than {limits.entries} entries")
            if time.monotonic() > until:
                raise SourceUnavailable(f"the archive takes longer than {limits.seconds:g} s")
            if member.issym() or member.islnk() or not path.parts:
                continue
            reader.expect_content()
            # Of modes, owners and dates nothing is taken over.
            tar.extract(member, into, set_attrs=False, filter="data")
            tops.add(path.parts[0])
            files += member.isfile()
        end = tar.offset
        reader.expect_content()
        while reader.read(2**16):
            pass
    # tarfile takes a header that it cannot read for the end.
    if reader.text_end > end:
        raise SourceUnavailable("the archive is damaged")
    if not files:
        raise SourceUnavailable("the archive holds no files")
    top = into / tops.pop() if len(tops) == 1 else into
    return top if top.is_dir() else into


def _checked(member: tarfile.TarInfo, limits: UnpackLimits) -> PurePosixPath:
    """The path of an entry, if that entry may be in an archive at all."""
    path = PurePosixPath(member.name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or re.match(r"[A-Za-z]:", member.name)
        or _ODD.search(member.name)
    ):
        raise SourceUnavailable("the archive holds a path that leads out of it or cannot be one")
    if (
        len(member.name) > limits.path_length
        or len(path.parts) > limits.path_depth
        or any(len(part.encode()) > _MAX_NAME for part in path.parts)
    ):
        raise SourceUnavailable("the archive holds a path that is too long or too deep")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise SourceUnavailable("the archive holds a device or something else that is no file")
    if member.issparse():
        raise SourceUnavailable("the archive holds a file with gaps")
    if member.size < 0:
        raise SourceUnavailable("the archive holds a file of less than nothing")
    if member.size > limits.file_megabytes * 2**20:
        raise SourceUnavailable(f"the archive holds a file of more than {limits.file_megabytes} MB")
    return path
