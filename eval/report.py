"""A run as one HTML page: scores, plots and the questions that went worst.

The page stands alone: no script, nothing fetched, plots as inline SVG whose colours follow the
page (light, dark, print). The same run gives the same bytes, so that two reports can be compared
with ``diff``. Questions, answers and corpus text are untrusted: jinja2 escapes them, matplotlib
escapes what it draws, and is told to read no formulas out of it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from eval.metrics import Interval
from eval.run import SEARCHED, Row, Run, decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

WORST = 25
"""How many questions are shown in full: as many as a person reads in one sitting."""

_READ = 5
"""Passages that a reader, or a model, is given."""

_FEW = 5
"""Below this many questions an interval says little; such bars are drawn pale."""

_STEPS = {"embed": "embedding", "search": "search", "answer": "answer"}

_GROUP_SCORES = ("recall_at_5", "recall_at_10", "rr", "ndcg_at_10")

_LABEL = 24
"""Longest name of a group, in characters, that leaves room for its bar."""

_TEMPLATES = Path(__file__).resolve().parent / "templates"

# What is drawn in these colours takes the page's own, see the custom properties in the template.
# Blue, vermillion and green are Okabe and Ito's, told apart by colour-blind readers;
# source: Okabe and Ito (2008), Color Universal Design.
_INK, _MUTED, _GRID = "#1b1c1d", "#5d5e5f", "#d7d8d9"
_BLUE, _VERMILLION, _GREEN = "#0072b2", "#d55e00", "#009e73"
_THEME = {
    _INK: "ink", _MUTED: "muted", _GRID: "grid",
    _BLUE: "blue", _VERMILLION: "vermillion", _GREEN: "green",
}  # fmt: skip

# Figures are as wide as a phone, so that their letters keep their size there.
_WIDTH = 4.6
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "eval",
    "text.parse_math": False,
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.color": _MUTED,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}

_MEANINGS = {
    "recall_at_5": ("Recall@5", "share of the needed evidence among the first five passages"),
    "recall_at_5_english": ("Recall@5, English", "the same, questions in English"),
    "recall_at_5_other": ("Recall@5, other languages", "the same, questions in other languages"),
    "recall_at_10": ("Recall@10", "share of the needed evidence among the first ten passages"),
    "rr": ("RR", "one divided by the rank of the first passage with evidence"),
    "ndcg_at_10": ("nDCG@10", "how near the top the evidence stands, 1 being the best order"),
    "vital_recall": ("Vital nugget recall", "share of the indispensable facts that were said"),
    "item_recall": ("Item recall", "for lists: share of the wanted items that were named"),
    "item_precision": ("Item precision", "for lists: share of the named items that were wanted"),
    "citation_recall": ("Citation recall", "share of statements that their citations support"),
    "citation_precision": ("Citation precision", "share of citations that their statement needs"),
    "evidence_cited": ("Evidence cited", "share of the needed evidence that the answer cites"),
    "quote_valid": ("Quote validity", "share of quotes found word for word in what they quote"),
    "cited": ("Cited", "answers in which every statement carries a citation"),
    "language_right": ("Answer language", "answers marked as in the question's language"),
    "frame_right": ("Framing language", "answers whose own words are in the question's language"),
    "must_not_hits": ("Forbidden claims", "answers with a claim they must not make; less is best"),
    "refusal_precision": ("Refusal precision", "of what was refused, share that had to be"),
    "refusal_recall": ("Refusal recall", "of what had to be refused, share that was"),
    "refusal_f1": ("Refusal F1", "harmonic mean of the two"),
    "false_refusals": ("False refusals", "answerable questions refused; lower is better"),
}  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """A drawing with its words; the words say what it shows to who cannot see it."""

    name: str
    title: str
    words: str
    svg: Markup


@dataclass(frozen=True)
class Fault:
    """A way for a question to go wrong."""

    name: str
    title: str
    badge: str
    applies: Callable[[Row], bool]
    severity: Callable[[Row], tuple[float, ...]]
    """Orders the faulty, worst first."""


@dataclass(frozen=True)
class Worst:
    """The faulty of one kind, as many as are shown."""

    fault: Fault
    count: int
    shown: tuple[Row, ...]


def write_report(run: Run, folder: Path) -> Path:
    """Write a run as ``index.html`` into a folder.

    Args:
        run: What came of the questions.
        folder: Made where it is missing; an older report in it is replaced.

    Returns:
        The page.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        share=_share,
        ms=_ms,
        anchor=_anchor,
        short=_short,
        web=_web,
        first_rank=_first,
        plain=_plain,
    )
    page = environment.get_template("report.html.jinja").render(
        run=run,
        meanings=_MEANINGS,
        group_scores=_GROUP_SCORES,
        steps=_STEPS,
        faults=_FAULTS,
        worst=_worst(run.rows),
        plots=_plots(run),
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "index.html"
    file.write_text(page, encoding="utf-8", newline="\n")
    return file


# What went wrong.


def _misses(row: Row) -> bool:
    return any(rank is None or rank > SEARCHED for rank in row.ranks)


def _late(row: Row) -> bool:
    return not _misses(row) and any(rank is not None and rank > _READ for rank in row.ranks)


def _must_refuse(row: Row) -> bool:
    return row.expect == "abstain"


def _refused(row: Row) -> bool:
    return row.status == "abstained"


def _answered(row: Row) -> bool:
    return row.status == "answered"


def _support(row: Row) -> list[float]:
    """What can be held against the statements; None means not measured, and is left out."""
    measured = (row.quote_valid, row.citation_recall, float(row.cited))
    return [float(value) for value in measured if value is not None]


def _score(row: Row) -> float:
    return row.top_score or 0.0


_FAULTS = (
    Fault(
        "failed",
        "Ended in an error",
        "error",
        lambda row: bool(row.error),
        lambda row: (-_score(row),),
    ),
    Fault(
        "missed",
        f"Evidence not among the first {SEARCHED}",
        "evidence missed",
        _misses,
        lambda row: (row.recall_at_10 or 0.0, row.rr or 0.0, -_score(row)),
    ),
    Fault(
        "late",
        f"Evidence only at ranks {_READ + 1} to {SEARCHED}",
        "evidence late",
        _late,
        lambda row: (row.recall_at_5 or 0.0, row.rr or 0.0),
    ),
    Fault(
        "false-refusal",
        "Refused, though the documents answer it",
        "false refusal",
        lambda row: not _must_refuse(row) and _refused(row),
        lambda row: (-_score(row),),
    ),
    Fault(
        "not-refused",
        "Answered, though it had to be refused",
        "not refused",
        lambda row: _must_refuse(row) and _answered(row),
        lambda row: (float(row.strength != "strong"), -_score(row)),
    ),
    Fault(
        "unsupported",
        "Statements without sufficient support",
        "unsupported",
        lambda row: _answered(row) and any(value < 1 for value in _support(row)),
        lambda row: (min(_support(row), default=1.0), sum(_support(row))),
    ),
    Fault(
        "forbidden",
        "Made a claim it must not make",
        "forbidden claim",
        lambda row: bool(row.must_not_hits),
        lambda row: (-_score(row),),
    ),
)


def _worst(rows: Sequence[Row]) -> list[Worst]:
    """Share the places among the faults, so that none crowds the others out.

    A question with several faults stands under the first of them and wears the others as badges.
    """
    faulty: dict[str, list[Row]] = {fault.name: [] for fault in _FAULTS}
    for row in rows:
        first = next((fault for fault in _FAULTS if fault.applies(row)), None)
        if first is not None:
            faulty[first.name].append(row)
    places = dict.fromkeys(faulty, 0)
    for _ in range(WORST):
        for name, found in faulty.items():
            if places[name] < len(found) and sum(places.values()) < WORST:
                places[name] += 1
    return [
        Worst(
            fault,
            len(faulty[fault.name]),
            tuple(
                sorted(faulty[fault.name], key=lambda row: (*fault.severity(row), row.id))[
                    : places[fault.name]
                ]
            ),
        )
        for fault in _FAULTS
        if faulty[fault.name]
    ]


def _times(rows: Sequence[Row], step: str) -> Floats:
    values = (getattr(row, f"{step}_ms") for row in rows)
    return np.asarray([value for value in values if value is not None], dtype=np.float64)


# Numbers behind the plots.


def _top_scores(rows: Iterable[Row]) -> Floats:
    return np.asarray([row.top_score for row in rows if row.top_score is not None], np.float64)


# Plots. Each returns None where the run has nothing to draw.


def _plots(run: Run) -> dict[str, Plot]:
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        drawn = [
            *(
                _bars(f"by-{name}", f"Recall@5 by {name}", groups)
                for name, groups in run.groups.items()
            ),
            _score_histogram(run.rows),
            _score_ecdf(run),
            _risk_curve(run),
            _rank_histogram(run.rows),
            _latency_ecdf(run),
        ]
    return {plot.name: plot for plot in drawn if plot is not None}


def _bars(name: str, title: str, groups: Mapping[str, Mapping[str, Interval]]) -> Plot | None:
    found = [
        (group, scores["recall_at_5"])
        for group, scores in groups.items()
        if "recall_at_5" in scores and scores["recall_at_5"].count
    ]
    if not found:
        return None
    # The few come last: one lucky question is not the best group.
    found.sort(key=lambda item: (item[1].count < _FEW, -item[1].mean, -item[1].count, item[0]))
    figure, axes = _canvas(0.9 + 0.27 * len(found))
    for place, (_, score) in enumerate(found):
        few = score.count < _FEW
        axes.barh(place, score.mean, 0.66, color=_BLUE, alpha=0.25 if few else 0.8, linewidth=0)
        if score.count > 1:
            axes.plot([score.low, score.high], [place, place], color=_INK, linewidth=1.3)
        axes.text(1.03, place, f"{score.mean:.2f}", va="center")
    labels = [f"{_short(_plain(group), _LABEL)} ({score.count})" for group, score in found]
    axes.set_yticks(range(len(found)), labels)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(0, 1.001)
    axes.set_xlabel("Recall@5")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    many = [(group, score) for group, score in found if score.count >= _FEW]
    words = (
        f"In brackets the number of questions; the line is the 95 % interval; pale bars, last,"
        f" rest on fewer than {_FEW} questions."
    )
    if len(many) > 1:
        ends = " to ".join(
            f"{_plain(group)} {score.mean:.2f}" for group, score in (many[0], many[-1])
        )
        words = f"From {ends}. {words}"
    return _plot(name, title, words, figure)


def _score_histogram(rows: Sequence[Row]) -> Plot | None:
    sides = _sides(rows)
    if not sides:
        return None
    figure, axes = _canvas(2.9)
    edges = np.histogram_bin_edges(np.concatenate([values for _, values, _, _ in sides]), bins=20)
    for label, values, colour, dashes in sides:
        weights = np.full(len(values), 1 / len(values))
        shape = {"bins": edges.tolist(), "weights": weights, "color": colour}
        axes.hist(values, histtype="stepfilled", alpha=0.22, linewidth=0, **shape)
        axes.hist(values, histtype="step", linewidth=1.8, linestyle=dashes, label=label, **shape)
    axes.set_xlabel("score of the first passage")
    axes.set_ylabel("share of questions")
    _legend(axes)
    medians = ", ".join(f"{label} {np.median(values):.3f}" for label, values, _, _ in sides)
    words = f"Medians: {medians}. The columns of each side add up to 1."
    return _plot("score-histogram", "Top score, answerable or not", words, figure)


def _score_ecdf(run: Run) -> Plot | None:
    sides = _sides(run.rows)
    if not sides:
        return None
    figure, axes = _canvas(2.9)
    for label, values, colour, dashes in sides:
        axes.ecdf(values, color=colour, linewidth=1.8, linestyle=dashes, label=label)
    axes.set_xlabel("score of the first passage")
    axes.set_ylabel("share with at most this score")
    _legend(axes)
    area = run.abstention.auroc
    words = (
        "AUROC is not defined: it needs questions of both sides."
        if area is None
        else f"AUROC {area:.3f}: the chance that an answerable question scores higher than one"
        " that is not; 0.5 would be chance. The further apart the lines, the more a threshold"
        " could do."
    )
    return _plot("score-ecdf", "Top score, cumulated", words, figure)


def _sides(rows: Sequence[Row]) -> list[tuple[str, Floats, str, str]]:
    sides = (
        ("answerable", False, _BLUE, "-"),
        ("not answerable", True, _VERMILLION, "--"),
    )
    found = []
    for label, to_refuse, colour, dashes in sides:
        values = _top_scores(row for row in rows if _must_refuse(row) is to_refuse)
        if len(values):
            found.append((f"{label} ({len(values)})", values, colour, dashes))
    return found


def _risk_curve(run: Run) -> Plot | None:
    points = run.abstention.risk_coverage
    if not points:
        return None
    figure, axes = _canvas(2.9)
    axes.plot(
        [point.coverage for point in points], [point.risk for point in points],
        color=_BLUE, linewidth=1.8, label="best score first",
    )  # fmt: skip
    everything = points[-1].risk
    axes.axhline(everything, color=_MUTED, linewidth=1.2, linestyle="--", label="any order")
    words = (
        f"AURC {run.abstention.aurc:.3f}; risk with everything answered {everything:.3f}. Risk is"
        f" the share of needed evidence that is not among the first {_READ} passages, and 1 where"
        " there is nothing to answer."
    )
    judged = [(row, decision(row).risk) for row in run.rows]
    risks = [(row, risk) for row, risk in judged if risk is not None]
    answered = [risk for row, risk in risks if not _refused(row)]
    if answered:
        share, risk = len(answered) / len(risks), sum(answered) / len(answered)
        axes.plot(
            share, risk, "D", color=_VERMILLION, markersize=6, linestyle="none",
            label="as it is",
        )  # fmt: skip
        words += (
            f" As it is, with its own refusals, it answers {share:.0%} of the questions at a risk"
            f" of {risk:.3f}."
        )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, max(0.1, *(point.risk * 1.15 for point in points)))
    axes.set_xlabel("coverage: share of questions answered")
    axes.set_ylabel("risk")
    _legend(axes)
    return _plot("risk-coverage", "Risk and coverage", words, figure)


