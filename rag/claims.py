"""What a text claims, taken apart, and whether another text carries it, word by word.

Figures, names, negations, labels and who does what to whom: each is checked by
itself. It knows no synonym and no arithmetic, and little of grammar; whether two
texts mean the same is for `rag.support`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rag.lexical import four_grams, words
from rag.text import sentences

_ALIKE = 0.5
"""Share of the 4-grams of two words, by Dice, from which they count as one."""
_SHORT = 5
"""Shorter words are alike only if their stems are equal."""
_SCOPE = 3
"""Words after a negation that it reaches."""

_TOKEN = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d{3})+(?!\d)|\d+(?:[.,]\d+)?(?![^\W_])|[^\W_]+")
_THOUSANDS = re.compile(r"[.,\u00a0\u202f ](?=\d{3}(?!\d))")
_CLAUSE = re.compile(r"[;:]\s|,?\s(?:but|aber|mais|pero|ma|maar|men|ale)\s")
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | dict(
    zip(
        "thirty forty fifty sixty seventy eighty ninety hundred thousand".split(),
        "30 40 50 60 70 80 90 100 1000".split(),
        strict=True,
    )
)
_NEGATIONS = frozenset(
    """no not never none nor neither cannot without nobody nothing isn aren wasn weren doesn don
    didn won wouldn shouldn mustn hasn haven couldn nicht kein keine keinen keinem keiner ohne nie
    niemals pas sans jamais aucun aucune sin nunca ningún ninguna non senza mai nessun nessuna niet
    geen zonder nooit não sem nenhum nenhuma nie bez inte ingen inga utan ikke ikkje uden uten ei
    eivät ilman není nejsou nem nincs nélkül nu fără nije nisu ni niso nav nėra ne δεν χωρίς не без
    lacks lack forbidden prohibited banned excluded excludes refuses refused denied""".split()
)
_BACKWARDS = frozenset("forbidden prohibited banned excluded refused denied".split())
"""Negations that also reach the words before them."""
_DUTY = {
    "must": "must shall mandatory required requires require obligatory obliged compulsory needs"
    " need needed necessary has have",
    "should": "should recommended recommends recommend advised encouraged",
    "may": "optional voluntary may can",
    "info": "informational",
}
_MODALS = frozenset("must shall should may might can could".split())
COMMITS = {
    word: duty
    for duty, listed in {
        "must": "must shall mandatory required requires obligatory compulsory",
        "should": "should recommended recommends",
        "may": "optional voluntary",
        "info": "informational",
    }.items()
    for word in listed.split()
}
"""Words that commit a statement to a label; those of `_DUTY` are enough to carry it."""
_OPPOSITES = (
    "before/after more/less more/fewer most/least minimum/maximum minimal/maximal above/below"
    " public/private open/closed open/restricted open/controlled allowed/forbidden start/end"
    " earlier/later first/last always/never increase/decrease rise/fall inside/outside internal"
    "/external higher/lower free/paid old/new older/newer short/long central/decentralised"
    " national/international accept/reject accepted/rejected import/export online/offline"
    " directly/indirectly earliest/latest optional/mandatory all/some upload/download"
)
_PASSIVE = frozenset("by von durch par por da door av af przez".split())


@lru_cache(maxsize=50_000)
def stem_of(word: str) -> str:
    """The stem of a word; empty for a stop word."""
    found = words(word)
    return found[0] if found else ""


@lru_cache(maxsize=50_000)
def _grams(word: str) -> frozenset[str]:
    return frozenset(four_grams(word))


_PAIRS = {
    (stem_of(one) or one, stem_of(other) or other)
    for pair in _OPPOSITES.split()
    for one, other in (pair.split("/"), reversed(pair.split("/")))
}


@dataclass(frozen=True)
class Word:
    """A word as written, with what it is compared by."""

    written: str
    first: bool
    """Whether it opens a sentence, where a capital says nothing."""

    @property
    def lower(self) -> str:
        """As written, in lower case."""
        return self.written.lower()

    @cached_property
    def figure(self) -> str:
        """The number it stands for; empty where it is none."""
        if self.written[0].isdigit() and self.written[-1].isdigit():
            bare = _THOUSANDS.sub("", self.written).replace(",", ".")
            return bare if not re.search(r"[^\d.]", bare) else ""
        return _NUMBERS.get(self.lower, "")

    @cached_property
    def stem(self) -> str:
        """Empty for a stop word, and for what figures, negations and duties say."""
        if self.figure or self.lower in _NEGATIONS or self.lower in _MODALS:
            return ""
        return stem_of(self.written)

    @property
    def opposite_stem(self) -> str:
        """What it is looked up by among opposites."""
        return stem_of(self.written) or self.lower

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital."""
        return self.written[0].isupper()

    @property
    def sign(self) -> bool:
        """An acronym, or a mix of letters and digits such as ``B1MG``."""
        letters = [each for each in self.written if each.isalpha()]
        mixed = len(letters) < len(self.written)
        return bool(letters) and len(self.written) > 1 and (mixed or self.written.isupper())


@dataclass(frozen=True)
class Claims:
    """A text taken apart once."""

    text: str

    @cached_property
    def words(self) -> list[Word]:
        """All words, in order."""
        normal = unicodedata.normalize("NFKC", self.text).replace("’", "'")
        normal = re.sub(r"1\s?\+\s?(mg|million)", r"1\1", normal, flags=re.IGNORECASE)
        return [
            Word(match.group(), first=number == 0)
            for sentence in sentences(normal)
            for clause in _CLAUSE.split(sentence)
            for number, match in enumerate(_TOKEN.finditer(clause))
        ]

    @cached_property
    def stems(self) -> list[str]:
        """The stems of all words that say something, in order."""
        return [word.stem for word in self.words if word.stem]

    @cached_property
    def counts(self) -> list[tuple[str, str, set[str]]]:
        """Each figure with the stem that follows it, and all stems of its clause."""
        found = []
        for place, word in enumerate(self.words):
            if not word.figure:
                continue
            starts = [at for at in range(place + 1) if self.words[at].first]
            ends = (at for at in range(place + 1, len(self.words)) if self.words[at].first)
            end = next(ends, len(self.words))
            after = next((each.stem for each in self.words[place + 1 : end] if each.stem), "")
            clause = {each.stem for each in self.words[starts[-1] : end]}
            found.append((word.figure, after, clause))
        return found

    @cached_property
    def lower(self) -> set[str]:
        """All words in lower case."""
        return {word.lower for word in self.words}

    @cached_property
    def names(self) -> list[Word]:
        """Signs, and capitals that no sentence begins with."""
        content = [word for word in self.words if word.stem]
        # Where every noun has one, or a title is quoted, a capital tells nothing.
        shouted = sum(word.capital for word in content) > len(content) / 2 and len(content) > _SHORT
        return [
            word
            for word in content
            if word.sign or (word.capital and not word.first and not shouted)
        ]

    @cached_property
    def initials(self) -> str:
        """First letters of all words and of the capitals among them."""
        spoken = [word.written for word in self.words]
        every = "".join(word[0].lower() for word in spoken)
        big = "".join(word[0].lower() for word in spoken if word[0].isupper())
        return f"{every} {big}"

    @cached_property
    def negated(self) -> list[list[str]]:
        """For each negation the stems that it reaches, nearest first."""
        found = []
        for place, word in enumerate(self.words):
            if word.lower not in _NEGATIONS and not word.lower.endswith("n't"):
                continue
            after: list[str] = []
            for each in self.words[place + 1 :]:
                if each.lower in _NEGATIONS or len(after) == _SCOPE:
                    break
                after += [each.stem] if each.stem else []
            before = (
                [each.stem for each in reversed(self.words[:place]) if each.stem][:_SCOPE]
                if word.lower in _BACKWARDS
                else []
            )
            found.append([*before, *after])
        return found


