"""What a ticket and its reply give an article: ways of asking, statements, their evidence."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import shelf
from hypothesis import example, given
from hypothesis import strategies as st

from api.console.drafting import (
    MOST_ASK,
    MOST_STATEMENTS,
    asked,
    begun,
    more_evidence,
    replied,
)
from api.console.review import copied, obstacles, personal
from api.desk.drafts import Content, Draft, DraftStatement
from api.desk.models import Case, Message, Ticket
from rag.answerer import Answerer
from rag.models import Citation, Evidence
from rag.store import Store
from rag.text import pin

NOW = datetime(2026, 11, 1, tzinfo=UTC)
TICKET = Ticket(
    question="Who signs when data leave the building?", history=(), answer_id=None,
    name="Ada Novak", email="ada@clinic.example", country="PT", language="en",
    ticket_id="NMG-1", created_at=NOW, state="pending", consent_at=NOW, title="Who signs?",
    intent="share_data", priority="normal", group=None, assignee=None, tags=(),
    first_reply_at=NOW, updated_at=NOW, closed_at=None, version=2, triage=None, cited=(),
)  # fmt: skip
INTENTS = ("about", "share_data")


def cited(marker: int, path: str, quote: str, anchor: str) -> Citation:
    """A citation as an answer from the invented framework has it."""
    name = path.rsplit("/", 1)[-1].removesuffix(".md")
    return Citation(
        marker=marker, kind="source", document_id=f"aurora:{path}", source="aurora", path=path,
        title=name.capitalize(), section=(anchor.capitalize(),),
        url=f"{shelf.SITE}/{name}#{anchor}", page=None, quote=quote,
    )  # fmt: skip


SIGNS = cited(1, "pages/sharing.md", shelf.SIGNS, "agreements")
DECIDES = cited(2, "pages/access.md", shelf.DECIDES, "committee")
REPLY = """Dear Ada,

Sign a transfer agreement first. [1] Name a steward who answers for it [1].
- A committee decides within a month [2]

Sources
[1] Sharing › Agreements – https://aurora.example/sharing#agreements
[2] Access › Committee – https://aurora.example/access#committee

