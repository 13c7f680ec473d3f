"""Peers: what they are given, what they give back, and what it is worth."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.peers import environments, minilm
from eval.peers.environments import PEERS, PeerFailed, make_variable, python_of, run_peer
from eval.peers.exchange import answer, arguments, read_task, write_task
from eval.peers.scoring import Given, ranks_of, read_run, score, table, to_be_found
from eval.peers.task import documents_of, queries_of
from eval.questions import Judged
from rag.errors import NoIndex
from rag.models import IndexedDocument

FERRY = "The ferry leaves the northern pier at seven every morning"
KEY = "The spare key hangs behind the blue door of the boathouse"


def judged(identifier: str, *groups: tuple[tuple[str, str], ...], **more: object) -> Judged:
    return Judged.model_validate(
        {
            "id": identifier,
            "question": "when?",
            "language": "en",
            "expect": "answer",
            "evidence": [
                [{"path": path, "quote": quote} for path, quote in group] for group in groups
            ],
            **more,
        }
    )


def line(identifier: str, *passages: tuple[str, str]) -> dict[str, object]:
    return {
        "id": identifier,
        "passages": [
            {"rank": rank, "path": path, "text": text}
            for rank, (path, text) in enumerate(passages, start=1)
        ],
        "search_ms": 4.0,
    }


def write(file: Path, *lines: object) -> Path:
    file.write_text("".join(f"{json.dumps(each)}\n" for each in lines), encoding="utf-8")
    return file


def indexed(path: str, source: str = "island") -> IndexedDocument:
    return IndexedDocument(
        document_id=f"{source}:{path}", source=source, path=path, title=path, url=None,
        language="en", kind="page", placeholder=False, version=None, doi=None, published=None,
        licence=None, chunks=1,
    )  # fmt: skip


def task_in(folder: Path, out: Path) -> argparse.Namespace:
    return arguments("a peer").parse_args(
        ["--corpus", str(folder), "--documents", str(folder / "documents.txt"),
         "--questions", str(folder / "questions.jsonl"), "--out", str(out)]
    )  # fmt: skip


# What a peer is given


def test_a_peer_gets_the_last_two_turns_and_then_the_question():
    history = [
        {"role": "user", "text": "first"},
        {"role": "assistant", "text": "second"},
        {"role": "user", "text": "third"},
    ]
    question = judged("q", (("a.md", FERRY),), question="and then?", history=history)
    assert queries_of([question]) == [("q", "second\nthird\nand then?")]


def test_a_question_without_history_is_its_own_query():
    assert queries_of([judged("q", (("a.md", FERRY),))]) == [("q", "when?")]


def test_a_peer_gets_the_indexed_files_of_the_corpus_and_nothing_else(tmp_path):
    corpus = tmp_path / "island"
    (corpus / "pages").mkdir(parents=True)
    for name in ("pages/b.md", "a.md", "template.md"):
        (corpus / name).touch()
    known = [
        indexed("pages/b.md"), indexed("a.md"), indexed("gone.md"),
        indexed("template.md", source="elsewhere"),
    ]  # fmt: skip
    assert documents_of(known, corpus) == ["a.md", "pages/b.md"]


def test_a_corpus_that_is_not_indexed_is_refused_with_the_cure(tmp_path):
    with pytest.raises(NoIndex, match="python -m ingest run --source"):
        documents_of([indexed("a.md")], tmp_path / "island")


def test_a_question_with_nothing_to_find_is_not_asked():
    wanted = judged("a", (("a.md", FERRY),))
    unanswerable = judged("b", (("a.md", FERRY),), expect="abstain")
    assert to_be_found([wanted, unanswerable, judged("c")]) == [wanted]


@settings(max_examples=30, deadline=None)
@given(
    documents=st.lists(st.text("aé .\u2028", min_size=1), unique=True, max_size=4),
    queries=st.lists(st.tuples(st.uuids().map(str), st.text()), max_size=4),
)
def test_a_peer_reads_what_we_wrote(tmp_path_factory, documents, queries):
    folder = tmp_path_factory.mktemp("task")
    write_task(folder, documents, queries)
    task = read_task(task_in(folder, folder / "run.jsonl"))
    assert (list(task.documents), list(task.queries)) == (documents, queries)


# What a peer gives back


def test_what_a_peer_writes_is_what_we_read(tmp_path):
    write_task(tmp_path, ["a.md"], [("q", "when\nwhere?")])
    task = read_task(task_in(tmp_path, tmp_path / "run.jsonl"))
    asked = []

    def search(query: str) -> list[tuple[str, str]]:
        asked.append(query)
        return [("a.md", f"passage {number}") for number in range(12)]

    answer(task, search)
    result = read_run(task.out, [judged("q", (("a.md", FERRY),))])["q"]
    assert set(asked) == {"when\nwhere?"}
    assert [each.rank for each in result.passages] == list(range(1, 11))
    assert result.passages[1] == Given(rank=2, path="a.md", text="passage 1")
    assert result.search_ms >= 0


def test_a_peer_that_dies_halfway_leaves_no_run_file(tmp_path):
    write_task(tmp_path, ["a.md"], [("q1", "one"), ("q2", "two")])
    task = read_task(task_in(tmp_path, tmp_path / "run.jsonl"))

    def search(query: str) -> list[tuple[str, str]]:
        if query == "two":
            raise MemoryError
        return []

    with pytest.raises(MemoryError):
        answer(task, search)
    assert not task.out.exists()


GOOD = line("q", ("a.md", FERRY))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "1 questions unanswered, the first is q"),
        ([GOOD, GOOD], "line 2: question 'q' is answered twice"),
        ([GOOD, line("other")], "line 2: nobody asked a question 'other'"),
        ([{"id": "q", "search_ms": 1}], "line 1: passages"),
        ([line("q", *[("a.md", "text")] * 11)], "line 1: passages"),
        (
            [{**GOOD, "passages": [{"rank": 2, "path": "a.md", "text": "x"}]}],
            r"line 1: ranks are \[2\]",
        ),
        ([{**GOOD, "search_ms": -1}], "line 1: search_ms"),
        (["q"], "line 1: not a JSON object"),
    ],
)
def test_a_broken_run_file_is_refused_in_one_line_that_says_where(tmp_path, lines, said):
    file = write(tmp_path / "run.jsonl", *lines)
    with pytest.raises(ValueError, match=said) as refused:
        read_run(file, [judged("q", (("a.md", FERRY),))])
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_a_run_file_cut_in_the_middle_of_a_line_is_refused_in_one_line(tmp_path):
    file = tmp_path / "run.jsonl"
    file.write_text(json.dumps(GOOD)[:40], encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: no JSON") as refused:
        read_run(file, [judged("q", (("a.md", FERRY),))])
    assert "\n" not in str(refused.value)


# What it is worth


def test_a_small_run_scores_what_one_computes_by_hand(tmp_path):
    questions = [
        # Two groups, found at ranks 1 and 6: R@5 1/2, R@10 1, RR 1.
        judged("both", (("a.md", FERRY),), (("b.md", KEY),)),
        # Found at rank 3: R@5 1, RR 1/3, nDCG 1/log2(4).
        judged("third", (("a.md", FERRY), ("c.md", FERRY)), language="de"),
        # The right words on another page are no evidence.
        judged("missed", (("a.md", FERRY),)),
    ]
    other = ("z.md", "nothing to do with it")
    file = write(
        tmp_path / "run.jsonl",
        line("both", ("a.md", f"Note: {FERRY}."), *[other] * 4, ("b.md", KEY)),
        line("third", other, other, ("c.md", FERRY)),
        line("missed", ("b.md", FERRY)),
    )
    scores = score(questions, read_run(file, questions))
    assert scores.recall_at_5.mean == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert scores.recall_at_5_english.mean == pytest.approx((1 / 2 + 0) / 2)
    assert (scores.recall_at_5_other.mean, scores.recall_at_5_other.count) == (1, 1)
    assert scores.recall_at_10.mean == pytest.approx((1 + 1 + 0) / 3)
    assert scores.rr.mean == pytest.approx((1 + 1 / 3 + 0) / 3)
    both = (1 + 1 / math.log2(7)) / (1 + 1 / math.log2(3))
    assert scores.ndcg_at_10.mean == pytest.approx((both + 1 / 2 + 0) / 3)
    assert scores.search_ms_p50 == 4


def test_markup_that_a_peer_left_in_its_passage_costs_it_nothing():
    question = judged("q", (("a.md", "leaves [the pier](https://example.org/pier) at seven"),))
    raw = "The ferry leaves [the pier](https://example.org/pier) at **seven**, <b>daily</b>."
    read = "The ferry leaves the pier at seven, daily."
    for text in (raw, read):
        assert ranks_of(question, [Given(rank=1, path="a.md", text=text)]) == [1]


def test_a_passage_that_looks_like_markup_is_also_read_as_it_is():
    question = judged("q", (("a.md", FERRY),))
    text = f"Waves < 3 metres: {FERRY}. Waves > 3 metres: it stays."
    assert ranks_of(question, [Given(rank=1, path="a.md", text=text)]) == [1]


def test_the_table_has_a_row_a_peer_and_says_where_nothing_was_measured(tmp_path):
    questions = [judged("q", (("a.md", FERRY),))]
    run = read_run(write(tmp_path / "run.jsonl", GOOD), questions)
    head, _, row = table({"a peer": score(questions, run)}).splitlines()
    assert [each.strip() for each in head.split("|")][2:5] == ["R@5", "R@5 en", "R@5 other"]
    cells = [each.strip() for each in row.split("|")]
    assert cells[1:5] == ["a peer", "1.000 [1.000, 1.000]", "1.000 [1.000, 1.000]", "none"]


# Where a peer runs


def test_every_peer_has_its_script_and_pins_all_that_it_installs(root):
    folder = root / "eval" / "peers"
    for peer in PEERS:
        assert (folder / f"{peer.script}.py").is_file()
        lines = (folder / f"{peer.script}.txt").read_text(encoding="utf-8").splitlines()
        assert all("==" in each for each in lines)
        pinned = {each.split("==")[0] for each in lines}
        asked = (folder / f"{peer.script}.in").read_text(encoding="utf-8").splitlines()
        assert {each.split("==")[0] for each in asked if not each.startswith("#")} <= pinned
        # torch comes apart: named here, it would bring its default build.
        assert "torch" not in pinned


def test_torch_and_its_registry_are_those_of_the_makefile(root, monkeypatch):
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    monkeypatch.delenv("TORCH", raising=False)
    makefile = (root / "Makefile").read_text(encoding="utf-8").splitlines()
    assert f"TORCH := {make_variable('TORCH')}" in makefile
    assert f"TORCH_INDEX ?= {make_variable('TORCH_INDEX')}" in makefile
    monkeypatch.setenv("TORCH_INDEX", "")
    assert make_variable("TORCH_INDEX") == ""


def test_an_environment_is_made_once_and_anew_when_its_requirements_change(tmp_path, monkeypatch):
    commands = []

    def run(command: list[str], log: Path) -> None:
        commands.append(command)
        log.with_suffix("").mkdir(exist_ok=True)

    monkeypatch.setattr(environments, "_run", run)
    said: list[str] = []
    monkeypatch.setenv("TORCH", "torch==1")
    python_of(PEERS[0], tmp_path, said.append)
    first = len(commands)
    python_of(PEERS[0], tmp_path, said.append)
    assert len(commands) == first == 3
    monkeypatch.setenv("TORCH", "torch==2")
    python_of(PEERS[0], tmp_path, said.append)
    assert (len(commands), len(said)) == (6, 2)
    assert all("--no-deps" in command for command in commands if "install" in command)


def test_a_failed_install_is_one_line_and_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(environments.sys, "executable", "/bin/false")
    for _ in range(2):
        with pytest.raises(PeerFailed, match="could not install haystack_hybrid") as failed:
            python_of(PEERS[0], tmp_path, lambda _: None)
        assert "\n" not in str(failed.value)


def test_a_peer_that_fails_leaves_no_old_run_file_to_be_scored(tmp_path):
    write(tmp_path / f"{PEERS[0].name}.jsonl", GOOD)
    with pytest.raises(PeerFailed, match="ended with 1"):
        run_peer(PEERS[0], Path("/bin/false"), tmp_path, tmp_path)
    assert not (tmp_path / f"{PEERS[0].name}.jsonl").exists()


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path, monkeypatch):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    with pytest.raises(SystemExit, match=minilm.SHA256):
        minilm.check(weights)
    monkeypatch.setattr(minilm, "SHA256", hashlib.sha256(b"weights").hexdigest())
    minilm.check(weights)
