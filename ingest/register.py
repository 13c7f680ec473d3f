"""The register of resources: what the pages link or label, and where they do.

A resource is one address, however it is written; a mention is one place that
links it, with the label given there. Labels that differ between pages are all
kept: which one holds is the pages' business, not ours.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.models import Block, Document, Link, Section
from rag.countries import countries_in
from rag.errors import BadSetting
from rag.models import LABELS, Mention, Resource
from rag.text import fold, letters_digits, word_count

_RECORD = re.compile(
    r"(?:zenodo\.org/(?:api/)?records?/|zenodo\.org/(?:badge/)?doi/10\.5281/zenodo\."
    r"|doi\.org/10\.5281/zenodo\.)(\d+)",
    re.IGNORECASE,
)
_VIDEO = re.compile(
    r"(?:youtube(?:-nocookie)?\.com/(?:embed/|watch\?(?:[^#]*&)?v=)|youtu\.be/)"
    r"(?!videoseries)([\w-]{6,})",
    re.IGNORECASE,
)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_TRACKING = re.compile(r"^(?:utm_\w+|fbclid|gclid|mc_cid|mc_eid)$")
_FILE = re.compile(r"\.(?:pdf|docx?|odt|pptx?|xlsx?|csv|zip)$", re.IGNORECASE)
# Words that point at a thing and do not name it.
_POINTING = frozenset(
    "a an and are as available at can click download find for found here is it link links more of"
    " on our page pages read see site text that the this to under via visit website with you"
    " full report version latest".split()
)
_FLAG = 4
"""Words before a link up to which they are a flag or a name, not a sentence."""
_PICTURE = re.compile(
    r"^(?:screenshot|image|picture|photo|thumbnail) of (?:the |a )?", re.IGNORECASE
)
_LABEL_END = re.compile(rf"\s+(?:{'|'.join(LABELS)})$", re.IGNORECASE)


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    addresses: list[str]


class _Topic(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    names: list[str]


class _Listed(BaseModel):
    """``kinds.yaml`` and ``topics.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: list[_Kind] = []
    topics: list[_Topic] = []


@dataclass(frozen=True)
class Vocabulary:
    """The kinds and topics that are known by hand."""

    kinds: tuple[tuple[str, str], ...]
    """``(address, kind)``, the first that fits wins."""
    topics: dict[str, str]
    """Any name of a topic, as letters and digits, to its id."""

    @classmethod
    def load(cls, corpus: Path) -> Vocabulary:
        """Read ``kinds.yaml`` and ``topics.yaml``; one that is absent holds nothing.

        Raises:
            BadSetting: One of them is not what it should be.
        """
        kinds: list[tuple[str, str]] = []
        topics: dict[str, str] = {}
        for name in ("kinds.yaml", "topics.yaml"):
            file = corpus / name
            if not file.is_file():
                continue
            try:
                listed = _Listed.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
                raise BadSetting(f"{file.name} cannot be read: {fold(str(error))[:120]}") from error
            kinds += [(each, kind.kind) for kind in listed.kinds for each in kind.addresses]
            for topic in listed.topics:
                for each in (topic.id, topic.title, *topic.names):
                    topics[letters_digits(each)] = topic.id
        return cls(tuple(kinds), topics)

    def kind_of(self, url: str | None) -> str:
        """What kind of thing an address leads to; `page` where no entry fits."""
        if url is None:
            return "page"
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
        for address, kind in self.kinds:
            if address.startswith("."):
                if parts.path.lower().endswith(address):
                    return kind
                continue
            wanted, _, path = address.partition("/")
            inside = host == wanted or host.endswith(f".{wanted}")
            if inside and parts.path.lower().startswith(f"/{path}".lower()):
                return kind
        return "page"

    def topic_of(self, name: str | None) -> str | None:
        """The id of a topic by any of its names; an unknown one becomes its own id."""
        if not name:
            return None
        known = self.topics.get(letters_digits(name))
        return known or re.sub(r"[\W_]+", "-", name.lower()).strip("-") or None


