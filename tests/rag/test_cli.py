from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import shelf
from fakes import HashingEmbedder
from typer.testing import CliRunner, Result

import rag.__main__
from api.schemas import PassageOut
from rag.answerer import Answerer
from rag.errors import ModelUnavailable
from rag.models import Answer, Brought, Delta, Question
from rag.store import Store

Run = Callable[..., Result]


@pytest.fixture
def run(store: Store, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command over the invented framework."""
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(store.directory))
    monkeypatch.setenv("HELPDESK_ANSWER__CONTACT", shelf.CONTACT)
    monkeypatch.setattr(rag.__main__, "build_embedder", lambda _: HashingEmbedder())
    return lambda *arguments: CliRunner().invoke(rag.__main__.app, list(arguments))


def _process(
    *arguments: str | bytes, directory: Path, root: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rag", *arguments],
        cwd=root,
        env={**os.environ, "HELPDESK_DATA_DIR": str(directory), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _is_one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_search_prints_ranked_passages_as_json(run: Run) -> None:
    done = run("search", "Who is the steward?", "-k", "2", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["query"] == "Who is the steward?"
    assert [each["rank"] for each in found["passages"]] == [1, 2]
    first = found["passages"][0]
    assert list(first) == [
        "rank", "score", "document_id", "source", "path", "title", "section", "url", "page",
        "label", "text", "parent", "also",
    ]  # fmt: skip
    assert (first["parent"], first["also"]) == (None, [])
    assert first["document_id"] == "aurora:pages/sharing.md"
    assert first["url"] == f"{shelf.SITE}/sharing#agreements"


def test_the_json_of_a_search_is_that_of_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "The orchard has one gate, and the steward of the orchard holds its only key."
    stored, (first,) = shelf.page("a.md", "Orchard", shelf.Part(text))
    second = shelf.replace(first, chunk_id="aurora:a.md#1", parts=(shelf.Part("Pears are green."),))
    copied, (copy,) = shelf.page("b.md", "Copy", shelf.Part(text, ("Doors",), "doors"))
    made = shelf.Shelf(documents=(stored, copied), chunks=(first, second, copy))
    store = shelf.written(tmp_path, made)
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(store.directory))
    monkeypatch.setattr(rag.__main__, "build_embedder", lambda _: HashingEmbedder())
    asked = "Which key has the gate of the orchard?"
    done = CliRunner().invoke(rag.__main__.app, ["search", asked, "--json"])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)["passages"]
    with closing(store.open()) as opened:
        found = shelf.answerer_over(opened).search(Question(asked), 10)
        served = [PassageOut.of(passage).model_dump(mode="json") for passage in found]
    assert told == served
    assert told[0]["parent"]["chunk_ids"] == ["aurora:a.md#0", "aurora:a.md#1"]
    assert [each["path"] for each in told[0]["also"]] == ["b.md"]


def test_search_prints_for_people(run: Run) -> None:
    done = run("search", "Who is the steward?")
    assert done.exit_code == 0
    assert "1. Sharing" in done.stdout
    assert f"{shelf.SITE}/sharing#agreements" in done.stdout


def test_ask_prints_the_answer_as_json(run: Run) -> None:
    done = run("ask", "How can I share my data?", "--json")
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert answer["status"] == "answered"
    assert answer["citations"][0]["quote"] == shelf.SIGNS
    assert answer["article"]["id"] == "share"


def test_ask_prints_the_answer_with_its_sources_for_people(run: Run) -> None:
    done = run("ask", "How can I share my data?", "--language", "en")
    assert done.exit_code == 0
    assert "Sign a transfer agreement first. [1]" in done.stdout
    assert "[1] Sharing > Agreements (required)" in done.stdout
    assert f'"{shelf.SIGNS}"' in done.stdout
    assert shelf.CONTACT in done.stdout


def _scripted(monkeypatch: pytest.MonkeyPatch, *steps: object) -> None:
    def stream(*_: object) -> Iterator[object]:
        for step in steps:
            if isinstance(step, Exception):
                raise step
            yield step

    monkeypatch.setattr(Answerer, "stream", stream)


def test_ask_prints_the_text_in_pieces_as_it_would_be_printed_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer("a", "answered", "en", "One\x1b[2J.\nTwo.", follow_ups=("What else?",))
    deltas = ("On", "e\x1b[2J.\n", "Two.")
    _scripted(monkeypatch, Brought(()), *map(Delta, deltas), answer)
    assert run("ask", "Who?").stdout == "One\\x1b[2J.\nTwo.\n\n? What else?\n"
    assert json.loads(run("ask", "Who?", "--json").stdout)["text"] == answer.text


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_model_that_fails_while_it_answers_is_told_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    _scripted(monkeypatch, Brought(()), ModelUnavailable("it sleeps"))
    done = run("ask", "Who?", *more)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "rag: it sleeps\n"


def test_an_abstention_is_a_success_too(run: Run) -> None:
    done = run("ask", "Who is the contact in Portugal?", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["reason"] == "not_written_yet"


@pytest.mark.parametrize(
    "arguments",
    [
        ("search",),
        ("ask",),
        ("nonsense",),
        ("search", "x", "-k", "0"),
        ("search", "x", "-k", "101"),
        ("search", "x", "-k", "many"),
        ("ask", "x", "--nonsense"),
        ("ask", ""),
        ("ask", "  \n"),
        ("ask", "x" * 4001),
        ("search", "x" * 4001),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_bad_usage_exits_with_two_and_no_traceback(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.output


@pytest.mark.parametrize("language", ["english", "12"])
def test_a_language_that_is_no_code_is_bad_usage(run: Run, language: str) -> None:
    assert run("ask", "Who decides?", "--language", language).exit_code == 2


def test_a_question_of_the_greatest_length_is_taken(run: Run) -> None:
    assert run("search", ("steward " * 500)[:4000], "--json").exit_code == 0


@pytest.mark.parametrize("arguments", [("--help",), ("search", "--help"), ("ask", "--help")])
def test_help_is_given(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 0


def test_without_an_index_one_line_names_the_cure(root: Path, tmp_path: Path) -> None:
    done = _process("ask", "Who decides?", directory=tmp_path / "nothing", root=root)
    assert done.returncode == 1
    assert done.stdout == ""
    assert _is_one_line(done.stderr)
    assert "python -m ingest run" in done.stderr


def test_an_index_of_another_embedder_is_told_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HashingEmbedder, "name", "another-model")
    done = run("ask", "Who decides?")
    assert done.exit_code == 1
    assert _is_one_line(done.stderr)


def test_a_setting_that_is_wrong_is_told_in_one_line(root: Path, tmp_path: Path) -> None:
    done = _process(
        "ask", "Who decides?", directory=tmp_path, root=root, HELPDESK_RETRIEVAL__CANDIDATE="50"
    )
    assert done.returncode == 2
    assert _is_one_line(done.stderr)
    assert "candidate" in done.stderr.lower()


def test_the_command_answers_with_the_model_that_ships(root: Path, real_store: Store) -> None:
    done = _process(
        "ask", "How can I share my data?", "--json", directory=real_store.directory, root=root
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["article"]["id"] == "share"
    assert answer["citations"][0]["quote"] == shelf.SIGNS


def test_a_question_in_broken_bytes_brings_no_traceback(root: Path, real_store: Store) -> None:
    done = _process(b"ask", b"\xff\xfe who?", directory=real_store.directory, root=root)
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr
