"""What stands around the content of a web page: menus, banners, boxes of the theme.

Told by what sites have in common: elements and roles of HTML, class names of
the well-known themes, links that lead nowhere but up and down the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bs4 import BeautifulSoup, Comment, Tag

from rag.text import fold, letters_digits, word_count

HEADING = re.compile(r"^h[1-6]$")
# Where well-known themes put the content; an element or a role comes first.
_CONTAINERS = (
    "main", '[role="main"]', "article", ".markdown-body", ".theme-doc-markdown", ".md-content",
    ".rst-content", ".bd-content", ".entry-content", ".post-content", ".page-content",
    "#mw-content-text", "#main-content", "#content", ".content",
)  # fmt: skip
_INVISIBLE = (
    "script", "style", "noscript", "template", "object", "embed", "audio", "video", "nav",
    "footer", "form", "button", "input", "select", "textarea", "canvas", "head", "dialog",
)  # fmt: skip
_ROLES = frozenset(
    "navigation search contentinfo dialog alertdialog menu menubar tablist doc-noteref"
    " doc-backlink".split()
)
_SURROUNDING_ROLES = frozenset({"banner", "complementary"})
_FRAME = re.compile(
    r"^(?:(?:[\w-]+-)?breadcrumbs?(?:-[\w-]+)?|skip-?(?:link|nav|to-content)|back-?to-?top"
    r"|(?:visually-hidden|sr-only)-focusable"
    r"|cookies?-(?:popup|banner|bar|notice|consent|modal|overlay)|cc-(?:window|banner)"
    r"|(?:page|bd|md|side|mobile|doc|article)[-_]toc|toc|toc[-_](?:wrapper|container|sidebar|list|box)"
    r"|table-of-contents(?:[-_][\w-]+)?|theme-doc-toc-(?:desktop|mobile)"
    r"|edit-?(?:me|link|page|this-page)|edit-page-link|github-buttons(?:-wrapper)?|editsection"
    r"|mw-editsection|md-source-file|theme-doc-footer|theme-edit-this-page|last-updated"
    r"|(?:page|article|post)-contributors|contributor-(?:minitiles|cards|tiles)"
    r"|pagination(?:-[\w-]+)?|pagination-nav|pager|prev-?next(?:-[\w-]+)?|(?:page|post)-navigation"
    r"|rst-footer-buttons|search-(?:box|form|input|results)|searchbox|input-group"
    r"|mermaid|share-buttons|social-(?:share|links)|sharedaddy|addtoany_share_save_container"
    r"|headerlink|header-anchor|anchor-link|hash-link|anchorjs-link|heading-anchor|linenos|lineno"
    r"|footnote-(?:ref|reference|backref)|reversefootnote|copybtn|wy-nav-side|sphinxsidebar|site-(?:header|footer)|navbar)$",
    re.IGNORECASE,
)
_SURROUNDING = re.compile(
    r"^(?:header|page-header|sidebar|side-?nav|menu|main-menu|top-?nav|footer|page-footer|copyright)$",
    re.IGNORECASE,
)
_CONTENTS = re.compile(
    r"^(?:(?:on|in) this page|(?:table of )?contents|jump to|in this (?:article|section|document)"
    r"|auf dieser seite|inhalt(?:sverzeichnis)?|sommaire|sur cette page|en esta página|índice)"
    r"\W*$",
    re.IGNORECASE,
)
_NOT_DISPLAYED = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE
)
_WORDED = frozenset("section dt dd tr td th".split())
"""Elements whose id is made of the words in them, or of the term that they explain."""
_MOSTLY = 0.95
"""Share of the words outside links from which on an element holds the content."""
_LINKED = 0.85
"""Share of a list's letters that stand in links, from which on it may be a table of contents."""
_TRIED = 20
_LEVELS = 30
"""Containers looked at, and levels gone down; pages of people have fewer."""
_FEW_WORDS = 40
"""Pages with fewer words are too short to tell content from what is around it."""
_PERMALINK = frozenset({"", "#", "¶", "§", "🔗", "link", "permalink"})


def main_part(soup: BeautifulSoup) -> Tag:
    """Return the part of a rendered page that holds its content."""
    body = soup.body or soup
    for selector in _CONTAINERS:
        found = [each for each in body.select(selector, limit=_TRIED) if each.get_text(strip=True)]
        if not found:
            continue
        best = max(found, key=_own_words)
        if selector in ("main", '[role="main"]') or 2 * _own_words(best) > _own_words(body):
            return _article_within(best)
    _drop_surroundings(body)
    return _densest(body)


def _article_within(part: Tag) -> Tag:
    """The one article of a main part, where it is the page and not one of several teasers."""
    articles = part.find_all("article")
    title = part.find("h1")
    if len(articles) != 1 or title is None or articles[0] not in title.parents:
        return part
    return articles[0] if _own_words(articles[0]) >= 0.5 * _own_words(part) else part


def _own_words(element: Tag) -> int:
    """Words outside links and outside what is no content."""
    count = 0
    for text in element.find_all(string=True):
        if isinstance(text, Comment) or not text.strip():
            continue
        above = _up_to(text.parent, element)
        if any(
            each.name in _INVISIBLE or (each.name == "a" and each.get("href")) for each in above
        ):
            continue
        count += word_count(text)
    return count


