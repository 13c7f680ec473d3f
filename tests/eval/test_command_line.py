from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import shelf
from fakes import HashingEmbedder
from typer.testing import CliRunner, Result

import eval.__main__ as command
from eval.questions import Judged, read_questions
from eval.run import SCORES
from rag.answerer import Answerer
from rag.models import Part
from rag.settings import Settings
from rag.store import Store

Run = Callable[..., Result]
QUESTION = {
    "id": "q1",
    "question": "How can I share my data?",
    "language": "en",
    "expect": "answer",
    "intent": "share_data",
    "type": "how_to",
    "evidence": [[{"path": "pages/sharing.md", "quote": shelf.SIGNS}]],
}
HARM = {
    "id": "q2",
    "question": "Give me medical advice on my gene.",
    "language": "en",
    "expect": "abstain",
    "why": "safety",
}


@pytest.fixture
def run(store: Store, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command over the invented framework."""
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(store.directory))
    monkeypatch.setattr(command, "build_embedder", lambda _: HashingEmbedder())
    return lambda *arguments: CliRunner().invoke(command.app, [str(each) for each in arguments])


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, (QUESTION, HARM))), encoding="utf-8")
    return file


def _is_one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_a_run_prints_scores_with_intervals_refusals_and_latency(run: Run, questions: Path) -> None:
    done = run("run", "--questions", questions)
    assert done.exit_code == 0, done.stderr
    assert re.search(r"recall_at_5 +1\.000  \[1\.000, 1\.000\]  n=1", done.stdout)
    assert re.search(r"ndcg_at_10 +\d\.\d{3}", done.stdout)
    assert re.search(r"refused, safety +\d of 1", done.stdout)
    assert re.search(r"search ms +p50 \d", done.stdout)


def test_a_report_is_a_page_and_a_run_to_compare(run: Run, questions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "one"
    assert run("run", "--questions", questions, "--report", folder).exit_code == 0
    assert (folder / "index.html").read_text(encoding="utf-8").startswith("<!")
    kept = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert list(kept)[:3] == ["about", "scores", "groups"]
    assert [row["id"] for row in kept["rows"]] == ["q1", "q2"]
    about = kept["about"]
    assert about["generation"] == shelf.FIRST
    assert about["embedder"] == "hashing-64"
    assert len(about["questions"]["questions.jsonl"]) == 64
    assert about["retrieval"]["words_weight"] == 0.6
    assert str(tmp_path) not in json.dumps(about)

    same = run("compare", folder, folder / "run.json")
    assert same.exit_code == 0
    assert "2 questions paired" in same.stdout
    assert re.search(r"recall_at_5 +1\.000 -> 1\.000  \+0\.000 .* p=1\.0000", same.stdout)
    assert "differ" not in same.stdout
    assert "not the same" not in same.stdout

    kept["rows"][0]["ndcg_at_10"] /= 2
    kept["rows"][1]["question"] = "Another?"
    kept["about"]["retrieval"]["words_weight"] = 0.7
    (tmp_path / "other.json").write_text(json.dumps(kept), encoding="utf-8")
    other = run("compare", folder, tmp_path / "other.json")
    assert "not the same: retrieval.words_weight: 0.6 -> 0.7\n" in other.stdout
    assert "evidence ranks lower: 1\n  q1 " in other.stdout
    assert "the questions differ: 0 only in the first run, 0 only in the second, 1" in other.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--questions", "absent.jsonl"), "absent.jsonl: No such file"),
        (("run", "--questions", "bad.jsonl"), "bad.jsonl, line 1: "),
        (("run", "--questions", "empty.jsonl"), "no question in empty.jsonl"),
        (("run", "--questions", "good.jsonl", "--corpus", "absent"), "absent: no such file"),
        (("run", "--questions", "good.jsonl", "--report", "bad.jsonl"), "bad.jsonl: not a folder"),
        (("compare", "absent.json", "good.jsonl"), "absent.json: No such file"),
        (("compare", "good.jsonl", "good.jsonl"), "good.jsonl: not a run of this program"),
        (("gate", "--lower", "rr"), "--lower goes with --accept"),
    ],
)
def test_bad_usage_exits_2_with_one_line(
    run: Run, questions: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(questions.parent)
    Path("good.jsonl").write_text(json.dumps(QUESTION), encoding="utf-8")
    Path("bad.jsonl").write_text('{"id": "q1"}', encoding="utf-8")
    Path("empty.jsonl").write_text("\n", encoding="utf-8")
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert _is_one_line(done.stderr)


def test_without_an_index_the_cure_is_told(questions: Path, tmp_path: Path, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eval", "run", "--questions", str(questions)],
        cwd=root,
        env={**os.environ, "HELPDESK_DATA_DIR": str(tmp_path / "nothing")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "python -m ingest run" in done.stderr
    assert _is_one_line(done.stderr)


@pytest.fixture(scope="module")
def invented(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The invented documents of the judged questions, a chunk for each heading."""
    pages = []
    for file in sorted((root / "eval" / "data" / "documents").glob("*.md")):
        sections = re.split(r"^#+ +(.*)$", file.read_text(encoding="utf-8"), flags=re.M)[1:]
        for number, (heading, text) in enumerate(zip(sections[::2], sections[1::2], strict=True)):
            document, chunks = shelf.page(file.name, heading, Part(text.strip(), (heading,)))
            pages.append((document, chunks, number))
    documents = {each.card.document_id: each for each, _, _ in pages}
    made = shelf.Shelf(
        documents=tuple(documents.values()),
        chunks=tuple(
            shelf.replace(chunk, chunk_id=f"{chunk.document_id}#{number}")
            for _, chunks, number in pages
            for chunk in chunks
        ),
    )
    return shelf.written(tmp_path_factory.mktemp("invented"), made)


@pytest.fixture
def gate(invented: Store, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The gate over a part of our own questions, with floors of its own."""
    data = root / "eval" / "data"
    asked = [
        each
        for each in read_questions([data / "questions.jsonl"])
        if each.id.startswith("own-doc") and each.language == "en"
    ][:60]

    def only(_: object) -> list[Judged]:
        return asked

    def indexed(settings: Settings, _: Path, *, articles: bool) -> Settings:
        assert articles
        return settings.model_copy(update={"data_dir": invented.directory})

    floors = tmp_path / "floors.json"
    names = ("recall_at_5", "rr", "ndcg_at_10", "quote_valid", "cited")
    floors.write_text(
        json.dumps(
            {
                "corpus": "",
                "margin": 0.02,
                "floors": dict.fromkeys(names, 0),
                "ceilings": {},
                "unbounded": [name for name in SCORES if name not in names],
            }
        ),
        encoding="utf-8",
    )
    monkeypatch.setattr(command, "_FLOORS", floors)
    monkeypatch.setattr(command, "read_questions", only)
    monkeypatch.setattr(command, "_indexed", indexed)
    monkeypatch.setattr(command, "build_embedder", lambda _: HashingEmbedder())
    monkeypatch.setattr(command, "_sorting", dict)
    return lambda *arguments: CliRunner().invoke(command.app, ["gate", *arguments])


@pytest.mark.parametrize(
    "wrong",
    [
        {"WORDS_WEIGHT": "0", "GRAMS_WEIGHT": "0"},
        pytest.param({"CHUNK_WEIGHT": "10"}, marks=pytest.mark.long),
        pytest.param({"SENTENCE_WEIGHT": "10"}, marks=pytest.mark.long),
    ],
    ids=lambda wrong: ", ".join(f"{name} {value}" for name, value in wrong.items()),
)
def test_the_gate_opens_for_the_measured_weights_and_fails_for_a_wrong_one(
    gate: Run, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    accepted = gate("--accept")
    assert accepted.exit_code == 0, accepted.stderr
    opened = gate()
    assert opened.exit_code == 0, opened.stderr
    assert opened.stdout.endswith("gate: open\n")

    for name, value in wrong.items():
        monkeypatch.setenv(f"HELPDESK_RETRIEVAL__{name}", value)
    failed = gate()
    assert failed.exit_code == 1
    assert re.search(
        r"^gate: (recall_at_5|rr|ndcg_at_10) is 0\.\d+, its floor", failed.stderr, re.M
    )

    kept = command._FLOORS.read_text(encoding="utf-8")
    refused = gate("--accept")
    assert refused.exit_code == 1
    assert _is_one_line(refused.stderr)
    assert "as it ships" in refused.stderr
    assert command._FLOORS.read_text(encoding="utf-8") == kept


def test_the_gate_fails_when_the_order_is_turned_round(
    gate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate("--accept").exit_code == 0
    searched = Answerer.search
    monkeypatch.setattr(
        Answerer,
        "search",
        lambda answerer, question, count: [
            replace(passage, rank=rank)
            for rank, passage in enumerate(searched(answerer, question, 1000)[::-1][:count], 1)
        ],
    )
    failed = gate()
    assert failed.exit_code == 1
    assert "gate: recall_at_5 is 0." in failed.stderr


def test_the_gate_follows_the_documents_and_the_questions_and_not_the_code(
    tmp_path: Path, root: Path
) -> None:
    known = command.corpus_hash(command._gated(Settings()))
    copy = tmp_path / "corpus"
    (copy / "articles" / "about").mkdir(parents=True)
    (copy / "articles" / "about" / "new.md").write_text("An article.", encoding="utf-8")
    assert command.corpus_hash(command._gated(Settings(corpus_dir=copy))) != known
    names = [name for name, _ in command._gated(Settings())]
    assert "questions.jsonl" in names
    assert any(name.startswith("documents/") for name in names)
    assert any(name.startswith("articles/") for name in names)
    assert not any(name.endswith(".py") for name in names)
    assert not any(str(root) in name for name in names)
