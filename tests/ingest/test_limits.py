"""Files that exhaust, crash or mislead their reader, read as an ingest reads them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

# By name, as tests are no package.
sys.path.insert(0, str(Path(__file__).parent))
from bombs import all_bombs, docx, epub, odt, paragraph

from ingest import sandbox
from ingest.models import Document, Loaded, Source
from ingest.sandbox import Limits, read_source

Write = Callable[..., Path]

BOMBS = all_bombs()
SECONDS = 1
"""Of wall time a file; an ingest allows 30."""
MEGABYTES = 512
SLACK_S = 6
"""For a worker that starts while other tests keep the machine busy."""
SLOW = b"<table>" + (b"<tr>" + b"<td>1" * 1000) * 1000
"""An HTML file that takes its reader many seconds."""

# What is wrong with a file is said where it can be told; of the others any line will do,
# and some are read, as a browser or a viewer would.
REASONS = {
    "encrypted.pdf": "encrypted",
    "wrong-type.pdf": "not a PDF",
    "truncated.pdf": "damaged",
    "nul.html": "binary data",
    "utf-16.html": "not UTF-8",
    "zip-bomb.docx": "unpacks to more",
    "many-parts.docx": "unpacks to more",
    "truncated.docx": "damaged",
    "encrypted.docx": "encrypted",
    "encrypted-zip.docx": "encrypted",
    "old-word.docx": "an old binary office format",
    "wrong-type.docx": "damaged, or not DOCX",
    "other-package.docx": "not DOCX",
    "entities.docx": "damaged DOCX",
    "external-entity.docx": "damaged DOCX",
    "missing-parts.docx": "damaged DOCX",
    "no-xml.docx": "damaged DOCX",
    "zip-bomb.odt": "unpacks to more",
    "entities.odt": "damaged ODT",
    "encrypted.odt": "encrypted",
    "wrong-type.odt": "not ODT",
    "zip-bomb.epub": "unpacks to more",
    "no-chapters.epub": "damaged EPUB",
    "rights.epub": "encrypted",
    "empty.epub": "the file is empty",
    "deep-front.md": "the front matter is nested too deeply",
    "binary.md": "not UTF-8",
    "large.txt": "larger than",
    "control.txt": "binary data",
}
FEW = {
    *REASONS, "huge-stream.pdf", "page-tree-loop.pdf", "deep-tables.docx", "deep.html",
    "repeated-spaces.odt", "deep.epub", "huge-table.md", "lines.txt",
}  # fmt: skip
"""Most of the others are ended by force, and to begin a reader anew takes a second."""


@dataclass
class Watch:
    """What the processes below this one take."""

    memory: int = 0
    """Bytes all of them held at once, at the most."""
    ended: bool = False
    workers: set[int] = field(default_factory=set)


@contextmanager
def watched() -> Iterator[Watch]:
    """Look at all processes that are started below this one while something runs."""
    watch, own = Watch(), psutil.Process()
    # Servers of other tests.
    there = {each.pid for each in own.children(recursive=True)}

    def look() -> None:
        before = 0
        while not watch.ended:
            now = 0
            # All at once: to list the processes of the machine takes 4 ms.
            for process in own.children(recursive=True):
                if process.pid in there:
                    continue
                with suppress(psutil.Error):
                    # What it shares with its parent until it is another program is not its own.
                    now += process.memory_full_info().uss
                    watch.workers.add(process.pid)
            # A process that is just being started counts as its parent for a moment.
            watch.memory = max(watch.memory, min(before, now))
            before = now
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        watch.ended = True
        thread.join()


@dataclass(frozen=True)
class Ingested:
    """A folder of bombs after it was read."""

    names: frozenset[str]
    documents: dict[str, Document]
    reasons: dict[str, str]
    problems: frozenset[str]
    longest_s: float
    watch: Watch


@pytest.fixture(scope="module", params=["few", pytest.param("all", marks=pytest.mark.long)])
def ingested(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Ingested:
    """Bombs in one folder, each beside a file that can be read."""
    root = tmp_path_factory.mktemp("bombs")
    names = frozenset(FEW if request.param == "few" else BOMBS)
    for number, (name, make) in enumerate(BOMBS.items()):
        if name not in names:
            continue
        (root / name).write_bytes(make())
        # Read right after the bomb, in whatever state it left the reader.
        (root / f"{name}.neighbour.md").write_text(f"The ebb of day {number} is written down.")
    (root / "good.docx").write_bytes(docx(paragraph("The ebb goes out.")))
    (root / "good.odt").write_bytes(odt("<text:p>The ebb goes out.</text:p>"))
    (root / "good.epub").write_bytes(epub("<html><body><p>The ebb goes out.</p></body></html>"))
    moments = [time.monotonic()]
    with watched() as watch:
        read = read_source(
            Source("bombs", "folder", root),
            lambda _: moments.append(time.monotonic()),
            Limits(SECONDS, MEGABYTES),
        )
    return Ingested(
        names=names,
        documents={each.path: each for loaded in read for each in loaded.documents},
        reasons={
            **{each.path: each.reason for loaded in read for each in loaded.skipped},
            **{each.path: each.problem for loaded in read for each in loaded.problems},
        },
        problems=frozenset(each.path for loaded in read for each in loaded.problems),
        longest_s=max(after - before for before, after in pairwise(moments)),
        watch=watch,
    )


def test_each_bomb_is_refused_in_one_line_or_read_and_its_neighbour_is_read(
    ingested: Ingested,
) -> None:
    for number, name in enumerate(BOMBS):
        if name not in ingested.names:
            continue
        document, reason = ingested.documents.get(name), ingested.reasons.get(name)
        assert (document is None) != (reason is None), name
        if name in REASONS:
            assert name in ingested.problems
            # On a busy machine a limit may come first.
            assert str(reason).startswith((REASONS[name], "took longer than")), name
        if reason is not None:
            assert reason.isprintable(), name
            assert 0 < len(reason) < 250, name
        if document is not None:
            assert document.text, name
        neighbour = ingested.documents[f"{name}.neighbour.md"]
        assert neighbour.text == f"The ebb of day {number} is written down."


def test_no_bomb_takes_more_memory_than_is_allowed(ingested: Ingested) -> None:
    assert ingested.watch.memory <= MEGABYTES * 2**20


def test_no_bomb_takes_more_time_than_is_allowed(ingested: Ingested) -> None:
    assert ingested.longest_s < SECONDS + SLACK_S


def test_some_bombs_do_reach_the_limit(ingested: Ingested) -> None:
    assert f"took longer than {SECONDS} s" in ingested.reasons.values()


def test_nothing_is_left_running(ingested: Ingested) -> None:
    assert ingested.watch.workers
    own = {each.pid for each in psutil.Process().children(recursive=True)}
    assert not own & ingested.watch.workers


def test_good_files_are_read_beside_the_bombs(ingested: Ingested) -> None:
    for name in ("good.docx", "good.odt", "good.epub"):
        assert ingested.documents[name].text == "The ebb goes out."


def test_no_bomb_writes_outside(
    ingested: Ingested, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.getbasetemp()
    assert not list(base.rglob("escaped.txt"))
    assert not Path("/escaped.txt").exists()


# A checkout, where a page may break what other pages need


@pytest.fixture
def checkout(write: Write) -> Callable[..., list[Loaded]]:
    """Read a checkout of these files and a good page."""

    def read(files: dict[str, str | bytes], seconds: float = SECONDS) -> list[Loaded]:
        good = "---\ntitle: Ebb\n---\nIt turns."
        root = write({"_config.yml": "permalink: /:basename", "ebb.md": good, **files})
        return read_source(Source("atlas", "jekyll", root), limits=Limits(seconds))

    return read


def paths(read: list[Loaded]) -> tuple[list[str], dict[str, str]]:
    """Paths of the documents, and paths of problems with their lines."""
    return (
        [each.path for loaded in read for each in loaded.documents],
        {each.path: each.problem for loaded in read for each in loaded.problems},
    )


def aliases(key: str = "a") -> str:
    """YAML that is small to read and without end to write out."""
    levels = (f"{key}{n}: &{key}{n} [{', '.join([f'*{key}{n - 1}'] * 10)}]\n" for n in range(1, 12))
    return f"{key}0: &{key}0 ebb\n" + "".join(levels)


def test_front_matter_that_takes_too_long_is_a_problem_of_its_page(
    checkout: Callable[..., list[Loaded]],
) -> None:
    long = "---\n" + "a: [b, c]\n" * 500_000 + "---\nWords."
    documents, problems = paths(checkout({"a.md": long, "z.md": "---\n---\nIt comes."}))
    assert documents == ["ebb.md", "z.md"]
    assert problems == {"a.md": f"took longer than {SECONDS} s"}


def test_front_matter_that_unfolds_without_end_is_a_problem_of_its_page(
    checkout: Callable[..., list[Loaded]],
) -> None:
    page = f"---\n{aliases()}permalink: *a11\n---\nWords."
    documents, problems = paths(checkout({"a.md": page}))
    assert documents == ["ebb.md"]
    assert list(problems) == ["a.md"]


def test_a_template_that_writes_out_without_end_is_a_problem_of_its_page(
    checkout: Callable[..., list[Loaded]],
) -> None:
    page = f"---\ntitle: A\n{aliases()}---\n{{{{ page.a11 }}}}"
    documents, problems = paths(checkout({"a.md": page}))
    assert documents == ["ebb.md"]
    assert list(problems) == ["a.md"]


def test_a_data_file_that_takes_too_long_is_left_out(
    checkout: Callable[..., list[Loaded]],
) -> None:
    documents, problems = paths(checkout({"_data/tides.yml": "- {a: b}\n" * 400_000}))
    assert documents == ["ebb.md"]
    assert problems == {"_data/tides.yml": f"took longer than {SECONDS} s"}


def test_a_menu_that_unfolds_without_end_or_holds_itself_is_read_once(
    checkout: Callable[..., list[Loaded]],
) -> None:
    menu = f"{aliases()}all: *a11\nsubitems: &own\n  - {{title: T, url: /ebb, subitems: *own}}\n"
    read = checkout({"_data/sidebars/tides.yml": menu})
    ((document,),) = (loaded.documents for loaded in read)
    assert document.topic == "T"


def test_defaults_of_the_wrong_kind_are_no_defaults(
    checkout: Callable[..., list[Loaded]],
) -> None:
    config = (
        "permalink: /:basename\ndefaults: [{scope: all, values: {}}, {values: [a]}, {scope: 3}]\n"
    )
    assert paths(checkout({"_config.yml": config})) == (["ebb.md"], {})


@pytest.mark.parametrize(
    "config", [f"{aliases()}exclude: [*a11]", "a: [b]\n" * 90_000, "# large\n" * 200_000]
)
def test_a_configuration_that_cannot_be_read_within_the_limits_is_a_problem(
    checkout: Callable[..., list[Loaded]], config: str
) -> None:
    documents, problems = paths(checkout({"_config.yml": config}, seconds=0.5))
    assert documents == []
    assert list(problems) == ["_config.yml"]


# The process itself


def children(of: psutil.Process, *, within_s: float = 20) -> list[psutil.Process]:
    """Wait until a process has started others, and return them."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = [each for each in of.children() if "ingest.worker" in each.cmdline()]
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("no worker was started")


