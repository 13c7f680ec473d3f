"""Whether the knowledge articles still say what their sources say, and say it in our words.

Everything is told by machine: that the pinned sentence is on its page, that a
statement claims no figure, name, date or label that its evidence does not
hold, that no sentence was copied, and that links lead somewhere.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingest.evidence import Library, Pinned
from ingest.loaders.articles import ArticleFile, read_articles
from ingest.models import Document
from ingest.overlaps import plain_address
from rag.language import LANGUAGES, detect_language
from rag.models import LABELS, Article, ArticleStatement, Evidence, Resource
from rag.text import letters_digits

COMMON_RUN = 12
"""Words in a row that an article may share with a source; more was copied."""
FEWEST_ASKS = 6
"""Ways people ask, below which an article is hardly found."""

FindingKind = Literal[
    "stale", "unsupported", "copied", "asked twice", "few asks", "dead link", "wrong label",
    "unknown article", "translation", "draft", "unreadable",
]  # fmt: skip

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_TOKEN = re.compile(r"(?:[^\s()\[\]\"“”„«»,;:!?/]|(?<=\d),(?=\d))+[:!?]?")
_SENTENCE_END = re.compile(r"[.!?:]$")
_SHORT = 3
"""Names of so few letters stand inside many words, and are looked for as whole ones."""
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_POSSESSIVE = re.compile(r"['’]s$|['’]$")


@dataclass(frozen=True)
class Finding:
    """Something about an article that a person has to look at."""

    path: str
    """Of the article's file, below the folder of articles."""
    kind: FindingKind
    said: str
    """One line."""


@dataclass(frozen=True)
class Shelf:
    """All articles as they were read, and what was wrong with their files."""

    articles: tuple[Article, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Coverage:
    """What the sources hold and the articles rest on."""

    articles: int
    asks: int
    asks_by_language: dict[str, int]
    kinds: dict[str, int]
    statements: int
    evidence: int
    held: int
    """Pins found on their page; the rest is stale, or its page is not at hand."""
    unread: int
    """Pins whose page is not at hand."""
    translations: dict[str, int]
    """Articles in each other language."""
    pages_without: tuple[str, ...]
    """Paths of documents with text that no article rests on."""
    resources_without: tuple[str, ...]
    """Titles of labelled resources that no article names."""


def read_shelf(*folders: Path) -> Shelf:
    """Read every article and translation of some folders, drafts included."""
    articles: list[Article] = []
    findings: list[Finding] = []
    for each in read_articles(*folders):
        if each.taken_by:
            findings.append(Finding(each.path, "unreadable", f"its id is taken by {each.taken_by}"))
        if each.article is None:
            findings.append(Finding(each.path, "unreadable", str(each.problem)))
        elif each.draft:
            findings.append(Finding(each.path, "draft", "still being written, and not indexed"))
        else:
            articles.append(each.article)
            findings += _translations(each, each.article)
    for folder in folders:
        findings += _out_of_place(folder)
    return Shelf(tuple(articles), tuple(findings))


def _out_of_place(folder: Path) -> Iterator[Finding]:
    """Files that are neither an article nor its translation."""
    for file in sorted(folder.rglob("*")):
        stem, _, language = file.stem.rpartition(".")
        if not file.is_file() or (file.suffix == ".md" and not stem):
            continue
        path = file.relative_to(folder).as_posix()
        if file.suffix != ".md" or language not in LANGUAGES:
            yield Finding(path, "unreadable", "neither <id>.md nor <id>.<language>.md")
        elif not file.with_name(f"{stem}.md").is_file():
            yield Finding(path, "translation", f"there is no {stem}.md beside it")


def check(shelf: Shelf, documents: Sequence[Document]) -> list[Finding]:
    """Check articles against the documents at hand.

    Evidence whose page is not at hand cannot be judged, and yields nothing.

    Args:
        shelf: What was read.
        documents: Read from the sources, or as the index holds them; may be none.

    Returns:
        What is wrong, in the order of the articles; empty where all is well.
    """
    return [*shelf.findings, *_checked(shelf.articles, shelf.articles, documents)]


def check_one(
    article: Article, others: Iterable[Article], documents: Sequence[Document]
) -> list[Finding]:
    """Check an article as `check` does, beside others that are not looked at again.

    Args:
        article: What somebody wishes to add.
        others: The articles that it would stand among.
        documents: As the index holds them.
    """
    return _checked([article], [article, *others], documents)


def _checked(
    articles: Sequence[Article], every: Sequence[Article], documents: Sequence[Document]
) -> list[Finding]:
    library = Library(documents)
    copied = _copied(articles, documents)
    known = {article.article_id for article in every}
    owners = _askers(every)
    findings = []
    for article in articles:
        said = [
            *_asks(article, owners),
            *_seen(article, known),
            *(found for each in article.statements for found in _statement(each, library)),
            *copied.get(article.path, ()),
        ]
        findings += [Finding(article.path, kind, line) for kind, line in dict.fromkeys(said)]
    return findings


def coverage(
    shelf: Shelf, documents: Sequence[Document], resources: Iterable[Resource]
) -> Coverage:
    """Say what articles there are, and what of the sources none of them rests on.

    Args:
        shelf: What was read.
        documents: The documents at hand.
        resources: What the documents link or label.
    """
    library = Library(documents)
    evidence = [
        each for article in shelf.articles for said in article.statements for each in said.evidence
    ]
    places = [library.place_of(each) for each in evidence]
    rested = set(places)
    pinned = [
        letters_digits(library.pins(place)[each.pin].text)
        for each, place in zip(evidence, places, strict=True)
        if place is not None and each.pin in library.pins(place)
    ]
    said = [letters_digits(each.text) for one in shelf.articles for each in one.statements]
    told = " ".join([*said, *pinned])
    return Coverage(
        articles=len(shelf.articles),
        asks=sum(len(article.asks) for article in shelf.articles),
        asks_by_language=dict(
            Counter(ask.language for each in shelf.articles for ask in each.asks).most_common()
        ),
        kinds=dict(Counter(article.kind for article in shelf.articles).most_common()),
        statements=sum(len(article.statements) for article in shelf.articles),
        evidence=len(evidence),
        held=len(pinned),
        unread=places.count(None),
        translations=dict(
            Counter(
                each.language for article in shelf.articles for each in article.translations
            ).most_common()
        ),
        pages_without=tuple(
            document.path
            for place, document in library.documents.items()
            if document.sections and not document.placeholder and place not in rested
        ),
        resources_without=tuple(
            each.title
            for each in resources
            if each.labels and letters_digits(each.title) not in told
        ),
    )


def _translations(file: ArticleFile, article: Article) -> Iterator[Finding]:
    """What is wrong with the translations of an article."""
    for each in file.translations:
        if each.read is None:
            line = each.problem or f"the article has changed since; it is now {file.pin}"
            yield Finding(each.path, "translation", line)
            continue
        read = each.read
        spoken = detect_language(" ".join(read.statements))
        if spoken != read.language:
            yield Finding(each.path, "translation", f"it reads as {spoken!r}")
        for original, told in zip(article.statements, read.statements, strict=True):
            wanted, given = _kept(original.text), _kept(told)
            if wanted != given:
                differing = ", ".join(sorted((wanted - given) | (given - wanted)))
                line = f"it differs in {differing}: {told[:60]!r}"
                yield Finding(each.path, "translation", line)


def _kept(text: str) -> Counter[str]:
    """What every translation has as it is: mail addresses and figures."""
    addresses = re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text)
    # 2,500 is 2 500 elsewhere, and 1.5 is 1,5.
    plain = re.sub(r"(?<=\d)[.,\s\u00a0\u202f](?=\d)", "", text)
    return Counter([*addresses, *re.findall(r"\d+", plain)])


_Said = tuple[FindingKind, str]


def _askers(articles: Iterable[Article]) -> dict[str, list[str]]:
    """Each way people ask, by its letters, with the articles that list it."""
    owners: dict[str, list[str]] = {}
    for article in articles:
        for ask in article.asks:
            owners.setdefault(letters_digits(ask.text), []).append(article.article_id)
    return owners


def _asks(article: Article, owners: dict[str, list[str]]) -> Iterator[_Said]:
    if len(article.asks) < FEWEST_ASKS:
        yield "few asks", f"{len(article.asks)} ways of asking, {FEWEST_ASKS} are wanted"
    for ask in article.asks:
        listed = owners[letters_digits(ask.text)]
        if len(listed) > 1:
            others = [owner for owner in listed if owner != article.article_id]
            where = f"also in {others[0]}" if others else "twice here"
            yield "asked twice", f"{ask.text!r} stands {where}"


def _seen(article: Article, known: set[str]) -> Iterator[_Said]:
    for each in article.see_also:
        if each not in known or each == article.article_id:
            yield "unknown article", f"see_also names {each!r}"


