"""Who should answer a message, how soon, and with what: everything that is known of it at first."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from rag.answerer import Answerer
from rag.contacts import Contact
from rag.errors import BadSetting, ModelUnavailable
from rag.language import detect_language
from rag.mentions import Kind as PlaceKind
from rag.mentions import normal
from rag.models import Answer, Question, Turn
from rag.personal import Kind, find_personal, mask
from rag.places import CountryFound, country_of
from rag.triage.sorter import Decided, Guess, Sorter, as_read

Route = Literal["national_contact_point", "framework_editors", "technical_level", "spam"]
Of = Literal["intent", "country", "language", "priority", "answerable", "personal_data", "route"]

_EDITORS = ("about", "contribute")
_TECHNICAL = ("connect_institute", "infrastructure", "run_pipeline")
_NOT_ASKED = ("out_of_scope", "spam")
"""Intents that the documents have nothing to say on, whatever they hold."""
_LIKELY = 3
"""Intents that are named with their probability."""
_NEAR = 0.15
"""How probable a second intent must be to be named."""
_TOLD_BY: Mapping[PlaceKind, str] = {
    "name": "its name",
    "demonym": "what its people are called",
    "city": "a town",
    "institution": "an institution",
    "mail_domain": "the ending of a mail address",
    "phone": "the prefix of a telephone number",
}
_LIKELIER, _SURE = 0.5, 0.85
"""How probable it must be that the documents answer: with a draft that does, and without."""
_LONGEST_ASK = 1000
"""Characters of a message that are asked as a question."""


@dataclass(frozen=True)
class Because:
    """Why something was decided."""

    of: Of
    said: str
    """One sentence in English."""
    quote: str = ""
    """The words of the message that it rests on; personal data is masked."""


@dataclass(frozen=True)
class Triage:
    """A message sorted, with a draft of its answer."""

    intent: str
    intents: tuple[Guess, ...]
    """The likeliest ones; the first is `intent`."""
    country: str | None
    """ISO 3166-1 alpha-2."""
    language: str
    """ISO 639-1."""
    priority: str
    """``high``, ``normal`` or ``low``."""
    answerable: bool
    personal: tuple[Kind, ...]
    """Kinds of personal data that the message holds."""
    route: Route
    contact: Contact | None
    """The contact point of the country, where the route leads there and its name is known."""
    write_to: str | None
    """The address to pass it on to; None for spam."""
    reasons: tuple[Because, ...]
    draft: Answer
    masked: str
    """Subject and text without personal data; what may be compared and stored."""


@dataclass(frozen=True)
class Sorted:
    """What is known of a message before anybody looks for its answer."""

    decided: Mapping[str, Decided]
    place: CountryFound | None
    language: str
    personal: tuple[Kind, ...]
    masked: str
    """Subject, a line end, and text."""

    @property
    def body(self) -> str:
        """The text without its subject."""
        return self.masked.partition("\n")[2]


def sort(sorter: Sorter, subject: str, text: str) -> Sorted:
    """Sort a message; only its country is told from the unmasked words.

    Raises:
        BadSetting: A file of words, names or places cannot be read.
    """
    subject = " ".join(subject.split())
    language = detect_language(text)
    whole = as_read(subject, text)
    found = find_personal(whole, language)
    masked = mask(whole, found)
    head, _, body = masked.partition("\n")
    return Sorted(
        sorter.decide(head, body),
        country_of(subject, text, language),
        language,
        tuple(dict.fromkeys(each.kind for each in found)),
        masked,
    )


class Triager:
    """Sorts messages."""

    def __init__(self, load: Callable[[], Sorter], contacts: Mapping[str, Contact], write_to: str):
        """Sort by what was learned.

        Args:
            load: Reads what was learned; called with the first message, as that takes
                seconds and memory that most servers never need.
            contacts: Contact points by country.
            write_to: The address of whoever passes messages on where no other is known.
        """
        self._load = load
        self._contacts = contacts
        self._write_to = write_to
        self._sorter: Sorter | None = None
        self._lock = threading.Lock()

    def triage(
        self, subject: str, text: str, answerer: Answerer, history: tuple[Turn, ...] = ()
    ) -> Triage:
        """Sort a message and draft its answer.

        Args:
            subject: May be empty.
            text: What somebody wrote.
            answerer: Drafts the answer.
            history: What they had asked and were told before; the draft goes on from there.

        Raises:
            BadSetting: A file of words, names or places cannot be read.
            ModelUnavailable: What was learned cannot be read, or the model that it adds to
                is not there.
        """
        found = sort(self._sorting(), subject, text)
        decided, place, language = found.decided, found.place, found.language
        intent, priority = decided["intent"], decided["priority"]
        country = place.country if place else None
        draft = answerer.answer(
            Question(_ask(found.body, language, intent), language, country, history)
        )
        route, why = _route(intent.label, country)
        contact = self._contact(route, country)
        return Triage(
            intent=intent.label,
            intents=intent.guesses[:_LIKELY],
            country=country,
            language=language,
            priority=priority.label,
            answerable=_answerable(decided, draft),
            personal=found.personal,
            route=route,
            contact=contact,
            write_to=self._address(route, contact),
            reasons=(
                _of_intent(intent),
                _of_country(place, found.masked),
                Because("language", f"detected: {language}"),
                _of_priority(priority),
                _of_answer(decided["answerable"], draft, intent.label),
                _of_personal(found.personal),
                Because("route", why),
            ),
            draft=draft,
            masked=found.masked.strip(),
        )

    def _contact(self, route: Route, country: str | None) -> Contact | None:
        contact = self._contacts.get(country or "") if route == "national_contact_point" else None
        return contact if contact and contact.name else None

    def _address(self, route: Route, contact: Contact | None) -> str | None:
        if route == "spam":
            return None
        return contact.address if contact and contact.address else self._write_to

    def _sorting(self) -> Sorter:
        with self._lock:
            if self._sorter is None:
                try:
                    self._sorter = self._load()
                except BadSetting as error:
                    # It comes with the program: nobody has set anything wrong.
                    raise ModelUnavailable(
                        f"messages cannot be sorted: {error};"
                        " `python -m eval.learning.triage` learns it anew"
                    ) from error
            return self._sorter


def _route(intent: str, country: str | None) -> tuple[Route, str]:
    """Who should answer, and why they."""
    if intent == "spam":
        return "spam", "it wants something that nobody asked for"
    if intent in _TECHNICAL:
        return "technical_level", "whoever operates the infrastructure has to answer"
    if intent in _EDITORS:
        return "framework_editors", "it is about the site or the initiative itself"
    if intent == "out_of_scope":
        return "framework_editors", "no contact point answers such things"
    if country is None:
        return "framework_editors", "it tells no country whose contact point could answer"
    return "national_contact_point", f"what is asked is for the contact point of {country}"


def _ask(body: str, language: str, intent: Decided) -> str:
    """What of a message is put to the search: the sentence that asks.

    That is the one that told the intent, where it is a question, or else the first
    question: of 81 of our examples that the documents answer 0.93 then have a draft,
    where 0.69 have one by what told the intent alone, and 0.85 by the whole.
    """
    marks = "?;" if language == "el" else "?"
    sentences = (intent.because, *re.split(rf"(?<=[.!{marks}\n])", body))
    questions = (each for each in sentences if any(mark in each for mark in marks))
    asked = next(questions, intent.because) or body
    return asked.strip()[:_LONGEST_ASK] or "?"


def _answerable(decided: Mapping[str, Decided], draft: Answer) -> bool:
    """Whether the documents hold the answer, as examples and the draft have it.

    A draft may fail where the documents would answer, so examples count alone where
    they are sure.
    """
    if decided["intent"].label in _NOT_ASKED:
        return False
    chance = _chance(decided["answerable"])
    return chance >= _SURE or (chance >= _LIKELIER and draft.status == "answered")


def _chance(answerable: Decided) -> float:
    return next(each.probability for each in answerable.guesses if each.label == "True")


def _of_intent(intent: Decided) -> Because:
    first, second = intent.guesses[:2]
    said = f"like the examples of {first.label} ({first.probability:.0%})"
    if second.probability >= _NEAR:
        said += f"; it may be {second.label} ({second.probability:.0%})"
    return Because("intent", said, intent.because)


def _of_country(place: CountryFound | None, masked: str) -> Because:
    if place is None:
        return Because("country", "none is stated or clearly implied")
    whose = "of who writes" if place.sender else "that is asked about"
    # A town may be somebody's name, and an address or a number somebody's own.
    quote = place.evidence if place.evidence in normal(masked) else ""
    return Because("country", f"the country {whose}, told by {_TOLD_BY[place.kind]}", quote)


def _of_priority(priority: Decided) -> Because:
    chance = priority.guesses[0].probability
    said = {
        "high": "many are held up, security or privacy is at stake, or the law sets a date",
        "normal": "somebody's work hangs on it, and nothing urgent is told",
        "low": "nothing hangs on it",
    }[priority.label]
    return Because("priority", f"{said} ({chance:.0%})", priority.because)


def _of_answer(answerable: Decided, draft: Answer, intent: str) -> Because:
    if intent in _NOT_ASKED:
        return Because("answerable", "the documents are not about such things")
    if draft.status == "answered":
        drafted = f"the draft is {draft.strength}"
    else:
        drafted = f"the draft abstains ({draft.reason})"
    said = f"{drafted}; of messages like this {_chance(answerable):.0%} can be answered"
    return Because("answerable", said, answerable.because)


def _of_personal(kinds: tuple[Kind, ...]) -> Because:
    if not kinds:
        return Because("personal_data", "none was found")
    return Because("personal_data", f"found and masked: {', '.join(kinds)}")
