from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.embedder import load_embedder
from rag.guard import Guard
from rag.support import Support

TEXT = "\n".join(
    [
        "Access to the archive",
        "Required",
        "The committee decides within 30 days after an application is complete.",
        "Applicants must send the signed form to desk@archive.example, and may add a letter.",
        "About 12 % of the samples come from Norway; they are not shared outside the archive.",
        "Fees are waived for students. See https://archive.example/fees for the amounts.",
    ]
)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(Support(load_embedder()))


@pytest.mark.parametrize(
    "statement",
    [
        "The committee decides within thirty days once an application is complete.",
        "The signed form must be sent to desk@archive.example.",
        "About 12 % of the samples come from Norway.",
        "The samples are not shared outside the archive.",
        "For students the fees are waived.",
        "Amounts are listed at https://archive.example/fees.",
    ],
)
def test_what_the_text_says_holds(guard: Guard, statement: str) -> None:
    verdict = guard.check(statement, [TEXT], "en")
    assert (verdict.holds, verdict.reason) == (True, "")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("The committee decides within 60 days after an application is complete.", "figure"),
        ("About 12 samples come from Norway.", "figure"),
        ("About 30 % of the samples come from Norway.", "figure"),
        ("The Ruritania committee decides within 30 days.", "name"),
        ("In Sweden the committee decides within 30 days.", "name"),
        ("The committee and REMS decide within 30 days.", "name"),
        ("The samples are shared outside the archive.", "negation"),
        ("Applicants must not send the signed form to the archive.", "negation"),
        ("The letter is recommended.", "label"),
        ("Applicants may send the signed form.", ""),
        ("Send the form to desk@evil.example.", "address"),
        ("Send the form to https://evil.example/form.", "address"),
        ("See evil.example for the amounts of fees.", "address"),
        ("The committee also keeps a colony of penguins in the garden.", "support"),
        ("Fees are waived for students, and volunteers lend bicycles to them.", "support"),
        ("The passage says that fees are waived.", "task"),
        ("Fees <img src=x> are waived.", "markup"),
        ("Fees are waived for students and", "fragment"),
        ("Are fees waived for students?", "fragment"),
        ("Fees.", "fragment"),
        ("Les frais sont supprimés pour tous les étudiants inscrits.", "language"),
    ],
)
def test_what_the_text_does_not_say_is_refused_with_a_reason(
    guard: Guard, statement: str, reason: str
) -> None:
    verdict = guard.check(statement, [TEXT], "en")
    assert verdict.reason == reason
    assert verdict.holds is (reason == "")


@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        ("Der Ausschuss entscheidet innerhalb von 30 Tagen über einen Antrag.", True),
        ("Der Ausschuss entscheidet innerhalb von 60 Tagen über einen Antrag.", False),
        ("Der Ausschuss entscheidet mit REMS innerhalb von 30 Tagen über einen Antrag.", False),
        ("Der Ausschuss in Schweden entscheidet innerhalb von 30 Tagen.", False),
        ("Am Wochenende wird im Garten gegrillt und viel gelacht.", False),
        ("The committee decides within 30 days after an application is complete.", False),
    ],
)
def test_another_language_than_the_source_is_held_against_it_too(
    guard: Guard, statement: str, holds: bool
) -> None:
    assert guard.check(statement, [TEXT], "de").holds is holds


def test_several_texts_carry_together_what_none_carries_alone(guard: Guard) -> None:
    texts = ["Fees are waived for students.", "The committee decides within 30 days."]
    statement = "Fees are waived for students, and the committee decides within 30 days."
    assert guard.check(statement, texts).holds
    assert not guard.check(statement, texts[:1]).holds


@given(st.text(max_size=80))
def test_nothing_said_breaks_the_guard_or_brings_an_address(guard: Guard, text: str) -> None:
    assert not guard.check(f"{text} see https://evil.example/x", [TEXT]).holds
