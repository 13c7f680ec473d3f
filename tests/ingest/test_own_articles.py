"""Articles of whoever runs the helpdesk: published one by one, beside the shipped ones."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typed
from fakes import HashingEmbedder
from typed import ingest, refusal
from typer.testing import Result

from ingest import __main__ as command_line
from ingest import article_commands, pipeline
from ingest.watch import exit_on_signals
from rag.article_drafts import Written, article_text
from rag.models import ArticleStatement, Evidence
from rag.store import Store
from rag.text import pin

Write = Callable[..., Path]

DAWN = "The gauge of Port Alder is read at dawn by a warden of the harbour, and at dusk again."
RED = "Each reading is entered into the red book."
GAUGES = f"# Gauges\n\n## Hours\n\n{DAWN} {RED}\n"
ROPES = "# Ropes\n\nA rope is coiled with the sun and is hung up dry.\n"


def evidence(sentence: str) -> Evidence:
    return Evidence(
        source="atlas", path="gauges.md", title="Gauges", section=("Hours",),
        url="https://tide.example/gauges.md", label=None, pin=pin(sentence),
    )  # fmt: skip


def text(
    ask: str,
    said: str = "It is read twice a day.",
    *,
    sentence: str = DAWN,
    intent: str = "gauges",
    draft: bool = False,
) -> str:
    written = Written(
        title="About the gauge", intent=intent, audience=["volunteer"], asks={"en": [ask]},
        statements=[ArticleStatement(said, (evidence(sentence),))], checked=date(2031, 5, 4),
        draft=draft,
    )  # fmt: skip
    return article_text(written)


SHIPPED = text("When is the gauge read?")
OWN = text("Who writes down how high the water stands?", "It is noted in a book.", sentence=RED)


@pytest.fixture(autouse=True)
def _tiny_corpus(
    root: Path,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ticking_clock: None,
    reader_here: None,
) -> None:
    """One invented article instead of the shipped ones."""
    corpus = write({"articles/gauges/when.md": SHIPPED}, "corpus")
    for name in ("kinds.yaml", "topics.yaml"):
        shutil.copy(root / "corpus" / name, corpus)
    settle(monkeypatch, corpus)
    monkeypatch.chdir(tmp_path)


def settle(monkeypatch: pytest.MonkeyPatch, corpus: Path) -> None:
    monkeypatch.setenv("HELPDESK_CORPUS_DIR", str(corpus))
    for module in (command_line, article_commands):
        monkeypatch.setattr(module, "build_embedder", lambda _: HashingEmbedder())
    # They would go on to end the tests.
    monkeypatch.setattr(article_commands, "exit_on_signals", lambda _: None)


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the invented source, and the data directory it was indexed in."""
    folder = tmp_path_factory.mktemp("built")
    files = {
        "corpus/articles/gauges/when.md": SHIPPED,
        "atlas/gauges.md": GAUGES,
        "atlas/ropes.md": ROPES,
    }
    for name, said in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(said)
    for name in ("kinds.yaml", "topics.yaml"):
        shutil.copy(root / "corpus" / name, folder / "corpus")
    with pytest.MonkeyPatch.context() as monkeypatch:
        settle(monkeypatch, folder / "corpus")
        monkeypatch.setenv("HELPDESK_DATA_DIR", str(folder / "data"))
        run(folder / "atlas")
    return folder


@pytest.fixture
def atlas(built: Path, tmp_path: Path) -> Path:
    """The invented source, once it has been indexed."""
    for name in ("atlas", "data"):
        shutil.copytree(built / name, tmp_path / name)
    return tmp_path / "atlas"


