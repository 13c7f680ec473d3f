"""Articles on their way into the index: what the command says, and what becomes of the draft."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from actors import STAFF
from filelock import FileLock
from test_drafts import CONTENT

from api.desk import publishing as publishing_module
from api.desk.database import DeskUnavailable
from api.desk.desk import Desk, open_desk
from api.desk.drafts import Content, Draft, DraftStatement, Outcome, SeenDraft
from api.desk.publishing import NotDone, Publisher, Publishing, _PublishTold, written
from rag.article_drafts import article_text

DONE = {"article": "x", "published": True, "findings": [], "generation": "20260102"}
SIGNED = replace(
    CONTENT, statements=(DraftStatement("Sign first.", ("e1",)),), reviewed_by="Helpdesk lead"
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = open_desk("", tmp_path / "data", 30)
    yield opened
    opened.close()


def command(folder: Path, program: str) -> Publisher:
    """What is called instead of the command of ingest: a program of the test's own."""
    script = folder / "command.py"
    script.write_text("import json, pathlib, sys, time\n" + textwrap.dedent(program), "utf-8")
    return Publisher((sys.executable, str(script)), {}, timeout_s=20)


def says(folder: Path, reply: object, rest: str = "") -> Publisher:
    """One that only says something."""
    return command(folder, f"print({json.dumps(json.dumps(reply))})\n{rest}")


def _publishing(desk: Desk, content: Content = SIGNED, ticket: str = "NMG-1") -> Draft:
    draft = desk.drafts.begin(STAFF, ticket, None, "Sharing", content)
    return desk.drafts.publish(STAFF, SeenDraft(draft.draft_id, draft.version))


def _after(desk: Desk, publisher: Publisher, *drafts: Draft) -> list[Draft]:
    """What has become of drafts when all is done."""

    async def run() -> None:
        publishing = Publishing(desk, publisher)
        for draft in drafts:
            publishing.publish(draft)
        await asyncio.gather(*publishing._tasks)

    asyncio.run(run())
    return [desk.drafts.read(STAFF, each.draft_id) for each in drafts]


def test_a_draft_is_published_as_the_file_of_an_article(desk: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    publisher = command(
        tmp_path,
        f"""
        said, file, form = sys.argv[1:]
        text = pathlib.Path(file).read_text("utf-8")
        pathlib.Path({str(kept)!r}).write_text(json.dumps([said, file, form, text]))
        print(json.dumps({{**json.loads({json.dumps(DONE)!r}), "article": "share"}}))
        """,
    )
    draft = _publishing(desk)
    [published] = _after(desk, publisher, draft)
    said, file, form, text = json.loads(kept.read_text("utf-8"))
    name = f"sharing-{draft.draft_id[2:].lower()}"
    assert (said, form, Path(file).name) == ("publish", "--json", f"{name}.md")
    assert text == article_text(written(draft))
    assert "Helpdesk lead" in text
    assert not Path(file).exists()
    assert (published.state, published.article_id, published.generation) == (
        "published", name, "20260102",
    )  # fmt: skip


def test_what_is_found_wrong_is_told_and_nothing_is_published(desk: Desk, tmp_path: Path) -> None:
    refusal = {
        **DONE, "published": False, "there": False, "generation": None,
        "findings": [{"kind": "stale", "said": "its sentence is gone\x1b[31m"}],
    }  # fmt: skip
    [draft] = _after(
        desk, says(tmp_path, refusal, "raise SystemExit(1)"), _publishing(desk)
    )  # fmt: skip
    assert (draft.state, draft.generation, draft.article_id) == ("refused", None, None)
    assert [(each.kind, each.said) for each in draft.findings] == [
        ("stale", "its sentence is gone\\x1b[31m")
    ]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('no JSON'); print('first\\nthe index is locked', file=sys.stderr)", "the index is"),
        ("raise SystemExit(3)", "ended with 3"),
        ("print('{}')", "ended with 0"),
        ("print('[' * 100_000)", "ended with 0"),
        ("print(chr(27) + 'x' * 5000, file=sys.stderr)", "\\x1b"),
    ],
)
def test_a_command_that_fails_leaves_one_line(
    desk: Desk, tmp_path: Path, program: str, told: str
) -> None:
    [draft] = _after(desk, command(tmp_path, program), _publishing(desk))
    assert draft.state == "refused"
    [finding] = draft.findings
    assert told in finding.said
    assert len(finding.said) <= 300
    assert finding.said.isprintable()


def test_a_command_that_is_not_there_is_told(desk: Desk, tmp_path: Path) -> None:
    publisher = Publisher((str(tmp_path / "nothing"),), {})
    [draft] = _after(desk, publisher, _publishing(desk))
    assert (draft.state, draft.findings[0].kind) == ("refused", "failed")


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    publisher = replace(command(tmp_path, "time.sleep(60)"), timeout_s=0.2)
    with pytest.raises(NotDone, match=r"0\.2 s"):
        asyncio.run(publisher.told(_PublishTold, "publish"))


