"""The report of gaps: what is asked and not answered, by what asks for the same.

Gaps are made of all questions, whoever asked; each of staff sees of a gap only the questions
that they may see, and it counts as many.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from api.desk.figures import first_monday
from api.desk.gaps import (
    Closing,
    Compared,
    Gaps,
    KnownGap,
    Unanswered,
    cited_names,
    section_name,
)
from api.desk.models import Actor
from rag.answerer import Answerer
from rag.errors import IndexMismatch, VectorsUnavailable
from rag.gaps.clustering import asked_of, grouped
from rag.gaps.places import Heard, Place, hear, place_of
from rag.messages import FALLBACK
from rag.personal import TOKENS, find_personal
from rag.text import letters_digits

Trend = Literal["rising", "steady", "falling"]
WEEKS = (4, 12, 52)
"""How far back one may look, the running week among them."""
_PUT = 3
"""Questions of a gap that are put to an index; the more are answered, the surer it is."""
_SHOWN = 5
"""Examples of a gap."""
_CENTRAL = 3
"""Questions of which one is its title."""
_LONGEST = 240
"""Characters of an example."""
_WEEK = timedelta(days=7)
_RECENT = 1 / 3
"""Share of the time that tells where it goes."""
_TELLING = timedelta(days=9)
"""Time that is too short to tell."""
_MORE = 1.5
"""How many times as often it must be asked as before to be rising."""
_FEW = 3
"""Questions below which nobody can tell."""
_WEIGHTS: Mapping[Trend, float] = {"rising": 1.5, "steady": 1.0, "falling": 1 / 1.5}
"""What a question counts when gaps are put in order."""
_MANY = 3
"""Those that have no gap yet are many if they are this part of all."""
_OF_ALL = (VectorsUnavailable, IndexMismatch)
"""What is amiss with the index, whichever question met it: all is tried again later."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Count:
    """How many there are of a kind; None: nobody knows which."""

    kind: str | None
    count: int


@dataclass(frozen=True)
class GapView:
    """A gap as one of staff sees it."""

    gap_id: str
    count: int
    weeks: tuple[int, ...]
    """Questions of each week, the running one last."""
    trend: Trend
    first_asked: datetime
    last_asked: datetime
    languages: tuple[Count, ...]
    countries: tuple[Count, ...]
    why: tuple[Count, ...]
    examples: tuple[str, ...]
    """The most central first; personal data masked, and none where some may be left."""
    comments: tuple[str, ...]
    """What was said of the answers."""
    place: Place | None
    looked_up: bool
    """Whether it was looked for where the answer should stand."""
    closed_at: datetime | None
    closed_by: Closing | None

    @property
    def title(self) -> str:
        """What is asked."""
        return self.examples[0] if self.examples else "Questions that may hold personal data"

    @property
    def public(self) -> tuple[str, ...]:
        """Examples that may be shown to anybody: nothing in them had to be masked."""
        return tuple(
            each for each in self.examples if not any(token in each for token in TOKENS.values())
        )


@dataclass(frozen=True)
class Report:
    """What is not answered."""

    gaps: tuple[GapView, ...]
    """Asked more than once, the most pressing first."""
    single: tuple[GapView, ...]
    """Asked once, the newest first."""
    closed: tuple[GapView, ...]
    """Answered by now, the last closed first."""
    waiting: int
    """Questions that are in no gap yet."""

    @property
    def every(self) -> tuple[GapView, ...]:
        """All of them, the open ones first."""
        return (*self.gaps, *self.single, *self.closed)

    @property
    def questions(self) -> int:
        """That are not answered."""
        return sum(each.count for each in (*self.gaps, *self.single))


