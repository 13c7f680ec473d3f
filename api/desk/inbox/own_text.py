"""What somebody wrote themselves in a mail, without the mail that they answer.

No language is assumed: a line that introduces a quote is known by the address or
the date in it, and by where it stands. Where it is not clear that something is only
quoted it stays, as who answers between the lines of a quote needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FORWARDED = re.compile(
    r"\s*(?:fwd?|wg|tr|rv|i|enc|vs|vb|vl|pd|fs|továbbítás|přeposl|πρθ|прп)\s*:", re.IGNORECASE
)
"""How the subject of a mail begins that is passed on, in many languages."""
_SIGNATURE = re.compile(r"--[ \t]*")
_ADDRESS = re.compile(r"[^\s<>@:]+@[^\s<>@]+\.[^\s<>@]+")
_RULED = re.compile(r"\s*(?:[-_=]{2,}\s*[^\W\d_][^-_=]{2,60}?\s*[-_=]{2,}|_{20,})\s*")
"""``-----Original Message-----`` in any language, or the line that Outlook draws."""
_FIELD = re.compile(r"\s*\*?[^\W\d_][\w .'’/()-]{0,24}\*?\s?[:：]\*?\s*\S.*")
"""``From: Ada``, in any language."""
_DATED = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d\d\b")
_INTRODUCTION = 3
"""Lines that one may have; programs break them."""
_ENDS = (":", "：")
_LONGEST = 400
"""Characters of a line that is looked at."""
_FIELDS = 3
"""Lines that a head has at least."""
_SIGNED = 15
"""Lines of a signature at most."""


def is_forwarded(subject: str) -> bool:
    """Whether a mail passes on another one, so that what is quoted is what it is about."""
    return bool(_FORWARDED.match(subject))


def own_text(text: str, *, answers: bool) -> str:
    """Return a text without its signature, and without the mail that it answers.

    Args:
        text: Of a mail.
        answers: It answers one of ours. Otherwise whatever is quoted stays: it may be what
            the question is about.

    Returns:
        The text as it is where nothing else would be left.
    """
    lines = [line.rstrip() for line in text.split("\n")]
    lines = _below(_unsigned(_above(lines))) if answers else _unsigned(lines)
    left = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return left or text.strip()


def _above(lines: Sequence[str]) -> list[str]:
    """The lines above a mail that is quoted below all else."""
    for at in range(len(lines)):
        if _is_header(lines, at) and any(line.strip() for line in lines[:at]):
            return _above(lines[:at])
    quoted = [at for at, line in enumerate(lines) if line.lstrip().startswith(">")]
    if not quoted:
        return _before_unmarked(lines)
    end = quoted[-1] + 1
    # Whatever stands below is somebody's own, unless it is a signature.
    if any(line.strip() for line in _unsigned(lines)[end:]):
        return list(lines)
    start = quoted[-1]
    while start > 0 and (not lines[start - 1].strip() or lines[start - 1].lstrip()[:1] == ">"):
        start -= 1
    return _unintroduced(list(lines[:start]))


def _before_unmarked(lines: Sequence[str]) -> list[str]:
    """The lines above a quote that has no marks, only a line with an address that leads to it."""
    for end in range(1, len(lines) + 1):
        start = _introduction(lines, end, unmarked=True)
        if start is not None and any(map(str.strip, lines[:start])):
            return list(lines[:start])
    return list(lines)


def _unintroduced(lines: list[str]) -> list[str]:
    """Lines without the ones at their end that lead to a quote."""
    while lines and not lines[-1].strip():
        lines.pop()
    start = _introduction(lines, len(lines))
    if start is None:
        return lines
    # A program may have broken it after the date.
    while start > 0 and len(lines) - start < _INTRODUCTION and _DATED.search(lines[start - 1]):
        start -= 1
    return lines[:start]


def _introduction(lines: Sequence[str], end: int, *, unmarked: bool = False) -> int | None:
    """Where the line begins that leads to a quote and ends before a place; None: there is none."""
    told = ""
    for start in range(end - 1, max(-1, end - 1 - _INTRODUCTION), -1):
        if not lines[start].strip():
            return None
        told = f"{lines[start]} {told}"
        if _introduces(told, unmarked=unmarked):
            return start
    return None


def _introduces(line: str, *, unmarked: bool = False) -> bool:
    """Whether a line reads like ``On 3 May 2026 at 10:12, Ada <ada@example.org> wrote:``.

    Where no marks follow it has to end so, and to hold both.
    """
    told = line.strip()
    if len(told) > _LONGEST or not told.endswith(_ENDS if unmarked else (*_ENDS, ">")):
        return False
    dated, addressed = bool(_DATED.search(told)), bool(_ADDRESS.search(told))
    return dated and addressed if unmarked else dated or addressed


def _is_header(lines: Sequence[str], at: int) -> bool:
    """Whether the head of a mail begins in a line, as programs put it above what is answered."""
    head = [line for line in lines[at : at + 6] if line.strip()]
    if head and _RULED.fullmatch(head[0][:_LONGEST]):
        return len(head) >= _FIELDS and all(map(_FIELD.fullmatch, head[1:_FIELDS]))
    if len(head) < _FIELDS or not all(map(_FIELD.fullmatch, lines[at : at + _FIELDS])):
        return False
    if at and lines[at - 1].strip() and not _RULED.fullmatch(lines[at - 1][:_LONGEST]):
        return False
    said = " ".join(line[:_LONGEST] for line in head)
    return bool(_ADDRESS.search(said)) and bool(_DATED.search(said))


def _unsigned(lines: Sequence[str]) -> list[str]:
    """Lines without a signature as RFC 3676 has it, and what mail programs say of themselves."""
    for at in range(max(0, len(lines) - _SIGNED), len(lines)):
        if _SIGNATURE.fullmatch(lines[at]):
            return list(lines[:at])
    return list(lines)


def _below(lines: list[str]) -> list[str]:
    """The lines below a quote that stands above all else."""
    quoted = [at for at, line in enumerate(lines) if line.lstrip().startswith(">")]
    if not quoted:
        return lines
    first, last = quoted[0], quoted[-1]
    whole = all(not line.strip() or line.lstrip()[:1] == ">" for line in lines[first : last + 1])
    before = _unintroduced(lines[:first])
    return lines[last + 1 :] if whole and not any(map(str.strip, before)) else lines
