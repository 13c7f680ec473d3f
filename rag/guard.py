"""Whether a statement may reach the reader: held against what it cites, else dropped.

Where nobody can tell, it does not hold. A statement that something is *not*
said fails as well: no passage can carry it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.claims import (
    CARRIES,
    COMMITS,
    Claims,
    Word,
    duties_of,
    figures_held,
    name_held,
    negations_agree,
    opposed,
    turned,
)
from rag.countries import countries_in
from rag.language import detect_language
from rag.support import Support
from rag.text import sentences, word_count

LIKELY = 0.7
"""Likelihood of support from which a statement holds. With it, and all other checks, 0.81 of
206 statements of articles held out hold under the passages they rest on, 0.09 under the
nearest passage they do not rest on, and none of 143 with a figure or a name changed:
``python -m eval.support_model``."""
_HELD = 0.26
"""Share of the words of every clause that the text must have; of 420 statements of articles
it refuses 0.05, of as many with a clause of another 0.58."""
KNOWN = 0.75
"""Share of all its words that the text must have. Of 300 statements of articles that are told in
our own words it leaves 0.65 of 0.74; of 199 with two words exchanged for others 0.43 of 0.64. What
a model made up is worse than what it did not get to say."""
_FOREIGN = 0.86
"""Cosine from which a sentence of another language holds: it accepts 0.58 of 1,008 sentences
of translated articles under their evidence, and 0.21 under neighbouring evidence."""
_LONGEST, _SHORTEST = 80, 3
"""Words of a statement; what is longer is no sentence, what is shorter says nothing."""
_NEAREST = 2
"""Sentences of the cited text that labels, modality and opposites are read in."""
_ADDRESS = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:https?://|www\.)[^\s)\]>\"']+"
    r"|(?<![\w@])(?:[a-z0-9-]+\.)+(?:[a-z]{2,})(?:/[^\s)\]>\"']*)?(?![\w])",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"<[a-zA-Z/!]|\]\(|javascript:|[{}|\\]|^#|```", re.IGNORECASE)
_HANGS = re.compile(
    r"(?:[,;:–-]|\b(?:and|or|but|nor|of|to|in|on|by|for|with|from|the|a|an|is|are|that|which|as|if))"
    r"[\s.!…]*$"
)
"""How a sentence ends that was broken off."""
_MUST, _MAY = re.compile(r"\b(?:must|shall)\b"), re.compile(r"\b(?:may|might)\b")
_MUST_SAID = re.compile(
    r"\b(?:must|shall|mandatory|requir\w*|obligat\w*|obliged|compulsory|need\w*|necessary|essential"
    r"|fundamental|duty|duties|ha(?:ve|s) to|(?:is|are) to|only)\b"
)
_MAY_SAID = re.compile(r"\b(?:may|might|can|could|should|optional\w*|possib\w*|potential\w*)\b")
"""Words that carry either in the nearest sentence."""
_PERCENT = re.compile(r"(\d+(?:[.,]\d+)?)\s?(?:%|per ?cent)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OF_THE_PROMPT = re.compile(
    r"\b(?:passages?|system prompt|instructions?|as an ai|language model|no answer)\b",
    re.IGNORECASE,
)
"""Words in which a model speaks of its task, and not of what was asked."""


@dataclass(frozen=True)
class Verdict:
    """Whether a statement holds, and what speaks against it."""

    holds: bool
    reason: str = ""
    """`fragment`, `markup`, `address`, `task`, `language`, `figure`, `name`, `country`,
    `negation`, `label`, `opposite`, `role`, `support`; empty where it holds."""


class Guard:
    """Checks statements against the texts they cite."""

    def __init__(self, support: Support, likely: float = LIKELY, known: float = KNOWN):
        """Check with a measure of support, from `likely` on.

        Args:
            support: The measure.
            likely: Likelihood from which a statement holds, 0..1.
            known: Share of its words that must stand in the text, 0..1.
        """
        self._support = support
        self._likely = likely
        self._known = known

    def check(self, statement: str, cited: Sequence[str], language: str | None = None) -> Verdict:
        """Hold a statement against all it cites together.

        Args:
            statement: One sentence or two, without markers.
            cited: The texts, headings and labels in lines of their own.
            language: ISO 639-1 in which it should be; None: any.
        """
        text = "\n".join(cited)
        reason = _shape(statement, text) or self._content(statement, text, language)
        return Verdict(holds=not reason, reason=reason)

    def _content(self, statement: str, text: str, language: str | None) -> str:
        spoken, source = detect_language(statement), detect_language(text)
        # Related languages are taken for one another; English by mistake is what models do.
        if language and spoken != language and "en" in (spoken, language):
            return "language"
        if spoken != source:
            return self._foreign(statement, text)
        claimed, known = Claims(statement), Claims(text)
        if not claimed.stems:
            return "fragment"
        near = Claims(_nearest(claimed, text))
        if not figures_held(claimed, known) or not _units(statement, text):
            return "figure"
        if not all(name_held(word, known) for word in _names(claimed, source)):
            return "name"
        if not set(countries_in(statement, spoken)) <= set(countries_in(text, source)):
            return "country"
        if not negations_agree(claimed, known):
            return "negation"
        if not duties_of(claimed, COMMITS) <= duties_of(near, CARRIES) or _bends(claimed, text):
            return "label"
        if opposed(claimed, near):
            return "opposite"
        if turned(claimed, known):
            return "role"
        signs = self._support.signs(text, statement)
        if signs.held < _HELD or signs.known < self._known or signs.likelihood < self._likely:
            return "support"
        return ""

    def _foreign(self, statement: str, text: str) -> str:
        """The same for a statement in another language than its source: less can be told."""
        if not set(_NUMBER.findall(statement)) <= set(_NUMBER.findall(text)):
            return "figure"
        known = Claims(text)
        if not all(name_held(word, known) for word in Claims(statement).names if word.sign):
            return "name"
        countries = countries_in(statement, detect_language(statement))
        if not set(countries) <= set(countries_in(text, detect_language(text))):
            return "country"
        if self._support.signs(text, statement).cosine < _FOREIGN:
            return "support"
        return ""


def _shape(statement: str, text: str) -> str:
    if not _SHORTEST <= word_count(statement) <= _LONGEST:
        return "fragment"
    if statement.endswith("?") or _HANGS.search(statement):
        return "fragment"
    if _MARKUP.search(statement):
        return "markup"
    addresses = {each.group().rstrip(".,;:").lower() for each in _ADDRESS.finditer(statement)}
    there = {each.group().rstrip(".,;:").lower() for each in _ADDRESS.finditer(text)}
    if not addresses <= there:
        return "address"
    if {each.lower() for each in _OF_THE_PROMPT.findall(statement)} - {
        each.lower() for each in _OF_THE_PROMPT.findall(text)
    }:
        return "task"
    return ""


def _units(statement: str, text: str) -> bool:
    """Whether per cent is said where the text says it, and nowhere else."""
    told, known = (
        {match[1].replace(",", ".") for match in _PERCENT.finditer(each)}
        for each in (statement, text)
    )
    bare, plain = (
        {number.replace(",", ".") for number in _NUMBER.findall(_PERCENT.sub(" ", each))}
        for each in (statement, text)
    )
    return told <= known and not (bare & known) - plain


def _names(claimed: Claims, language: str) -> list[Word]:
    """Names and signs; in a sentence of titles every capital is one, but not in German."""
    if language == "de":
        return claimed.names
    return [
        word
        for word in claimed.words
        if word.stem and (word.sign or (word.capital and not word.first))
    ]


def _bends(claimed: Claims, text: str) -> bool:
    """Whether a must was made of a may, or a may of a must, in the sentence that is nearest."""
    wanted = set(claimed.stems)
    ranked = sorted(sentences(text), key=lambda each: -len(wanted & set(Claims(each).stems)))
    said = " ".join(ranked[:1]).lower()
    own = " ".join(word.lower for word in claimed.words)
    must, may = _MUST.search(own), _MAY.search(own)
    if must and not may and not _MUST_SAID.search(said):
        return True
    return bool(may and not must and _MUST.search(said) and not _MAY_SAID.search(said))


def _nearest(claimed: Claims, text: str) -> str:
    """Headings and labels, and the sentences that hold most of the statement's words."""
    wanted = set(claimed.stems)
    lines = text.splitlines()
    heads = [line for line in lines if not line.rstrip().endswith((".", "!", "?", "…"))]
    ranked = sorted(sentences(text), key=lambda each: -len(wanted & set(Claims(each).stems)))
    return "\n".join([*heads, *ranked[:_NEAREST]])