class GapReport:
    """Makes the report, and asks again what an index may answer by now."""

    def __init__(self, gaps: Gaps):
        """Read and keep what is known of gaps there."""
        self._gaps = gaps
        # Generations, and questions and gaps that cannot be put to them: not tried again.
        self._failed: set[tuple[str, str]] = set()

    def refresh(self, answerer: Answerer, now: datetime, most: int) -> int:
        """Compare new questions with those before, and put them into their gaps.

        Args:
            answerer: Of the index that answers now.
            now: Questions of the year before it are looked at.
            most: New questions that are looked at this time; each takes a few ms.

        Returns:
            How many are left for later; one that fails is left out, and stops no other.

        Raises:
            DeskUnavailable: They cannot be read or kept.
            VectorsUnavailable: A server that holds the vectors does not answer.
            IndexMismatch: It has lost some.
        """
        info = answerer.generation.info
        model = info.embedder
        asked = self._gaps.unanswered(_since(now), now)
        placed = self._gaps.placed(model)
        new = [
            each
            for each in asked
            if each.question_id not in placed
            and (info.generation, each.question_id) not in self._failed
        ]
        if chosen := new[:most]:
            found = (self._compare(answerer, each) for each in chosen)
            self._gaps.note(model, [each for each in found if each])
            placed = self._gaps.placed(model)
        there = [each.question_id for each in asked if each.question_id in placed]
        loose = sum(placed[question] is None for question in there)
        # All are put together anew, so not for each few of many; but the first are shown soon.
        if loose and (len(new) == len(chosen) or loose * _MANY >= len(there)):
            self._group(answerer, there)
        return len(new) - len(chosen)

    def _group(self, answerer: Answerer, questions: Sequence[str]) -> None:
        compared = self._gaps.compared(answerer.generation.info.embedder)
        there = [compared[question] for question in questions if question in compared]
        groups = grouped([each.asked for each in there], answerer.generation)
        self._gaps.regroup([[there[at].question_id for at in group] for group in groups])

    def settle(self, answerer: Answerer, now: datetime, most: int) -> int:
        """Put open gaps to the index that answers now, and close those that it answers.

        Args:
            answerer: Of that index.
            now: As for `refresh`.
            most: Gaps that are looked at this time, the largest first; each takes some 0.1 s.

        Returns:
            How many were; one that fails is left out, and stops no other.

        Raises:
            DeskUnavailable: They cannot be read or kept.
            VectorsUnavailable: A server that holds the vectors does not answer.
            IndexMismatch: It has lost some.
        """
        info = answerer.generation.info
        known = self._gaps.known()
        asked = self._gaps.unanswered(_since(now), now)
        members = _members(asked, self._gaps.compared(info.embedder))
        due = [
            known[gap_id]
            for gap_id in sorted(members, key=lambda name: -len(members[name]))
            if gap_id in known
            and known[gap_id].closed_at is None
            and known[gap_id].asked_in != info.generation
            and (info.generation, gap_id) not in self._failed
        ]
        for gap in due[:most]:
            self._settle_one(answerer, gap, members[gap.gap_id])
        return len(due[:most])

    def _compare(self, answerer: Answerer, question: Unanswered) -> Compared | None:
        try:
            asked = asked_of(answerer.retriever, question.text)
        except _OF_ALL:
            raise
        except Exception as error:  # noqa: BLE001 - whatever was typed, the others go on
            self._skip(answerer, question.question_id, error)
            return None
        return Compared(question.question_id, question.ticket, asked)

    def _skip(self, answerer: Answerer, name: str, error: Exception) -> None:
        _LOG.warning("left out of the gaps: %s", type(error).__name__)
        self._failed.add((answerer.generation.info.generation, name))

    def _settle_one(self, answerer: Answerer, gap: KnownGap, members: Sequence[_Member]) -> None:
        generation = answerer.generation.info.generation
        chosen = _chosen(members)
        try:
            heard = [hear(answerer, each.question.text) for each in chosen]
            place = place_of(heard)
        except _OF_ALL:
            raise
        except Exception as error:  # noqa: BLE001 - as for questions
            self._skip(answerer, gap.gap_id, error)
            return
        # What had not helped before is no answer now.
        useless = gap.cited.union(*(each.question.cited for each in members))
        newer = all(each.question.generation != generation for each in members)
        cited = gap.cited
        closing = None
        if newer:
            closing = _closing(generation, heard, useless)
        elif gap.asked_in is None and _majority([each.strong for each in heard]):
            # Asked by themselves they are answered: something else was wrong.
            cited = cited.union(*(cited_names(each.citations) for each in heard if each.strong))
        self._gaps.told(gap, generation, cited, place, closing)

    def read(self, by: Actor, weeks: int, now: datetime, model: str) -> Report:
        """Return what was not answered in some weeks, of the questions that somebody may see.

        Args:
            by: Reads it.
            weeks: How far back, the running one among them.
            now: Until then.
            model: By whose vectors questions were compared.

        Raises:
            DeskUnavailable: It cannot be read.
        """
        since = first_monday(now, weeks)
        asked = [each for each in self._gaps.unanswered(since, now) if by.sees(each.country)]
        compared = self._gaps.compared(model)
        known = self._gaps.known()
        members = _members(asked, compared)
        # Before that nothing is kept any more.
        first = min((each.asked_at for each in asked), default=now)
        span = _Span(since, weeks, first, now)
        views = [
            _view(known[gap_id], of_gap, span)
            for gap_id, of_gap in members.items()
            if gap_id in known
        ]
        opened = [each for each in views if each.closed_at is None]
        shown = sum(each.count for each in views)
        return Report(
            gaps=tuple(
                sorted((each for each in opened if each.count > 1), key=_pressing, reverse=True)
            ),
            single=tuple(
                sorted(
                    (e for e in opened if e.count == 1), key=lambda e: e.last_asked, reverse=True
                )
            ),
            closed=tuple(
                sorted(
                    (each for each in views if each.closed_at),
                    key=lambda each: each.closed_at or now,
                    reverse=True,
                )
            ),
            waiting=len(asked) - shown,
        )


