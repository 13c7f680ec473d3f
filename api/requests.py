"""What may be asked: the public contract of requests."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from api.desk.models import NewTicket
from rag.countries import ALIASES, COUNTRIES, country_code
from rag.index import Generation
from rag.models import Filters, Question, Turn

MAX_QUESTION = 4000
MAX_TURNS = 20
MAX_COMMENT = 2000
MAX_TRANSCRIPT = 200
"""Turns of a conversation that is handed over: all of it, where a question takes the last 20."""
MAX_TRANSCRIPT_TEXT = 20_000
"""Characters of one of them; an answer may be longer than a question."""
MAX_EMAIL = 254
MAX_SUBJECT = 500
MAX_MESSAGE = 20_000


_UNWRITTEN = re.compile("[\0\ud800-\udfff]")
_LABELS = ("required", "recommended", "informational")


def _no_nul(text: str) -> str:
    """Refuse what no database stores: NUL, and halves of characters, which JSON can write."""
    if _UNWRITTEN.search(text):
        raise ValueError("must not hold NUL or halves of characters")
    return text


def _words(text: str) -> str:
    if not _no_nul(text).strip():
        raise ValueError("must not be empty")
    return text


def _country(code: str) -> str:
    known = country_code(code)
    if known is None:
        raise ValueError(
            "must be the ISO 3166-1 code of an EU country, Norway or the United Kingdom"
        )
    return known


def _language(code: str) -> str:
    short = code.lower()
    if not re.fullmatch(r"[a-z]{2}", short):
        raise ValueError("must be an ISO 639-1 code, such as en")
    return short


def _label(label: str) -> str:
    short = label.lower()
    if short not in _LABELS:
        raise ValueError("must be required, recommended or informational")
    return short


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line")
    return text.strip()


def _email(address: str) -> str:
    try:
        return validate_email(address.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        # Its own words may repeat what was typed.
        raise ValueError("must be an e-mail address, such as name@example.org") from None


def _agreed(consent: object) -> object:
    if consent is not True:
        raise ValueError("must be true: without consent nothing is passed on to a person")
    return consent


def _blank_is_null(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _null_is_blank(value: object) -> object:
    return "" if value is None else value


def _null_is_empty(value: object) -> object:
    return [] if value is None else value


def _or_null(kind: Any) -> BeforeValidator:
    return BeforeValidator(_null_is_empty, json_schema_input_type=kind | None)


# What is checked by functions, for whoever reads the description of the interface.
_OF_WORDS = Field(json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00\x1c-\x1f\x85][^\x00]*$"})
_WITHOUT_NUL = Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
_OF_LINE = Field(json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"})

Words = Annotated[str, AfterValidator(_words), _OF_WORDS]
Text = Annotated[Words, Field(min_length=1, max_length=MAX_QUESTION)]
Country = Annotated[
    str,
    AfterValidator(_country),
    Field(json_schema_extra={"enum": [*COUNTRIES, *ALIASES], "examples": ["PT"]}),
]
Language = Annotated[
    str,
    AfterValidator(_language),
    Field(json_schema_extra={"pattern": "^[A-Za-z]{2}$", "examples": ["pt"]}),
]
Label = Annotated[str, AfterValidator(_label), Field(json_schema_extra={"enum": [*_LABELS]})]
Name = Annotated[Words, Field(min_length=1, max_length=200)]
Comment = Annotated[Words, Field(max_length=MAX_COMMENT)]
AnswerId = Annotated[Words, Field(min_length=1, max_length=64)]
Message = Annotated[Words, Field(min_length=1, max_length=MAX_MESSAGE)]
Line = Annotated[Name, AfterValidator(_line), _OF_LINE]
Person = Annotated[str, Field(max_length=200), AfterValidator(_line), _OF_LINE]
Anyone = Annotated[Person | None, BeforeValidator(_blank_is_null)]
Email = Annotated[
    str,
    Field(min_length=3, max_length=MAX_EMAIL, json_schema_extra={"format": "email"}),
    AfterValidator(_email),
]


class Sent(BaseModel):
    """What comes with a call; it is checked, and never changed."""

    model_config = ConfigDict(frozen=True)


class TurnIn(Sent):
    """An earlier turn."""

    role: Literal["user", "assistant"]
    text: Text


Labels = Annotated[list[Label], Field(max_length=3)]
Names = Annotated[list[Name], Field(max_length=50)]


class FiltersIn(Sent):
    """What the search is limited to."""

    labels: Annotated[Labels, _or_null(Labels)] = []
    topics: Annotated[Names, _or_null(Names)] = []
    sources: Annotated[Names, _or_null(Names)] = []


Turns = Annotated[list[TurnIn], Field(max_length=MAX_TURNS)]


class QuestionIn(Sent):
    """A question with the conversation before it."""

    question: Text
    history: Annotated[Turns, _or_null(Turns)] = []
    language: Language | None = None
    country: Country | None = None
    filters: FiltersIn | None = None

    def to_question(self, topics: tuple[str, ...]) -> Question:
        """The question as the core knows it; `topics` are the ids of those it names."""
        chosen = self.filters or FiltersIn()
        return Question(
            text=self.question,
            language=self.language,
            country=self.country,
            history=tuple(Turn(turn.role, turn.text) for turn in self.history),
            filters=Filters(
                labels=tuple(chosen.labels), sources=tuple(chosen.sources), topics=topics
            ),
        )


class SearchLimits(Sent):
    """What a search is limited to, one of each."""

    label: Annotated[Label | None, Field(description="required, recommended or informational")] = (
        None
    )
    country: Annotated[Country | None, Field(description="ISO 3166-1, such as PT")] = None
    source: Annotated[Name | None, Field(description="as `/v1/documents` names it")] = None
    topic: Annotated[Name | None, Field(description="what its page is filed under")] = None
    type: Annotated[
        Literal["page", "pdf", "article", "navigation"] | None,
        Field(description="of document; `navigation`: lists and menus"),
    ] = None

    def to_filters(self, generation: Generation) -> Filters:
        """The limits as the core knows them.

        Raises:
            UnknownTopic: Nothing is filed under the topic.
        """
        return Filters(
            labels=(self.label,) if self.label else (),
            countries=(self.country,) if self.country else (),
            sources=(self.source,) if self.source else (),
            kinds=(self.type,) if self.type else (),
            topics=(generation.topic(self.topic),) if self.topic else (),
        )


class SearchIn(SearchLimits):
    """What to search for."""

    q: Text
    k: Annotated[int, Field(ge=1, le=100, description="how many passages")] = 10


class FeedbackIn(Sent):
    """Whether an answer helped."""

    answer_id: AnswerId
    helpful: StrictBool
    comment: Annotated[Comment | None, BeforeValidator(_blank_is_null)] = None


class TranscriptTurnIn(Sent):
    """A turn of a conversation that is handed over."""

    role: Literal["user", "assistant"]
    text: Annotated[Words, Field(min_length=1, max_length=MAX_TRANSCRIPT_TEXT)]


Transcript = Annotated[list[TranscriptTurnIn], Field(max_length=MAX_TRANSCRIPT)]


class TicketIn(Sent):
    """A question for a person, with the conversation before it."""

    question: Text
    history: Annotated[Transcript, _or_null(Transcript)] = []
    answer_id: Annotated[
        AnswerId | None, Field(description="of the answer that was not enough")
    ] = None
    name: Anyone = None
    email: Annotated[Email, Field(description="where the reply goes")]
    country: Country | None = None
    language: Annotated[Language | None, Field(description="of the reply: ISO 639-1")] = None
    consent: Annotated[
        Literal[True],
        BeforeValidator(_agreed),
        Field(description="the person agrees to all this being stored, and read by staff"),
    ]

    def to_ticket(self) -> NewTicket:
        """The ticket as the desk knows it."""
        return NewTicket(
            question=self.question,
            history=tuple(Turn(turn.role, turn.text) for turn in self.history),
            answer_id=self.answer_id,
            name=self.name,
            email=self.email,
            country=self.country,
            language=self.language,
        )


Subject = Annotated[str, Field(max_length=MAX_SUBJECT), AfterValidator(_no_nul), _WITHOUT_NUL]


class TriageIn(Sent):
    """A message to sort."""

    subject: Annotated[
        Subject, BeforeValidator(_null_is_blank, json_schema_input_type=Subject | None)
    ] = ""
    text: Message
