"""Unpacking: what GitHub packs comes out as it is, and what was made to harm does not."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.fetch.archive import UnpackLimits, unpack
from rag.errors import SourceUnavailable

TOP = "owner-project-8a6f7d6"


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def folder(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.DIRTYPE, mode=0o775)


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=kind, linkname=to)


def packed(*entries: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """The bytes of an archive that begins as those of GitHub do."""
    buffer = io.BytesIO()
    comment = {"comment": "8a6f7d606d4306593e5ac5e34adc2e6a3673739c"}
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers=comment) as tar:
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), 6)


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., Path]:
    """Writes an archive; everything happens in a folder that nothing may leave."""

    def write(*parts: tuple[tarfile.TarInfo, bytes] | bytes) -> Path:
        path = tmp_path / "archive.tar.gz"
        if len(parts) == 1 and isinstance(parts[0], bytes):
            path.write_bytes(parts[0])
        else:
            path.write_bytes(packed(*parts))  # type: ignore[arg-type]
        return path

    return write


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "into"


def beside(tmp_path: Path, into: Path) -> set[str]:
    """What stands in the test's folder beside the archive and what was unpacked."""
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if into not in p.parents}
    return found - {"archive.tar.gz", "deep", "deep/er", "deep/er/into"}


def written(into: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(into)): path.read_bytes()
        for path in into.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_an_archive_of_github_comes_out_as_it_is(archive, into):
    long = "pages/" + "very-" * 30 + "long name ü.md"
    path = archive(
        folder(f"{TOP}/"),
        entry(f"{TOP}/README.md", b"# Hello\n", mode=0o664, mtime=1),
        folder(f"{TOP}/pages/"),
        entry(f"{TOP}/{long}", b"text"),
        entry(f"{TOP}/pages/space .md", b""),
    )
    top = unpack(path, into)
    assert top == into / TOP
    assert written(top) == {"README.md": b"# Hello\n", long: b"text", "pages/space .md": b""}


def test_several_entries_at_the_top_stay_where_they_are(archive, into):
    assert unpack(archive(entry("a/x.md", b"1"), entry("b/y.md", b"2")), into) == into
    assert written(into) == {"a/x.md": b"1", "b/y.md": b"2"}


def test_a_single_file_at_the_top_is_no_folder(archive, into):
    assert unpack(archive(entry("x.md", b"1")), into) == into


def test_a_path_that_begins_with_a_dot_is_plain(archive, into):
    path = archive(folder("."), folder(f"./{TOP}"), entry(f"./{TOP}/./x.md", b"1"))
    assert unpack(path, into) == into / TOP
    assert written(into) == {f"{TOP}/x.md": b"1"}


def test_the_later_of_two_entries_counts(archive, into):
    unpack(archive(entry("t/x.md", b"long before"), entry("t/x.md", b"after")), into)
    assert written(into) == {"t/x.md": b"after"}


def test_modes_dates_and_owners_are_not_taken_over(archive, into):
    mask = os.umask(0o022)
    try:
        unpack(
            archive(
                entry(f"{TOP}/run.sh", b"x", mode=0o6777, uid=12345, gid=12345, mtime=1),
                entry(f"{TOP}/hidden", b"x", mode=0o000),
                entry(f"{TOP}/sub/", type=tarfile.DIRTYPE, mode=0o7000),
                entry(f"{TOP}/sub/x", b"x"),
            ),
            into,
        )
    finally:
        os.umask(mask)
    for path in (into / TOP).rglob("*"):
        state = path.stat()
        assert stat.S_IMODE(state.st_mode) == (0o755 if path.is_dir() else 0o644)
        assert state.st_uid == os.getuid()
        assert state.st_mtime > 1_000_000_000


