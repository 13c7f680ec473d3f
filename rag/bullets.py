"""Lists within a text: lines below one another, and sentences that enumerate.

A chunk holds paragraphs, one a line, without the marks that a list had. What
was a list is told by its form: lines that end without a full stop, or that
explain a term each, below a heading or a line that announces them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.enumerations import CELLS, Entry, Enumeration, Line, by_section, is_heading
from rag.models import LABELS, Chunk
from rag.text import fold, sentences, word_count

_ITEM_WORDS = 75
"""Longer lines are paragraphs, even below a line that announces a list."""
_NAME_WORDS = 20
"""Of a longer line its first sentence is the name."""
_TERM_LINE_WORDS = 120
"""The same for a term with what is said of it."""
_BARE_WORDS = 20
"""The same for what no line announces."""
_TERM_WORDS = 16
"""How long a term may be that a colon parts from what is said of it."""
_MARK = re.compile(r"^(?:[-–•*▪o]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+")
_TERM = re.compile(r"^(?P<term>[^:.?!]{2,90}?)(?:\s*:\s+\S|\s+[-–—]\s+(?=\S+ \S+ \S+)(?!.*:\s))")
_ANNOUNCES = re.compile(
    r"(?::|\b(?:includ(?:e|es|ing)|are|is|to|by|of|on|using|as|following))$", re.I
)
_INCLUDES = re.compile(
    r"\b(?:includ(?:e|es|ing)|such as|namely|called|covering|consists? of)\s+", re.I
)
_LABEL = re.compile(rf"\s+(?:{'|'.join(LABELS)})$", re.I)


def lists_in(chunks: Sequence[Chunk]) -> Iterator[Enumeration]:
    """Every list of a document, in reading order."""
    for section, lines in by_section(chunks):
        below = [line for line in lines if not is_heading(line, section)]
        yield from _runs(section, below, headed=len(below) < len(lines) or not section)


def _runs(section: tuple[str, ...], lines: Sequence[Line], headed: bool) -> Iterator[Enumeration]:
    run: list[Line] = []
    intro: Line | None = None
    for line in lines:
        if run and _continues(run, line, announced=intro is not None):
            run.append(line)
            continue
        yield from _closed(section, intro, run, headed)
        if run or intro is None or not _starts(line, announced=True):
            intro = None
        run = [line] if _starts(line, announced=intro is not None) else []
        if not run:
            intro = line if _announces(line) else None
    yield from _closed(section, intro, run, headed)


def _closed(
    section: tuple[str, ...], intro: Line | None, run: Sequence[Line], headed: bool
) -> Iterator[Enumeration]:
    """The list that a run of lines is, if it is one."""
    terms = [_term(line) is not None for line in run]
    if intro is None and len(run) > 2:
        # What opens a list without a colon: a line unlike all others.
        others = max(word_count(each.text) for each in run[1:])
        alike = word_count(run[0].text) <= 2 * others and not all(terms[1:])
        if not terms[0] and not alike:
            intro, run = run[0], run[1:]
    if len(run) >= 2 and (intro or headed):
        yield _list(section, intro, run)


def _announces(line: Line) -> bool:
    return bool(_ANNOUNCES.search(line.text.rstrip())) and CELLS not in line.text


def _term(line: Line) -> str | None:
    """The term that a line explains, where it does."""
    found = _TERM.match(_MARK.sub("", fold(line.text)))
    return found["term"] if found and word_count(found["term"]) <= _TERM_WORDS else None


def _starts(line: Line, *, announced: bool) -> bool:
    """Whether a line may be an item: short, or a term with its explanation."""
    text = line.text.rstrip()
    if CELLS in text or _announces(line):
        return False
    if _term(line):
        return word_count(text) <= _TERM_LINE_WORDS
    if announced:
        return word_count(text) <= _ITEM_WORDS
    return word_count(text) <= _BARE_WORDS and not text.endswith(".")


def _continues(run: Sequence[Line], line: Line, *, announced: bool) -> bool:
    """Whether a line is the next item of a list."""
    if not _starts(line, announced=announced):
        return False
    texts = [each.text.strip() for each in run]
    text = line.text.strip()
    if texts[0][:1].islower() != text[:1].islower():
        return False
    if all(each.endswith("?") for each in texts) and not text.endswith("?"):
        return False
    terms = [_term(each) is not None for each in run]
    if _term(line):
        return any(terms) or not all(each.endswith(".") for each in texts)
    if len(run) > 2 and all(terms) and not announced:
        return False
    stopped = [each.endswith(".") for each in texts]
    if stopped[-1] and not all(stopped):
        return False  # a full stop ends a list whose items have none
    longest = max(map(word_count, texts))
    return not text.endswith(".") or stopped[-1] or word_count(text) <= 3 * longest + 3


def _list(section: tuple[str, ...], intro: Line | None, run: Sequence[Line]) -> Enumeration:
    return Enumeration(
        kind="list",
        document_id=run[0].chunk.document_id,
        title=run[0].chunk.title,
        section=section,
        intro=intro.text if intro else "",
        entries=tuple(_entry(line) for line in run),
        chunk_ids=frozenset(each.chunk.chunk_id for each in (*run, *([intro] if intro else []))),
    )


def _entry(line: Line) -> Entry:
    text = _LABEL.sub("", _MARK.sub("", fold(line.text))).strip()
    name = _term(line) or text
    if word_count(name) > _NAME_WORDS:
        name = sentences(name)[0]
    return Entry(title=name.rstrip(" .;,"), place=line, said=text, label=line.part.label)
