"""Liquid as Jekyll sites of the ELIXIR Toolkit Theme use it.

python-liquid does the work; here are the two things it does not know: Jekyll's
own way of writing ``include`` and the theme's files, which are not part of a
site's checkout and are drawn as the words a reader sees.
"""

from __future__ import annotations

import html
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from liquid import Environment, Mode
from liquid.ast import Node
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_EXPRESSION, Token
from markdown_it import MarkdownIt

from ingest.boilerplate import says_nothing
from rag.errors import UnreadableDocument

_INLINE = MarkdownIt("commonmark", {"html": False})
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))")

Page = Mapping[str, Any]
Draw = Callable[[dict[str, str], "Site"], str]


class _Bounded(Environment):
    """A page is rendered within bounds: a loop without end is an error of that page."""

    context_depth_limit = 30
    loop_iteration_limit = 100_000
    local_namespace_limit = 1_000_000
    output_stream_limit = 5_000_000

    def error(self, exc: Any, msg: str | None = None, token: Token | None = None) -> None:
        """Pass over what the lax rules allow; a limit that is reached ends the page."""
        if isinstance(exc, ResourceLimitError):
            raise exc
        super().error(exc, msg, token)


class Site:
    """What a template may ask of the site: its data files and its pages."""

    def __init__(self, data: Mapping[str, Any], pages: Iterable[Page], config: Mapping[str, Any]):
        """Hold the site's ``_data``, its pages' front matter and ``_config.yml``."""
        self.data = data
        self.pages = sorted(pages, key=lambda page: str(page["path"]))
        self.config = config
        self._environment = _Bounded(tolerance=Mode.LAX)
        self._environment.add_filter("relative_url", _relative_url)
        self._environment.add_filter("absolute_url", _relative_url)
        self._environment.add_filter("sorted", lambda value: value)
        self._environment.add_filter("markdownify", lambda value: value)
        self._environment.add_filter("jsonify", lambda _: "")
        for tag in (_Include, _Tool, _Nothing, _NoCitation, _NoBibliography):
            self._environment.add_tag(tag)

    def render(self, template: str, page: Page, content: str = "") -> str:
        """Return the template with its Liquid resolved.

        Raises:
            UnreadableDocument: The template breaks even the lax rules.
        """
        if "{%" not in template and "{{" not in template:
            return template
        try:
            return self._environment.from_string(template).render(
                page=page,
                content=content,
                site={**self.config, "data": self.data, "pages": self.pages},
                _site=self,
            )
        except (LiquidError, RecursionError, ValueError, TypeError) as error:
            raise UnreadableDocument(f"Liquid: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _relative_url(value: object) -> str:
    text = str(value)
    if re.match(r"[a-z][a-z0-9+.-]*:|//", text, re.IGNORECASE):
        return text
    return "/" + text.lstrip("/")


class _TextNode(Node):
    """A tag that renders to the text of a function of its attributes."""

    __slots__ = ("draw", "expression")

    def __init__(self, token: Token, expression: str, draw: Callable[[str, RenderContext], str]):
        super().__init__(token)
        self.expression = expression
        self.draw = draw
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(self.draw(self.expression, context))


class _InlineTag(Tag):
    """A tag without an end, whose expression is not Liquid's own grammar."""

    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.current
        expression = ""
        # The parser goes on behind the token that is current when we return.
        if stream.peek.kind == TOKEN_EXPRESSION:
            stream.next()
            expression = stream.current.value
        return _TextNode(token, expression, self.draw)

    @abstractmethod
    def draw(self, expression: str, context: RenderContext) -> str:
        """Return the words a reader sees in the tag's place."""


class _Include(_InlineTag):
    name = "include"

    def draw(self, expression: str, context: RenderContext) -> str:
        file, *more = expression.split(maxsplit=1)
        rest = more[0] if more else ""
        attributes = {
            match[1]: match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(rest)
        }
        drawing = _DRAWINGS.get(file)
        site = context.resolve("_site")
        return drawing(attributes, site) if drawing and isinstance(site, Site) else ""


class _Tool(_InlineTag):
    """The theme's ``{% tool "id" %}``: the tool's name, linked."""

    name = "tool"

    def draw(self, expression: str, context: RenderContext) -> str:
        tool_id = expression.strip().strip("\"'")
        site = context.resolve("_site")
        tools = site.data.get("tool_and_resource_list") if isinstance(site, Site) else None
        for tool in tools if isinstance(tools, list) else ():
            if isinstance(tool, dict) and tool.get("id") == tool_id:
                return f'<a href="{html.escape(str(tool.get("url", "")))}">{tool.get("name")}</a>'
        return tool_id


class _Nothing(_InlineTag):
    name = "octicon"

    def draw(self, expression: str, context: RenderContext) -> str:  # noqa: ARG002
        return ""


class _NoCitation(_Nothing):
    name = "cite"


class _NoBibliography(_Nothing):
    name = "bibliography"


def _callout(attributes: dict[str, str], site: Site) -> str:  # noqa: ARG001
    kind = attributes.get("type", "note").capitalize()
    return f"\n\n**{kind}:** {attributes.get('content', '')}\n\n"


def _figure(attributes: dict[str, str], site: Site) -> str:  # noqa: ARG001
    caption = _INLINE.renderInline(attributes.get("caption", ""))
    words = f"<figcaption>{caption}</figcaption>" if caption else ""
    source, alt = (html.escape(attributes.get(name, "")) for name in ("file", "alt"))
    return f'<figure><img src="{source}" alt="{alt}">{words}</figure>'


def _tiles_of(kind: str, site: Site) -> list[Page]:
    return [
        page
        for page in site.pages
        if page.get("type") == kind and page.get("title") and page.get("search_exclude") is not True
    ]


def _tiles(attributes: dict[str, str], site: Site) -> str:
    """Draw the cards of a hub: title, then description, of every child page."""
    cards = []
    for page in _tiles_of(attributes.get("type", ""), site):
        description = str(page.get("description") or "")
        empty = not description or says_nothing(description)
        words = "" if empty else f": {html.escape(description)}"
        cards.append(
            f'<li class="tile"><a href="{page["url"]}">{html.escape(str(page["title"]))}</a>'
            f"{words}</li>"
        )
    return "\n\n<ul>" + "".join(cards) + "</ul>\n\n" if cards else ""


_DRAWINGS: dict[str, Draw] = {
    "callout.html": _callout,
    "image.html": _figure,
    "section-navigation-tiles.html": _tiles,
    "section-navigation-tiles-simple.html": _tiles,
}