def normal_address(address: str, base: str | None) -> str | None:
    """One form for all ways to write an address.

    Zenodo's old and new links, its DOIs and their tracking fragments become
    ``https://zenodo.org/records/N``, embedded videos the page that shows them;
    tracking parameters are dropped.

    Args:
        address: As linked; may be relative, or damaged by misplaced brackets.
        base: Address of the page; None: relative addresses cannot be resolved.

    Returns:
        An http(s) address, None where there is none (mail, script, bare fragment).
    """
    bare = address.strip()
    if not re.match(r"[\w./?#]", bare):
        bare = unquote(bare).strip("()[]<> ")
    record = _RECORD.search(bare)
    if record:
        return f"https://zenodo.org/records/{record[1]}"
    video = _VIDEO.search(bare)
    if video:
        return f"https://www.youtube.com/watch?v={video[1]}"
    relative = not _WEB.match(bare)
    if relative and (not bare or bare.startswith("#") or _OTHER_SCHEME.match(bare) or not base):
        return None
    try:
        parts = urlsplit(urljoin(base or "", bare) if relative else bare)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if "." not in host:
        return None
    query = parts.query
    fields = parse_qsl(query, keep_blank_values=True)
    if any(_TRACKING.match(name) for name, _ in fields):
        query = urlencode([each for each in fields if not _TRACKING.match(each[0])])
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, query, parts.fragment))


def mentions_of(document: Document, site: str | None) -> tuple[Mention, ...]:
    """Find what a document links or labels, in reading order.

    Links between pages of one site are navigation and left out, unless they
    carry a label or lead to a file.

    Args:
        document: As read; `country` and `topic` of the page go to its mentions.
        site: Address of the document's site; None: it has none.
    """
    return tuple(
        mention
        for section in document.sections
        for block in section.blocks
        for mention in _of_block(document, section, block, site)
    )


def _of_block(
    document: Document, section: Section, block: Block, site: str | None
) -> Iterator[Mention]:
    url = document.url
    if url and section.page is not None:
        url = f"{url}#page={section.page}"
    elif url and section.anchor:
        url = f"{url}#{section.anchor}"
    heads = bool(section.heading) and block is section.blocks[0]
    bare = Mention(
        source=document.source,
        path=document.path,
        title=document.title,
        section=section.heading,
        url=url,
        anchor=section.anchor,
        page=section.page,
        text="",
        address=None,
        place="heading" if heads else "entry" if block.entry else "text",
        label=None,
        country=document.country,
        topic=document.topic,
    )
    alone = len(block.links) == 1
    for link in block.links:
        address = normal_address(link.address, document.url)
        label = link.label or (block.label if alone else None)
        if address is None:
            # What is labelled without a link is a resource all the same; a mail address is none.
            if not link.address and label:
                yield replace(bare, text=link.text, label=label)
            continue
        if label is None and _navigates(address, site):
            continue
        country = document.country or _country(section, block, link)
        yield replace(
            bare,
            text=_words(section, block, link),
            address=address,
            place=_place(bare, block, link),
            label=label,
            country=country,
        )
    if block.label and not block.links:
        name = section.heading[-1] if heads else _LABEL_END.sub("", block.text)
        yield replace(bare, text=name, label=block.label)


def _place(bare: Mention, block: Block, link: Link) -> Literal["heading", "entry", "text"]:
    if bare.place == "heading":
        return "heading"
    whole = _LABEL_END.sub("", block.text).strip(" .:") == link.text.strip(" .:")
    leads = bare.place == "entry" and block.text.startswith(link.text)
    return "entry" if link.text and (whole or leads) else "text"