def run(atlas: Path, *more: str, code: int = 0) -> dict[str, Any]:
    place = ("--source", atlas, "--base-url", "https://tide.example")
    return typed.told("run", *place, *more, code=code)


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Write an article outside all folders, as the desk does."""

    def write_it(said: str, name: str = "who.md") -> Path:
        file = tmp_path / "written" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
        return file

    return write_it


def publish(file: Path, code: int = 0) -> dict[str, Any]:
    return typed.told("articles", "publish", file, code=code)


def indexed(data: Path) -> dict[str, str]:
    """The articles in the index: their names, and where they lie."""
    with closing(Store(data).open()) as generation:
        return {each.article_id: each.path for each in generation.articles}


def own(data: Path) -> dict[str, str]:
    """The files of one's own articles with what they say."""
    found = (data / "articles").rglob("*")
    return {
        each.relative_to(data / "articles").as_posix(): each.read_text()
        for each in found
        if each.is_file()
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


# publish


def test_a_published_article_is_in_the_index_and_no_source_is_read_again(
    atlas: Path, data: Path, written: Write
) -> None:
    with closing(Store(data).open()) as generation:
        before = {each.document_id for each in generation.documents()}
    shutil.rmtree(atlas)
    told = publish(written(OWN))
    assert told == {
        "article": "who",
        "published": True,
        "there": True,
        "findings": [{"kind": "few asks", "said": "1 ways of asking, 6 are wanted"}],
        "generation": Store(data).current(),
    }
    assert indexed(data) == {"when": "articles/gauges/when.md", "who": "articles/gauges/who.md"}
    assert own(data) == {"gauges/who.md": OWN}
    with closing(Store(data).open()) as generation:
        found = {each.document_id for each in generation.documents()}
        (who,) = (each for each in generation.articles if each.article_id == "who")
    assert found - before == {"articles/gauges/who.md"}
    assert before <= found
    assert who.statements[0].evidence[0].quote == RED


REFUSED = {
    "stale": text("Who?", sentence="This was never said."),
    "unsupported": text("Who?", "It is read by 17 wardens."),
    "copied": text("Who?", DAWN),
    "asked twice": text("when is the gauge read"),
    "draft": text("Who?", draft=True),
    "unreadable": "Just words.",
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.usefixtures("atlas")
def test_what_a_check_finds_keeps_an_article_back(data: Path, written: Write, kind: str) -> None:
    before = Store(data).current()
    told = publish(written(REFUSED[kind]), code=1)
    assert kind in [each["kind"] for each in told["findings"]]
    assert (told["article"], told["published"], told["generation"]) == ("who", False, None)
    assert not told["there"]
    assert (Store(data).current(), own(data)) == (before, {})


@pytest.mark.usefixtures("atlas")
def test_what_is_found_is_said_to_people_too(written: Write) -> None:
    result = ingest("articles", "publish", written(REFUSED["stale"]))
    assert result.exit_code == 1
    assert "stale          who.md: " in result.stderr
    assert result.stdout == "refused; nothing has changed\n"


@pytest.mark.parametrize("name", ["Who.md", "who.pt.md", "who.txt", ".md", "who am i.md"])
@pytest.mark.usefixtures("atlas")
def test_a_file_is_named_after_its_article(data: Path, written: Write, name: str) -> None:
    (found,) = publish(written(OWN, name), code=1)["findings"]
    assert found["kind"] == "unreadable"
    assert own(data) == {}


@pytest.mark.parametrize("intent", ["../gauges", "a/b", "..", "Gauges", ""])
@pytest.mark.usefixtures("atlas")
def test_what_an_article_is_about_leads_into_no_other_folder(
    data: Path, written: Write, intent: str
) -> None:
    (found,) = publish(written(text("Who?", intent=intent)), code=1)["findings"]
    assert (found["kind"], found["said"].partition(":")[0]) == ("unreadable", "intent")
    assert own(data) == {}


@pytest.mark.usefixtures("atlas")
def test_the_name_of_a_shipped_article_is_taken(data: Path, written: Write) -> None:
    (found,) = publish(written(OWN, "when.md"), code=1)["findings"]
    assert found["said"] == "its name is taken by articles/gauges/when.md"
    assert own(data) == {}


@pytest.mark.usefixtures("atlas")
def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    (found,) = publish(tmp_path / "nowhere.md", code=1)["findings"]
    assert found["kind"] == "unreadable"


@pytest.mark.usefixtures("atlas")
def test_an_article_that_is_published_again_is_replaced(data: Path, written: Write) -> None:
    publish(written(OWN))
    changed = OWN.replace("in a book", "by somebody")
    publish(written(changed))
    assert own(data) == {"gauges/who.md": changed}
    moved = changed.replace("intent: gauges", "intent: wardens")
    publish(written(moved))
    assert own(data) == {"wardens/who.md": moved}
    assert indexed(data)["who"] == "articles/wardens/who.md"


@pytest.mark.usefixtures("atlas")
def test_where_an_earlier_state_stays_when_a_later_one_is_refused_that_is_told(
    data: Path, written: Write
) -> None:
    publish(written(OWN))
    assert publish(written(REFUSED["stale"]), code=1)["there"]
    assert own(data) == {"gauges/who.md": OWN}


@pytest.mark.usefixtures("atlas")
def test_a_translation_goes_where_its_article_goes(
    data: Path, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(written(OWN))
    (data / "articles" / "gauges" / "who.pt.md").write_text("Just words.")
    moved = written(OWN.replace("intent: gauges", "intent: wardens"))
    refusal(failing(monkeypatch, "publish", moved))
    assert own(data).keys() == {"gauges/who.md", "gauges/who.pt.md"}
    publish(moved)
    assert own(data) == {"wardens/who.md": moved.read_text(), "wardens/who.pt.md": "Just words."}


@pytest.mark.usefixtures("atlas")
def test_an_article_that_is_published_as_it_is_needs_no_new_index(written: Write) -> None:
    first, again = publish(written(OWN)), publish(written(OWN))
    assert first["generation"] == again["generation"]


def fails(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def failing(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> Result:
    """A command that cannot write the new index."""
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", fails)
        return ingest("articles", *arguments)


@pytest.mark.usefixtures("atlas")
def test_where_the_index_cannot_be_built_the_article_is_taken_back(
    data: Path, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Store(data).current()
    assert "No space left" in refusal(failing(monkeypatch, "publish", written(OWN)))
    assert (Store(data).current(), own(data)) == (before, {})


@pytest.mark.parametrize("intent", ["gauges", "wardens"])
@pytest.mark.usefixtures("atlas")
def test_where_the_index_cannot_be_built_what_was_there_before_is_there_again(
    data: Path, written: Write, monkeypatch: pytest.MonkeyPatch, intent: str
) -> None:
    publish(written(OWN))
    before = Store(data).current()
    changed = OWN.replace("in a book", "by somebody").replace("t: gauges", f"t: {intent}")
    refusal(failing(monkeypatch, "publish", written(changed)))
    refusal(failing(monkeypatch, "withdraw", "who"))
    assert (Store(data).current(), own(data)) == (before, {"gauges/who.md": OWN})


@pytest.mark.usefixtures("atlas")
def test_while_another_ingest_writes_nothing_is_published(
    data: Path, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(article_commands, "_WAIT_S", 0.1)
    before = Store(data).current()
    with Store(data).locked():
        assert "another ingest" in refusal(ingest("articles", "publish", written(OWN)))
    assert (Store(data).current(), own(data)) == (before, {})


@pytest.mark.usefixtures("atlas")
def test_an_article_waits_until_another_ingest_has_ended(data: Path, written: Write) -> None:
    begun, file = threading.Event(), written(OWN)

    def other() -> None:
        with Store(data).locked():
            begun.set()
            time.sleep(1)

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    result = ingest("articles", "publish", file)
    thread.join()
    assert "another ingest" in result.stderr
    assert result.exit_code == 0
    assert indexed(data).keys() == {"when", "who"}


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command takes signals as it does outside of tests."""
    monkeypatch.setattr(article_commands, "exit_on_signals", exit_on_signals)
    kept = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("atlas", "signals")
def test_a_command_that_is_told_to_end_takes_back_what_it_did(
    data: Path, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def stopped(*arguments: str | Path) -> int:
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "gather", ended)
            return ingest("articles", *arguments).exit_code

    assert stopped("publish", written(OWN)) == 143
    assert own(data) == {}
    publish(written(OWN))
    before = Store(data).current()
    assert stopped("withdraw", "who") == 143
    assert (Store(data).current(), own(data)) == (before, {"gauges/who.md": OWN})


@pytest.mark.usefixtures("atlas")
def test_what_fails_when_the_index_is_there_takes_nothing_back(
    data: Path, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Store, "prune", fails)
        refusal(ingest("articles", "publish", written(OWN)))
    assert indexed(data).keys() == {"when", "who"}
    assert own(data) == {"gauges/who.md": OWN}


def test_without_an_index_there_is_nothing_to_publish_to(data: Path, written: Write) -> None:
    assert "no index" in refusal(ingest("articles", "publish", written(OWN)))
    assert own(data) == {}


# withdraw


@pytest.mark.usefixtures("atlas")
def test_a_withdrawn_article_leaves_the_index_as_it_was(data: Path, written: Write) -> None:
    before = Store(data).open().digest
    publish(written(OWN))
    assert Store(data).open().digest != before
    told = typed.told("articles", "withdraw", "who")
    assert told == {"article": "who", "withdrawn": True, "generation": Store(data).current()}
    assert (indexed(data).keys(), own(data)) == ({"when"}, {})
    assert Store(data).open().digest == before


@pytest.mark.parametrize("name", ["when", "nobody", "../when", "gauges/who", ""])
@pytest.mark.usefixtures("atlas")
def test_only_an_article_of_ones_own_is_withdrawn(data: Path, written: Write, name: str) -> None:
    publish(written(OWN))
    assert "no article named" in refusal(ingest("articles", "withdraw", name))
    told = typed.told("articles", "withdraw", name, code=1)
    assert told == {"article": name, "withdrawn": False, "generation": Store(data).current()}
    assert indexed(data).keys() == {"when", "who"}


@pytest.mark.usefixtures("atlas")
def test_a_translation_goes_with_its_article(data: Path, written: Write) -> None:
    publish(written(OWN))
    (data / "articles" / "gauges" / "who.pt.md").write_text("Just words.")
    typed.told("articles", "withdraw", "who")
    assert own(data) == {}


@pytest.mark.usefixtures("atlas")
def test_what_a_killed_command_left_is_withdrawn(data: Path, written: Write) -> None:
    publish(written(OWN))
    (data / "articles" / "gauges" / "who.md").unlink()
    assert typed.told("articles", "withdraw", "who")["withdrawn"]
    assert indexed(data).keys() == {"when"}
    assert not typed.told("articles", "withdraw", "who", code=1)["withdrawn"]
    (data / "articles" / "gauges" / "who.md").write_text(OWN)
    assert typed.told("articles", "withdraw", "who")["withdrawn"]
    assert (indexed(data).keys(), own(data)) == ({"when"}, {})


@pytest.mark.usefixtures("atlas")
def test_one_that_was_killed_on_its_way_to_another_folder_is_withdrawn_from_both(
    data: Path, written: Write
) -> None:
    publish(written(OWN))
    (data / "articles" / "wardens").mkdir()
    (data / "articles" / "wardens" / "who.md").write_text(OWN)
    typed.told("articles", "withdraw", "who")
    assert (indexed(data).keys(), own(data)) == ({"when"}, {})


def test_the_last_article_is_withdrawn_where_none_is_shipped(
    atlas: Path, data: Path, tmp_path: Path, written: Write
) -> None:
    shutil.rmtree(tmp_path / "corpus" / "articles")
    run(atlas, "--accept")
    publish(written(OWN))
    assert typed.told("articles", "withdraw", "who")["withdrawn"]
    assert indexed(data) == {}


def test_where_more_has_gone_than_is_withdrawn_nothing_is(
    data: Path, atlas: Path, tmp_path: Path, written: Write
) -> None:
    more = {
        name: text(f"Which {name} reads the gauge?") for name in ("warden", "clerk", "pilot")
    }  # fmt: skip
    for name, said in more.items():
        (tmp_path / "corpus" / "articles" / "gauges" / f"{name}.md").write_text(said)
    run(atlas)
    publish(written(OWN))
    shutil.rmtree(tmp_path / "corpus" / "articles")
    assert "--accept" in refusal(ingest("articles", "withdraw", "who"))
    assert own(data) == {"gauges/who.md": OWN}


# What else reads them


def test_a_run_reads_them_after_the_shipped_ones_unless_it_is_to_leave_both_out(
    atlas: Path, data: Path, written: Write
) -> None:
    publish(written(OWN))
    run(atlas)
    assert list(indexed(data)) == ["when", "who"]
    run(atlas, "--no-articles")
    assert indexed(data) == {}


def test_a_shipped_article_keeps_its_name_when_one_of_ones_own_has_it(
    atlas: Path, data: Path, tmp_path: Path, written: Write
) -> None:
    """A newer version of the program brings one."""
    publish(written(OWN))
    newer = tmp_path / "corpus" / "articles" / "wardens" / "who.md"
    newer.parent.mkdir()
    newer.write_text(text("Which warden reads the gauge?"))
    assert run(atlas, code=1)["problems"] == [
        {
            "path": "articles/gauges/who.md",
            "problem": "its name is taken by articles/wardens/who.md",
        }
    ]
    assert indexed(data)["who"] == "articles/wardens/who.md"


@pytest.mark.usefixtures("atlas")
def test_they_are_checked_and_reported_with_the_others(data: Path, written: Write) -> None:
    publish(written(OWN))
    found = typed.told("articles", "check", code=1)
    assert found["coverage"]["articles"] == 2
    assert ("gauges/who.md", "few asks") in [(e["path"], e["kind"]) for e in found["findings"]]
    assert typed.told("articles", "report")["unused"] == ["when", "who"]


@pytest.mark.usefixtures("atlas")
def test_only_what_keeps_one_of_ones_own_back_fails_a_check(
    data: Path, tmp_path: Path, written: Write
) -> None:
    ways = [f"When do {who} read it?" for who in ("I", "you", "they", "we", "men", "all")]
    shipped = tmp_path / "corpus" / "articles" / "gauges" / "when.md"
    asks = "".join(f"  - {each}\n" for each in ways)
    shipped.write_text(SHIPPED.replace("  - When is the gauge read?\n", asks))
    publish(written(OWN))
    [found] = typed.told("articles", "check")["findings"]
    assert (found["path"], found["kind"]) == ("gauges/who.md", "few asks")
    (data / "articles" / "gauges" / "who.md").write_text(REFUSED["stale"])
    typed.told("articles", "check", code=1)


@pytest.mark.usefixtures("atlas")
def test_a_draft_takes_no_name_that_one_of_them_has(written: Write) -> None:
    publish(written(OWN, "enters-reading.md"))
    said = refusal(ingest("articles", "new", "Who enters a reading?"))
    assert "named enters-reading already" in said
