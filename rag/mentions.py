"""Where a text speaks of a country: by name, people, town, institution, mail or telephone."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from operator import itemgetter
from typing import Literal, NamedTuple

import phonenumbers
from babel import Locale

from rag.countries import COUNTRIES, Named, countries_named, country_name
from rag.forms import Found, fold
from rag.gazetteer import ABROAD, NONE, Cue, load_places
from rag.language import LANGUAGES

Kind = Literal["name", "demonym", "city", "institution", "mail_domain", "phone"]

_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?;·…]\s|\n")
# Begun at the first letter of a run only: a file pasted as one long word would take seconds.
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@((?:[\w-]+\.)+[^\W\d_]{2,})")
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_DIALLED_ABROAD = re.compile(r"(?<![\w+-])(?<!\d )00(?=[1-9]\d)")
_CAPITALS = frozenset({"en", "nl", "de", "ga", "mt", None})
"""Languages that write people and languages with a capital; None: unknown."""
_ALSO_NAMES = frozenset("uk britain england scotland wales holland".split())
"""Names that CLDR does not give."""
_BESIDE: tuple[Cue, ...] = ("place", "house", "own")
"""What may stand before a place."""
_TO_PERSONS: tuple[Cue, ...] = ("greeting", "closing")


class Mention(NamedTuple):
    """A country where a text speaks of it."""

    country: str
    """ISO 3166-1 alpha-2, or `ABROAD`."""
    kind: Kind
    start: int
    end: int
    """Places in the text in Unicode's form NFC."""
    seat: bool = False
    """Whether the town stands for the EU, too."""


