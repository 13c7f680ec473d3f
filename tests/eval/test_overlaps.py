"""Which ways of asking resemble judged questions."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from eval.overlaps import Overlap, overlaps, resembles, without

QUESTION = "When is the gauge at the old lock read in winter?"


@pytest.mark.parametrize(
    ("ask", "how"),
    [
        ("So when IS the gauge at high water?", True),
        ("the gauge, at the old bridge", True),
        ("winter gauge read lock", False),
        ("the gauge in summer and winter is read when", None),
        ("when does the tide turn in spring", None),
        ("gauge winter", None),
        ("who paints ropes", None),
        ("", None),
    ],
)
def test_a_way_of_asking_resembles_a_question_by_a_run_or_by_most_of_its_words(
    ask: str, how: bool | None
) -> None:
    assert resembles(ask, QUESTION) is how


def test_every_way_of_asking_that_resembles_some_question_is_listed_once() -> None:
    asks = [("gauges", "winter gauge read lock"), ("ropes", "who paints ropes")]
    questions = [("q1", "Who mends ropes?"), ("q2", QUESTION), ("q3", QUESTION)]
    found = Overlap("gauges", "winter gauge read lock", "q2", run=False)
    assert overlaps(asks, questions) == [found]


def test_a_copy_leaves_out_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    corpus, copy = tmp_path / "corpus", tmp_path / "copy"
    (corpus / "articles").mkdir(parents=True)
    text = "---\ntitle: Gauges\nask:\n  en: [one, two]\n  pt: [um]\n---\nRead it. [^a]\n"
    (corpus / "articles" / "gauges.md").write_text(text, encoding="utf-8")
    (corpus / "articles" / "ropes.md").write_text(text.replace("one, two", "three"))
    (corpus / "kinds.yaml").write_text("kinds: []\n")
    without(corpus, copy, ["two", "um"])
    head, body = (copy / "articles" / "gauges.md").read_text().removeprefix("---\n").split("---\n")
    assert yaml.safe_load(head) == {"title": "Gauges", "ask": {"en": ["one"]}}
    assert body == "Read it. [^a]\n"
    ropes = (copy / "articles" / "ropes.md").read_text().split("---\n")[1]
    assert yaml.safe_load(ropes)["ask"] == {"en": ["three"]}
    assert (copy / "kinds.yaml").read_text() == "kinds: []\n"
    assert (corpus / "articles" / "gauges.md").read_text() == text
