"""The kinds of no, one check each (DESIGN 5).

Scores alone do not tell what the framework leaves out, so each kind looks for
its own signs; what no check stops goes on to retrieval. `Refusals.check` needs
the question alone; empty pages need passages, too (`rag.unwritten`).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from rag.declining import Declining, Refusal, refusal_of
from rag.lexical import unstemmed, words
from rag.models import Question
from rag.query import Query

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
_HARM = re.compile(
    r"\b(?:forge|falsify|counterfeit|backdate)\b.{0,40}"
    r"\b(?:consent|approval|signature|certificate|permit|visa|form)"
    r"|" + _WANTS + r"(?:hide|conceal|cover up|keep quiet about)\b.{0,40}\b(?:breach|leak|incident)"
    r"|" + _WANTS + r".{0,60}\bwithout (?:him|her|them|anyone|anybody) (?:knowing|noticing)",
    re.IGNORECASE,
)
_UNSAFE = (
    ("unsafe_instructions", _INSTRUCTIONS),
    ("unsafe_bypass", _BYPASS),
    ("unsafe_identity", _IDENTITY),
    ("unsafe_medical", _MEDICAL),
    ("unsafe_harm", _HARM),
)
# A hand drawn over the keys, a word of consonants alone, the same word time and again.
_KEYS = re.compile(r"asdf|sdfg|dfgh|fghj|ghjk|hjkl|lkjh|qwer|wert[yz]u|zxcv|xcvb", re.IGNORECASE)
_MASHED = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")
_AGAIN = re.compile(r"\b(\w+)(?:\W+\1\b){2,}", re.IGNORECASE)
_ASKING = frozenset(
    "mean means meaning stand stands acronym abbreviation define definition".split()
)
"""Words that ask what an acronym is."""
_ABOUT_AN_ACRONYM = 5
"""Words of the longest question that is taken to be about the acronym in it alone."""
_WORD = re.compile(r"[^\W_]+")
_LEANING = ("unclear_reference",)
"""Kinds that an earlier turn may make clear."""


class Refusals:
    """What can be refused before anything is searched."""

    def __init__(
        self,
        declining: Declining | None,
        meanings: Mapping[str, Sequence[str]] | None = None,
        known: Container[str] = frozenset(),
    ):
        """Refuse by patterns, and by what was learned from examples where there is that.

        Args:
            declining: What was learned.
            meanings: Lower-case acronym to the things it may stand for.
            known: Every stemmed word of the index: what it speaks of nowhere is not meant.
        """
        self._declining = declining
        self._known = known
        self._meanings = {
            acronym: spoken_of
            for acronym, all_ in (meanings or {}).items()
            if len(spoken_of := tuple(each for each in all_ if self._knows(each))) > 1
        }

    def _knows(self, text: str) -> bool:
        return all(word in self._known for word in words(text))

    def check(self, question: Question, query: Query) -> Refusal | None:
        """Refuse what is unsafe, unclear or out of scope.

        Args:
            question: What was asked, with the turns before it.
            query: Made of it.

        Returns:
            Why not; where it is not `sure`, an article that surely answers goes before it.
        """
        found = unsafe(question.text) or unclear(question.text)
        if not found and not question.history:
            found = self._ambiguous(question.text)
        if found or self._declining is None:
            return found
        likely = self._declining.kind(query.asked)
        if likely is None or (likely.kind in _LEANING and question.history):
            return None
        return replace(refusal_of(likely.kind), sure=likely.sure)

    def _ambiguous(self, question: str) -> Refusal | None:
        """Ask back where all that is asked about is an acronym of several meanings."""
        typed = _WORD.findall(question)
        acronym = next((word for word in typed if word.lower() in self._meanings), None)
        if acronym is None or len(typed) > _ABOUT_AN_ACRONYM:
            return None
        beside = {word for word in unstemmed(question) if word not in _ASKING} - {acronym.lower()}
        if any(self._knows(word) for word in beside):
            return None
        meanings = self._meanings[acronym.lower()]
        return replace(refusal_of("unclear_acronym"), acronym=acronym, meanings=meanings)


def unsafe(question: str) -> Refusal | None:
    """Refuse what could harm, where its words leave no doubt."""
    found = (message for message, pattern in _UNSAFE if pattern.search(question))
    message = next(found, None)
    return refusal_of(message) if message else None


def unclear(question: str) -> Refusal | None:
    """Refuse what holds no word at all."""
    letters = sum(character.isalpha() for character in question)
    words = re.findall(r"[^\W\d_]+", question)
    mashed = [word for word in words if _MASHED.fullmatch(word) or _KEYS.search(word)]
    empty = letters < 2 or 2 * len(mashed) > len(words) or _AGAIN.fullmatch(question.strip(" .?!"))
    return refusal_of("unclear") if empty else None
