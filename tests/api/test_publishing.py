"""Articles on their way into the index: what the command says, and what becomes of the draft."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from actors import STAFF
from test_drafts import CONTENT

from api.desk.desk import Desk, open_desk
from api.desk.drafts import Content, Draft, DraftStatement, SeenDraft
from api.desk.publishing import NotDone, Publisher, Publishing, _PublishTold, article_name, written
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
            publishing.publish(draft, ())
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
    assert (said, form, Path(file).name) == ("publish", "--json", "sharing.md")
    assert text == article_text(written(draft))
    assert "Helpdesk lead" in text
    assert not Path(file).exists()
    assert (published.state, published.article_id, published.generation) == (
        "published", "sharing", "20260102",
    )  # fmt: skip


def test_what_is_found_wrong_is_told_and_nothing_is_published(desk: Desk, tmp_path: Path) -> None:
    refusal = {
        **DONE, "published": False, "generation": None,
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
    desk: Desk, tmp_path: Path
) -> None:
    draft = _publishing(desk)
    begun = tmp_path / "begun"
    publisher = command(tmp_path, f"pathlib.Path({str(begun)!r}).touch(); time.sleep(60)")

    async def run() -> None:
        publishing = Publishing(desk, publisher)
        publishing.publish(draft, ())
        async with asyncio.timeout(10):
            while not begun.exists():
                await asyncio.sleep(0.01)
            await publishing.stop()
        assert not publishing._tasks
        assert desk.drafts.read(STAFF, draft.draft_id).state == "publishing"
        await Publishing(desk, publisher).resume()

    asyncio.run(run())
    back = desk.drafts.read(STAFF, draft.draft_id)
    assert (back.state, back.findings[0].kind) == ("draft", "interrupted")


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
        assert sys.argv[1:] == ["withdraw", "sharing", "--json"]
        print(json.dumps({{"article": sys.argv[2], **json.loads({json.dumps(told)!r})}}))
        """,
    )
    gone = _withdrawn(desk, publisher, draft)
    assert (gone.state, gone.generation, gone.article_id) == ("withdrawn", None, "sharing")


def test_the_name_of_another_article_is_not_taken(desk: Desk) -> None:
    draft = _publishing(desk)
    assert article_name(draft, ()) == "sharing"
    assert article_name(draft, {"sharing"}) == f"sharing-{draft.draft_id[2:].lower()}"