CARRIES = {word: duty for duty, listed in _DUTY.items() for word in listed.split()}


def alike(stem: str, others: Collection[str]) -> bool:
    """Whether a stem is among others, or is inflected or compounded from one."""
    if stem in others:
        return True
    if len(stem) < _SHORT:
        return False
    own = _grams(stem)
    for other in others:
        if len(other) >= _SHORT:
            its = _grams(other)
            if 2 * len(own & its) >= _ALIKE * (len(own) + len(its)):
                return True
    return False


def figures_held(claimed: Claims, known: Claims) -> bool:
    """Whether every figure is there, in one clause with the word that it counts."""
    return all(
        figure == "1"
        or any(
            not counted or alike(counted, near) for each, _, near in known.counts if each == figure
        )
        for figure, counted, _ in claimed.counts
    )


def spelt(word: str, known: Claims) -> bool:
    """Whether the initials of the premise's words spell an acronym."""
    return len(word) > 2 and word.lower() in known.initials


def name_held(word: Word, known: Claims) -> bool:
    """Whether a name stands in the text, or its initials spell it."""
    return alike(word.stem, set(known.stems)) or (word.sign and spelt(word.lower, known))


def opposed(claimed: Claims, known: Claims) -> bool:
    """Whether a word has its opposite in the text, and is not there itself."""
    said = {word.opposite_stem for word in claimed.words}
    there = {word.opposite_stem for word in known.words}
    return any(one in said - there and other in there - said for one, other in _PAIRS)


def duties_of(reading: Claims, words_of: dict[str, str]) -> set[str]:
    """The kinds of duty that a text speaks of, by a table of words."""
    return {words_of[word] for word in reading.lower if word in words_of}


def negations_agree(claimed: Claims, known: Claims) -> bool:
    """Whether negations stand at the same things."""
    if claimed.negated:
        reached = {stem for scope in known.negated for stem in scope}
        return all(
            not scope or any(alike(stem, reached) for stem in scope) for scope in claimed.negated
        )
    # Only where the premise speaks of the same thing: its nearest sentence.
    nearest = _nearest(claimed, known)
    return not any(scope and alike(scope[0], set(claimed.stems)) for scope in nearest.negated)


def _nearest(claimed: Claims, known: Claims) -> Claims:
    """The clause of the premise that holds most of the statement's words."""
    wanted = set(claimed.stems)
    readings = [
        Claims(clause) for each in sentences(known.text) for clause in _CLAUSE.split(each)
    ] or [known]
    return max(readings, key=lambda each: len(wanted & set(each.stems)))


def turned(claimed: Claims, known: Claims) -> bool:
    """Whether ``A does to B`` became ``B does to A``.

    So it is where the statement's words, all found in one clause, stand there
    in the same order but for three neighbouring runs that come in reverse;
    unless one of the two is in the passive, or what stands between is a duty
    (``use of A is required of B``).
    """
    nearest = _nearest(claimed, known)
    if bool(_PASSIVE & claimed.lower) != bool(_PASSIVE & nearest.lower):
        return False
    places = {stem: place for place, stem in reversed(list(enumerate(nearest.stems)))}
    stems = list(dict.fromkeys(claimed.stems))
    order = [places[stem] for stem in stems if stem in places]
    if len(order) < len(stems):
        return False
    duties = {stem_of(word) for word, duty in CARRIES.items() if duty in ("must", "should")}
    count = len(order)
    return any(
        not duties.intersection(stems[one:two])
        and _rising(
            [*order[:start], *order[two:end], *order[one:two], *order[start:one], *order[end:]]
        )
        for start in range(count - 2)
        for one in range(start + 1, count - 1)
        for two in range(one + 1, count)
        for end in range(two + 1, count + 1)
    )


def _rising(run: Sequence[int]) -> bool:
    return list(run) == sorted(run)
