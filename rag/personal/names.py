"""Full names of people: by where they stand, and by given names that are known.

A name in a citation, and one that an institute, a prize or a disease goes by,
is nobody's personal data here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rag.countries import countries_in
from rag.gazetteer import load_places
from rag.personal.numbers import Stretch
from rag.personal.words import Reading, given_names, listed

_LONGEST = 8
"""Words of a name."""
_TITLES = 4
"""Titles before one."""
_ABBREVIATION = 4
"""Letters of a title that is not listed, before its full stop."""
_BETWEEN_NAMES = re.compile(r"[ \u00a0]|[ ]?['’`´-]|[‑–]")
_AFTER_INITIAL = re.compile(r"\.[ \u00a0]?|[ \u00a0]|-")
_AFTER_TITLE = re.compile(r"[.,]?[ \u00a0]|\.")
_AFTER_CLOSING = re.compile(r"[ \u00a0]*[,.!;:/–—-]+\s*[–—-]*\s*|\s*\n\s*[–—-]*\s*")
_AFTER_LABEL = re.compile(r"\s*:\s*")
_AFTER_VERB = re.compile(r"[ :]+")
_AFTER_NOUN = re.compile(r"[ ,:(]+")
_DASHES = re.compile(r"(?:^|\n)[ ]*(?:--+|__+|—)[ ]*\n\s*$")
_LINE_START = re.compile(r"^\W*$|\n\W*$|[.!?]\s+\W*$")
_LINE_END_ALONE = re.compile(r"(?:,[ ][\w. ]{2,12})?[ ]*(?:$|\n)")
_SIGNED = re.compile(r"\s*(?:$|[\n,.;!(|<–—-])|\s+\x00")
_HERE = re.compile(
    r"(?:[ ]from(?:[ ]\w+){1,4})?"
    r"[ ](?:here|speaking|hier|ici|qui|aquí|aqui|tutaj|tady|tu|här|her|täällä)\b"
    r"(?=[ ]*[,.:;!(–-]|$)"
)
_LINE_END = re.compile(r"\s*(?:$|[\n,.;!])")
_CITED = re.compile(
    r"[ ,]*(?:et al\b|and colleagues\b|(?:(?:and|&)[ ]\w+[ ,]*)?\(?(?:19|20)\d\d[a-z]?\b\)?)"
)
_MAILBOX = re.compile(r"[ ]*[<(]\x00")
_SIGNED_WITH = re.compile(
    r"(?:[ ]*[,(|/–—-][^\n?!]{0,90}|[ ]+[\x00\d][^\n?!]{0,40})?[.!]?(?:[ ]*+\n[^\n?]{0,60}+){0,6}"
)
"""What may follow who signs, up to the end: a task, a house, a town, a number. Spaces at the end
of a line could be read in two ways, which makes 64 for six lines: so nothing is given back."""
_LAST_BEGINS = re.compile(r"[\n.!?…·;]\W*\s\W*$|\n\W*$")
_LEAD = 4
"""Words before a name in the last sentence: "Greetings from Plovdiv", "Laboratory head"."""
_AFTER_LEAD = (" ", ", ", ": ", " – ", " - ")
_LOOKED_AFTER = 60
"""Characters after a name in which a citation would show."""


class _Run(NamedTuple):
    """Words that may be a name."""

    first: int
    last: int
    units: int
    """Words, with what hyphens and apostrophes join counted as one."""
    given: bool


def names(reading: Reading, language: Callable[[], str]) -> Iterator[Stretch]:
    """Full names, in the order of the text.

    Args:
        reading: The text.
        language: Tells ISO 639-1 of it, if asked.
    """
    finder = _Finder(reading, language)
    after = 0
    for place in range(len(reading.tokens)):
        run = finder.name_at(place) if place >= after else None
        if run:
            after = run.last
            yield reading.tokens[run.first].start, reading.tokens[run.last - 1].end, "name"


class _Finder:
    """Tells at which words of a text a name begins."""

    def __init__(self, reading: Reading, language: Callable[[], str]):
        self._reading = reading
        self._tokens = reading.tokens
        self._language = language
        self._end = len(reading.text.rstrip())
        self._signed: set[int] = set()
        """Where small letters will do: people sign so."""
        self._endings: set[int] = set()
        """Where a name ends its line, or is none: after a closing."""
        self._places = self._announced()

    def name_at(self, place: int) -> _Run | None:
        """The name that begins at a token, if one does."""
        token = self._tokens[place]
        units = self._places.get(place)
        if not token.text[0].isupper():
            return self._small(place) if units == 2 and place in self._signed else None
        if units is None and (self._titled(place) or (place and self._joined_before(place))):
            return None
        run = self._run(place)
        if run is None or not self._told(place, run, units) or self._no_person(run):
            return None
        return run

    def _told(self, place: int, run: _Run, units: int | None) -> bool:
        """Whether something tells that words are a name."""
        given = self._tokens[place].text.lower() in given_names()
        if units is not None and run.units >= units and (given or self._ends(place, run)):
            return True
        if run.units < 2:
            return False
        last = run.last - 1
        if given or last in self._reading.hits("surname"):
            return True
        if self._double(run):
            return True
        if self._mailbox_follows(run) or self._presents_itself(run) or self._signs(run):
            return True
        hungarian = "hu" in given_names().get(self._tokens[last].text.lower(), ())
        return hungarian and self._language() == "hu"

    def _announced(self) -> dict[int, int]:
        """Where a name is to be expected, and of how many words."""
        places: dict[int, int] = {}
        reading = self._reading
        for category, after in (
            ("greeting", _BETWEEN_NAMES),
            ("closing", _AFTER_CLOSING),
            ("introduction", _AFTER_VERB),
            ("label", _AFTER_LABEL),
            ("patient", _AFTER_NOUN),
            ("mention", _AFTER_NOUN),
        ):
            for hit in reading.hits(category).values():
                if hit.last >= len(self._tokens) or not after.fullmatch(reading.gap(hit.last)):
                    continue
                if category == "greeting" and not self._begins_line(hit.first):
                    continue
                named = self._untitled(self._unabbreviated(hit.last))
                places[named] = 2
                if category == "closing":
                    self._endings.add(named)
                if category in ("closing", "introduction"):
                    self._signed.add(hit.last)
        for place in range(len(self._tokens)):
            if "\n" in (gap := reading.gap(place)) and _DASHES.search(gap):
                named = self._untitled(place)
                places[named] = 2
                self._endings.add(named)
        for hit in reading.hits("title").values():
            place = self._untitled(hit.first)
            acronym = hit.last == hit.first + 1 and self._tokens[hit.first].text.isupper()
            if place == hit.first or (acronym and len(self._tokens[hit.first].text) > 1):
                continue
            gap, before = self._reading.gap(place), self._tokens[place - 1].text
            ended = "," in gap or ("." in gap and len(before) > _ABBREVIATION)
            if ended or acronym:
                # "a doctor, Oslo", and "M." may be an initial: two words are a name all the same.
                places.setdefault(place, 2)
            else:
                places[place] = 1
        return places

    def _titled(self, place: int) -> bool:
        """Whether a title stands at a token: the name begins behind it."""
        return place in self._reading.hits("title") and self._untitled(place) in self._places

    def _untitled(self, place: int) -> int:
        """The first token after titles."""
        titles = self._reading.hits("title")
        for _ in range(_TITLES):
            if place not in titles or titles[place].last >= len(self._tokens):
                break
            following = titles[place].last
            if not _AFTER_TITLE.fullmatch(self._reading.gap(following)):
                break
            place = following
        return place

    def _unabbreviated(self, place: int) -> int:
        """The token after an abbreviation, which may be a title that is not listed ("Avv.")."""
        short = 1 < len(self._tokens[place].text) <= _ABBREVIATION
        if short and place + 1 < len(self._tokens) and self._reading.gap(place + 1) == ". ":
            return place + 1
        return place

    def _run(self, first: int) -> _Run | None:
        """As many words as can be one name, from a token on."""
        particles = listed("particle")
        last = first
        units = 0
        for place in range(first, min(first + _LONGEST, len(self._tokens))):
            token = self._tokens[place]
            gap = self._reading.gap(place)
            if place > first and not self._joins(place - 1, gap):
                break
            if _capitalised(token.text):
                joined = place > first and any(mark in gap for mark in "-'’`´‑–")
                units += not joined
                last = place + 1
            elif token.folded not in particles or place == first:
                break
        while last > first and len(self._tokens[last - 1].text) < 2:
            last -= 1
            units -= 1
        if not units:
            return None
        given = any(each.text.lower() in given_names() for each in self._tokens[first:last])
        return _Run(first, last, units, given)

    def _joins(self, before: int, gap: str) -> bool:
        if len(self._tokens[before].text) == 1 and _AFTER_INITIAL.fullmatch(gap):
            return True
        return bool(_BETWEEN_NAMES.fullmatch(gap))

    def _no_person(self, run: _Run) -> bool:
        """Whether it is something else with capitals, or somebody cited."""
        reading, tokens = self._reading, self._tokens[run.first : run.last]
        stops = reading.hits("stop")
        particles = listed("particle")
        for place in range(run.first, run.last):
            token = self._tokens[place]
            if token.folded in particles or token.text.lower() in given_names():
                continue
            if place > run.first and run.units > 1 and self._reading.gap(place) == "-":
                continue  # "Ada Brook-West"
            if place in stops:
                return True
        if any(place in reading.hits("known") for place in range(run.first, run.last)):
            return True
        if not run.given and all(each.text.isupper() for each in tokens if len(each.text) > 1):
            return True
        end = tokens[-1].end
        following = reading.text[end : end + _LOOKED_AFTER]
        if _CITED.match(following) or self._names_disease(run.last):
            return True
        written = reading.text[tokens[0].start : end]
        # "Sofia Bulgaria" is no person, but "India Knight" and "Ada Holt-Pole" are.
        return "-" not in written and bool(
            countries_in(written.partition(" ")[2] if run.given else written)
        )

    def _names_disease(self, place: int) -> bool:
        """Whether what follows makes the name a disease's: "Down syndrome", "Crohn's disease"."""
        tokens = self._tokens
        if place < len(tokens) and tokens[place].folded == "s":
            place += 1
        return place in self._reading.hits("eponym") and self._reading.gap(place) in (" ", "-")

    def _joined_before(self, place: int) -> bool:
        """Whether a capital or an institute stands before: then the name begins elsewhere."""
        gap = self._reading.gap(place)
        before = self._tokens[place - 1]
        if any(mark in gap for mark in "-'’/_") and not gap.strip("-'’/_"):
            return before.text[0].isupper() or "-" in gap or "/" in gap
        if gap.strip(" \u00a0.") or ("." in gap and len(before.text) > _ABBREVIATION):
            return False
        institutions = self._reading.hits("institution")
        # "Institut de Anna", but "Laboratory head Anna"
        further = place > 1 and "." not in gap and len(before.text) <= _ABBREVIATION
        near = [place - 1, place - 2] if further else [place - 1]
        return any(each in institutions for each in near)

    def _begins_line(self, place: int) -> bool:
        return bool(_LINE_START.search(self._reading.gap(place))) or place == 0

    def _small(self, place: int) -> _Run | None:
        """A name in small letters, before the end of a line."""
        tokens = self._tokens
        if place + 1 >= len(tokens) or self._reading.gap(place + 1) != " ":
            return None
        first, last = tokens[place], tokens[place + 1]
        fits = (
            first.text.lower() in given_names()
            and last.text.isalpha()
            and len(last.text) > 2
            and place + 1 not in self._reading.hits("stop")
            and _LINE_END.match(self._reading.text, last.end)
        )
        return _Run(place, place + 2, 2, True) if fits else None

    def _mailbox_follows(self, run: _Run) -> bool:
        end = self._tokens[run.last - 1].end
        return bool(_MAILBOX.match(self._reading.text, end))

    def _ends(self, place: int, run: _Run) -> bool:
        """Whether a signature ends where signatures do; other names may go on."""
        end = self._tokens[run.last - 1].end
        return place not in self._endings or bool(_SIGNED.match(self._reading.text, end))

    def _presents_itself(self, run: _Run) -> bool:
        """Whether a name has a line to itself, as signatures do, or says "here"."""
        end = self._tokens[run.last - 1].end
        after = self._reading.text[end : end + _LOOKED_AFTER]
        alone = run.first > 0 and self._reading.gap(run.first).rstrip(" ").endswith("\n")
        return bool(_HERE.match(after) or (alone and _LINE_END_ALONE.match(after)))

    def _double(self, run: _Run) -> bool:
        """Whether a capital comes before a double name: "Ada Holt-Pole"."""
        words = self._tokens[run.first : run.last]
        if len(words) != 3 or run.units != 2:
            return False
        gaps = [self._reading.gap(place) for place in range(run.first + 1, run.last)]
        double = gaps == [" ", "-"] and all(len(word.text) > 1 for word in words)
        return double and self._language() != "de"  # where every noun has a capital

    def _signs(self, run: _Run) -> bool:
        """Whether a name is what a message ends with, a few words about it included."""
        start, end = self._tokens[run.first].start, self._tokens[run.last - 1].end
        if not _SIGNED_WITH.fullmatch(self._reading.text, end, max(end, self._end)):
            return False
        written = self._reading.text[start:end]
        if not run.given and "-" not in written and any(load_places().forms.find(written)):
            return False  # "Scrivo da Udine"
        lead = 0 if self._language() == "de" else _LEAD
        for place in range(run.first, max(0, run.first - lead - 1), -1):
            if _LAST_BEGINS.search(self._reading.gap(place)):
                return True
            if place == run.first and self._reading.gap(place) not in _AFTER_LEAD:
                return False
        return False


def _capitalised(word: str) -> bool:
    """Whether a word may be part of a name: a capital, letters, and no acronym."""
    if not word[0].isupper() or not word.isalpha():
        return False
    if len(word) == 1:
        return True
    if word.isupper():
        return len(word) >= 4
    rest = word[1:]
    return rest.islower() or (
        word.startswith(("Mc", "Mac", "De", "Di", "La", "Le", "Ó")) and rest[0].islower()
    )