def test_a_file_that_crashes_its_reader_is_a_problem_and_the_rest_is_read(write: Write) -> None:
    root = write({"a.md": "It goes.", "m.html": SLOW, "z.md": "It comes."})

    def crash() -> None:
        (worker,) = children(psutil.Process())
        # In its own time, as a busy machine gives it less: by then it is at the second file.
        while sum(worker.cpu_times()[:2]) < 2.5:
            time.sleep(0.02)
        worker.send_signal(signal.SIGSEGV)

    thread = threading.Thread(target=crash)
    thread.start()
    read = read_source(Source("atlas", "folder", root))
    thread.join()
    assert paths(read) == (["a.md", "z.md"], {"m.html": "crashed the reader"})


def test_the_memory_a_file_may_take_is_that_of_its_reader_and_all_it_starts(write: Write) -> None:
    root = write({"m.html": SLOW, "z.md": "It comes."})
    with watched() as watch:
        read = read_source(Source("atlas", "folder", root), limits=Limits(30, 160))
    assert paths(read) == (["z.md"], {"m.html": "needed more than 160 MB"})
    assert watch.memory <= 180 * 2**20


def test_a_file_that_says_more_than_a_book_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "_MAX_REPLY", 2**20)
    folder = write({"long.txt": "ebb and flow " * 100_000, "z.md": "It comes."})
    read = read_source(Source("atlas", "folder", folder))
    assert paths(read) == (["z.md"], {"long.txt": "holds more text than 1 MB"})


