"""Articles in the console: begun from a ticket, written by two at once, reviewed, published."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import shelf
from bs4 import BeautifulSoup, Tag
from conftest import app_over
from console import Colleague, colleague, one, opened, sign_in
from fastapi.testclient import TestClient
from pages import read
from test_drafts import CONTENT

from api.desk import publishing
from api.desk.desk import open_desk
from api.desk.drafts import Draft, SeenDraft
from api.desk.models import Actor, Findings, Seen, Ticket
from api.desk.publishing import Publisher
from rag.store import Store

ANYBODY = Actor("operator", "admin")
QUESTION = "Who signs when data leave our building?"
REPLY = f"""Dear Ada,

Every holder signs an agreement. [1]
Files are encrypted with a key of the receiver.

[1] Sharing › Agreements – {shelf.SITE}/sharing#agreements

Kind regards,
Grace"""
PUBLISHES = """
import json, pathlib, sys, time
done, what, file = *sys.argv[1:3], sys.argv[3]
while not pathlib.Path(done).exists():
    time.sleep(0.01)
reply = json.loads(pathlib.Path(done).read_text())
print(json.dumps({"article": "it", "findings": [], "generation": "20260102", **reply}))
"""
Fields = list[tuple[str, str]]


class Command:
    """Stands for the command of ingest: waits until it is told what to say."""

    def __init__(self, folder: Path):
        script = folder / "publishes.py"
        script.write_text(PUBLISHES, "utf-8")
        self._told = folder / "told.json"
        self.publisher = Publisher((sys.executable, str(script), str(self._told)), {})

    def say(self, **reply: object) -> None:
        half = self._told.with_suffix(".half")
        half.write_text(json.dumps(reply), "utf-8")
        half.replace(self._told)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def lead(store: Store, tmp_path: Path, command: Command) -> Iterator[Colleague]:
    """Somebody who may publish."""
    app = app_over(store, data_dir=tmp_path / "data", publisher=command.publisher)
    with colleague(app, "Grace", "lead") as signed_in:
        yield signed_in


def beside(lead: Colleague, name: str, *countries: str) -> Colleague:
    """An agent at the same desk, with a browser of their own."""
    return sign_in(TestClient(lead.http.app), name, "agent", *countries)


def replied_to(who: Colleague, reply: str = REPLY, **ticket: str) -> Ticket:
    """A ticket that was replied to."""
    asked = opened(who.desk, QUESTION, **ticket)
    seen = Seen(asked.ticket_id, asked.version)
    return who.desk.handling.reply(ANYBODY, seen, reply).ticket


def begin(who: Colleague, ticket: Ticket) -> str:
    """Press "Make this an article"; returns the address that it leads to."""
    response = who.http.post(f"/desk/tickets/{ticket.ticket_id}/article", data={"proof": who.proof})
    assert response.status_code == 200, response.text
    return response.url.path


def fields(page: BeautifulSoup) -> Fields:
    """What the form of a draft sends, as a browser would."""
    form = one(page, "form.article")
    found: Fields = []
    for each in form.select("input[name], select[name], textarea[name]"):
        name = str(each["name"])
        if each.name == "textarea":
            found.append((name, each.get_text().removeprefix("\n")))
        elif each.name == "select":
            chosen = each.select("option[selected]") or each.select("option")[:1]
            found.append((name, str(chosen[0]["value"])))
        elif each.get("type") != "checkbox" or each.has_attr("checked"):
            found.append((name, str(each.get("value", ""))))
    return found


def typed(sent: Fields, name: str, text: str, place: int = 0) -> Fields:
    """The same with something else in one of its fields."""
    places = [at for at, (each, _) in enumerate(sent) if each == name]
    changed = list(sent)
    changed[places[place]] = (name, text)
    return changed


def send(
    who: Colleague, address: str, sent: Sequence[tuple[str, str]], do: str = "save"
) -> tuple[int, BeautifulSoup]:
    data: dict[str, list[str]] = {}
    for name, value in [*sent, ("do", do)]:
        data.setdefault(name, []).append(value)
    response = who.http.post(address, data=data)
    return response.status_code, read(response.text)


def stored(who: Colleague, address: str) -> Draft:
    return who.desk.drafts.read(ANYBODY, address.rpartition("/")[2])


def text(tag: Tag | BeautifulSoup) -> str:
    return " ".join(tag.get_text(" ").split())


def ready(who: Colleague, address: str) -> Fields:
    """A form that can be published: every statement has evidence, somebody signs."""
    page = who.page(address)
    sent = typed(fields(page), "reviewed_by", "Helpdesk lead")
    for box in page.select(".evidence ul > li:first-child input"):
        name = str(box["name"])
        if name not in {each for each, _ in sent}:
            sent.append((name, str(box["value"])))
    return sent


def settled(who: Colleague, address: str) -> Draft:
    """The draft when the command has ended."""
    until = time.monotonic() + 20
    while (draft := stored(who, address)).state in ("publishing", "withdrawing"):
        assert time.monotonic() < until, "it is still being published"
        time.sleep(0.02)
    return draft


def test_a_ticket_becomes_a_draft_with_its_evidence(lead: Colleague) -> None:
    address = begin(lead, replied_to(lead))
    page = lead.page(address)
    sent = fields(page)
    assert ("title", QUESTION) in sent
    assert next(each for name, each in sent if name == "asks") == QUESTION
    said = [each for name, each in sent if name == "statement"]
    assert said == [
        "Every holder signs an agreement.",
        "Files are encrypted with a key of the receiver.",
        "",
    ]
    evidence = page.select("#statement-2 .evidence li")
    assert shelf.TRAVEL in text(evidence[0])
    link = one(evidence[0], "a")
    assert link["href"] == f"{shelf.SITE}/sharing#transfer"
    assert "Needs evidence" in text(one(page, "#hints-1"))
    assert "need evidence" in text(one(page, ".todo"))


def test_the_button_pressed_twice_leads_to_the_same_draft(lead: Colleague) -> None:
    ticket = replied_to(lead)
    assert begin(lead, ticket) == begin(lead, ticket)


def test_a_draft_is_saved_as_it_stands_in_the_form(lead: Colleague) -> None:
    address = begin(lead, replied_to(lead))
    sent = fields(lead.page(address))
    sent = typed(sent, "title", "  Signing\tagreements ")
    sent = typed(sent, "intent", "elsi")
    sent = typed(sent, "country", "PT")
    sent = typed(sent, "asks", "Who signs?\n\n who SIGNS what \nWho signs?")
    sent = typed(typed(sent, "asks_language", "pt", 1), "asks", "Quem assina?", 1)
    sent = typed(sent, "statement", "A third\nstatement.\x00", 2)
    sent += [("audience", "citizen"), ("audience", "nobody"), ("evidence-2", "e999")]
    status, page = send(lead, address, sent)
    assert (status, text(one(page, ".box.done[role=status]"))) == (200, "It is saved.")
    draft = stored(lead, address)
    assert draft.title == "Signing agreements"
    content = draft.content
    assert (content.intent, content.country) == ("elsi", "PT")
    assert content.audience == ("researcher", "citizen")
    assert content.asks == {"en": ("Who signs?", "who SIGNS what"), "pt": ("Quem assina?",)}
    assert [each.text for each in content.statements][2] == "A third statement."
    assert content.statements[2].evidence == ()
    # What is shown is what would be sent again.
    assert send(lead, address, fields(page))[0] == 200
    assert stored(lead, address) == draft


def test_a_way_of_asking_whose_language_is_not_named_is_kept_by_how_it_reads(
    lead: Colleague,
) -> None:
    address = begin(lead, replied_to(lead))
    sent = typed(fields(lead.page(address)), "asks", "Quem assina o acordo?\nPosso assinar?", 1)
    send(lead, address, sent)
    assert stored(lead, address).content.asks == {
        "en": (QUESTION,), "pt": ("Quem assina o acordo?", "Posso assinar?"),
    }  # fmt: skip


def test_an_empty_statement_is_taken_out_and_one_is_moved_up(lead: Colleague) -> None:
    address = begin(lead, replied_to(lead))
    sent = fields(lead.page(address))
    send(lead, address, sent, "up-1")
    statements = stored(lead, address).content.statements
    assert statements[0].text.startswith("Files")
    assert statements[0].offered
    send(lead, address, typed(fields(lead.page(address)), "statement", " "))
    assert stored(lead, address).content.statements == statements[1:]


def test_other_evidence_is_found_and_chosen(lead: Colleague) -> None:
    address = begin(lead, replied_to(lead))
    sent = typed(fields(lead.page(address)), "words-0", "coverage of every sample")
    status, page = send(lead, address, sent, "find-0")
    first = page.select("#statement-1 .evidence li")[0]
    assert (status, shelf.COVERAGE in text(first)) == (200, True)
    box = one(first, "input")
    send(lead, address, [*fields(page), (str(box["name"]), str(box["value"]))])
    content = stored(lead, address).content
    assert [content.evidence[key].quote for key in content.statements[0].evidence] == [
        shelf.COVERAGE
    ]


def test_who_is_slower_sees_both_texts_and_saves_when_they_have_put_them_together(
    lead: Colleague,
) -> None:
    address = begin(lead, replied_to(lead))
    ada = beside(lead, "Ada")
    mine, hers = fields(lead.page(address)), fields(ada.page(address))
    send(ada, address, typed(hers, "statement", "Ada's own words for it."))
    status, page = send(lead, address, typed(mine, "title", "A title of mine"))
    assert status == 409
    assert "Ada changed this article" in text(one(page, "[role=alert]"))
    assert "Ada's own words for it." in text(one(page, "[aria-labelledby=theirs]"))
    again = fields(page)
    assert ("title", "A title of mine") in again
    assert ("statement", "Every holder signs an agreement.") in again
    assert stored(lead, address).content.statements[0].text == "Ada's own words for it."
    assert send(lead, address, again)[0] == 200
    assert stored(lead, address).title == "A title of mine"


def test_a_lead_publishes_what_is_ready_and_people_are_told(
    lead: Colleague, command: Command
) -> None:
    address = begin(lead, replied_to(lead))
    status, page = send(lead, address, ready(lead, address), "publish")
    assert status == 200
    assert "on its way into the index" in text(one(page, "[data-busy]"))
    assert one(page, "form.article > fieldset").has_attr("disabled")
    command.say(published=True, findings=[{"kind": "few asks", "said": "1, 6 are wanted"}])
    draft = settled(lead, address)
    name = f"signs-data-leave-our-building-{draft.draft_id[2:].lower()}"
    assert (draft.state, draft.article_id) == ("published", name)
    page = lead.page(address)
    assert "It is published" in text(one(page, "main"))
    assert "1, 6 are wanted" in text(one(page, "main"))
    sent = {str(each["name"]): str(each["value"]) for each in page.select(".try input")}
    assert sent == {"question": QUESTION, "language": "en"}
    listed = lead.page("/desk/articles")
    assert address.rpartition("/")[2] in text(one(listed, ".drafts"))


def test_what_is_refused_says_why_and_can_be_mended(lead: Colleague, command: Command) -> None:
    address = begin(lead, replied_to(lead))
    command.say(published=False, generation=None, findings=[{"kind": "copied", "said": "a run"}])
    send(lead, address, ready(lead, address), "publish")
    assert settled(lead, address).state == "refused"
    page = lead.page(address)
    assert "Copied: a run" in text(one(page, ".box.alarm"))
    send(lead, address, typed(fields(page), "title", "Mended"))
    assert stored(lead, address).state == "draft"


@pytest.mark.parametrize(
    ("field", "words", "told"),
    [
        ("reviewed_by", "", "Nobody has signed it"),
        ("statement", "Write to Dr. Ada Novak, ada.novak@clinic.example.", "personal data"),
        ("asks", "x" * 301, "longer than 300"),
    ],
)
def test_what_is_not_ready_is_saved_and_not_published(
    lead: Colleague, field: str, words: str, told: str
) -> None:
    address = begin(lead, replied_to(lead))
    sent = typed(ready(lead, address), field, words)
    status, page = send(lead, address, sent, "publish")
    assert (status, stored(lead, address).state) == (200, "draft")
    assert told in text(page)
    assert (field, words) in fields(page)


def test_an_article_that_names_who_asked_is_not_published(lead: Colleague) -> None:
    ticket = replied_to(lead, REPLY.replace("Every holder", "Okonkwo's"), name="Ngozi Okonkwo")
    address = begin(lead, ticket)
    assert "Okonkwo" in text(one(lead.page(address), ".box.alarm"))
    status, page = send(lead, address, ready(lead, address), "publish")
    assert (status, stored(lead, address).state) == (200, "draft")
    assert "Personal data" in text(one(page, ".todo"))


def test_a_ticket_that_another_version_has_sorted_becomes_a_draft(lead: Colleague) -> None:
    asked = opened(lead.desk, QUESTION)
    odd = {"draft": {"status": "answered", "citations": [{"marker": 1}]}}
    lead.desk.handling.sort(asked.ticket_id, Findings("elsi", "normal", None, "en", odd))
    assert stored(lead, begin(lead, asked)).content.statements == ()


def test_an_agent_writes_and_a_lead_publishes(lead: Colleague) -> None:
    agent = beside(lead, "Ada")
    address = begin(agent, replied_to(lead))
    assert "publish" not in [each.get("value") for each in agent.page(address).select("button")]
    sent = ready(agent, address)
    status, page = send(agent, address, sent)
    assert (status, "Ready for review" in text(page)) == (200, True)
    status, page = send(agent, address, fields(page), "publish")
    assert (status, "somebody with the role lead can publish it" in text(page)) == (200, True)
    assert stored(lead, address).state == "draft"
    assert "publish" in [each.get("value") for each in lead.page(address).select("button")]


def test_what_is_typed_while_it_is_published_is_not_lost(lead: Colleague, command: Command) -> None:
    address = begin(lead, replied_to(lead))
    ada = beside(lead, "Ada")
    hers = typed(fields(ada.page(address)), "title", "Typed meanwhile")
    send(lead, address, ready(lead, address), "publish")
    status, page = send(ada, address, hers)
    assert (status, ("title", "Typed meanwhile") in fields(page)) == (409, True)
    assert not one(page, "form.article > fieldset").has_attr("disabled")
    command.say(published=True)
    assert settled(lead, address).title != "Typed meanwhile"


def _withdraw(who: Colleague, address: str) -> int:
    page = who.page(address)
    sent = {str(each["name"]): str(each["value"]) for each in page.select(".withdraw input")}
    return who.http.post(f"{address}/withdraw", data=sent).status_code


def test_a_published_article_is_withdrawn_by_a_lead(lead: Colleague, command: Command) -> None:
    address = begin(lead, replied_to(lead))
    command.say(published=True)
    send(lead, address, ready(lead, address), "publish")
    version = settled(lead, address).version
    agent = beside(lead, "Ada")
    assert not agent.page(address).select(".withdraw")
    sent = {"proof": agent.proof, "version": str(version)}
    assert agent.http.post(f"{address}/withdraw", data=sent).status_code == 403
    command.say(withdrawn=True)
    assert _withdraw(lead, address) == 200
    assert settled(lead, address).state == "withdrawn"
    assert "answers nothing" in text(lead.page(address))


def test_what_was_broken_off_is_withdrawn_by_a_lead(lead: Colleague, command: Command) -> None:
    address = begin(lead, replied_to(lead))
    draft = stored(lead, address)
    lead.desk.drafts.publish(ANYBODY, SeenDraft(draft.draft_id, draft.version))
    lead.desk.drafts.resume(lead.desk.drafts.busy())
    agent = beside(lead, "Ada")
    page = agent.page(address)
    assert "may be among the answers or not" in text(page)
    assert not page.select(".withdraw")
    sent = {"proof": agent.proof, "version": str(stored(lead, address).version)}
    assert agent.http.post(f"{address}/withdraw", data=sent).status_code == 403
    command.say(withdrawn=False)
    assert _withdraw(lead, address) == 200
    assert settled(lead, address).state == "withdrawn"
    assert "may be among" not in text(lead.page(address))


def test_a_draft_is_given_up_and_taken_up_again(lead: Colleague) -> None:
    agent = beside(lead, "Ada")
    address = begin(agent, replied_to(lead))
    assert _withdraw(agent, address) == 200
    assert stored(lead, address).state == "withdrawn"
    send(agent, address, typed(fields(agent.page(address)), "title", "Again"))
    assert stored(lead, address).state == "draft"


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/desk/tickets/{ticket}/article"),
        ("GET", "/desk/articles/{draft}"),
        ("POST", "/desk/articles/{draft}"),
        ("POST", "/desk/articles/{draft}/withdraw"),
    ],
)
def test_what_is_another_countrys_is_not_there(lead: Colleague, method: str, address: str) -> None:
    ticket = replied_to(lead, country="PT")
    made = begin(lead, ticket)
    before = stored(lead, made)
    path = address.format(ticket=ticket.ticket_id, draft=before.draft_id)
    spain, portugal = beside(lead, "Ines", "ES"), beside(lead, "Rui", "PT")
    sent = {"proof": spain.proof, "version": "1", "title": "Stolen", "do": "save"}
    response = spain.http.request(method, path, data=sent)
    assert response.status_code == 404
    assert "holder signs" not in response.text
    assert stored(lead, made) == before
    assert before.draft_id not in text(spain.page("/desk/articles"))
    sent["proof"] = portugal.proof
    assert portugal.http.request(method, path, data=sent).status_code == 200


@pytest.mark.parametrize("address", ["/desk/articles/D-NOBODY", "/desk/articles/%00"])
def test_a_draft_that_nobody_knows_is_not_there(lead: Colleague, address: str) -> None:
    lead.page(address, 404)


def test_nobody_gets_in_without_signing_in(lead: Colleague) -> None:
    address = begin(lead, replied_to(lead))
    stranger = TestClient(lead.http.app, follow_redirects=False)
    for path in ("/desk/articles", address):
        assert stranger.get(path).status_code == 303
    before = stored(lead, address)
    assert stranger.post(address, data={"title": "Stolen"}).status_code == 401
    forged = {"proof": "x", "title": "Stolen", "version": "1"}
    assert lead.http.post(address, data=forged).status_code == 401
    assert stored(lead, address) == before


def test_a_server_that_starts_gives_back_what_was_being_published(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_AGAIN_S", 0.05)
    desk = open_desk("", tmp_path / "data", 30)
    draft = desk.drafts.begin(ANYBODY, "NMG-1", None, "Sharing", CONTENT)
    desk.drafts.publish(ANYBODY, SeenDraft(draft.draft_id, draft.version))
    desk.close()
    with colleague(app_over(store, data_dir=tmp_path / "data"), "Grace", "lead") as lead:
        until = time.monotonic() + 10
        while lead.desk.drafts.busy() and time.monotonic() < until:
            time.sleep(0.02)
        page = lead.page(f"/desk/articles/{draft.draft_id}")
        assert "the server stopped" in text(one(page, ".box.alarm"))
        assert not page.select("[data-busy]")


# ---- the articles of the index


def test_stale_articles_go_first_with_what_they_lost(lead: Colleague) -> None:
    page = lead.page("/desk/articles")
    rows = page.select("table.articles tbody tr")
    assert [str(each["id"]) for each in rows] == [
        "article-share", "article-apply", "article-storage-fees",
    ]  # fmt: skip
    assert "Stale" in text(one(rows[0], ".urgent"))
    assert "A seal of wax is needed." in text(one(rows[0], ".lost"))
    assert not rows[1].select(".lost")
    counts = [text(each) for each in page.select("nav[aria-label=Articles] a")]
    assert counts == ["All 3", "Stale 1", "Nobody has signed 0", "Written here 0"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?only=stale", ["share"]),
        ("?only=unsigned", []),
        ("?intent=apply", ["apply"]),
        ("?q=FORM+permission", ["apply"]),
        ("?q=storage-fees", ["storage-fees"]),
        ("?page=2", []),
        ("?only=anything", ["share", "apply", "storage-fees"]),
    ],
)
def test_articles_are_found_by_what_they_are_about(
    lead: Colleague, query: str, found: list[str]
) -> None:
    rows = lead.page(f"/desk/articles{query}").select("table.articles tbody tr")
    assert [str(each["id"]).removeprefix("article-") for each in rows] == found


def test_without_an_index_drafts_are_listed_all_the_same(tmp_path: Path) -> None:
    app = app_over(Store(tmp_path / "none"), data_dir=tmp_path / "data")
    with colleague(app, "Grace", "lead") as lead:
        assert "no index" in text(lead.page("/desk/articles"))