def test_a_command_that_is_to_end_takes_back_what_it_did_first(tmp_path: Path) -> None:
    left = tmp_path / "left"
    publisher = command(
        tmp_path,
        f"""
        import signal
        left = pathlib.Path({str(left)!r})
        signal.signal(signal.SIGTERM, lambda *_: (left.unlink(), sys.exit(143)))
        left.touch()
        time.sleep(60)
        """,
    )
    with pytest.raises(NotDone, match="3 s"):
        asyncio.run(replace(publisher, timeout_s=3).told(_PublishTold, "publish"))
    assert list(tmp_path.iterdir()) == [tmp_path / "command.py"]


def test_a_command_that_does_not_listen_is_killed_with_what_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_module, "_GRACE_S", 0.1)
    publisher = command(
        tmp_path,
        """
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.run(["sleep", "60"])
        """,
    )
    began = time.monotonic()
    with pytest.raises(NotDone, match="2 s"):
        asyncio.run(replace(publisher, timeout_s=2).told(_PublishTold, "publish"))
    assert time.monotonic() - began < 30


def test_what_a_command_says_when_time_is_up_counts(tmp_path: Path) -> None:
    publisher = command(
        tmp_path,
        f"""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: (print({json.dumps(DONE)!r}), sys.exit()))
        time.sleep(60)
        """,
    )
    told = asyncio.run(replace(publisher, timeout_s=3).told(_PublishTold, "publish"))
    assert told.published


def test_one_is_published_after_the_other(desk: Desk, tmp_path: Path) -> None:
    log = tmp_path / "log"
    publisher = says(
        tmp_path,
        DONE,
        f"""
with open({str(log)!r}, "a") as log:
    log.write("begun ")
    log.flush()
    time.sleep(0.2)
    log.write("done ")
""",
    )
    drafts = [_publishing(desk, ticket=f"NMG-{number}") for number in range(3)]
    states = [each.state for each in _after(desk, publisher, *drafts)]
    assert states == ["published"] * 3
    assert log.read_text("utf-8").split() == ["begun", "done"] * 3


def test_a_server_that_stops_ends_the_command_and_the_next_one_tells(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_module, "_AGAIN_S", 0.05)
    draft = _publishing(desk)
    begun = tmp_path / "begun"
    publisher = command(tmp_path, f"pathlib.Path({str(begun)!r}).touch(); time.sleep(60)")

    async def run() -> None:
        publishing = Publishing(desk, publisher)
        publishing.publish(draft)
        async with asyncio.timeout(10):
            while not begun.exists():
                await asyncio.sleep(0.01)
            await publishing.stop()
        assert not publishing._tasks
        assert desk.drafts.read(STAFF, draft.draft_id).state == "publishing"
        again = Publishing(desk, publisher)
        await again.resume()
        await asyncio.gather(*again._tasks)

    asyncio.run(run())
    back = desk.drafts.read(STAFF, draft.draft_id)
    assert (back.state, back.findings[0].kind) == ("draft", "interrupted")


def test_a_server_that_starts_waits_for_one_that_is_still_publishing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_module, "_AGAIN_S", 0.05)
    begun, go = tmp_path / "begun", tmp_path / "go"
    publisher = says(
        tmp_path,
        DONE,
        f"""
pathlib.Path({str(begun)!r}).touch()
while not pathlib.Path({str(go)!r}).exists():
    time.sleep(0.01)
""",
    )
    draft = _publishing(desk)
    left = _publishing(desk, ticket="NMG-2")

    async def run() -> None:
        first, second = Publishing(desk, publisher), Publishing(desk, publisher)
        first.publish(draft)
        async with asyncio.timeout(20):
            while not begun.exists():
                await asyncio.sleep(0.01)
            await second.resume()
            await asyncio.sleep(0.2)
            assert desk.drafts.read(STAFF, draft.draft_id) == draft
            assert desk.drafts.read(STAFF, left.draft_id) == left
            go.touch()
            await asyncio.gather(*first._tasks, *second._tasks)

    asyncio.run(run())
    assert desk.drafts.read(STAFF, draft.draft_id).state == "published"
    # Nobody was at this one: what was begun by a server that has gone is given back.
    assert desk.drafts.read(STAFF, left.draft_id).findings[0].kind == "interrupted"


def test_a_server_that_starts_gives_nothing_back_that_waits_for_its_turn_in_another(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_module, "_AGAIN_S", 0.5)
    draft = _publishing(desk)
    publisher = says(tmp_path, DONE, "time.sleep(1)")

    async def run() -> None:
        # Said, and not begun yet: in another process the turn would be free, too.
        first, starts = Publishing(desk, publisher), Publishing(desk, publisher)
        await starts.resume()
        first.publish(draft)
        await asyncio.gather(*first._tasks, *starts._tasks)

    asyncio.run(run())
    assert desk.drafts.read(STAFF, draft.draft_id).state == "published"