def _rank_histogram(rows: Sequence[Row]) -> Plot | None:
    judged = [row for row in rows if row.recall_at_10 is not None]
    if not judged:
        return None
    counts = Counter(_first(row) for row in judged)
    heights = [counts[rank] for rank in (*range(1, SEARCHED + 1), None)]
    figure, axes = _canvas(2.9)
    # "none" is no rank, and stands apart.
    places = [*range(1, SEARCHED + 1), SEARCHED + 1.6]
    colours = [_BLUE] * _READ + [_GREEN] * (SEARCHED - _READ) + [_VERMILLION]
    bars = axes.bar(places, heights, 0.74, color=colours, alpha=0.85, linewidth=0)
    axes.bar_label(bars, [str(height) if height else "" for height in heights], padding=2)
    axes.set_xticks(places, [*map(str, places[:-1]), "none"])
    axes.set_xlabel("rank of the first passage with evidence")
    axes.set_ylabel("questions")
    axes.margins(y=0.12)
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", length=0)
    words = (
        f"Of {len(judged)} questions with evidence, {counts[1]} have some at rank 1,"
        f" {sum(heights[1:_READ])} at 2 to {_READ}, {sum(heights[_READ:SEARCHED])} at"
        f" {_READ + 1} to {SEARCHED}, {counts[None]} nowhere in the first {SEARCHED}."
    )
    return _plot("first-rank", "Rank of the first evidence", words, figure)