def _up_to(start: Tag | None, end: Tag) -> Iterator[Tag]:
    while start is not None and start is not end:
        yield start
        start = start.parent


def _drop_surroundings(body: Tag) -> None:
    """Leave out what a page without a main part has around it."""
    titled = _around_titles(body)
    for element in outermost(body, lambda tag: id(tag) not in titled and _surrounds(tag)):
        element.decompose()


def _surrounds(element: Tag) -> bool:
    if element.name in ("header", "aside") or set(_tokens(element, "role")) & _SURROUNDING_ROLES:
        return True
    return any(_SURROUNDING.match(token) for token in _names(element))


def outermost(root: Tag, wanted: Callable[[Tag], bool]) -> list[Tag]:
    """The elements below a root that are wanted and stand in no other that is, in order."""
    found: list[Tag] = []
    waiting = [*reversed(root.find_all(True, recursive=False))]
    while waiting:
        element = waiting.pop()
        if wanted(element):
            found.append(element)
        else:
            waiting += reversed(element.find_all(True, recursive=False))
    return found


def _around_titles(root: Tag) -> set[int]:
    """The elements around a first-level heading: the page itself, whatever they are called."""
    titles = root.find_all("h1", limit=_TRIED)
    return {id(each) for title in titles for each in (title, *title.parents)}


def _densest(body: Tag) -> Tag:
    """The smallest element with the title and nearly all words outside links."""
    total = _own_words(body)
    if total < _FEW_WORDS:
        return body
    title = body.find("h1")
    part = body
    for _ in range(_LEVELS):
        for child in part.find_all(True, recursive=False):
            holds_title = title is None or title is child or child in title.parents
            if child.name not in ("div", "section", "center"):
                continue
            if holds_title and _own_words(child) >= _MOSTLY * total:
                part = child
                break
        else:
            break
    return part


def drop_frame(root: Tag) -> None:
    """Leave out of a content part what is hidden, works something or leads around."""
    titled = _around_titles(root)
    for element in outermost(root, lambda tag: id(tag) not in titled and _is_frame(tag)):
        element.decompose()
    for link in outermost(root, _is_permalink):
        link.decompose()
    headings = {letters_digits(each.get_text()) for each in root.find_all(HEADING)}
    for contents in outermost(root, lambda tag: tag.name in ("ul", "ol")):
        if _lists_headings(contents, headings):
            _drop_contents(contents)


def _is_frame(element: Tag) -> bool:
    if element.name == "button" and _is_heading(element):
        return False
    if element.name in _INVISIBLE or set(_tokens(element, "role")) & _ROLES:
        return True
    return _is_hidden(element) or any(_FRAME.match(token) for token in _names(element))


def _is_heading(button: Tag) -> bool:
    """Whether a button is all that a heading says, as those are that unfold a part of a page."""
    heading = button.find_parent(HEADING)
    return heading is not None and fold(heading.get_text()) == fold(button.get_text())


def _is_hidden(element: Tag) -> bool:
    """Whether a reader never sees an element; a tab panel is seen on a click."""
    if "tabpanel" in _tokens(element, "role") or element.get("hidden") == "until-found":
        return False
    classes = set(_tokens(element, "class"))
    if "d-none" in classes and not any(each.startswith("d-") for each in classes - {"d-none"}):
        return True
    return (
        element.has_attr("hidden")
        or element.get("aria-hidden") == "true"
        or bool(_NOT_DISPLAYED.search(str(element.get("style") or "")))
    )


def _names(element: Tag) -> tuple[str, ...]:
    """The classes and the id of an element; that of a heading, section or term is its words."""
    classes = _tokens(element, "class")
    if HEADING.match(element.name):
        return ()
    if element.name in _WORDED or "section" in classes:
        return classes
    return (*classes, *_tokens(element, "id"))


def _tokens(element: Tag, attribute: str) -> tuple[str, ...]:
    return tuple(
        token
        for value in element.get_attribute_list(attribute)
        if value
        for token in str(value).split()
    )


def _is_permalink(link: Tag) -> bool:
    """Whether a link is the sign beside a heading that leads to the heading."""
    if link.name != "a" or not str(link.get("href") or "").startswith("#") or link.find("img"):
        return False
    beside = link.find_parent(HEADING) or link.find_parent("dt")
    return beside is not None and fold(link.get_text()).lower() in _PERMALINK


def _lists_headings(contents: Tag, headings: set[str]) -> bool:
    """Whether a list is a table of contents: links to headings of this page, hardly a word else."""
    links = contents.find_all("a", href=True)
    if len(links) < 2 or any(not str(link["href"]).startswith("#") for link in links):
        return False
    names = [letters_digits(link.get_text()) for link in links]
    if sum(map(len, names)) < _LINKED * len(letters_digits(contents.get_text())):
        return False
    return 2 * sum(name in headings for name in names) > len(names)


def _drop_contents(contents: Tag) -> None:
    before = contents.find_previous_sibling()
    contents.decompose()
    if isinstance(before, Tag) and _CONTENTS.match(fold(before.get_text())):
        before.decompose()


def without_site(title: str) -> str:
    """A page's ``<title>`` without the name of its site behind it."""
    pieces = re.split(r"\s+(?:[|·»–—]|::)\s+", fold(title))
    return " – ".join(pieces[:-1]) or pieces[0]