def test_what_was_given_back_is_not_published_all_the_same(desk: Desk, tmp_path: Path) -> None:
    draft = _publishing(desk)
    desk.drafts.resume(desk.drafts.busy())
    begun = tmp_path / "begun"
    [back] = _after(desk, says(tmp_path, DONE, f"pathlib.Path({str(begun)!r}).touch()"), draft)
    assert back.state == "draft"
    assert not begun.exists()


@pytest.mark.parametrize("error", [DeskUnavailable("later"), ValueError("odd")])
def test_what_came_of_it_is_told_until_the_desk_has_noted_it(
    desk: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(publishing_module, "_AGAIN_S", 0.01)
    real, tries = desk.drafts.finish, []

    def finish(seen: SeenDraft, outcome: Outcome) -> None:
        tries.append(outcome)
        if len(tries) < 3:
            raise error
        real(seen, outcome)

    monkeypatch.setattr(desk.drafts, "finish", finish)
    [draft] = _after(desk, says(tmp_path, DONE), _publishing(desk))
    assert (draft.state, len(tries)) == ("published", 3)
    assert type(error).__name__ in caplog.text


def test_a_draft_is_given_back_where_what_came_of_it_cannot_be_stored(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_module, "_AGAIN_S", 0)
    real = desk.drafts.finish

    def finish(seen: SeenDraft, outcome: Outcome) -> None:
        if outcome.generation:
            raise ValueError("odd")
        real(seen, outcome)

    monkeypatch.setattr(desk.drafts, "finish", finish)
    [draft] = _after(desk, says(tmp_path, DONE), _publishing(desk))
    assert (draft.state, [each.kind for each in draft.findings]) == ("refused", ["failed"])
    assert draft.article_id


def test_where_the_lock_cannot_be_had_that_is_told(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(FileLock, "acquire", refused)
    [draft] = _after(desk, says(tmp_path, DONE), _publishing(desk))
    assert (draft.state, draft.findings[0].kind) == ("refused", "failed")


def _withdrawn(desk: Desk, publisher: Publisher, draft: Draft) -> Draft:
    async def run() -> None:
        publishing = Publishing(desk, publisher)
        publishing.withdraw(draft)
        await asyncio.gather(*publishing._tasks)

    asyncio.run(run())
    return desk.drafts.read(STAFF, draft.draft_id)


def test_an_article_is_withdrawn_by_its_name(desk: Desk, tmp_path: Path) -> None:
    [draft] = _after(desk, says(tmp_path, {**DONE, "article": "share"}), _publishing(desk))
    draft = desk.drafts.withdraw(STAFF, SeenDraft(draft.draft_id, draft.version))
    failing = command(tmp_path, "print('there is no article named share', file=sys.stderr)")
    kept = _withdrawn(desk, failing, draft)
    assert (kept.state, kept.findings[0].said) == ("published", "there is no article named share")
    draft = desk.drafts.withdraw(STAFF, SeenDraft(kept.draft_id, kept.version))
    told = {"withdrawn": True, "generation": "20260103"}
    publisher = command(
        tmp_path,
        f"""
        assert sys.argv[1:] == ["withdraw", {draft.article_id!r}, "--json"]
        print(json.dumps({{"article": sys.argv[2], **json.loads({json.dumps(told)!r})}}))
        """,
    )
    gone = _withdrawn(desk, publisher, draft)
    assert (gone.state, gone.generation, gone.article_id) == ("withdrawn", None, None)


def test_what_is_not_there_any_more_is_withdrawn(desk: Desk, tmp_path: Path) -> None:
    draft = _broken_off(desk)
    draft = desk.drafts.withdraw(STAFF, SeenDraft(draft.draft_id, draft.version))
    told = {"article": "x", "withdrawn": False, "generation": None}
    gone = _withdrawn(desk, says(tmp_path, told, "raise SystemExit(1)"), draft)
    assert (gone.state, gone.findings, gone.article_id) == ("withdrawn", (), None)


def _broken_off(desk: Desk) -> Draft:
    draft = _publishing(desk)
    desk.drafts.resume(desk.drafts.busy())
    return desk.drafts.read(STAFF, draft.draft_id)


def test_the_server_goes_on_though_threads_multiply_where_uvloop_serves(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    over = threading.Event()

    def multiply() -> None:
        matrix = np.ones((300, 300), dtype=np.float32)
        while not over.is_set():
            matrix @ matrix

    publisher = says(tmp_path, DONE)
    workers = [threading.Thread(target=multiply, daemon=True) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            for _ in range(20):
                told = runner.run(publisher.told(_PublishTold, "publish", "x.md"))
                assert told.published
    finally:
        over.set()
        for worker in workers:
            worker.join()
