from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

from eval.report import WORST, write_report
from eval.run import Came, Cited, Row, Run, Said, Wanted, run_of

ABOUT = {
    "date": "2031-02-03",
    "generation": "20310203T040506-abcdef",
    "embedder": "hashing-64",
    "files": {"tides.jsonl": "c0ffee"},
}


def found(name: str, ranks: Sequence[int | None] = (1,), **other: object) -> Row:
    """An answerable question whose evidence came at these ranks."""
    row = Row(
        id=name,
        question=f"When does the {name} open?",
        english="",
        language="en",
        intent="find_data",
        type="fact",
        audience="citizen",
        expect="answer",
        why=None,
        turns=0,
        wanted=tuple((Wanted("pages/tides.md", f"sluice {n}"),) for n in range(len(ranks))),
        came=tuple(
            Came(rank, 1 / rank, f"pages/p{rank}.md", "Tides", ("Sluices",), rank in ranks)
            for rank in range(1, 11)
        ),
        ranks=tuple(ranks),
        recall_at_5=sum(rank is not None and rank <= 5 for rank in ranks) / len(ranks),
        recall_at_10=sum(rank is not None for rank in ranks) / len(ranks),
        rr=max((1 / rank for rank in ranks if rank), default=0.0),
        ndcg_at_10=0.5,
        top_score=0.9,
        status="answered",
        strength="strong",
        text="At high water. [1]",
        statements=(Said("At high water.", (1,)),),
        citations=(
            Cited(1, "source", "pages/p1.md", ("Sluices",), "https://example.org/p1", "high water"),
        ),
        cited=True,
        quote_valid=1.0,
        citation_recall=1.0,
        citation_precision=1.0,
        search_ms=30.0,
        answer_ms=40.0,
        embed_ms=20.0,
    )
    return replace(row, **other)  # type: ignore[arg-type]


def unanswerable(name: str, **other: object) -> Row:
    """A question that has to be refused, and is."""
    row = found(name, top_score=0.4, type="unanswerable", expect="abstain", why="out_of_corpus")
    nothing = {"wanted": (), "ranks": (), "citations": (), "statements": ()}
    unknown = dict.fromkeys(("recall_at_5", "recall_at_10", "rr", "ndcg_at_10"))
    refused = {"status": "abstained", "reason": "no_evidence", "strength": ""}
    return replace(row, **{**nothing, **unknown, **refused, **other})  # type: ignore[arg-type]