# Links


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("to", ["/etc/passwd", "../../../..", "x.md", ".", f"{TOP}/x.md"])
def test_links_are_left_out(archive, into, tmp_path, kind, to):
    unpack(archive(entry(f"{TOP}/x.md", b"1"), link(f"{TOP}/link", to, kind)), into)
    assert written(into) == {f"{TOP}/x.md": b"1"}
    assert not any(path.is_symlink() for path in into.rglob("*"))
    assert (into / TOP / "x.md").stat().st_nlink == 1
    assert beside(tmp_path, into) == set()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_nothing_is_written_through_a_link(archive, into, tmp_path, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    path = archive(
        link(f"{TOP}/away", str(outside), kind),
        entry(f"{TOP}/away/kept", b"changed"),
        link(f"{TOP}/file", str(outside / "kept"), kind),
        entry(f"{TOP}/file", b"changed"),
        link("second", TOP, kind),
        entry("second/x", b"1"),
    )
    unpack(path, into)
    assert (outside / "kept").read_text() == "kept"
    assert sorted(os.listdir(outside)) == ["kept"]
    assert written(into) == {
        f"{TOP}/away/kept": b"changed",
        f"{TOP}/file": b"changed",
        "second/x": b"1",
    }


def test_an_archive_of_nothing_but_links_holds_no_files(archive, into):
    with pytest.raises(SourceUnavailable, match="no files"):
        unpack(archive(link("a", "/etc")), into)


# Paths


@pytest.mark.parametrize(
    "name",
    [
        "/etc/evil",
        "//etc/evil",
        "../evil",
        "../../evil",
        f"{TOP}/../../evil",
        f"{TOP}/../evil",
        f"{TOP}/..",
        "..",
        f"{TOP}/a/b/../../../../evil",
        "./../evil",
        "C:/evil",
        "c:evil",
        "C:\\evil",
        "..\\evil",
        f"{TOP}\\..\\..\\evil",
        "\\\\server\\share\\evil",
        f"{TOP}/line\n.md",
        f"{TOP}/escape\x1b[31m.md",
        f"{TOP}/\udcff.md",
        f"{TOP}/{'x' * 256}",
        f"{TOP}/{'ü' * 128}",
        "d/" * 41 + "x",
        "/".join(["x" * 200] * 6),
    ],
    ids=lambda name: ascii(name)[:40],
)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_an_archive_with_such_a_path_is_refused(archive, into, tmp_path, name, kind):
    bad = entry(name, b"evil" if kind == tarfile.REGTYPE else b"", type=kind, linkname="x")
    with pytest.raises(SourceUnavailable, match=r"^the archive .*path") as caught:
        unpack(archive(entry(f"{TOP}/x.md", b"1"), bad, entry(f"{TOP}/y.md", b"2")), into)
    assert str(caught.value).isprintable()
    assert beside(tmp_path, into) == set()
    assert "evil" not in str(written(into))


@pytest.mark.parametrize(
    "kind",
    [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"9", b"Z"],
    ids=["character device", "block device", "fifo", "unknown", "also unknown"],
)
def test_an_archive_with_a_device_is_refused(archive, into, kind):
    with pytest.raises(SourceUnavailable, match="device"):
        unpack(archive(entry(f"{TOP}/null", type=kind, devmajor=1, devminor=3)), into)
    assert written(into) == {}


@pytest.mark.parametrize("file_first", [True, False])
def test_a_file_and_a_folder_of_one_name_are_refused(archive, into, file_first):
    entries = [entry("t/a", b"1"), entry("t/a/b", b"2")]
    with pytest.raises(SourceUnavailable, match="one name"):
        unpack(archive(*(entries if file_first else reversed(entries))), into)


# Sizes


def test_the_number_of_entries_is_limited(archive, into):
    limits = UnpackLimits(entries=20)
    few = [entry(f"x{number}", b"1") for number in range(19)]
    unpack(archive(*few), into, limits)
    with pytest.raises(SourceUnavailable, match="more than 20 entries"):
        unpack(archive(*few, link("a", "b"), link("b", "c")), into, limits)


def test_folders_that_are_only_named_count_too(archive, into):
    deep = [entry(f"{number}/" + "d/" * 30 + "x", b"1") for number in range(10)]
    with pytest.raises(SourceUnavailable, match="more than 100 entries"):
        unpack(archive(*deep), into, UnpackLimits(entries=100))
    assert sum(1 for path in into.rglob("*") if path.is_dir()) < 100


def test_one_file_is_limited(archive, into):
    limits = UnpackLimits(file_megabytes=1)
    unpack(archive(entry("fits", bytes(2**20))), into, limits)
    with pytest.raises(SourceUnavailable, match="a file of more than 1 MB"):
        unpack(archive(entry("more", bytes(2**20 + 1))), into, limits)
    assert not (into / "more").exists()


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def test_the_whole_is_limited(archive, into):
    path = archive(*[entry(f"{number}", noise(2**18)) for number in range(8)])
    unpack(path, into, UnpackLimits(megabytes=3))
    with pytest.raises(SourceUnavailable, match="more than is allowed"):
        unpack(path, into, UnpackLimits(megabytes=1))


def test_a_bomb_is_refused_by_its_ratio(archive, into):
    with pytest.raises(SourceUnavailable, match="more than is allowed"):
        unpack(archive(entry("a", bytes(15 * 2**20))), into)
    assert sum(len(content) for content in written(into).values()) < 15 * 2**20


def test_a_short_text_may_repeat_itself(archive, into):
    unpack(archive(entry("a", b"all work " * 900_000)), into)
    assert (into / "a").stat().st_size == 8_100_000


def test_a_bomb_behind_the_end_of_the_archive_is_refused(archive, into):
    content = packed(entry("t/a", b"1")) + gzip.compress(bytes(20 * 2**20))
    with pytest.raises(SourceUnavailable, match="more than is allowed"):
        unpack(archive(content), into)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE, claimed: int | None = None) -> bytes:
    """An extended header of any content."""
    header = tarfile.TarInfo("pax")
    header.type = kind
    header.size = len(records) if claimed is None else claimed
    return header.tobuf(tarfile.GNU_FORMAT) + records + bytes(-len(records) % 512)


