"""The checks of knowledge articles: what each finds, and what it leaves in peace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.article_checks import COMMON_RUN, Finding, Shelf, check, claims, coverage, read_shelf
from ingest.loaders.articles import body_pin
from ingest.models import Block, Document, Section
from rag.models import Mention, Resource
from rag.text import pin

Write = Callable[..., Path]

DAWN = "Since 3 May 2031 the gauge of Port Alder is read at dawn."
ROPES = "Ropes of class B7 are due for a change every 18 months."
LONG = (
    "Whoever finds a broken gauge tells the warden of the nearest lock before the tide has"
    " turned twice and writes it into the red book."
)
ARTICLE = """---
title: When the gauge is read
kind: answer
intent: gauges
audience: [volunteer]
ask:
  en: [When is the gauge read, gauge hours, "what time, please", time of readng, as a warden when]
  pt: [A que horas se lê a régua]
evidence:
  dawn:
    source: atlas
    path: gauges.md
    title: Gauges
    section: [Hours]
    url: https://tide.example/gauges#hours
    pin: "{pin}"
checked: 2031-05-04
reviewed_by: ""
see_also: [{also}]
---
{said} [^dawn]
"""
TRANSLATION = """---
title: Quando se lê a régua
of: "{of}"
reviewed_by: ""
---
{said} [^dawn]
"""


def gauges(*blocks: Block, **more: object) -> Document:
    hours = Section(
        heading=("Hours",),
        blocks=blocks or (Block(DAWN), Block(LONG), Block(ROPES, label="required", entry=True)),
        anchor="hours",
    )
    values: dict[str, object] = {
        "document_id": "atlas:gauges.md",
        "source": "atlas",
        "path": "gauges.md",
        "title": "Gauges",
        "url": "https://tide.example/gauges",
        "language": "en",
        "sha256": "0" * 64,
        "sections": (hours,),
    }
    return Document(**(values | more))  # type: ignore[arg-type]


def article(said: str = "It is read at dawn.", sentence: str = DAWN, also: str = "") -> str:
    return ARTICLE.format(said=said, pin=pin(sentence), also=also)


def shelf_of(write: Write, *texts: str) -> Shelf:
    names = ("when", "ropes", "third")
    return read_shelf(
        write({f"gauges/{name}.md": text for name, text in zip(names, texts, strict=False)})
    )


def findings(write: Write, *texts: str, document: Document | None = None) -> list[Finding]:
    return check(shelf_of(write, *texts), [document or gauges()])


def test_a_good_article_has_nothing_against_it(write: Write) -> None:
    assert findings(write, article()) == []


def test_a_sentence_that_has_gone_makes_exactly_its_articles_stale(write: Write) -> None:
    on_ropes = article("They are changed.", ROPES).replace("gauge ", "rope ").replace("a ré", "o c")
    on_ropes = on_ropes.replace("time", "age").replace("as a", "for a")
    reworded = gauges(Block("The gauge is read at noon."), Block(ROPES), Block(LONG))
    (found,) = findings(write, article(), on_ropes, document=reworded)
    assert (found.kind, found.path) == ("stale", "gauges/when.md")


def test_a_reworded_neighbour_makes_nothing_stale(write: Write) -> None:
    assert findings(write, article(), document=gauges(Block(DAWN), Block("All else is new."))) == []


def test_evidence_that_is_not_at_hand_is_not_judged(write: Write) -> None:
    elsewhere = gauges(source="harbour", path="other.md", url="https://tide.example/other")
    assert findings(write, article("In 1999 it was read at noon."), document=elsewhere) == []


def test_a_page_that_has_gone_from_its_source_makes_its_articles_stale(write: Write) -> None:
    other = gauges(path="other.md", url="https://tide.example/other")
    (found,) = findings(write, article(), document=other)
    assert (found.kind, "its page is gone, gauges.md" in found.said) == ("stale", True)


def test_an_address_of_another_page_is_a_dead_link(write: Write) -> None:
    elsewhere = article().replace("https://tide.example/gauges", "https://other.example/gauges")
    assert [each.kind for each in findings(write, elsewhere)] == ["dead link"]


@pytest.mark.parametrize(
    "files",
    [
        {"gauges/when.de.md": TRANSLATION.format(of="0" * 16, said="Bei Tagesanbruch.")},
        {"gauges/when.v2.md": "Whatever."},
        {"gauges/When.MD": "Whatever."},
    ],
)
def test_a_file_that_nobody_reads_is_told(write: Write, files: dict[str, str]) -> None:
    shelf = read_shelf(write(files))
    assert [each.path for each in check(shelf, [gauges()])] == list(files)


def test_a_translation_in_another_language_than_its_name_says_is_told(write: Write) -> None:
    original = article("Since May 2031, ask the warden of the lock about the gauge.")
    said = "Seit Mai 2031 fragt man den Wärter der Schleuse nach dem Pegel."
    (found,) = translated(write, said, original)
    assert found.said == "it reads as 'de'"


def test_the_page_is_known_by_its_address_where_its_source_has_another_name(write: Write) -> None:
    rendered = gauges(source="web", path="gauges.html")
    assert findings(write, article(), document=rendered) == []
    (found,) = findings(write, article("It is read at 4."), document=rendered)
    assert found.kind == "unsupported"


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ("It is read at 6.", "6"),
        ("It has been so since 13 May 2031.", "13"),
        ("It has been so since June 2031.", "June"),
        ("The gauge of Port Birch is read at dawn.", "Birch"),
        ("NMGs read it.", "NMGs"),
        ("Ask gauge@tide.example for it.", "gauge@tide.example"),
        ("Reading it is Required.", "Required"),
        ("Recommended is a reading at dawn.", "Recommended"),
        ("It costs 1,300 a year.", "1,300"),
    ],
)
def test_what_the_evidence_does_not_hold_is_told(write: Write, said: str, claim: str) -> None:
    assert [(each.kind, repr(claim) in each.said) for each in findings(write, article(said))] == [
        ("unsupported", True)
    ]


@pytest.mark.parametrize(
    "said",
    [
        "In Port Alder one reads it at dawn.",
        "Since May 2031 the hour is dawn. Gauges are read then.",
        "Gauges have hours of their own in the Atlas.",
    ],
)
def test_what_the_evidence_holds_may_be_said(write: Write, said: str) -> None:
    assert findings(write, article(said)) == []


def test_a_label_comes_from_the_source_alone(write: Write) -> None:
    labelled = article("It is Required to change them.", ROPES)
    (found,) = findings(write, labelled)
    assert (found.kind, "the source required" in found.said) == ("wrong label", True)
    given = labelled.replace("#hours\n", "#hours\n    label: required\n")
    assert findings(write, given) == []


def test_thirteen_words_in_a_row_are_a_copy_and_twelve_are_not(write: Write) -> None:
    words = LONG.split()
    copied = " ".join(words[: COMMON_RUN + 1])
    (found,) = findings(write, article(f"{copied}.", LONG))
    assert found.kind == "copied"
    assert findings(write, article(" ".join(words[:COMMON_RUN]) + ".", LONG)) == []


def test_one_way_of_asking_belongs_to_one_article(write: Write) -> None:
    asks = "  en: ['Gauge: hours?', one, two, three, four, five]"
    lines = [asks if "en: [" in line else line for line in article().splitlines()]
    other = "\n".join(line for line in lines if "pt: [" not in line)
    found = findings(write, article(), other)
    assert {each.kind for each in found} == {"asked twice"}
    assert {each.path for each in found} == {"gauges/when.md", "gauges/ropes.md"}


def test_a_way_of_asking_that_stands_twice_in_one_article_is_told(write: Write) -> None:
    found = findings(write, article().replace("what time, please", "GAUGE hours"))
    assert {(each.kind, "twice here" in each.said) for each in found} == {("asked twice", True)}


def test_an_article_that_is_asked_in_few_ways_is_told(write: Write) -> None:
    few = article().replace("  pt: [A que horas se lê a régua]\n", "")
    assert [each.kind for each in findings(write, few)] == ["few asks"]


@pytest.mark.parametrize("also", ["nowhere", "when"])
def test_see_also_names_another_article_that_exists(write: Write, also: str) -> None:
    assert [each.kind for each in findings(write, article(also=also))] == ["unknown article"]


def test_an_address_without_its_heading_is_a_dead_link(write: Write) -> None:
    dead = article().replace("#hours", "#ours")
    assert [each.kind for each in findings(write, dead)] == ["dead link"]


def test_an_address_of_a_page_of_a_file_resolves_to_that_page(write: Write) -> None:
    page = Section(heading=(), blocks=(Block(DAWN),), page=2)
    file = gauges(sections=(page,), kind="pdf")
    assert findings(write, article().replace("#hours", "#page=2"), document=file) == []
    far = findings(write, article().replace("#hours", "#page=3"), document=file)
    assert [each.kind for each in far] == ["dead link"]


def test_a_draft_a_broken_file_and_a_name_taken_twice_are_told(write: Write) -> None:
    folder = write(
        {
            "a/when.md": article(),
            "b/when.md": article().replace("gauge", "tide").replace("time", "hour"),
            "c/draft.md": "---\ndraft: true\n" + article().removeprefix("---\n"),
            "d/broken.md": "Just words.",
        }
    )
    found = {(each.path, each.kind) for each in check(read_shelf(folder), [gauges()])}
    told = {("b/when.md", "unreadable"), ("c/draft.md", "draft"), ("d/broken.md", "unreadable")}
    assert told <= found


def translated(write: Write, said: str, original: str, of: str | None = None) -> list[Finding]:
    text = TRANSLATION.format(of=of or body_pin(original), said=said)
    shelf = read_shelf(write({"gauges/when.md": original, "gauges/when.pt.md": text}))
    return check(shelf, [gauges()])


def test_a_translation_says_the_same(write: Write) -> None:
    original = article("Since May 2031, ask.")
    said = "Desde maio de 2031, pergunte ao guarda da eclusa quando é lida a régua."
    assert translated(write, said, original) == []


@pytest.mark.parametrize(
    ("said", "of", "told"),
    [
        ("Desde maio, pergunte ao guarda quando é lida a régua.", None, "it differs in 2031"),
        (
            "Desde maio de 2031, pergunte a quem guarda a régua: (a@b.example).",
            None,
            "it differs in a@b.example",
        ),
        ("Desde 2031. [^dawn]\n\nPergunte.", None, "its statements do not rest"),
        ("Desde maio de 2031, pergunte.", "0" * 16, "the article has changed since"),
    ],
)
def test_a_translation_that_says_something_else_is_told(
    write: Write, said: str, of: str | None, told: str
) -> None:
    (found,) = translated(write, said, article("Since May 2031, ask."), of)
    assert found.path == "gauges/when.pt.md"
    assert found.kind == "translation"
    assert found.said.startswith(told)


@given(st.text(max_size=200))
def test_claims_stand_in_the_text_they_are_made_in(text: str) -> None:
    assert all(claim in text for claim in claims(text))


def test_coverage_counts_what_is_there_and_names_what_is_left_out(write: Write) -> None:
    mention = Mention(
        source="atlas", path="gauges.md", title="Gauges", section=(), url=None, anchor=None,
        page=None, text="Ropes of class B7", address=None, place="text", label="required",
        country=None, topic=None,
    )  # fmt: skip
    ropes = Resource("ropes", "Ropes of class B7", None, "document", (mention,))
    plain = Resource("plain", "A rope without label", None, "document", ())
    other = gauges(path="tides.md", url="https://tide.example/tides")
    covered = coverage(shelf_of(write, article()), [gauges(), other], [ropes, plain])
    assert (covered.articles, covered.statements, covered.evidence) == (1, 1, 1)
    assert (covered.held, covered.unread) == (1, 0)
    assert covered.asks_by_language == {"en": 5, "pt": 1}
    assert covered.pages_without == ("tides.md",)
    assert covered.resources_without == ("Ropes of class B7",)
    on_ropes = coverage(shelf_of(write, article("They are.", ROPES)), [gauges()], [ropes])
    assert on_ropes.resources_without == ()