def _latency_ecdf(run: Run) -> Plot | None:
    from matplotlib.ticker import LogLocator, NullLocator

    # A logarithmic axis has no place for zero; a clock that shows it was too coarse.
    times = {step: np.maximum(_times(run.rows, step), 0.01) for step in _STEPS}
    if not any(len(values) for values in times.values()):
        return None
    figure, axes = _canvas(2.9)
    styles = {"embed": (_GREEN, ":"), "search": (_BLUE, "-"), "answer": (_VERMILLION, "--")}
    for step, values in times.items():
        if len(values):
            colour, dashes = styles[step]
            axes.ecdf(values, color=colour, linewidth=1.8, linestyle=dashes, label=_STEPS[step])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("milliseconds, logarithmic")
    axes.set_ylabel("share of questions")
    _legend(axes)
    halves = ", ".join(
        f"{_STEPS[step]} {run.latency[step].p50:.1f} ms"
        for step, values in times.items()
        if len(values) and step in run.latency
    )
    words = f"Half of the questions took at most: {halves}."
    return _plot("latency", "Time taken", words, figure)


def _canvas(height: float) -> tuple[Figure, Axes]:
    # A figure of its own, without pyplot, keeps no state between reports.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2,
        handlelength=1.6, handletextpad=0.5, columnspacing=1.1,
    )  # fmt: skip