def plain(name: str, content: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    while size != len(b"%d %b=%b\n" % (size, key, value)):
        size += 1
    return b"%d %b=%b\n" % (size, key, value)


HEADERS = {
    "huge pax": pax(record(b"comment", b"x" * 30_000_000)),
    "huge global pax": pax(record(b"comment", b"x" * 30_000_000), tarfile.XGLTYPE),
    "huge pax, claimed": pax(b"", claimed=8 * 2**30),
    "huge name": pax(b"x" * 30_000_000, tarfile.GNUTYPE_LONGNAME),
    "huge link": pax(b"x" * 30_000_000, tarfile.GNUTYPE_LONGLINK),
    "many headers": pax(record(b"comment", b"x")) * 20_000,
    "many global headers": pax(record(b"comment", b"x"), tarfile.XGLTYPE) * 20_000,
    "many names": pax(b"x", tarfile.GNUTYPE_LONGNAME) * 20_000,
    "endless map of a sparse file": pax(
        record(b"GNU.sparse.major", b"1")
        + record(b"GNU.sparse.minor", b"0")
        + record(b"GNU.sparse.name", b"x")
        + record(b"GNU.sparse.realsize", b"5")
    )
    + plain("x", b"9999999999\n" + b"1\n" * 10_000_000),
}


@pytest.mark.parametrize("before", [b"", plain("t/first", b"1")], ids=["first", "later"])
@pytest.mark.parametrize("kind", HEADERS)
def test_headers_take_no_memory_to_speak_of(archive, into, kind, before):
    # Incompressible bytes behind it, so that not the ratio is what stops it.
    content = before + HEADERS[kind] + plain("t/a", noise(2**20)) + bytes(1024)
    path = archive(gzip.compress(content, 1))
    tracemalloc.start()
    try:
        with pytest.raises(SourceUnavailable, match=r"headers larger|damaged"):
            unpack(path, into)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
    assert set(written(into)) <= {"t/first"}


def global_keys(count: int, first: int = 0) -> bytes:
    keys = b"".join(record(b"k%d" % number, b"") for number in range(first, first + count))
    return pax(keys, tarfile.XGLTYPE)


def test_global_headers_are_not_kept_for_every_entry(archive, into):
    files = b"".join(plain(f"t/{number}", b"") for number in range(1000))
    path = archive(gzip.compress(global_keys(100) + files + bytes(1024)))
    tracemalloc.start()
    try:
        unpack(path, into)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_global_headers_that_add_up_are_refused(archive, into):
    content = b"".join(global_keys(60, 60 * n) + plain(f"t/{n}", b"") for n in range(3))
    with pytest.raises(SourceUnavailable, match="headers larger"):
        unpack(archive(gzip.compress(content + bytes(1024))), into)


def test_a_name_with_a_zero_byte_is_refused(archive, into):
    content = pax(record(b"path", b"t/nul\0.md")) + plain("t/a", b"1") + bytes(1024)
    with pytest.raises(SourceUnavailable, match="cannot be one"):
        unpack(archive(gzip.compress(content)), into)


@pytest.mark.parametrize("size", [b"-1", b"-1000000", b"99999999999999", b"1e3", b"nan", b""])
def test_a_size_that_cannot_be_is_refused(archive, into, size):
    expected = "less than nothing" if size.startswith(b"-") else "archive"
    content = pax(record(b"size", size)) + plain("t/a", b"1") + plain("t/b", b"2") + bytes(1024)
    with pytest.raises(SourceUnavailable, match=expected):
        unpack(archive(gzip.compress(content)), into)
    assert sum(len(content) for content in written(into).values()) < 2_000


def test_a_sparse_file_is_refused(archive, into):
    content = pax(
        record(b"GNU.sparse.map", b"0,1") + record(b"GNU.sparse.size", b"40000000")
    ) + plain("t/a", b"1")
    with pytest.raises(SourceUnavailable, match="gaps"):
        unpack(archive(gzip.compress(content + bytes(1024))), into)


def test_unpacking_ends_in_time(archive, into):
    with pytest.raises(SourceUnavailable, match="longer than 0 s"):
        unpack(archive(entry("t/a", b"1")), into, UnpackLimits(seconds=0))


# Damage


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Not found</html>",
        b"\x1f\x8b",
        gzip.compress(b""),
        gzip.compress(b"no tar at all, but long enough" * 100),
        gzip.compress(bytes(10240)),
        b"PK\x03\x04" + bytes(100),
        plain("t/a", b"1") + bytes(1024),
    ],
    # A packed stream holds the time of its making, and two processes collect these tests.
    ids=["empty", "page", "head", "nothing", "words", "zeros", "zip", "tar"],
)
def test_what_is_no_archive_is_refused(archive, into, content):
    with pytest.raises(SourceUnavailable, match=r"^the archive (is incomplete|is damaged|holds)"):
        unpack(archive(content), into)