@dataclass(frozen=True)
class _Member:
    """A question of a gap."""

    question: Unanswered
    compared: Compared


@dataclass(frozen=True)
class _Span:
    """The weeks that are looked at."""

    since: datetime
    weeks: int
    first: datetime
    """When the first question was asked that is kept."""
    now: datetime


def _since(now: datetime) -> datetime:
    return first_monday(now, WEEKS[-1])


def _members(
    asked: Sequence[Unanswered], compared: Mapping[str, Compared]
) -> dict[str, list[_Member]]:
    """The questions of each gap, the most central one first."""
    found: defaultdict[str, list[_Member]] = defaultdict(list)
    for each in asked:
        known = compared.get(each.question_id)
        if known and known.gap_id is not None:
            found[known.gap_id].append(_Member(each, known))
    for members in found.values():
        vectors = np.stack([each.compared.asked.vector for each in members])
        centre = vectors @ vectors.sum(axis=0)
        members[:] = [members[at] for at in np.argsort(-centre, kind="stable")]
    return dict(found)


def _chosen(members: Sequence[_Member]) -> list[_Member]:
    """The questions that stand for a gap: the central one, and the newest in other words."""
    first, *others = members
    others.sort(key=lambda each: each.question.asked_at, reverse=True)
    words: dict[str, _Member] = {}
    for each in (first, *others):
        words.setdefault(letters_digits(each.question.text), each)
    return list(words.values())[:_PUT]


def _majority(each: Sequence[bool]) -> bool:
    return 2 * sum(each) > len(each)


def _closing(generation: str, heard: Sequence[Heard], useless: frozenset[str]) -> Closing | None:
    """What answers most of the questions now, and did not before."""
    firsts = [
        each.citations[0]
        for each in heard
        if each.strong
        and each.citations
        and section_name(each.citations[0].document_id, each.citations[0].section) not in useless
    ]
    if 2 * len(firsts) <= len(heard):
        return None
    return Closing(generation, firsts[0].title, firsts[0].section, firsts[0].url)


def _view(gap: KnownGap, members: Sequence[_Member], span: _Span) -> GapView:
    times = sorted(each.question.asked_at for each in members)
    counts = [0] * span.weeks
    for time in times:
        counts[min((time - span.since) // _WEEK, span.weeks - 1)] += 1
    texts: dict[str, str] = {}
    english = set()
    for each in members:
        line = " ".join(each.question.text.split())
        if not find_personal(line):
            short = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"
            texts.setdefault(letters_digits(line), short)
            if each.compared.asked.language == FALLBACK:
                english.add(short)
    # Of what is central to it what most can read, and the shortest, says best what it is about.
    central = list(texts.values())[:_CENTRAL]
    first = sorted(central, key=lambda text: (text not in english, len(text)))[:1]
    examples = dict.fromkeys((*first, *texts.values()))
    comments = (each.question.comment for each in members if each.question.comment)
    return GapView(
        gap_id=gap.gap_id,
        count=len(members),
        weeks=tuple(counts),
        trend=trend(times, span.first, span.now),
        first_asked=times[0],
        last_asked=times[-1],
        languages=_counted(each.compared.asked.language for each in members),
        countries=_counted(each.question.country for each in members),
        why=_counted(why for each in members for why in each.question.why),
        examples=tuple(examples)[:_SHOWN],
        comments=tuple(each for each in comments if not find_personal(each))[:_SHOWN],
        place=gap.place,
        looked_up=bool(gap.asked_in),
        closed_at=gap.closed_at,
        closed_by=gap.closed_by,
    )


def trend(times: Sequence[datetime], first: datetime, now: datetime) -> Trend:
    """Where it goes with a question: how often it was asked of late, against the time before.

    Args:
        times: When it was asked.
        first: Since when anything is known.
        now: Until then; the last third counts as of late.
    """
    recent = (now - first) * _RECENT
    late = sum(time > now - recent for time in times)
    before = len(times) - late
    if len(times) < _FEW or now - first < _TELLING:
        return "steady"
    # The time before is longer.
    then = before * _RECENT / (1 - _RECENT)
    if late > _MORE * then:
        return "rising"
    return "falling" if then > _MORE * late else "steady"


def _pressing(gap: GapView) -> tuple[float, int, datetime]:
    return (gap.count * _WEIGHTS[gap.trend], gap.count, gap.last_asked)


def _counted(kinds: Iterable[str | None]) -> tuple[Count, ...]:
    counted = Counter(kinds)
    found = (Count(kind, count) for kind, count in counted.items())
    return tuple(sorted(found, key=lambda each: (-each.count, each.kind or "")))
