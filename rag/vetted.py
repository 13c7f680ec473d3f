"""Lists and empty places without what somebody may have planted there (`rag.planted`)."""

from __future__ import annotations

from dataclasses import replace

from rag.enumerations import Entry
from rag.lists import Listing
from rag.models import Gap
from rag.planted import OMITTED, followable, foreign, harmless, host, hosts, showable, steers


def vetted_list(
    listing: Listing, known: frozenset[str], vouched: frozenset[str] | None
) -> Listing | None:
    """A list without the entries that steer, and without links that deceive.

    Args:
        listing: As the sources have it.
        known: The hosts of the sources.
        vouched: The hosts that may be linked, these among them; None: any.

    Returns:
        None where nothing is left.
    """
    entries = tuple(kept for each in listing.entries if (kept := _entry(each, known, vouched)))
    if not entries:
        return None
    return replace(
        listing,
        title=harmless(listing.title, known),
        section=tuple(harmless(each, known) for each in listing.section),
        # Where it changes, its entries are told one by one, see `rag.lists.say`.
        intro=showable(listing.intro, known),
        entries=entries,
    )


def _entry(entry: Entry, known: frozenset[str], vouched: frozenset[str] | None) -> Entry | None:
    texts = (entry.title, entry.said, entry.place.text)
    if any(steers(each, known) for each in texts):
        return None
    # Where a list leads is what it is for; a name that is another address is a trick.
    named = foreign(entry.title, hosts([entry.url])) if entry.url else []
    told = [entry.url, *(each for text in texts for each in foreign(text, known))]
    kept = {each for each in told if each and _linked(each, known, vouched)}
    url = entry.url if entry.url in kept and not named else None
    own = known | hosts(kept - {entry.url} | {url})
    return replace(entry, title=showable(entry.title, own), said=showable(entry.said, own), url=url)


def _linked(address: str, known: frozenset[str], vouched: frozenset[str] | None) -> bool:
    return followable(address, known) and (vouched is None or host(address) in vouched)


def vetted_gap(gap: Gap, known: frozenset[str]) -> Gap:
    """An empty place by names that may be told: its path where its title steers."""
    return replace(
        gap,
        title=harmless(gap.title, known) or gap.path,
        section=tuple(harmless(each, known) or OMITTED for each in gap.section),
    )