Kind regards,
Grace
Helpdesk
"""


def said(reply: str, *citations: Citation) -> list[tuple[str, list[int]]]:
    found = replied(reply, citations or (SIGNS, DECIDES))
    return [(text, [each.marker for each in held]) for text, held in found]


def test_statements_are_the_sentences_of_a_reply_with_what_they_cite() -> None:
    assert said(REPLY) == [
        ("Sign a transfer agreement first.", [1]),
        ("Name a steward who answers for it.", [1]),
        ("A committee decides within a month", [2]),
    ]


def test_the_lines_of_the_sources_tell_what_markers_mean() -> None:
    turned = REPLY.replace("[1]", "[9]").replace("[2]", "[1]").replace("[9]", "[2]")
    assert [markers for _, markers in said(turned)] == [[1], [1], [2]]


def test_an_address_is_not_taken_for_one_that_it_begins_with() -> None:
    page = replace(SIGNS, marker=3, url="https://aurora.example/sharing")
    assert said("It is signed by them [7].\n[7] https://aurora.example/sharing#agreements", page,
                SIGNS) == [("It is signed by them.", [1])]  # fmt: skip


def test_a_marker_without_its_source_carries_nothing() -> None:
    assert said(REPLY.replace("[2] Access", "2: Access")) == [
        ("Sign a transfer agreement first.", [1]),
        ("Name a steward who answers for it.", [1]),
        ("A committee decides within a month", []),
    ]


def test_markers_of_the_draft_hold_where_no_sources_are_listed() -> None:
    assert said("It is signed by every holder [1].\n\nBest wishes\nGrace") == [
        ("It is signed by every holder.", [1])
    ]


@pytest.mark.parametrize(
    "reply",
    ["Bonjour Madame,\n\nIl faut signer un accord.\n\nCordialement\nGrâce",
     "Liebe Ada!\nEs ist ein Vertrag nötig.\n\nMit freundlichen Grüßen\nGrace Hopper",
     "Hello,\nYou need an agreement. Is that enough?\n--\nGrace"],
)  # fmt: skip
def test_greeting_and_signature_are_no_statements(reply: str) -> None:
    assert len(said(reply)) == 1


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("Thank you for your question.", False),
        ("Many thanks for writing!", False),
        ("We hope this helps.", False),
        ("Please do not hesitate to write back.", False),
        ("Thanks to the agreement data may be shared.", True),
        ("Thank you for asking: every holder signs.", True),
        ("Thank the steward who signs.", True),
    ],
)
def test_thanks_and_the_like_are_no_statements(sentence: str, kept: bool) -> None:
    texts = [text for text, _ in said(f"{sentence} Every holder signs an agreement.\n\nGrace")]
    assert texts == [*([sentence] if kept else []), "Every holder signs an agreement."]


@given(st.text(max_size=300))
@example("[1]\n[1] x\n[999] [1]")
@example("a b c.[1][1]" * 20)
def test_any_reply_gives_statements_without_markers(reply: str) -> None:
    for text, _ in said(reply):
        assert text == " ".join(text.split())
        assert len(text.split()) >= 3


@pytest.mark.parametrize(
    ("question", "ways"),
    [
        ("Who signs?", ["Who signs?"]),
        (
            "Dear helpdesk,\nmy name is Ada Novak, born 12.03.1980. May our clinic share samples?"
            "\nMany thanks\nAda Novak\nada@clinic.example, +49 30 901820",
            ["May our clinic share samples?"],
        ),
        ("We have old samples. May we share them?", ["We have old samples. May we share them?"]),
        ("May Ada Novak sign for me?", ["May sign for me?"]),
        ("?!", []),
    ],
)
def test_what_tells_of_a_person_is_left_out_of_the_question(question: str, ways: list[str]) -> None:
    assert asked(replace(TICKET, question=question)) == ways


def test_of_a_long_question_what_is_asked_is_kept() -> None:
    story = "We collected very many samples in the north of the country long ago. " * 10
    ways = asked(replace(TICKET, question=f"{story}May we share them? And who decides that?"))
    assert ways == ["May we share them?", "And who decides that?"]
    [cut] = asked(replace(TICKET, question=story))
    assert len(cut) <= MOST_ASK + 1


@given(st.text(max_size=1000))
def test_no_name_and_no_address_of_who_asked_is_ever_in_a_way_of_asking(text: str) -> None:
    ticket = replace(TICKET, question=f"{text} Ada Novak <ada@clinic.example> {text}")
    for way in asked(ticket):
        assert "Novak" not in way
        assert "ada@clinic.example" not in way


# ---- with an index


@pytest.fixture(scope="module")
def answerer(store: Store) -> Answerer:
    return shelf.answerer_over(store.open())


def _case(ticket: Ticket, *replies: str) -> Case:
    messages = [Message(n, "reply", "S-1", NOW, each) for n, each in enumerate(replies, start=1)]
    return Case(ticket, (*messages, Message(9, "note", "S-1", NOW, "A note of ours.")), ())


def _triage(status: str = "answered") -> dict[str, Any]:
    statements = [{"text": "Every holder signs.", "citations": [1], "language": "en"}]
    return {
        "draft": {
            "status": status,
            "statements": statements,
            "citations": [asdict(SIGNS), asdict(DECIDES)],
        }
    }


def test_a_draft_holds_the_sentences_that_the_reply_cites(answerer: Answerer) -> None:
    made = begun(_case(replace(TICKET, triage=_triage()), "Earlier words.", REPLY), INTENTS,
                 answerer)  # fmt: skip
    first, second, third = made.content.statements
    held = made.content.evidence
    assert [held[key].pin for key in first.evidence] == [pin(shelf.SIGNS)]
    assert first.evidence == second.evidence
    assert [held[key].quote for key in third.evidence] == [shelf.DECIDES]
    assert (made.title, made.content.intent) == (TICKET.question, "share_data")
    assert made.content.asks == {"en": (TICKET.question,)}


def test_what_cites_nothing_is_offered_sentences_that_a_search_finds(answerer: Answerer) -> None:
    made = begun(_case(TICKET, "Files travel encrypted with a key."), INTENTS, answerer)
    [statement] = made.content.statements
    assert statement.evidence == ()
    assert made.content.evidence[statement.offered[0]].quote == shelf.TRAVEL


def test_without_a_reply_the_draft_of_triage_speaks(answerer: Answerer) -> None:
    made = begun(_case(replace(TICKET, triage=_triage())), INTENTS, answerer)
    assert [each.text for each in made.content.statements] == ["Every holder signs."]
    none = begun(_case(replace(TICKET, triage=_triage("abstained"))), INTENTS, answerer)
    assert none.content.statements == ()


def test_a_draft_tells_which_article_answers_already(answerer: Answerer) -> None:
    asked_before = replace(TICKET, question="How can I share my data?")
    assert begun(_case(asked_before), INTENTS, answerer).content.answered_by == "share"
    assert begun(_case(TICKET), INTENTS, answerer).content.answered_by is None


@pytest.mark.parametrize("intent", [None, "spam", "out_of_scope"])
def test_what_is_about_nothing_here_is_filed_under_about(
    answerer: Answerer, intent: str | None
) -> None:
    made = begun(_case(replace(TICKET, intent=intent)), INTENTS, answerer)
    assert made.content.intent == "about"


def test_a_very_long_reply_gives_as_many_statements_as_a_page_holds(answerer: Answerer) -> None:
    made = begun(_case(TICKET, "Every holder signs it. " * 50), INTENTS, answerer)
    assert len(made.content.statements) == MOST_STATEMENTS


def test_other_sentences_are_offered_and_the_chosen_ones_stay(answerer: Answerer) -> None:
    made = begun(_case(replace(TICKET, triage=_triage()), REPLY), INTENTS, answerer).content
    more = more_evidence(made, 0, "coverage of every sample", "", answerer)
    [statement, *others] = more.statements
    assert statement.evidence == made.statements[0].evidence
    assert more.evidence[statement.offered[0]].quote == shelf.COVERAGE
    assert tuple(others) == made.statements[1:]
    assert made.evidence.items() <= more.evidence.items()


# ---- what is still to be done

EVIDENCE = Evidence(
    source="aurora", path="pages/sharing.md", title="Sharing", section=(), url=None, label=None,
    pin="0" * 16, quote="What every holder may share is written down.",
)  # fmt: skip


def _draft(content: Content, title: str = "Sharing") -> Draft:
    return Draft(
        draft_id="D-1", ticket_id=None, country=None, created_at=NOW, updated_at=NOW,
        author="S-1", state="draft", version=1, title=title, article_id=None, generation=None,
        content=content, findings=(),
    )  # fmt: skip


WHOLE = Content(
    "about",
    (),
    None,
    {"en": ("Who signs?",)},
    (DraftStatement("Holders sign.", ("e1",)),),
    {"e1": EVIDENCE},
)


def test_a_draft_with_all_it_needs_is_ready() -> None:
    assert obstacles(_draft(WHOLE), TICKET) == []


@pytest.mark.parametrize(
    ("title", "changed", "said"),
    [
        ("", {}, "title"),
        ("T", {"asks": {}}, "asking"),
        ("T", {"asks": {"en": ("x" * 301,)}}, "longer than 300"),
        ("T", {"statements": ()}, "says nothing"),
        ("T", {"statements": (DraftStatement("Holders sign."),)}, "Statement 1 needs evidence"),
        ("T", {"statements": (DraftStatement("A b c."),) * 2}, "Statements 1, 2 need evidence"),
        ("T", {"asks": {"en": ("May Dr. Ada Novak sign?",)}}, "Personal data"),
        ("T", {"reviewed_by": "Dr. Ada Novak"}, "Personal data"),
        ("Write to ada.novak@clinic.example", {}, "Personal data"),
    ],
)
def test_what_is_missing_is_said(title: str, changed: dict[str, Any], said: str) -> None:
    [obstacle] = obstacles(_draft(replace(WHOLE, **changed), title), None)
    assert said in obstacle


def test_personal_data_are_shown_as_they_stand_there() -> None:
    found = personal(_draft(replace(WHOLE, asks={"en": ("May Dr. Ada Novak sign?",)})), None)
    assert any("Novak" in each for each in found)


@pytest.mark.parametrize(
    "changed",
    [
        {"statements": (DraftStatement("Okonkwo's cohort may be shared.", ("e1",)),)},
        {"statements": (DraftStatement("The okonkwo cohort may be shared.", ("e1",)),)},
        {"asks": {"de": ("Darf Okonkwos Kohorte geteilt werden?",)}},
        {"asks": {"en": ("Is NGOZI the steward?",)}},
        {"asks": {"en": ("Why write to Holder@Clinic.example?",)}},
    ],
)
def test_who_asked_is_found_in_whatever_case_as_long_as_the_ticket_is_kept(
    changed: dict[str, Any],
) -> None:
    ticket = replace(TICKET, name="Ngozi von Okonkwo", email="holder@clinic.example")
    draft = _draft(replace(WHOLE, **changed))
    assert personal(draft, ticket)
    assert any("Personal data" in each for each in obstacles(draft, ticket))
    unknown = replace(TICKET, name=None, email="other@clinic.example")
    assert personal(draft, unknown) == personal(draft, None)


@pytest.mark.parametrize("name", [None, "", "Li", "Anne von der Lee", "May Nowak"])
def test_a_name_keeps_back_no_words_that_are_none_of_it(name: str | None) -> None:
    words = DraftStatement("The data von Kempelen signed for may be shared by Li.", ("e1",))
    draft = _draft(replace(WHOLE, statements=(words,)))
    assert personal(draft, replace(TICKET, name=name)) == []


@given(st.text(max_size=60), st.text(max_size=60))
@example("Hol(der [sign", "HOLDER")
def test_any_name_and_any_text_can_be_looked_through(name: str, text: str) -> None:
    found = personal(_draft(WHOLE, text), replace(TICKET, name=name, email="a+b(c@d.example"))
    assert all(each in text or each in "Holders sign. Who signs?" for each in found)


def test_a_statement_that_is_its_source_word_for_word_is_told(answerer: Answerer) -> None:
    evidence = begun(
        _case(replace(TICKET, triage=_triage()), REPLY), INTENTS, answerer
    ).content.evidence  # fmt: skip
    [key] = [key for key, each in evidence.items() if each.quote == shelf.SIGNS]
    assert copied(DraftStatement(shelf.SIGNS.upper(), (key,)), evidence)
    assert not copied(DraftStatement("Sign first.", (key,)), evidence)
