"""Lists within a sentence: after a colon, lettered, in quotes, or with commas and an "and"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.enumerations import Entry, Enumeration, Line
from rag.models import Chunk, Part
from rag.text import fold, sentences, word_count

_FEWEST = 3
_MEMBER_WORDS = 14
"""Longer ones are clauses, not members."""
_CLAUSE_WORDS = 40
"""The same where semicolons part them."""
_SHORT_WORDS = 7
"""The same where nothing but commas tells that there is a list."""
_LETTERED = re.compile(r"\s*\(?\b(?:[a-h]|[1-9]|i{1,3}|iv|v)\)\s*(?=[A-Za-z])")
_QUOTED = re.compile(r"[“\"]([^“”\"]{3,90})[”\"]")
_INCLUDES = re.compile(
    r"\b(?:includ(?:e|es|ed|ing)|such as|namely|called|covering|consists? of|stress|like)\s+",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"^.*\b(?:from|of|for|with|by|in|on|at|to|as|are|is|was|were|than|between|through|visited"
    r"|the)\s+",
    re.IGNORECASE,
)
"""What stands before a first member that nothing announces."""
_PARTS = re.compile(r"\s*[;,]\s*(?![^()]*\))")
_CLAUSES = re.compile(r"\s*;\s*(?![^()]*\))")
_AND = re.compile(r"\s+(?:and|or|as well as)\s+")
_JOINS = re.compile(r"^(?:and|or|as well as)\s+|\s+(?:and|or)$")
_NAME = re.compile(r"(?:the )?[A-Z][\w+&.’'-]*(?:\s+[A-Z][\w+&.’'-]*)*")
"""Words with capitals."""


def members_in(chunk: Chunk) -> Iterator[Enumeration]:
    """What single sentences of a chunk enumerate, and questions that follow one another."""
    for part in chunk.parts:
        if part.item is not None:
            continue
        said = sentences(part.text)
        for asked in _questions(said):
            entries = [_entry(chunk, part, each, title) for each, title in asked]
            yield _enumeration(chunk, part, "", entries)
        for sentence in said:
            members = _members(fold(sentence))
            if len(members) >= _FEWEST:
                entries = [_entry(chunk, part, sentence, each) for each in members]
                yield _enumeration(chunk, part, sentence, entries)


def _entry(chunk: Chunk, part: Part, sentence: str, title: str) -> Entry:
    return Entry(title=title, place=Line(chunk, part, sentence))


def _enumeration(chunk: Chunk, part: Part, intro: str, entries: Sequence[Entry]) -> Enumeration:
    return Enumeration(
        "sentence", chunk.document_id, chunk.title, part.section, intro,
        tuple(entries), frozenset([chunk.chunk_id]),
    )  # fmt: skip


def _questions(said: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """Runs of questions, each with its sentence; what stands before a colon opens a new run."""
    run: list[tuple[str, str]] = []
    for sentence in (*said, ""):
        _, colon, asked = fold(sentence).partition(": ")
        ends = not sentence.endswith("?")
        if ends or colon:
            if len(run) >= _FEWEST:
                yield run
            run = []
        if not ends:
            run.append((sentence, asked if colon else fold(sentence)))


def _members(sentence: str) -> list[str]:
    lettered = _LETTERED.split(sentence)
    if len(lettered) > _FEWEST:
        return [_bared(each) for each in lettered[1:]]
    quoted = _QUOTED.findall(sentence)
    if len(quoted) >= _FEWEST:
        return [each.strip(" .,;") for each in quoted]
    _, colon, rest = sentence.partition(": ")
    rests = [rest] if colon else [sentence[each.end() :] for each in _INCLUDES.finditer(sentence)]
    found = [_announced(_closed(each)) for each in rests]
    return max(found, key=len, default=[]) or _with_commas(sentence)


def _closed(rest: str) -> str:
    """What stands before a bracket that was opened earlier."""
    depth = 0
    for position, character in enumerate(rest):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return rest[:position]
    return rest


def _announced(rest: str) -> list[str]:
    """The members of what follows a colon or an "including"."""
    clauses = _CLAUSES.split(rest)
    if len(clauses) >= _FEWEST:
        return _within([_bared(each) for each in clauses], _CLAUSE_WORDS)
    return _joined(_PARTS.split(rest), _MEMBER_WORDS) or _joined(
        _PARTS.split(rest), _MEMBER_WORDS, ends=False
    )


def _joined(parts: Sequence[str], count: int, *, ends: bool = True) -> list[str]:
    """Members up to the "and" that ends them, each of so many words at most.

    Args:
        parts: What commas part.
        count: Words.
        ends: Whether there must be such an "and".
    """
    closing = [at for at, part in enumerate(parts) if at and _JOINS.match(part)]
    inside = [at for at, part in enumerate(parts) if at and _AND.search(part)]
    last = (closing or inside or [0 if ends else len(parts) - 1])[0]
    if not last:
        return []
    after = _bared(parts[last])
    members = [
        *map(_bared, parts[:last]),
        *([after] if closing else _AND.split(after, maxsplit=1)),
    ]
    if all(_NAME.fullmatch(each) for each in members[1:-1]):
        members[0] = _LEADS.sub("", members[0])
        named = _NAME.match(members[-1])
        members[-1] = named[0] if named else members[-1]
    return _within(members, count)


def _with_commas(sentence: str) -> list[str]:
    """The longest run of short members that ends with an "and"; nothing announces it."""
    parts = _PARTS.split(sentence)
    runs = []
    for start, part in enumerate(parts):
        first = _LEADS.sub("", part)
        short = start + 1
        while short < len(parts) and word_count(parts[short]) <= _SHORT_WORDS + 2:
            short += 1
        if not _AND.search(first):
            runs.append(_joined([first, *parts[start + 1 : short + 1]], _SHORT_WORDS))
    return max(runs, key=len, default=[])


def _within(members: list[str], count: int) -> list[str]:
    """Members, none where one of them is empty or too long."""
    return members if all(0 < word_count(each) <= count for each in members) else []


def _bared(member: str) -> str:
    return _JOINS.sub("", member.strip(" .,;")).strip(" .,;")