def everything() -> list[Row]:
    """One question for each thing that a report tells of."""
    return [
        found("lock"),
        found("weir", (2, 4), language="de", english="And the weir?", intent="elsi"),
        found("missed", (None,)),
        found("late", (7, 2), language="de", english="When, in English?"),
        found("turned-away", status="abstained", reason="out_of_scope", citations=()),
        found("loose", citation_recall=0.5),
        found("forbidden", must_not_hits=("The weir is always open.",)),
        found("broken", (None,), status="failed", strength="", error="ValueError: no tide"),
        unanswerable("well-refused"),
        unanswerable("weak", status="answered", reason=None, strength="weak", top_score=0.95),
        unanswerable("low", status="answered", reason=None, strength="strong", top_score=0.2),
        unanswerable("high", status="answered", reason=None, strength="strong", top_score=0.5),
    ]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of everything, in a folder that it had to make."""
    return write_report(RUN, tmp_path_factory.mktemp("reports") / "by" / "day")


@pytest.fixture(scope="module")
def soup(report: Path) -> BeautifulSoup:
    return BeautifulSoup(report.read_text(encoding="utf-8"), "html.parser")


RUN = run_of(everything(), ABOUT)


def page(rows: Sequence[Row], folder: Path) -> BeautifulSoup:
    return BeautifulSoup(text(run_of(rows, ABOUT), folder), "html.parser")


def text(run: Run, folder: Path) -> str:
    return write_report(run, folder).read_text(encoding="utf-8")


def table(soup: BeautifulSoup, label: str) -> dict[str, list[str]]:
    """The rows of a table, by their heading."""
    region = soup.find(attrs={"aria-label": label})
    assert isinstance(region, Tag)
    return {
        row.th.get_text(" ", strip=True): [cell.get_text(strip=True) for cell in row("td")]
        for row in region.select("tbody tr")
        if row.th
    }


def worst(soup: BeautifulSoup) -> dict[str, list[str]]:
    """The questions shown in full, by the heading over them."""
    shown: dict[str, list[str]] = {}
    section = soup.find("section", attrs={"aria-labelledby": "worst"})
    assert isinstance(section, Tag)
    for part in section(["h3", "h4"]):
        if part.name == "h3":
            shown[part.get_text(" ", strip=True)] = under = []
        else:
            under.append(str(part["id"]).removeprefix("wq-"))
    return shown


def test_the_report_is_one_page_in_a_folder_it_makes(report):
    assert report.parts[-3:] == ("by", "day", "index.html")
    assert list(report.parent.iterdir()) == [report]


def test_every_section_is_there_under_a_heading_and_in_the_contents(soup):
    headings = [heading["id"] for heading in soup("h2")]
    assert headings == [
        "scores", "groups", "certainty", "refusals", "ranks", "times", "worst", "questions",
        "about",
    ]  # fmt: skip
    assert [link["href"] for link in soup.select("nav a")] == [f"#{name}" for name in headings]
    assert len(soup("h1")) == 1


def test_every_link_inside_the_page_leads_somewhere_and_no_id_comes_twice(soup):
    ids = [str(each["id"]) for each in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    inside = {
        str(each.get(name))[1:]
        for each in soup.find_all(True)
        for name in ("href", "xlink:href")
        if str(each.get(name)).startswith("#")
    }
    assert inside
    assert inside <= set(ids)


def test_every_score_has_its_interval_its_count_and_its_meaning(soup):
    scores = table(soup, "Table of scores")
    assert len(scores) == len(RUN.scores)
    recall = next(cells for name, cells in scores.items() if name.startswith("Recall@5 share"))
    known = RUN.scores["recall_at_5"]
    assert recall == [f"{known.mean:.3f}", f"{known.low:.3f} to {known.high:.3f}", "8"]
    region = soup.find(attrs={"aria-label": "Table of scores"})
    assert isinstance(region, Tag)
    assert len(region.select("tbody .meaning")) == len(scores)


def test_every_plot_says_in_words_what_it_shows(soup):
    plots = soup("svg")
    assert len(plots) == 8
    for plot in plots:
        title, words = (soup.find(id=name) for name in str(plot["aria-labelledby"]).split())
        assert plot["role"] == "img"
        assert (title.name, words.name) == ("title", "desc")
        assert title.get_text()
        assert words.get_text() == plot.parent.figcaption.get_text()


def test_groups_are_drawn_best_first_those_of_few_questions_last_and_named_as_they_are(tmp_path):
    rows = [found(f"a{n}", (None,), intent="elsi") for n in range(5)]
    rows += [found(f"b{n}", (1,), intent="find_data") for n in range(5)]
    rows += [found("c", (1,), intent="$a_{$ \\frac")]
    (plot,) = page(rows, tmp_path).select('svg[aria-labelledby^="by-intent-title"]')
    named = [label.get_text() for label in plot("text") if "(" in label.get_text()]
    assert named == ["find data (5)", "elsi (5)", "$a {$ \\frac (1)"]


def test_certainty_and_ranks_are_told_in_figures(soup):
    captions = " ".join(caption.get_text() for caption in soup("figcaption"))
    assert f"AUROC {RUN.abstention.auroc:.3f}" in captions
    assert f"AURC {RUN.abstention.aurc:.3f}" in captions
    assert "Of 8 questions with evidence, 4 have some at rank 1, 2 at 2 to 5, 0 at 6 to 10," in (
        captions
    )


def test_refusals_are_counted_by_kind_with_the_reasons_given(soup):
    assert table(soup, "Table of refusals") == {
        "out of corpus": ["4", "1", "3", "no evidence (1)"],
        "answerable": ["8", "1", "7", "out of scope (1)"],
    }
    assert table(soup, "Table of reasons") == {
        "no evidence": ["1", "0"],
        "out of scope": ["0", "1"],
    }


def test_times_have_their_percentiles_and_the_cost_of_search_over_embedding(soup):
    times = table(soup, "Table of times")
    assert times["embedding"] == ["12", "20.0", "20.0"]
    assert times["search"] == ["12", "30.0", "30.0"]
    assert "1.50 times" in soup.get_text()


def test_every_kind_of_fault_shows_its_questions_worst_first(soup):
    assert worst(soup) == {
        "Ended in an error (1 of 1 shown)": ["broken"],
        "Evidence not among the first 10 (1 of 1 shown)": ["missed"],
        "Evidence only at ranks 6 to 10 (1 of 1 shown)": ["late"],
        "Refused, though the documents answer it (1 of 1 shown)": ["turned-away"],
        "Answered, though it had to be refused (3 of 3 shown)": ["high", "low", "weak"],
        "Statements without sufficient support (1 of 1 shown)": ["loose"],
        "Made a claim it must not make (1 of 1 shown)": ["forbidden"],
    }


def test_a_question_without_fault_is_not_among_the_worst(tmp_path):
    soup = page([found("lock"), unanswerable("moon")], tmp_path)
    assert worst(soup) == {}
    assert "Nothing went wrong." in soup.get_text()


def test_the_worst_of_one_fault_leave_room_for_the_others(tmp_path):
    rows = [found(f"missed-{n}", (None,)) for n in range(60)]
    rows += [found(f"late-{n}", (8,)) for n in range(3)]
    shown = worst(page(rows, tmp_path))
    assert sum(map(len, shown.values())) == WORST
    assert len(shown["Evidence only at ranks 6 to 10 (3 of 3 shown)"]) == 3


def test_a_faulty_question_shows_what_was_wanted_what_came_and_what_was_said(soup):
    (shown,) = soup.select('article[aria-labelledby="wq-late"]')
    assert shown.h4["lang"] == "de"
    said = shown.get_text(" ", strip=True)
    for part in (
        "When, in English?", "at rank 7", "at rank 2", "pages/tides.md", "sluice 1",
        "pages/p3.md › Sluices", "At high water. [1]", "high water",
    ):  # fmt: skip
        assert part in said
    assert "pages/p6.md" not in said
    hits = [hit.get_text(" ", strip=True) for hit in shown.select("li.hit")]
    assert len(hits) == 1
    assert "pages/p2.md" in hits[0]


def test_every_question_has_a_line_with_an_anchor(soup):
    questions = table(soup, "Table of every question")
    assert list(questions) == [row.id for row in everything()]
    assert soup.find("tr", id="q-lock")
    assert questions["turned-away"][7] == "refused: out of scope (wrong)"
    assert questions["high"][7] == "answered, strong (wrong)"
    assert questions["well-refused"][7] == "refused: no evidence"
    assert questions["broken"][7] == "failed"


def test_the_report_says_what_it_was_measured_on(soup):
    (about,) = soup.select("dl.about")
    for part in ("20310203T040506-abcdef", "hashing-64", "tides.jsonl", "c0ffee", "2031-02-03"):
        assert part in about.get_text()


EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>"


def test_markup_from_questions_answers_and_documents_is_shown_not_run(tmp_path):
    row = found(
        "late", (7,), question=EVIL, english=EVIL, intent=EVIL, type=EVIL, text=EVIL,
        article=EVIL, must_not_hits=(EVIL,), error=EVIL, id='"><script>', language='"><b',
        wanted=((Wanted(EVIL, EVIL),),), came=(Came(1, 0.9, EVIL, EVIL, (EVIL,), False),),
        citations=(Cited(1, "source", EVIL, (EVIL,), "https://example.org/", EVIL),),
    )  # fmt: skip
    evil = unanswerable("moon", status="abstained", reason=EVIL, why=EVIL)
    run = replace(run_of([row, evil], ABOUT), about={EVIL: EVIL, "files": {EVIL: EVIL}})
    written = text(run, tmp_path)
    soup = BeautifulSoup(written, "html.parser")
    assert not soup(["script", "img", "b"])
    assert "<script" not in written
    assert not [each for each in soup.find_all(True) for name in each.attrs if name[:2] == "on"]
    assert soup.get_text().count("alert('x')") >= 15


def test_only_web_addresses_are_linked_and_without_saying_where_from(tmp_path):
    addresses = [
        "javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "//example.org",
        "http://[", "https://example.org/p1", None,
    ]  # fmt: skip
    row = found(
        "late",
        (7,),
        citations=tuple(
            Cited(marker, "source", f"pages/p{marker}.md", (), address, "high water")
            for marker, address in enumerate(addresses)
        ),
    )
    shown = page([row], tmp_path).article
    assert shown
    assert [link["href"] for link in shown("a")] == ["#q-late", "https://example.org/p1"]
    assert shown("a")[1]["rel"] == ["noopener", "noreferrer"]
    assert all(f"pages/p{marker}.md" in shown.get_text() for marker in range(len(addresses)))


def test_the_page_fetches_nothing_and_runs_nothing(soup):
    assert not soup(["script", "link", "img", "iframe", "object", "embed", "base", "form"])
    for each in soup.find_all(True):
        for name, value in each.attrs.items():
            if name.startswith("xmlns"):
                continue
            if each.name == "a" and name == "href":
                continue
            for word in str(value).split():
                assert not urlsplit(word).scheme.startswith(("http", "data", "javascript"))
                assert "url(" not in word or "url(#" in word
    assert "url(" not in soup.style.get_text()
    assert "@import" not in soup.style.get_text()
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in str(policy["content"])


def test_plots_take_the_colours_of_the_page(soup):
    plots = " ".join(str(plot) for plot in soup("svg"))
    for name in ("ink", "grid", "blue", "vermillion", "green"):
        assert f"var(--{name}, #" in plots
        assert soup.style.get_text().count(f"--{name}:") == 2
    assert "fill: #ffffff" not in plots


def test_the_same_run_gives_the_same_bytes(report, tmp_path):
    again = write_report(run_of(everything(), ABOUT), tmp_path)
    assert again.read_bytes() == report.read_bytes()


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [found("lock")],
        [unanswerable("moon")],
        [found("lock", top_score=None, came=(), search_ms=None, answer_ms=None, embed_ms=None)],
        [found("lock", search_ms=0.0, embed_ms=0.0)],
        [found("broken", (None,), status="failed", top_score=None, came=(), error="no tide")],
    ],
    ids=[
        "nothing asked", "nothing to refuse", "nothing to answer", "nothing measured",
        "a coarse clock", "nothing but an error",
    ],
)  # fmt: skip
def test_a_run_that_lacks_something_still_gives_a_page(tmp_path, rows):
    soup = page(rows, tmp_path)
    assert len(soup("h2")) == 9
    assert len(soup.select("table.questions tbody tr[id]")) == len(rows)
    assert "nan" not in soup.get_text().split()
    both = {row.expect for row in rows} == {"answer", "abstain"}
    assert both or "AUROC 0" not in soup.get_text()
