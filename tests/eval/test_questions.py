from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval.questions import read_questions

GOOD: dict[str, object] = {
    "id": "q-1",
    "question": "Wer entscheidet?",
    "language": "de",
    "english": "Who decides?",
    "audience": "researcher",
    "intent": "access_data",
    "type": "fact",
    "expect": "answer",
    "history": [{"role": "user", "text": "Hallo"}],
    "evidence": [[{"path": "a.md", "quote": "The committee decides."}]],
    "nuggets": [{"text": "the committee decides", "vital": True}],
    "items": ["The committee"],
    "must_not": ["the minister decides"],
    "note": "a field of the file's own",
}


def _file(folder: Path, *lines: object) -> Path:
    file = folder / "questions.jsonl"
    file.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines),
        encoding="utf-8",
    )
    return file


def test_the_whole_format_is_read(tmp_path: Path) -> None:
    refused = {"id": "q-2", "question": "?", "language": "en", "expect": "abstain", "why": "safety"}
    one, two = read_questions([_file(tmp_path, GOOD, "", refused)])
    assert one.english == "Who decides?"
    assert one.history[0].text == "Hallo"
    assert one.evidence[0][0].path == "a.md"
    assert one.nuggets[0].vital
    assert (one.items, one.must_not) == (("The committee",), ("the minister decides",))
    assert (one.audience, one.intent, one.type, one.why) == (
        "researcher", "access_data", "fact", None,
    )  # fmt: skip
    assert (two.why, two.evidence) == ("safety", ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": " "}, "question"),
        ({"question": None}, "question"),
        ({"language": "german"}, "language"),
        ({"expect": "maybe"}, "expect"),
        ({"why": "becuase"}, "why"),
        ({"intent": "share-data"}, "intent"),
        ({"type": "facts"}, "type"),
        ({"audience": "everybody"}, "audience"),
        ({"evidence": [[]]}, "evidence.0"),
        ({"evidence": [[{"path": "a.md"}]]}, "evidence.0.0.quote"),
        ({"evidence": [[{"path": "a.md", "quote": ""}]]}, "evidence.0.0.quote"),
        ({"nuggets": [{"text": "x"}]}, "nuggets.0.vital"),
        ({"history": [{"role": "system", "text": "x"}]}, "history.0.role"),
        ({"items": [""]}, "items.0"),
    ],
)
def test_a_bad_line_is_told_by_file_line_and_field(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    file = _file(tmp_path, GOOD, {**GOOD, "id": "q-2", **change})
    with pytest.raises(ValueError, match="line 2") as bad:
        read_questions([file])
    assert str(bad.value).startswith(f"{file}, line 2: {said}:")
    assert "\n" not in str(bad.value)


@pytest.mark.parametrize("line", ["{not json", "[]", '"text"', "12"])
def test_what_is_no_object_is_told_in_one_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match=r"line 1: (no JSON|not a JSON object)") as bad:
        read_questions([_file(tmp_path, line)])
    assert "\n" not in str(bad.value)


def test_an_id_that_comes_twice_is_told_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 2: id 'q-1' is taken by .*line 1"):
        read_questions([_file(tmp_path, GOOD, GOOD)])


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"questions\.jsonl: not UTF-8"):
        read_questions([file])


def test_our_own_questions_have_the_format(root: Path) -> None:
    assert len(read_questions([root / "eval" / "data" / "questions.jsonl"])) >= 150


def test_the_questions_beside_the_project_have_the_format(root: Path) -> None:
    file = root.parent / "shared" / "eval" / "dev.jsonl"
    if not file.is_file():
        pytest.skip("the judged questions beside the project are absent")
    assert len(read_questions([file])) == 150