class Words:
    """A text with its words, its sentences and the cues in it."""

    def __init__(self, subject: str, body: str):
        """Read a message.

        Args:
            subject: In Unicode's form NFC, as the body; may be empty.
            body: What is below it.
        """
        self.text = f"{subject}\n\n{body}"
        self.body = len(self.text) - len(body)
        """Where the body begins."""
        text = self.text
        self.spans = [match.span() for match in _WORD.finditer(text)]
        self._begins = [0]
        """The first words of the sentences."""
        for word, ((_, end), (start, _)) in enumerate(pairwise(self.spans), 1):
            if _SENTENCE_END.search(text, end, start):
                self._begins.append(word)
        self._cues: dict[Cue, list[tuple[int, int]]] = {}

    def at(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last word of a stretch of the text."""
        first = bisect_right(self.spans, start, key=itemgetter(1))
        last = bisect_left(self.spans, end, key=itemgetter(0)) - 1
        return (first, last) if first <= last else (0, 0)

    def sentence(self, word: int) -> tuple[int, int]:
        """The first and the last word of the sentence around a word."""
        number = bisect_right(self._begins, word)
        ends = [*self._begins[number : number + 1], len(self.spans)]
        return self._begins[number - 1], ends[0] - 1

    def cues(self, cue: Cue) -> list[tuple[int, int]]:
        """The first and last words of all the cues of a kind."""
        if cue not in self._cues:
            found = load_places().cues[cue].find(self.text)
            self._cues[cue] = [self.at(start, end) for _, start, end in found]
        return self._cues[cue]

    def has(self, cue: Cue, first: int, last: int) -> bool:
        """Whether there is a cue among some words, the last included."""
        cues = self.cues(cue)
        next_one = bisect_left(cues, first, key=itemgetter(0))
        return next_one < len(cues) and cues[next_one][1] <= last

    def ends(self, cue: Cue, word: int) -> bool:
        """Whether a cue ends with a word."""
        cues = self.cues(cue)
        place = bisect_left(cues, word, key=itemgetter(1))
        return place < len(cues) and cues[place][1] == word

    def word(self, word: int) -> str:
        """A word as it is written."""
        return self.text[slice(*self.spans[word])]

    def capital(self, word: int) -> bool:
        """Whether a word begins with a capital."""
        return self.word(word)[0].isupper()

    def joined(self, word: int) -> bool:
        """Whether a word and the one before it stand side by side in a phrase."""
        if word < 1:
            return False
        return self.text[self.spans[word - 1][1] : self.spans[word][0]] in (" ", "'", "’", "-")


def mentions(words: Words, language: str | None) -> list[Mention]:
    """Where a text speaks of countries, in order.

    Args:
        words: The text.
        language: ISO 639-1 of the text.

    Raises:
        BadSetting: A file of names or of places cannot be read.
    """
    text = words.text
    for address in (_LINK, _MAIL):
        # What it is made of is read by its ending, or not at all.
        text = address.sub(lambda match: "." * len(match.group()), text)
    places = list(load_places().forms.find(text))
    # The longer of two that overlap is what is meant; else it is the place.
    named = [
        Mention(each.country, _name_or_people(each.country, written, language), *each[1:])
        for each in countries_named(text, language)
        for written in [text[each.start : each.end]]
        if not any(_overlap(each, place) and _length(place) >= _length(each) for place in places)
    ]
    # A town that gives its name to an agreement may stand by itself, too, and mean the same.
    agreed = {fold(text[place.start : place.end]) for place in places if _agreed(words, place)}
    found = [
        each for each in named if not (_language(words, each, language) or _surname(words, each))
    ]
    for place in places:
        taken = any(_overlap(each, place) for each in named)
        known = place.form.name != NONE and fold(text[place.start : place.end]) not in agreed
        if known and not taken and (mention := _place(words, place)):
            found.append(mention)
    found += [*_mails(words.text), *_phones(words.text)]
    return sorted(found, key=lambda each: each.start)


def _overlap(one: Mention | Named, other: Found) -> bool:
    return one.start < other.end and other.start < one.end


def _length(each: Named | Found) -> int:
    return each.end - each.start


def _place(words: Words, place: Found) -> Mention | None:
    listed = load_places()
    form, start, end = place
    kind: Kind = "city"
    if form in listed.institutions:
        kind = "institution"
    elif form in listed.names or form.name == ABROAD:
        kind = "name"
    seat = form in listed.seats
    first, last = words.at(start, end)
    if (seat or form in listed.doubtful) and not _placed(words, first, last):
        return None
    return Mention(form.name, kind, start, end, seat)


def _placed(words: Words, first: int, last: int) -> bool:
    """Whether what could be something else is a place where it stands."""
    follows = last + 1 < len(words.spans) and words.joined(last + 1)
    if follows and words.has("house", last + 1, last + 1):
        return True
    before = words.text[: words.spans[first][0]]
    if before.endswith("(") or words.text.startswith(":", words.spans[last][1]):
        return True
    if before.endswith(", ") and not follows:
        # "Hospital San Juan, Valencia", but "Regards, Valencia"
        return first > 0 and not any(words.ends(cue, first - 1) for cue in _TO_PERSONS)
    if not words.joined(first):
        return False
    if words.has("surname", first - 1, first - 1):
        # "Ana de Valencia", but "hospital de Valencia", "IPO do Porto", "Soy de Huelva"
        named = first > 1 and words.joined(first - 1) and words.word(first - 2).istitle()
        said = words.has("own", first - 2, first - 2) or words.has("house", first - 2, first - 2)
        return not named or said
    return any(words.has(cue, first - 1, first - 1) for cue in _BESIDE)


def _agreed(words: Words, place: Found) -> bool:
    """Whether a town only gives its name to what was agreed upon there."""
    first, last = words.at(place.start, place.end)
    follows = last + 1 < len(words.spans) and words.joined(last + 1)
    if follows and words.has("agreed", last + 1, last + 1):
        return True
    if not words.joined(first):
        return False
    if words.has("agreed", first - 1, first - 1):
        return True
    between = words.word(first - 1).lower()
    return between != "in" and words.joined(first - 1) and words.has("agreed", first - 2, first - 2)


def _mails(text: str) -> Iterator[Mention]:
    listed = load_places()
    for match in _MAIL.finditer(text):
        domain = match.group(1).lower()
        country = listed.domains.get(domain.rpartition(".")[2])
        if country and domain not in listed.international:
            yield Mention(country, "mail_domain", *match.span())


def _phones(text: str) -> Iterator[Mention]:
    # Of the same length, so that the places stay what they are.
    dialled = _DIALLED_ABROAD.sub(" +", text)
    possible = phonenumbers.Leniency.POSSIBLE
    for match in phonenumbers.PhoneNumberMatcher(dialled, None, leniency=possible):
        region = phonenumbers.region_code_for_country_code(match.number.country_code or 0)
        country = region if region in COUNTRIES else ABROAD
        # Dates and the like have a plus sign, too.
        if country == ABROAD and not phonenumbers.is_valid_number(match.number):
            continue
        start = match.start - (text[match.start] == "0")
        yield Mention(country, "phone", start, match.end)


def _name_or_people(country: str, written: str, language: str | None) -> Kind:
    if _is_name(country, written):
        return "name"
    # What is inflected begins as the name does; where a people has a capital, so does it.
    name = fold(country_name(country, language or "en"))
    kept = max(5, len(name) - 2) if len(name) > 5 else len(name) - 1
    begins = fold(written).startswith(name[:kept])
    capitals = language in _CAPITALS or not written[0].isupper()
    return "name" if begins and not capitals else "demonym"


def _is_name(country: str, written: str) -> bool:
    folded = fold(written)
    return folded in _ALSO_NAMES or folded in _names(country)


@cache
def _names(country: str) -> frozenset[str]:
    return frozenset(fold(country_name(country, language)) for language in LANGUAGES)


@cache
def _tongues(language: str) -> frozenset[str]:
    """What languages are called in a language."""
    return frozenset(fold(str(name)) for name in Locale.parse(language).languages.values())


def _language(words: Words, mention: Mention, language: str | None) -> bool:
    """Whether it is a language that is named, and no country."""
    written = words.text[mention.start : mention.end]
    lower = written[0].islower()
    if _is_name(mention.country, written) and not (lower and language not in _CAPITALS):
        return False
    first, last = words.at(mention.start, mention.end)
    follows = last + 1 < len(words.spans) and words.joined(last + 1)
    precedes = words.joined(first)
    if follows and words.has("tongue", last + 1, last + 1):
        return True
    if precedes and words.has("tongue", first - 1, first - 1):
        return True
    if language == "ga" and fold(written) in _tongues("ga"):
        # No adjective looks like the name of a language there.
        return True
    if precedes and mention.kind == "demonym" and words.word(first - 1).lower() == "into":
        return True
    tongues = _tongues(language if language in LANGUAGES else "en") | _tongues("en")
    if not precedes or not (fold(written) in tongues or (lower and language not in _CAPITALS)):
        return False
    if words.word(first - 1).lower() == "auf":
        return True
    ends = not follows or words.has("following", last + 1, last + 1)
    # "into Estonian and Latvian"
    other = first > 2 and words.joined(first - 1) and words.has("following", first - 1, first - 1)
    if ends and other and fold(words.word(first - 2)) in tongues:
        return words.has("spoken", first - 3, first - 3)
    return ends and words.has("spoken", first - 1, first - 1)


def _surname(words: Words, mention: Mention) -> bool:
    """Whether it is part of somebody's name: Jane French, Maria Rossi-Greco, Mr Holland."""
    first, last = words.at(mention.start, mention.end)
    if words.capital(first) and words.ends("title", first - 1):
        return True
    if mention.kind != "demonym" or not words.joined(first):
        return False
    begins, _ = words.sentence(first)
    if first - 1 < begins or not (words.capital(first) and words.capital(first - 1)):
        return False
    hyphen = words.text[mention.start - 1] == "-"
    return hyphen or last + 1 >= len(words.spans) or not words.joined(last + 1)


def normal(text: str) -> str:
    """A text in Unicode's form NFC, by which places in it are counted."""
    return unicodedata.normalize("NFC", text)
