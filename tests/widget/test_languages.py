from __future__ import annotations

from collections.abc import Callable

import pytest
import shelf
from playwright.sync_api import expect
from visit import Visit

from rag.messages import Messages

SAID = Messages.load(shelf.ROOT / "corpus" / "messages" / "widget")
SHARE = {
    "bg": "Как мога да споделя данните си?",
    "el": "Πώς μπορώ να μοιραστώ τα δεδομένα μου;",
    "pt": "Como posso partilhar os meus dados?",
}


@pytest.mark.parametrize("language", SHARE)
def test_the_interface_and_the_answer_are_in_the_language_of_the_page(
    visit: Visit, language: str
) -> None:
    say = SAID.texts[language]
    assert say["launcher"] != SAID.texts["en"]["launcher"]
    visit.go(language=language)
    visit.page.get_by_role("button", name=say["launcher"]).click()
    dialog = visit.chat.get_by_role("dialog", name=say["title"])
    expect(dialog).to_have_attribute("lang", language)
    expect(dialog.locator(".notice")).to_have_text(say["notice"])
    expect(visit.box).to_have_accessible_name(say["question"])
    turn = visit.ask(SHARE[language])
    expect(turn.locator(".statement").first).to_contain_text("Sign a transfer agreement first.")
    expect(turn.locator(".opening")).to_have_attribute("lang", language)
    expect(turn.locator(".next")).to_contain_text(shelf.CONTACT)
    expect(turn.get_by_role("group", name=say["helpful"])).to_be_visible()
    visit.button(say["source"].format(number=1, title="Sharing")).first.click()
    expect(turn.locator(".badge")).to_have_text(say["label_required"])


def test_the_language_of_the_script_goes_before_that_of_the_page(visit: Visit) -> None:
    visit.go_to(
        f'<!doctype html><html lang="de"><title>x</title>'
        f'<script src="{visit.helpdesk}/widget.js" data-language="pt"></script></html>'
    )
    visit.page.get_by_role("button", name=SAID.texts["pt"]["launcher"]).click()
    expect(visit.frame).to_have_attribute("lang", "pt")


@pytest.mark.parametrize(
    ("locale", "page", "spoken"),
    [
        ("pt-BR", "", "pt"),
        ("nb-NO", "", "no"),
        ("fil-PH", "", "en"),
        ("bg-BG", "ja", "bg"),
        ("ja-JP", "EL-gr", "el"),
    ],
)
def test_the_first_language_that_is_spoken_is_chosen(
    visits: Callable[..., Visit], locale: str, page: str, spoken: str
) -> None:
    visit = visits(locale=locale)
    visit.go(language=page)
    visit.page.get_by_role("button", name=SAID.texts[spoken]["launcher"]).click()
    expect(visit.frame).to_have_attribute("lang", spoken)
    expect(visit.chat.locator(".notice")).to_have_text(SAID.texts[spoken]["notice"])


def test_another_language_can_be_set_at_any_time_and_the_conversation_stays(
    opened: Visit,
) -> None:
    opened.ask()
    opened.box.fill("Not sent yet")
    opened.chat.evaluate("(chat) => chat.setAttribute('language', 'el')")
    say = SAID.texts["el"]
    expect(opened.chat.locator(".notice")).to_have_text(say["notice"])
    expect(opened.frame).to_be_visible()
    expect(opened.turns).to_have_count(1)
    expect(opened.turns.last.locator(".statement").first).to_contain_text("Sign a transfer")
    expect(opened.turns.last.get_by_role("group", name=say["helpful"])).to_be_visible()
    expect(opened.box).to_have_value("Not sent yet")


def test_of_two_changes_the_last_one_holds(opened: Visit) -> None:
    opened.chat.evaluate(
        "(chat) => ['el', 'pt', 'bg'].forEach((each) => chat.setAttribute('language', each))"
    )
    expect(opened.frame).to_have_attribute("lang", "bg")
    opened.page.wait_for_load_state("networkidle")
    expect(opened.frame).to_have_attribute("lang", "bg")


def test_countries_are_named_and_ordered_as_the_language_does(visit: Visit) -> None:
    visit.go(language="pt")
    visit.page.get_by_role("button").click()
    visit.chat.locator(".asking button.link").click()
    options = visit.chat.locator("select option").all_inner_texts()
    assert options[:4] == [SAID.texts["pt"]["no_country"], "Alemanha", "Áustria", "Bélgica"]
    assert len(options) == 30