def _statement(statement: ArticleStatement, library: Library) -> Iterator[_Said]:
    """What is wrong with one statement and its evidence."""
    pinned: list[tuple[Document, Pinned]] = []
    for evidence in statement.evidence:
        place = library.place_of(evidence)
        if place is None:
            if library.has_lost(evidence):
                yield "stale", f"its page is gone, {evidence.path}: {statement.text[:80]!r}"
            continue
        document = library.documents[place]
        found = library.pins(place).get(evidence.pin)
        if found is None:
            where = " > ".join((evidence.title, *evidence.section))
            yield "stale", f"its sentence is no longer on {where}: {statement.text[:80]!r}"
            continue
        pinned.append((document, found))
        if not _resolves(evidence, document):
            yield "dead link", f"{evidence.url} leads nowhere on the page"
        if evidence.label != found.label:
            given, said = evidence.label or "no label", found.label or "no label"
            yield "wrong label", f"evidence {evidence.pin} gives {given}, the source {said}"
    # With some of it out of sight nothing can be said about the whole.
    if len(pinned) == len(statement.evidence):
        for claim in _unsupported(statement.text, statement.evidence[0].source, pinned):
            yield "unsupported", f"{claim!r} is not in the evidence of {statement.text[:60]!r}"


def _resolves(evidence: Evidence, document: Document) -> bool:
    """Whether the address of some evidence leads to a place of its document."""
    if evidence.url is None:
        return True
    address, _, fragment = evidence.url.partition("#")
    known = [each for each in (document.url, *document.aliases) if each]
    if known and plain_address(address) not in map(plain_address, known):
        return False
    if not fragment:
        return True
    if fragment.startswith("page="):
        return any(f"page={section.page}" == fragment for section in document.sections)
    return any(section.anchor == fragment for section in document.sections)


def _unsupported(
    text: str, source: str, pinned: Sequence[tuple[Document, Pinned]]
) -> Iterator[str]:
    """Figures, names and labels of a statement that its evidence does not hold."""
    # The name of the source is one that everything in it may be called by.
    shown = [source]
    for document, each in pinned:
        heading = each.section.heading if each.section else ()
        label = each.label or ""
        shown += [each.text, document.title, *heading, label]
    evidence = " \n ".join(shown)
    figures = {figure.rstrip(".,") for figure in _DIGITS.findall(evidence)}
    letters = letters_digits(evidence)
    words = {letters_digits(word).removesuffix("s") for word in _TOKEN.findall(evidence)}
    words |= {letters_digits(word) for word in _TOKEN.findall(evidence)}
    for claim in claims(text):
        if _DIGITS.fullmatch(claim):
            if claim not in figures:
                yield claim
        elif letters_digits(claim) not in (words if len(claim) <= _SHORT else letters):
            yield claim


def claims(text: str) -> list[str]:
    """Figures, names and labels that a statement gives, each once.

    A name is a word with a capital letter that does not begin a sentence, or
    one of several capitals wherever it stands; dates are figures and names of
    months; mail addresses are names.
    """
    found: list[str] = []
    begins = True
    for token in _TOKEN.findall(text):
        word = _POSSESSIVE.sub("", token.strip(".…'’‘-–—"))
        capitals = sum(letter.isupper() for letter in word)
        # A label that begins a sentence is as much of a claim.
        named = "@" in word or (capitals and (not begins or word.lower() in LABELS))
        if _DIGITS.fullmatch(word) or capitals > 1 or named:
            found.append(word)
        else:
            found += _DIGITS.findall(word)
        begins = bool(_SENTENCE_END.search(token))
    return list(dict.fromkeys(found))


def _copied(articles: Iterable[Article], documents: Iterable[Document]) -> dict[str, list[_Said]]:
    """For each article the first run of words that it shares with a source, a text."""
    length = COMMON_RUN + 1
    # The articles are few and the sources may be many: those are read past these.
    own: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for article in articles:
        texts = (article.title, *(statement.text for statement in article.statements))
        for number, text in enumerate(texts):
            for run in _runs(text, length):
                own.setdefault(run, []).append((article.path, number))
    found: dict[tuple[str, int], str] = {}
    for document in documents:
        for section in document.sections:
            # A paragraph that is copied whole runs on over its sentences.
            for run in _runs(section.text, length):
                for place in own.get(run, ()):
                    found.setdefault(place, " ".join(run[:6]))
    told: dict[str, list[_Said]] = {}
    for (path, _), begins in sorted(found.items()):
        line = f"{length} words as the source has them: {begins!r}..."
        told.setdefault(path, []).append(("copied", line))
    return told


def _runs(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = _words(text)
    return (tuple(words[at : at + length]) for at in range(len(words) - length + 1))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