def _plot(name: str, title: str, words: str, figure: Figure) -> Plot:
    """Draw a figure as SVG that can stand in a page beside others."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    # Its own size would not shrink with a phone, its style sheet would apply to the whole page.
    drawing = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", drawing, count=1)
    drawing = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawing, count=1)
    drawing = re.sub(r"<style.*?</style>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", drawing)
    for colour, variable in _THEME.items():
        drawing = drawing.replace(colour, f"var(--{variable}, {colour})")
    start = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-words"'
        f"{drawing[len('<svg') : drawing.index('>') + 1]}"
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-words">{escape(words)}</desc>'
    )
    drawing = start + drawing[drawing.index(">") + 1 :]
    return Plot(name, title, words, Markup(drawing))  # noqa: S704 - matplotlib escaped its text


# Filters of the template.


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _first(row: Row) -> int | None:
    return min((rank for rank in row.ranks if rank is not None), default=None)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _anchor(identifier: str) -> str:
    return "q-" + re.sub(r"[^\w.-]", "-", identifier)


def _short(text: str, length: int) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= length else folded[: length - 1].rstrip() + "…"


def _web(url: str | None) -> str | None:
    """Return an address that may be linked, None for any other scheme than the web's."""
    if url is None:
        return None
    try:
        return url if urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None
