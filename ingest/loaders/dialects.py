"""Dialects of Markdown, told in plain Markdown: words stay, notations go.

MkDocs, MyST and Jupyter Book, Docusaurus and VitePress, Hugo and GitHub each
have their own boxes, tabs and shortcodes. A box becomes a paragraph that says
its kind ("**Note:** ..."), a folded or tabbed part a paragraph under its name.
"""

from __future__ import annotations

import html
import re
import textwrap
import tomllib
from collections.abc import Sequence

from rag.text import fold

_TOML = re.compile(r"\A\+\+\+[ \t]*\r?\n(.*?)^\+\+\+[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,}|:{3,})(?P<rest>.*)$")
_DIRECTIVE = re.compile(r"^\s*\{(?P<name>[\w:.+-]+)\}\s*(?P<argument>.*)$")
_CONTAINER = re.compile(
    r"^\s*(?P<name>[a-zA-Z][\w-]*)?\s*(?:\[(?P<label>[^\]]*)\])?\s*(?:\{[^}]*\})?\s*(?P<argument>.*)$"
)
_OPTION = re.compile(r"^\s*:[\w-]+:(?:\s.*)?$")
_MKDOCS = re.compile(
    r"^(?P<indent> *)(?P<marks>!!!|\?\?\?\+?|===[!+]?)[ \t]+(?P<kind>[\w -]*?)[ \t]*"
    r"(?:\"(?P<title>[^\"]*)\")?[ \t]*$"
)
_BOXES = frozenset(
    "note tip info warning important caution danger hint attention seealso error example question"
    " abstract summary success failure bug quote details".split()
)
_CODE = frozenset(
    "code code-block code-cell sourcecode parsed-literal literalinclude math eval-rst"
    " prompt".split()
)
_DRAWING = re.compile(r"^\s*\{?(?:mermaid|plantuml|puml|graphviz|dot|d2)\b", re.IGNORECASE)
"""Code that is drawn: a reader sees shapes and the words in them."""
_SHAPE = re.compile(
    r"\"`?([^\"]{1,2000}?)`?\"|\w[\[({]+([^\[\](){}\"\n]+)[\])}]"
    r"|\|([^|\"\n]+)\||^[ \t]*\S.{0,200}?-[-.]{0,3}>>?[^:\n]{0,100}:[ \t]*(.+)$",
    re.MULTILINE,
)
_SILENT = re.compile(
    r"^(?:toctree|tableofcontents|contents|index|meta|raw|bibliography|footbibliography|nav"
    r"|(?:authors?|contributors?|licen[cs]e)(?:_\w+)?)$"
)
# Not in inline code, where a comment is only talked about.
_COMMENT = re.compile(r"(?:[^`<]|`[^`]*`|<(?!!--))*(<!--)")
_ALERT = re.compile(r"^(\s*>\s*)\[!(\w+)\][ \t]*(.*)$", re.MULTILINE)
_SHORTCODE = re.compile(r"\{\{[<%].{0,500}?[%>]\}\}", re.DOTALL)
_MDX_LINE = re.compile(
    r"^(?:import[ \t]+(?:[\w*{][^;'\"\n]{0,300}?from[ \t]+)?['\"][^'\"\n]+['\"];?"
    r"|export[ \t]+const[ \t][^=\n]+=.*"
    r"|export[ \t]+default[ \t]+(?:(?:async|function|class)\b.*|\S+))[ \t]*$",
    re.MULTILINE,
)
_TAB_ITEM = re.compile(
    r"^[ \t]*<TabItem\b[^>]*\blabel=[\"']([^\"']+)[\"'][^>]*>[ \t]*$", re.MULTILINE
)
_COMPONENT = re.compile(
    r"^[ \t]*</?[A-Z][A-Za-z]{1,60}[a-z][\w.]{0,60}(?:\s[^<>\n]*)?/?>[ \t]*$", re.MULTILINE
)
_CONTENTS = re.compile(
    r"^[ \t]*(?:(?:(?:[*-]|1\.)[ \t]+TOC[ \t]*\n)?\{:\s*toc[^}\n]*\}|\[TOC\]|\[\[_TOC_\]\])[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_TARGET = re.compile(r"^\([\w./:-]+\)=[ \t]*$|^\+\+\+(?:[ \t].*)?$|^\^\^\^[ \t]*$", re.MULTILINE)
# PyMdown's blocks ("/// details | Title", options, "///") and its pieces of other files.
_PYMDOWN = re.compile(
    r"^[ \t]*/{3,}[ \t]*(?P<kind>[a-z][\w-]*)?[ \t]*(?:\|[ \t]*(?P<title>[^\n]*?))?[ \t]*$"
    r"(?:\n[ \t]{4}\w+:[^\n]*$)*",
    re.MULTILINE,
)
_SNIPPET = re.compile(r"^[ \t]*-{1,}8<-{1,}[^\n]*$", re.MULTILINE)
_NO_WORDS_ROLE = re.compile(
    r"\{(?:foot)?cite(?::\w+)?\}`[^`\n]*`|\{(?:octicon|fa[srb]?|index)\}`[^`\n]*`"
)
# What stands between backticks, but for those of a role.
_CODE_SPAN = re.compile(
    r"\{[a-zA-Z][\w:+-]*\}`[^`\n]*`|(?<!`)(?P<marks>`+)(?!`)(?P<code>[^\n]{0,500}?[^`\n])(?P=marks)(?!`)"
)
_KEPT = re.compile("\ufdd2([0-9]+)\ufdd2")
_TITLED_ROLE = re.compile(r"\{[a-zA-Z][\w:+-]*\}`([^`<\n]+?)\s*<[^`>\n]*>`")
_ROLE = re.compile(r"\{[a-zA-Z][\w:+-]*\}`([^`\n]+)`")
# A term of the glossary plugin of MkDocs: <group:Term|words>, and where it is explained.
_TERM_LINK = re.compile(r"<[a-z][\w-]*:(?=[^<>|/@\n]*[A-Z ])([^<>|/@\n]+)(?:\|\s*([^<>\n]+))?>")
_TERM = re.compile(r"^[a-z][\w-]*:(?=\S[^\n]*\n:[ \t])", re.MULTILINE)
# Ids of headings are kramdown's too, and dealt with there.
_ATTRIBUTES = re.compile(
    r"(?<=[)\]`*_])\{[ \t]*(?=[.#:]|\w+=)[^{}\n]*\}"
    r"|(?<![ \t])[ \t]+\{[ \t]*\.[\w-]+[^{}\n]*\}[ \t]*$"
    r"|^\{[ \t]*[.#][\w-]+[^{}\n]*\}[ \t]*$",
    re.MULTILINE,
)


def plain_markdown(text: str) -> str:
    """Return the text in the Markdown that every parser knows.

    Code stays as it is. A title that stands only in TOML front matter becomes
    the first heading.
    """
    text = _without_toml(text.replace("\r\n", "\n"))
    return "\n".join(_blocks(text.split("\n"), 0))


def _without_toml(text: str) -> str:
    match = _TOML.match(text)
    if match is None:
        return text
    body = text[match.end() :]
    try:
        title = tomllib.loads(match[1]).get("title")
    except tomllib.TOMLDecodeError:
        title = None
    return f"# {fold(title)}\n\n{body}" if isinstance(title, str) and title.strip() else body


_MAX_NESTING = 20


def _blocks(lines: Sequence[str], depth: int) -> list[str]:
    """Translate line by line; fences, directives and boxes as wholes."""
    if depth > _MAX_NESTING:
        return list(lines)
    done: list[str] = []
    plain: list[str] = []
    position = 0

    def flush() -> None:
        if plain:
            done.extend(_inline("\n".join(plain)).split("\n"))
            plain.clear()

    while position < len(lines):
        line = lines[position]
        fence = _FENCE.match(line)
        box = _MKDOCS.match(line)
        if fence:
            end = _fence_end(lines, position, fence)
            flush()
            done += _fenced(lines[position : end + 1], fence, depth)
            position = end + 1
        elif box and (box["kind"] or box["title"]) and _is_indented(lines, position, box["indent"]):
            end = _indented_end(lines, position, len(box["indent"]))
            flush()
            name = (
                box["title"] if box["title"] is not None else box["kind"].split(" ")[0].capitalize()
            )
            content = _blocks(
                textwrap.dedent("\n".join(lines[position + 1 : end])).split("\n"), depth + 1
            )
            boxed = not box["marks"].startswith("===")
            done += _indent(_named(name, content, inline=boxed), box["indent"])
            position = end
        elif "<!--" in line and _COMMENT.match(line):
            kept, position = _after_comment(lines, position)
            plain.append(kept)
        else:
            plain.append(line)
            position += 1
    flush()
    return done


def _after_comment(lines: Sequence[str], start: int) -> tuple[str, int]:
    """What is said around the comments of a line, and the line to go on with."""
    said, line, number = "", lines[start], start
    while opening := _COMMENT.match(line):
        said += line[: opening.start(1)]
        line = line[opening.end() :]
        while "-->" not in line and number + 1 < len(lines):
            number += 1
            line = lines[number]
        line = line.partition("-->")[2]
    return said + line, number + 1


def _fence_end(lines: Sequence[str], start: int, fence: re.Match[str]) -> int:
    """The line that closes a fence; the last one where none does."""
    marks = fence["marks"]
    closing = re.compile(rf"^\s*{re.escape(marks[0])}{{{len(marks)},}}\s*$")
    opening = re.compile(rf"^\s*{re.escape(marks)}\s*[\w{{\[]") if marks[0] == ":" else None
    depth = 1
    for number in range(start + 1, len(lines)):
        if opening and opening.match(lines[number]):
            depth += 1
        elif closing.match(lines[number]):
            depth -= 1
            if depth == 0:
                return number
    return len(lines) - 1


def _fenced(lines: Sequence[str], fence: re.Match[str], depth: int) -> list[str]:
    """Translate a fence: a directive, a container, or code that stays."""
    directive = _DIRECTIVE.match(fence["rest"])
    colons = fence["marks"][0] == ":"
    if not colons and _DRAWING.match(fence["rest"]):
        return _indent(["", _drawn_words("\n".join(lines[1:-1])), ""], fence["indent"])
    if directive is None and not colons:
        return list(lines)
    closed = len(lines) > 1 and not lines[-1].strip(" `~:")
    inner = textwrap.dedent("\n".join(lines[1 : -1 if closed else None])).split("\n")
    if directive:
        made = _directive(directive["name"], fold(directive["argument"]), inner, depth)
    else:
        made = _container(fence["rest"], inner, depth)
    return _indent(["", *made, ""], fence["indent"])


def _drawn_words(drawing: str) -> str:
    """The words that a drawn piece of code shows, as one line; a picture where it has none."""
    spaced = re.sub(r"<br\s*/?>|\\n", " ", drawing)
    found = _SHAPE.finditer(re.sub(r"</?\w+[^<>]*>", "", spaced))
    words = (fold((match[1] or match[2] or match[3] or match[4]).strip("\"'` ")) for match in found)
    shown = dict.fromkeys(each for each in words if re.search(r"[^\W\d_]{2}", each))
    return html.escape(", ".join(shown)) or "![drawing](#)"


def _directive(name: str, argument: str, lines: list[str], depth: int) -> list[str]:
    content, options = _without_options(lines)
    if _SILENT.match(name):
        return []
    if name in _CODE:
        return ["```", *content, "```"] if any(map(str.strip, content)) else []
    if name == "glossary":
        return _glossary(content)
    if name == "list-table":
        content = _list_table(content)
    inner = _blocks(content, depth + 1)
    if name in ("figure", "image"):
        spoken = any(map(str.strip, inner))
        return (
            inner if spoken else [f"![{options.get('alt', '')}]({argument.split(' ')[0] or '#'})"]
        )
    if name in _BOXES:
        # What stands beside the name of a box belongs to its text.
        return _named(name.capitalize(), [argument, *inner] if argument else inner, inline=True)
    return _named(argument, inner, inline=name == "admonition")


def _container(rest: str, lines: list[str], depth: int) -> list[str]:
    opening = _CONTAINER.match(rest)
    inner = _blocks(lines, depth + 1)
    if opening is None or (opening["name"] or "").lower() not in _BOXES:
        return inner
    title = opening["label"] or opening["argument"] or opening["name"].capitalize()
    return _named(title, inner, inline=True)


def _without_options(lines: list[str]) -> tuple[list[str], dict[str, str]]:
    """Cut off a directive's options: ``:key: value`` lines or a block between ``---``."""
    position = 0
    while position < len(lines) and not lines[position].strip():
        position += 1
    options: list[str] = []
    if position < len(lines) and lines[position].strip() == "---":
        end = next((n for n in range(position + 1, len(lines)) if lines[n].strip() == "---"), None)
        if end is not None:
            options, position = lines[position + 1 : end], end + 1
    while position < len(lines) and _OPTION.match(lines[position]):
        options.append(lines[position].strip()[1:])
        position += 1
    pairs = (each.partition(":") for each in options)
    # Panels are parted by lines, each with options of its own.
    rest = [line for line in lines[position:] if not _OPTION.match(line)]
    return rest, {key.strip(): value.strip() for key, _, value in pairs}


def _glossary(lines: Sequence[str]) -> list[str]:
    """Terms at the margin, what they mean indented below: a definition list with ids."""
    made = ["<dl>"]
    for line in lines:
        words = _inline(line.strip())
        if not words:
            continue
        if line[:1].isspace():
            made.append(f"<dd>{html.escape(words)}</dd>")
        else:
            anchor = "term-" + re.sub(r"[^\w.-]+", "-", words).strip("-")
            made.append(f'<dt id="{html.escape(anchor)}">{html.escape(words)}</dt>')
    return [*made, "</dl>"]


def _list_table(lines: Sequence[str]) -> list[str]:
    """A table written as a list of lists, as rows; as it is where cells hold more than a line."""
    rows: list[list[str]] = []
    for line in lines:
        first = re.match(r"^[*-] [*-] ?(.*)$", line)
        other = re.match(r"^  [*-] ?(.*)$", line)
        if first:
            rows.append([first[1]])
        elif other and rows:
            rows[-1].append(other[1])
        elif line.strip():
            return list(lines)
    width = max(map(len, rows), default=0)
    if not width:
        return []
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    bars = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in filled]
    return [bars[0], "|" + "---|" * width, *bars[1:]]


