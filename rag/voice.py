"""What the helpdesk itself says around an answer, in the language of who asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rag.composer import Body
from rag.contacts import Contact
from rag.countries import country_name
from rag.declining import Refusal
from rag.messages import Messages, language_name
from rag.models import NextStep, Statement


@dataclass(frozen=True)
class Voice:
    """The helpdesk's own words in one language."""

    messages: Messages
    language: str
    """ISO 639-1."""
    contact: str
    """Whom to write to."""
    contacts: Mapping[str, Contact] = field(default_factory=dict)
    """Whom to write to about a country, by its code."""

    def say(self, key: str, /, **values: str) -> str:
        """A text with its placeholders filled."""
        return self.messages.say(self.language, key, email=self.contact, **values)

    def person(self, key: str, /, **values: str) -> NextStep:
        """To write to a person."""
        return NextStep("contact", self.say(key, **values), email=self.contact)

    def whom_to_ask(
        self, named: Sequence[str], asked_from: str | None, unsure: str = ""
    ) -> NextStep:
        """The contact of the country that is asked about, else of the one somebody asks from.

        Args:
            named: ISO 3166-1 alpha-2 of the countries that the question names.
            asked_from: That of the country of who asks.
            unsure: Key of what is said where the question is not surely answered, and no address
                of that country is known.
        """
        country = named[0] if len(named) == 1 else asked_from
        known = self.contacts.get(country) if country else None
        if country and known and known.address and known.name:
            there = replace(self, contact=known.address)
            name = country_name(country, self.language)
            return there.person("article_country_address", country=name, name=known.name)
        if unsure:
            return self.person(unsure)
        if not country:
            return self.person("answered_contact")
        return self.person("article_country_contact", country=country_name(country, self.language))

    def refusal(self, refusal: Refusal) -> str:
        """Why a question is not answered."""
        gap = refusal.gap
        if gap is None:
            meanings = "; ".join(refusal.meanings)
            return self.say(refusal.message, acronym=refusal.acronym, meanings=meanings)
        country = country_name(gap.country, self.language) if gap.country else ""
        section = " > ".join(gap.section)
        return self.say(refusal.message, title=gap.title, section=section, country=country)

    def instead(self, refusal: Refusal, named: Sequence[str], asked_from: str | None) -> NextStep:
        """What to do where a question is not answered; the countries are as for `whom_to_ask`."""
        gap = refusal.gap
        if refusal.reason == "unclear":
            return NextStep("rephrase", self.say(refusal.next_step))
        if gap is None:
            return self.person(refusal.next_step)
        about = [gap.country] if gap.country else named
        return replace(self.whom_to_ask(about, asked_from, refusal.next_step), url=gap.url)

    def opening(self, body: Body, *, weak: bool = False) -> str:
        """What is to be known before the statements; empty where there is nothing."""
        said = [self.say("weak")] if weak else []
        if body.disagree:
            said.append(self.say("pages_disagree"))
        others = sorted({each.language for each in body.statements} - {self.language})
        if others:
            names = ", ".join(language_name(each, self.language) for each in others)
            said.append(self.say("in_language", language=names))
        return " ".join(said)


def marked(statement: Statement) -> str:
    """A statement with its markers."""
    return f"{statement.text} {''.join(f'[{marker}]' for marker in statement.citations)}"


def pieces(opening: str, body: Body) -> list[str]:
    """The text of an answer, cut behind each statement; joined it is the whole.

    Entries of a list stand on lines of their own, below what the list is of.
    """
    cut: list[str] = []
    for place, statement in enumerate(body.statements):
        begun = bool(cut) or bool(opening)
        if body.entries_from is None or place < body.entries_from:
            before = " " if begun else ""
        else:
            begins = place == body.entries_from
            heading = f"{body.heading}:\n" if begins and body.heading else ""
            before = f"{chr(10) if begun else ''}{heading}- "
        first = opening if not cut else ""
        cut.append(f"{first}{before}{marked(statement)}")
    return cut or [opening]