def test_an_archive_that_breaks_off_is_refused_wherever_it_does(archive, into):
    whole = packed(*[entry(f"{TOP}/{number}", noise(700)) for number in range(5)])
    for length in range(0, len(whole), 97):
        with pytest.raises(SourceUnavailable):
            unpack(archive(whole[:length]), into)


def test_a_damaged_header_is_not_taken_for_the_end(archive, into):
    content = bytearray(plain("t/a", b"1") + plain("t/b", b"2") + plain("t/c", b"3") + bytes(1024))
    content[1024 + 3] ^= 1
    with pytest.raises(SourceUnavailable, match="damaged"):
        unpack(archive(gzip.compress(bytes(content))), into)


names = st.text(st.sampled_from("ab./\\:\0 ü\n"), min_size=1, max_size=12)
kinds = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(names, kinds, names), max_size=6))
def test_whatever_an_archive_holds_nothing_outside_is_touched(
    tmp_path_factory, monkeypatch, entries
):
    tmp_path = tmp_path_factory.mktemp("box")
    path, into = tmp_path / "archive.tar.gz", tmp_path / "deep" / "er" / "into"
    path.write_bytes(packed(*[entry(n, type=k, linkname=to) for n, k, to in entries]))
    try:
        top = unpack(path, into)
        assert top == into or top.parent == into
    except SourceUnavailable as error:
        assert str(error).isprintable()  # noqa: PT017
    assert beside(tmp_path, into) == set()
    assert not any(p.is_symlink() for p in into.rglob("*"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 6000), st.binary(min_size=1, max_size=40))
def test_damage_is_refused_in_words(tmp_path_factory, place, damage):
    tmp_path = tmp_path_factory.mktemp("box")
    content = bytearray(
        pax(record(b"path", b"t/a")) + plain("x", b"1") + plain("t/b", noise(800)) + bytes(1024)
    )
    place %= len(content)
    content[place : place + len(damage)] = damage
    path, into = tmp_path / "archive.tar.gz", tmp_path / "deep" / "er" / "into"
    path.write_bytes(gzip.compress(bytes(content)))
    try:
        unpack(path, into)
    except SourceUnavailable as error:
        assert str(error).isprintable()  # noqa: PT017
    assert beside(tmp_path, into) == set()