def _named(name: str, content: Sequence[str], *, inline: bool) -> list[str]:
    """A part under its name; a box's name begins its first paragraph."""
    kept = list(content)
    while kept and not kept[0].strip():
        kept.pop(0)
    if kept and len(kept[0]) - len(kept[0].lstrip()) < 4:
        kept[0] = kept[0].strip()
    if not name:
        return ["", *kept, ""]
    bold = (
        name if name.startswith("**") else f"**{name.rstrip(':')}:**" if inline else f"**{name}**"
    )
    if inline and kept and re.match(r"[^\s#>|<`~:*+-]|\*\*|[*_`]\w|\[", kept[0]):
        kept[0] = f"{bold} {kept[0]}"
        return ["", *kept, ""]
    return ["", bold, "", *kept, ""]


def _is_indented(lines: Sequence[str], start: int, indent: str) -> bool:
    near = lines[start + 1 : start + 5]
    following = next((line for line in near if line.strip()), "")
    return following.startswith((indent + "    ", indent + "\t"))


def _indented_end(lines: Sequence[str], start: int, indent: int) -> int:
    """The first line after an indented part."""
    for number in range(start + 1, len(lines)):
        line = lines[number].expandtabs(4)
        if line.strip() and len(line) - len(line.lstrip()) < indent + 2:
            return number
    return len(lines)