def _words(section: Section, block: Block, link: Link) -> str:
    """What is linked in words; for a bare address or a wordless frame, what it stands under."""
    if link.text and not _WEB.match(link.text):
        return _PICTURE.sub("", link.text)
    first = block.text.partition(" | ")[0]
    if " | " in block.text and not _WEB.match(first):
        return first
    return section.heading[-1] if section.heading and not link.text else link.text


def _navigates(url: str, site: str | None) -> bool:
    if site is None:
        return False
    page, own = address_key(url), re.escape(address_key(site))
    return bool(re.match(rf"{own}(?:[/?#]|$)", page)) and not _FILE.search(urlsplit(url).path)


def _country(section: Section, block: Block, link: Link) -> str | None:
    """The one country that a link's own words, its line or its heading names."""
    before = block.text.partition(link.text)[0] if link.text else ""
    flag = before if word_count(before) <= _FLAG else ""
    for text in (link.text, flag, *section.heading[-1:]):
        named = countries_in(text)
        if len(named) == 1:
            return named[0]
    return None


def build_register(documents: Iterable[Document], vocabulary: Vocabulary) -> tuple[Resource, ...]:
    """Gather the mentions of all documents by what they mention.

    What is labelled without a link joins the resource of the same name, where
    there is one.

    Returns:
        Resources in the order in which they are first mentioned, pages in
        menus before older ones.
    """
    by_key: dict[str, list[Mention]] = defaultdict(list)
    urls: dict[str, str] = {}
    unlinked: list[Mention] = []
    for document in sorted(documents, key=lambda each: each.older):
        for found in document.mentions:
            mention = replace(found, topic=vocabulary.topic_of(found.topic))
            if mention.address is None:
                unlinked.append(mention)
                continue
            key = address_key(mention.address)
            urls.setdefault(key, mention.address)
            by_key[key].append(mention)
    titles = {key: _title(mentions, urls[key]) for key, mentions in by_key.items()}
    by_title = {letters_digits(title): key for key, title in reversed(titles.items())}
    named: dict[str, list[Mention]] = defaultdict(list)
    for mention in unlinked:
        name = letters_digits(mention.text)
        if name in by_title:
            by_key[by_title[name]].append(mention)
        elif name:
            named[name].append(mention)
    resources = [
        Resource(
            _identifier(urls[key]), titles[key], urls[key], vocabulary.kind_of(urls[key]),
            tuple(mentions),
        )
        for key, mentions in by_key.items()
    ]  # fmt: skip
    resources += [
        Resource(_identifier(name), mentions[0].text, None, "page", tuple(mentions))
        for name, mentions in named.items()
    ]
    return tuple(resources)


def address_key(url: str) -> str:
    """What two ways to write one address share."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    fragment = parts.fragment if parts.fragment.startswith(("/", "!")) else ""
    return f"{host}{unquote(parts.path).rstrip('/')}?{parts.query}#{fragment}".rstrip("#").rstrip(
        "?"
    )


def _identifier(key: str) -> str:
    record = _RECORD.search(key)
    return f"zenodo-{record[1]}" if record else hashlib.sha256(key.encode()).hexdigest()[:12]


def _title(mentions: Sequence[Mention], url: str) -> str:
    """The name under which a resource is best known.

    The words of an entry or a heading name a thing; those inside a sentence
    often only point at it.
    """
    named = [mention for mention in mentions if _names(mention.text)]
    for place in ("heading", "entry"):
        for mention in named:
            if mention.place == place:
                return _clean(mention.text)
    record = _RECORD.search(url)
    if record and all(mention.text[:1].islower() for mention in named):
        return f"Zenodo record {record[1]}"
    if named:
        return _clean(max((mention.text for mention in named), key=len))
    return address_key(url)


def _names(text: str) -> bool:
    words = [] if _WEB.match(text) else re.findall(r"[^\W_]+", text.lower())
    return bool(words) and not set(words) <= _POINTING


def _clean(text: str) -> str:
    return fold(text).strip(" :;,.")
