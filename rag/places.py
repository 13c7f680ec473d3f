"""Which country a message is about: that of who writes, else the one that is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rag.gazetteer import ABROAD
from rag.mentions import Kind, Mention, Words, mentions, normal

_WITHIN = 8
"""Words between what tells who writes and the place they are from."""
_NEAR = 3
"""Words between a place and what else is said of it."""
_SIGNATURE = 300
"""Characters; what goes on for longer is no signature."""
_LAST = 2
"""Words that may follow an address at the end of a message."""

Field = Literal["subject", "text"]
_Role = Literal["signed", "own", "asked", "aside"]


@dataclass(frozen=True)
class CountryFound:
    """A country with what tells it."""

    country: str
    """ISO 3166-1 alpha-2."""
    kind: Kind
    evidence: str
    """As it is written."""
    field: Field
    start: int
    end: int
    """Places in that field in Unicode's form NFC."""
    sender: bool
    """Whether it is the country of who writes, and not only asked about."""


def country_of(subject: str, text: str, language: str | None = None) -> CountryFound | None:
    """Tell the country of a message, as far as it says or implies one.

    Somebody's own country comes before one they ask about; one named to compare
    with, or where people met, does not count. Several that are named alike are
    none, and so is any outside the EU, Norway and the United Kingdom.

    Args:
        subject: May be empty.
        text: What somebody wrote.
        language: ISO 639-1 of the text; inflected names are then known. That
            something is written in a language tells no country.

    Raises:
        BadSetting: A file of names or of places cannot be read.
    """
    subject, text = normal(subject), normal(text)
    words = Words(subject, text)
    roles = [(mention, _role(words, mention)) for mention in mentions(words, language)]
    chosen = _chosen(roles)
    if chosen is None or chosen[0].country == ABROAD:
        return None
    mention, role = chosen
    evidence = words.text[mention.start : mention.end]
    in_text = mention.start >= words.body
    start = mention.start - (words.body if in_text else 0)
    return CountryFound(
        mention.country,
        mention.kind,
        evidence,
        "text" if in_text else "subject",
        start,
        start + len(evidence),
        role in ("signed", "own"),
    )


def _chosen(roles: list[tuple[Mention, _Role]]) -> tuple[Mention, _Role] | None:
    """The mention that decides; None: nothing does, or several alike."""
    own = [each for each in roles if each[1] in ("signed", "own")]
    asked = [each for each in roles if each[1] == "asked"]
    choices = (
        # Where somebody is says more than where they come from, and an address more than both.
        (
            own,
            [each for each in own if each[0].kind != "demonym"],
            [each for each in own if each[1] == "signed"],
        )
        if own
        # Who names a town or a hospital is mostly there.
        else (asked, [each for each in asked if each[0].kind in ("city", "institution")])
    )
    for choice in choices:
        if len({mention.country for mention, _ in choice}) == 1:
            return choice[0]
    return None


def _role(words: Words, mention: Mention) -> _Role:
    """What a country is to who writes."""
    if mention.kind == "phone":
        return "signed"
    first, last = words.at(mention.start, mention.end)
    begin, end = words.sentence(first)
    signed = _signed(words, first)
    if mention.kind == "mail_domain":
        ends = len(words.spans) - 1 - last <= _LAST and not words.has("other", begin, first - 1)
        return "signed" if signed or ends or _own(words, first, last) else "asked"
    if _aside(words, mention, first, last):
        return "aside"
    role: _Role = "signed" if signed else "own" if _own(words, first, last) else "asked"
    if mention.seat and role == "asked":
        union = words.has("union", begin, end) or words.has("court", begin, end)
        house = words.has("house", max(begin, first - _NEAR), min(end, last + _NEAR))
        return "asked" if house and not union else "aside"
    return role


def _aside(words: Words, mention: Mention, first: int, last: int) -> bool:
    """Whether it is only compared with, met at, or stands for something else."""
    begin, end = words.sentence(first)
    if any(words.ends("compared", word) for word in range(max(begin, first - _NEAR), first)):
        return True
    if words.has("among", last + 1, min(end, last + _NEAR)):
        return True
    if mention.kind == "demonym" and words.has("model", last + 1, last + 1):
        return True
    met = words.has("event", max(begin, first - _WITHIN), first - 1)
    if mention.kind == "city" and (met or words.has("event", last + 1, last + 1)):
        return True
    # The Court of Justice sits in Luxembourg.
    court = words.has("court", max(begin, first - _NEAR), min(end, last + _NEAR))
    return court and mention.country == "LU" and mention.kind in ("name", "demonym")


def _own(words: Words, first: int, last: int) -> bool:
    """Whether it is said to be where somebody is or belongs."""
    begin, end = words.sentence(first)
    for word in range(max(begin, first - _WITHIN), first):
        if words.ends("own", word) and not words.has("other", word + 1, first - 1):
            return True
    # "In Portugal we …"
    opens = first - begin <= 1 and words.has("place", begin, first)
    return opens and words.has("own", last + 1, min(end, last + _NEAR))


def _signed(words: Words, word: int) -> bool:
    """Whether a word stands below the end of a letter."""
    for _, last in reversed(words.cues("closing")):
        after = words.spans[last][1]
        rest = words.text[after : after + _SIGNATURE + 1]
        if len(rest) > _SIGNATURE:
            break
        ends = rest.lstrip(" ")[:1] in (",", ".", "!", "\n", "-", "–", "—", "")
        if last < word and ends and "?" not in rest:
            return True
    # Or in a few words behind the last sentence, with no full stop.
    begin, end = words.sentence(len(words.spans) - 1)
    if word < begin or end - begin >= _WITHIN:
        return False
    return words.spans[begin - 1][0] >= words.body and not words.text[words.spans[end][1] :].strip()