def _indent(lines: Sequence[str], indent: str) -> list[str]:
    return [f"{indent}{line}" if line.strip() else line for line in lines]


def _inline(text: str) -> str:
    """Take notations out of lines, but not out of code within them."""
    code: list[str] = []

    def keep(span: re.Match[str]) -> str:
        if span["marks"] is None:
            return span[0]
        code.append(span["code"])
        # A noncharacter of Unicode, which no text may hold, around the number of the span.
        return f"{span['marks']}\ufdd2{len(code) - 1}\ufdd2{span['marks']}"

    text = _CODE_SPAN.sub(keep, text.replace("\ufdd2", ""))
    text = _PYMDOWN.sub(_pymdown_name, text)
    notations = (_SHORTCODE, _SNIPPET, _CONTENTS, _MDX_LINE, _NO_WORDS_ROLE, _TARGET, _ATTRIBUTES)
    for pattern in notations:
        text = pattern.sub("", text)
    text = _TAB_ITEM.sub(r"\n**\1**\n", text)
    text = _COMPONENT.sub("", text)
    text = _ALERT.sub(lambda match: f"{match[1]}**{match[2].capitalize()}:** {match[3]}", text)
    text = _TERM.sub("", _TERM_LINK.sub(lambda match: match[2] or match[1], text))
    text = _TITLED_ROLE.sub(r"\1", text)
    return _KEPT.sub(lambda kept: code[int(kept[1])], _ROLE.sub(r"\1", text))


def _pymdown_name(block: re.Match[str]) -> str:
    """The name of a block of PyMdown; nothing where it ends."""
    name = block["title"] or (block["kind"] or "").capitalize()
    return f"\n**{name}**\n" if name else ""
