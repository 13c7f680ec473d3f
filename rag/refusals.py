"""The kinds of no, one check each (DESIGN 5).

Scores alone do not tell what the framework leaves out, so each kind looks for
its own signs; what no check stops goes on to retrieval.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.countries import countries_in
from rag.lexical import words
from rag.models import Gap, Reason

_PERSON = (
    r"(?:i|he|she|my (?:\w+ )?(?:mother|father|parents?|sister|brother|son|daughter|child|children"
    r"|baby|wife|husband|partner|patient))"
)
_MEDICAL = re.compile(
    rf"\bshould {_PERSON} (?:have|get|undergo|take|stop|start|try|ask for)\b.{{0,60}}\b(?:surgery"
    r"|operation|operated|removed|mastectomy|chemo\w*|medication|medicines?|pills?|drugs?|abortion"
    r"|treatment|therapy)\b|\b(?:diagnose|treat) (?:me|my)\b|\bdo i have (?:cancer|a disease)\b",
    re.IGNORECASE,
)
# Only where somebody asks to do it: what prevents it is a fair question.
_WANTS = (
    r"(?:^|help (?:me|us)(?: to)? |how (?:can|could|do|would|might) (?:i|we) "
    r"|(?:i|we) (?:want|need|would like|try|am trying|are trying) to "
    r"|tell (?:me|us) how to |way (?:to|of) |can (?:you|we|i) )"
)
_IDENTITY = re.compile(
    _WANTS + r"(?:work|find|figure) out (?:whose|who)\b.{0,60}\b(?:genome|dna|data|sample|record)"
    r"|" + _WANTS + r"re-?identif(?:y|ying)\b"
    r"|\bwhose (?:genome|dna) (?:it |this )?is\b",
    re.IGNORECASE,
)
_GATE = (
    r"(?:dac|committee|approval|permit|permission|consent|authori[sz]ation|access control"
    r"|comité|kommission|komitee|genehmigung|comitato|comissão|komitet)"
)
_AROUND = (
    r"(?:bypass(?:ing)?|circumvent(?:ing)?|get(?:ting)? (?:a)?round|sneak(?:ing)? past"
    r"|avoid(?:ing)? asking|trick(?:ing)?|contourner|umgehe[nt]?|eludir|aggirare|contornar"
    r"|omzeilen|obejść)"
)
_BYPASS = re.compile(
    rf"\b{_AROUND}\b.{{0,60}}\b{_GATE}|{_GATE}\b.{{0,30}}\b(?:umgehen|omzeilen)\b",
    re.IGNORECASE,
)
_INSTRUCTIONS = re.compile(
    r"\b(?:ignore|forget|disregard)\b.{0,30}\b(?:instruction|prompt|rules|above|previous)"
    r"|\bsystem prompt\b|\byou are now\b"
    r"|\b(?:print|show|reveal)\b.{0,30}\b(?:api key|keys you use|your prompt)",
    re.IGNORECASE,
)
_UNSAFE = (
    ("unsafe_instructions", _INSTRUCTIONS),
    ("unsafe_bypass", _BYPASS),
    ("unsafe_identity", _IDENTITY),
    ("unsafe_medical", _MEDICAL),
)
# Words that show a question is about the page itself, not about its subject.
_ABOUT_THE_PAGE = frozenset(words("page section heading role"))
# Words that ask nothing of a country but what is published there.
_GENERAL = frozenset(
    words(
        "page section heading role site website content publish published offer framework online"
        " put say tell 1+mg far country national"
    )
)

_BESIDE = 2
"""Words beside the country up to which a question is about the country itself; one who
says where they work asks about something else."""
_LONG_TITLE = 3
"""Words from which on a title is seldom said by chance."""


@dataclass(frozen=True)
class Refusal:
    """Why a question is not answered."""

    reason: Reason
    message: str
    """Key of the text that is said."""
    gap: Gap | None = None


def unsafe(question: str) -> Refusal | None:
    """Refuse medical advice, re-identification, bypassing, and instructions to the assistant."""
    for message, pattern in _UNSAFE:
        if pattern.search(question):
            return Refusal("unsafe", message)
    return None


def unclear(question: str) -> Refusal | None:
    """Refuse what holds no word at all."""
    letters = sum(character.isalpha() for character in question)
    return Refusal("unclear", "unclear") if letters < 2 else None


def not_written_yet(
    question: str, language: str, gaps: Iterable[Gap], written: Sequence[str]
) -> Refusal | None:
    """Refuse what only a page or section that is still empty would answer.

    Args:
        question: What was asked.
        language: ISO 639-1 of the question.
        gaps: Known gaps of the index.
        written: Texts of the best passages; where they speak of the country
            and of what is asked about it, something is written after all.
    """
    gaps = tuple(gaps)
    return _empty_country(question, language, gaps, written) or _empty_title(
        question, gaps, written
    )


def _empty_country(
    question: str, language: str, gaps: Sequence[Gap], written: Sequence[str]
) -> Refusal | None:
    named = countries_in(question, language)
    # A country's page may be there and list nothing: what it says is still told.
    silent = ("page", "country_page")
    gap = next(
        (gap for gap in gaps if gap.kind in silent and gap.country and (gap.country,) == named),
        None,
    )
    if gap is None:
        return None
    speaking = [text for text in written if gap.country in countries_in(text)]
    asked = {word for word in words(question) if not countries_in(word, language)}
    asked -= _GENERAL | set(words(gap.title))
    if gap.kind == "country_page" and len(asked) > _BESIDE:
        return None
    if language == "en":
        speaking = [text for text in speaking if 2 * len(asked & set(words(text))) > len(asked)]
    message = "not_written_yet_page" if gap.kind == "page" else "not_written_yet_country"
    return None if speaking else Refusal("not_written_yet", message, gap)


def _empty_title(question: str, gaps: Sequence[Gap], written: Sequence[str]) -> Refusal | None:
    """Refuse a question that names a page or section which is empty.

    A short title ("Researcher") names it only where the question speaks of the
    page itself; a long one also where no passage holds all its words.
    """
    asked = set(words(question))
    about_the_page = bool(asked & _ABOUT_THE_PAGE)
    best: tuple[int, Gap] | None = None
    for gap in gaps:
        if gap.kind not in ("page", "section"):
            continue
        own = set(words(gap.section[-1] if gap.section else gap.title)) - _ABOUT_THE_PAGE
        if not own or not own <= asked or (best and len(own) <= best[0]):
            continue
        elsewhere = any(own <= set(words(text)) for text in written)
        if about_the_page or (len(own) >= _LONG_TITLE and not elsewhere):
            best = (len(own), gap)
    if best is None:
        return None
    kind = "not_written_yet_section" if best[1].section else "not_written_yet_page"
    return Refusal("not_written_yet", kind, best[1])