@pytest.mark.parametrize("said", ["no json at all\\n", '{"loaded": 7}\\n', ""])
def test_a_worker_that_talks_nonsense_is_a_problem_of_its_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    # A parser that was taken over may say anything.
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    read = read_source(Source("atlas", "folder", write({"a.md": "It goes."})))
    assert paths(read) == ([], {"atlas": "crashed the reader"})


def test_a_worker_that_never_ends_what_it_says_is_ended(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nwhile printf x; do sleep 0.01; done\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sandbox, "_START_S", 0.3)
    read = read_source(Source("atlas", "folder", write({"a.md": "It goes."})), limits=Limits(0.3))
    assert paths(read) == ([], {"atlas": "took longer than 0.3 s"})


def test_a_source_whose_path_cannot_be_printed_is_a_problem(write: Write) -> None:
    folder = write({"a.md": "It goes."}, "two\nlines")
    _, problems = paths(read_source(Source("atlas", "folder", folder)))
    assert list(problems.values()) == ["its path holds what cannot be printed"]


def test_a_worker_does_not_outlive_the_ingest(write: Write, root: Path) -> None:
    folder = write({"m.html": SLOW})
    program = (
        "from pathlib import Path\nfrom ingest.models import Source\n"
        "from ingest.sandbox import read_source\n"
        f"read_source(Source('a', 'folder', Path({str(folder)!r})))"
    )
    ingest = psutil.Popen([sys.executable, "-c", program], cwd=root)
    (worker,) = children(psutil.Process(ingest.pid))
    ingest.kill()
    ingest.wait()
    _, alive = psutil.wait_procs([worker], timeout=5)
    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_has_no_environment_to_speak_of(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("TIDE_TOKEN", "secret")
    folder = write({"m.html": SLOW})
    seen: dict[str, str] = {}

    def look() -> None:
        (worker,) = children(psutil.Process())
        time.sleep(0.5)
        seen.update(worker.environ())

    thread = threading.Thread(target=look)
    thread.start()
    read_source(Source("atlas", "folder", folder), limits=Limits(1))
    thread.join()
    assert "PATH" in seen
    assert not {"HTTPS_PROXY", "TIDE_TOKEN"} & seen.keys()


def test_a_worker_starts_without_the_models(root: Path) -> None:
    program = (
        "import sys, ingest.worker\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    heavy = {"numpy", "torch", "chromadb", "py3langid", "sentence_transformers", "psutil"}
    assert not heavy & set(done.stdout.split())


def test_a_source_read_in_a_process_is_the_source_read_here(tidewatch: Path) -> None:
    from reading import load_jekyll

    source = Source(
        "tidewatch", "jekyll", tidewatch, "https://tide.example", published="2031-05-04"
    )
    assert read_source(source) == list(load_jekyll(source))
