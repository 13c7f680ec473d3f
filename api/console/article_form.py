"""The page on which a draft of an article is written, as it is shown and as it is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from api.console.drafting import MOST_STATEMENTS
from api.console.people import People
from api.console.review import copied, obstacles, personal
from api.console.typed import version_of
from api.desk.drafts import BUSY, Content, Draft, DraftChanged, DraftStatement, SeenDraft
from api.desk.models import Ticket
from rag.countries import COUNTRIES, country_name
from rag.language import LANGUAGES, detect_language
from rag.messages import FALLBACK, language_name
from rag.models import Evidence
from rag.text import fold
from rag.triage.sorter import INTENTS

AUDIENCES = (
    "researcher", "data_holder", "infrastructure", "policy", "clinician", "citizen",
    "contact_point", "staff",
)  # fmt: skip
ARTICLE_INTENTS = INTENTS[:-2]
"""What an article may be about: whatever is for the helpdesk to answer."""
_UNSIGNED = "Nobody has signed it: fill in the role of who does."
_DO = re.compile(r"(save|publish|find|up)(?:-(\d{1,3}))?")

Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Typed:
    """A draft as it was sent."""

    seen: SeenDraft
    title: str
    content: Content
    do: str
    """Which button was pressed: ``save``, ``publish``, ``find`` or ``up``."""
    number: int
    """Of the statement that ``find`` is for, from 0 on."""
    words: str
    """What is to be found; empty: what the statement says."""

    @classmethod
    def of(cls, draft: Draft, fields: Fields) -> Typed:
        """Read a form of the page of a draft.

        Statements and ways of asking without text are left out.

        Args:
            draft: As it is stored; it may have been changed since the page was shown.
            fields: What was sent.
        """
        match = _DO.fullmatch(_line(fields, "do"))
        do, at = (match[1], int(match[2] or 0)) if match else ("save", 0)
        written = [
            (place, statement)
            for place, statement in enumerate(_statements(fields, draft.content.evidence))
            if statement.text
        ][:MOST_STATEMENTS]
        number = next((n for n, (place, _) in enumerate(written) if place == at), -1)
        statements = [statement for _, statement in written]
        if do == "up" and number > 0:
            statements[number - 1 : number + 1] = statements[number], statements[number - 1]
        version = _line(fields, "version")
        intent, country = _line(fields, "intent"), _line(fields, "country")
        return cls(
            seen=SeenDraft(draft.draft_id, version_of(version)),
            title=_line(fields, "title"),
            content=Content(
                intent=intent if intent in ARTICLE_INTENTS else draft.content.intent,
                audience=tuple(each for each in AUDIENCES if each in fields.get("audience", ())),
                country=country if country in COUNTRIES else None,
                asks=_asks(fields),
                statements=tuple(statements),
                evidence=draft.content.evidence,
                reviewed_by=_line(fields, "reviewed_by"),
                answered_by=draft.content.answered_by,
            ),
            do=do if do != "find" or number >= 0 else "save",
            number=number,
            words=_line(fields, f"words-{at}"),
        )

    @property
    def question(self) -> str:
        """What the article answers, as somebody asks it."""
        return next((ask for asks in self.content.asks.values() for ask in asks), self.title)


def unready(draft: Draft, ticket: Ticket | None) -> list[str]:
    """What keeps a draft from being published; the ticket is the one it was made from."""
    return [*obstacles(draft, ticket), *([] if draft.content.reviewed_by else [_UNSIGNED])]


def _line(fields: Fields, name: str) -> str:
    return _clean(next(iter(fields.get(name, ())), ""))


def _clean(text: str) -> str:
    """A text in one line, without what no file can hold."""
    return fold("".join(letter for letter in text if letter.isprintable() or letter.isspace()))


def _asks(fields: Fields) -> dict[str, tuple[str, ...]]:
    """The ways of asking by language, of which some are as they read; one may come twice."""
    found: dict[str, dict[str, None]] = {}
    pairs = zip_longest(fields.get("asks", ()), fields.get("asks_language", ()))
    for text, named in pairs:
        lines = [line for each in (text or "").splitlines() if (line := _clean(each))]
        if lines:
            language = named if named in LANGUAGES else detect_language("\n".join(lines))
            found.setdefault(language, {}).update(dict.fromkeys(lines))
    return {language: tuple(lines) for language, lines in found.items()}


def _statements(fields: Fields, evidence: Mapping[str, Evidence]) -> Iterator[DraftStatement]:
    for place, text in enumerate(fields.get("statement", ())):
        chosen = [key for key in fields.get(f"evidence-{place}", ()) if key in evidence]
        shown = [key for key in _line(fields, f"shown-{place}").split() if key in evidence]
        left = tuple(key for key in shown if key not in chosen)
        yield DraftStatement(_clean(text), tuple(dict.fromkeys(chosen)), left)


@dataclass(frozen=True)
class ShownStatement:
    """A statement with the sentences that carry it or may."""

    text: str
    evidence: Sequence[tuple[str, Evidence, bool]]
    """Key, sentence, and whether it was chosen."""
    hints: Sequence[str]
    """What is to be looked at."""


@dataclass(frozen=True)
class DraftView:
    """The page of a draft."""

    draft: Draft
    """As it is stored."""
    ticket: Ticket | None
    """It was made from, as long as it is kept."""
    title: str
    content: Content
    """As they stand in the form."""
    people: People
    changed: DraftChanged | None = None
    """Somebody else was quicker than whoever typed this."""

    @property
    def busy(self) -> bool:
        """Whether it is being published or withdrawn."""
        return self.draft.state in BUSY

    @property
    def obstacles(self) -> Sequence[str]:
        """What has to be done before it can be published."""
        return obstacles(self.draft, self.ticket)

    @property
    def unready(self) -> Sequence[str]:
        """The same, and a signature, which whoever publishes it gives."""
        return unready(self.draft, self.ticket)

    @property
    def personal(self) -> Sequence[str]:
        """What tells of a person."""
        return personal(self.draft, self.ticket)

    @property
    def asks(self) -> Sequence[tuple[str, str]]:
        """Languages and the ways of asking in them, one a line; a last one to be filled in."""
        found = [(language, "\n".join(asks)) for language, asks in self.content.asks.items()]
        return [*found, ("", "")]

    @property
    def question(self) -> tuple[str, str] | None:
        """A way of asking to try it with, and its language."""
        asks = self.content.asks.items()
        return next(((ask, language) for language, each in asks for ask in each), None)

    @property
    def statements(self) -> Sequence[ShownStatement]:
        """Those that are there; a last one to be filled in."""
        known = self.content.evidence
        found = []
        for each in self.content.statements:
            keys = [*((key, True) for key in each.evidence), *((k, False) for k in each.offered)]
            evidence = [(key, known[key], chosen) for key, chosen in keys]
            found.append(ShownStatement(each.text, evidence, list(_hints(each, known))))
        if len(found) < MOST_STATEMENTS:
            found.append(ShownStatement("", [], []))
        return found

    @property
    def theirs(self) -> Sequence[tuple[str, str]]:
        """What is stored now and differs from the form: names of fields, and what they hold."""
        mine = _told(self.title, self.content)
        stored = _told(self.draft.title, self.draft.content)
        names = dict.fromkeys((*stored, *mine))
        return [
            (each, stored.get(each, "")) for each in names if stored.get(each) != mine.get(each)
        ]

    @property
    def countries(self) -> Sequence[tuple[str, str]]:
        """Codes and names, in the order of the names."""
        return _named((code, country_name(code, FALLBACK)) for code in COUNTRIES)

    @property
    def languages(self) -> Sequence[tuple[str, str]]:
        """Codes and names, in the order of the names."""
        return _named((code, language_name(code, FALLBACK)) for code in LANGUAGES)


def _named(pairs: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(pairs, key=lambda each: each[1])


def _hints(statement: DraftStatement, known: Mapping[str, Evidence]) -> Iterator[str]:
    if not statement.evidence:
        offered = "choose the sentence that carries it" if statement.offered else "none was found"
        yield f"Needs evidence: {offered}."
    elif copied(statement, known):
        yield "This is the source word for word: say it in your own words."
    if detect_language(statement.text) != FALLBACK:
        yield "Statements are written in English, whatever language people ask in."


def _told(title: str, content: Content) -> dict[str, str]:
    """A draft as texts, field by field."""
    asks = (f"{language}: {ask}" for language, each in content.asks.items() for ask in each)
    return {
        "Title": title,
        "About": content.intent.replace("_", " "),
        "For": ", ".join(content.audience).replace("_", " "),
        "Country": country_name(content.country, FALLBACK) if content.country else "any",
        "Ways people ask": "\n".join(asks),
        "Signed by": content.reviewed_by,
    } | {
        f"Statement {n}": "\n".join(
            [each.text, *(_quoted(content.evidence[key]) for key in each.evidence)]
        )
        for n, each in enumerate(content.statements, start=1)
    }


def _quoted(evidence: Evidence) -> str:
    return f"   “{evidence.quote or evidence.title}”"
