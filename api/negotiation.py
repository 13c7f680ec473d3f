"""Which form of a reply a client wants (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_RANGE = re.compile(
    r"\s*(?P<type>[\w!#$&^.+-]+|\*)/(?P<subtype>[\w!#$&^.+-]+|\*)\s*(?P<parameters>;.*)?", re.ASCII
)
_QUALITY = re.compile(r";\s*q=(?P<value>[^;\s]*)", re.IGNORECASE)
_NUMBER = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Choose what to send.

    Args:
        accept: The header; ranges that cannot be read are passed over, and one
            without any that can counts as none.
        offered: Media types in lower case, the one we prefer first.

    Returns:
        The type of the highest quality; of equals the one that is named most
        exactly, then the first offered. None: none of them is wanted.
    """
    ranges = [found for each in accept.split(",") if (found := _range(each))]
    if not ranges:
        return offered[0]
    best: tuple[float, int] = (0.0, 0)
    chosen = None
    for media_type in offered:
        exact, quality = max(
            (
                (exactness, quality)
                for kind, quality in ranges
                if (exactness := _exactness(kind, media_type))
            ),
            default=(0, 0.0),
        )
        if quality > 0 and (quality, exact) > best:
            best, chosen = (quality, exact), media_type
    return chosen


def _range(text: str) -> tuple[str, float] | None:
    """A media range with its quality, 0..1; None where it cannot be read."""
    match = _RANGE.fullmatch(text)
    if match is None or (match["type"] == "*" and match["subtype"] != "*"):
        return None
    weight = _QUALITY.search(match["parameters"] or "")
    if weight and not _NUMBER.fullmatch(weight["value"]):
        return None
    kind = f"{match['type']}/{match['subtype']}".lower()
    return kind, float(weight["value"]) if weight else 1.0


def _exactness(kind: str, media_type: str) -> int:
    """How exactly a range names a media type: 3 itself, 2 its family, 1 anything, 0 another."""
    family = media_type.split("/", maxsplit=1)[0]
    return {media_type: 3, f"{family}/*": 2, "*/*": 1}.get(kind, 0)
