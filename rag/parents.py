"""The section that a passage stands in."""

from __future__ import annotations

from rag.index import Generation
from rag.models import Chunk, Parent
from rag.text import word_count

_WORDS = 600
"""How long a section may be; of a longer one the neighbours of the passage are taken."""


def parent_of(chunk: Chunk, generation: Generation) -> Parent | None:
    """Return the smallest section that says more than the chunk.

    Returns:
        The section with its chunks in reading order, as many around the given
        one as 600 words hold; None where the chunk is the whole document, or an
        item of a metadata model, which stands for itself.
    """
    if any(part.item for part in chunk.parts):
        return None
    siblings = generation.chunks_of(chunk.document_id)
    own = next((at for at, each in enumerate(siblings) if each.chunk_id == chunk.chunk_id), None)
    if own is None:
        return None
    for depth in range(len(chunk.section), -1, -1):
        heading = chunk.section[:depth]
        first, last = own, own
        while first > 0 and siblings[first - 1].section[:depth] == heading:
            first -= 1
        while last + 1 < len(siblings) and siblings[last + 1].section[:depth] == heading:
            last += 1
        if last > first:
            return _parent(siblings, first, own, last, heading)
    return None


def _parent(
    siblings: tuple[Chunk, ...], first: int, own: int, last: int, heading: tuple[str, ...]
) -> Parent | None:
    """What of a section fits, grown around the passage, what follows it before what precedes."""
    low = high = own
    words = word_count(siblings[own].text)
    grown = True
    while grown:
        grown = False
        for step in (high + 1, low - 1):
            if first <= step <= last:
                more = word_count(siblings[step].text)
                if words + more <= _WORDS:
                    words += more
                    low, high = min(low, step), max(high, step)
                    grown = True
    if low == high:
        return None
    chunks = siblings[low : high + 1]
    return Parent(
        section=heading,
        text="\n".join(each.text for each in chunks),
        chunk_ids=tuple(each.chunk_id for each in chunks),
        whole=(low, high) == (first, last),
    )
