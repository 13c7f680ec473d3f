"""A run of inline content: its text, its links, its labels, its flags.

Whatever markup stands around words, they come out here as one line that reads
by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from bs4 import Tag
from bs4.element import NavigableString, PageElement

from ingest.boilerplate import without_placeholders
from ingest.models import Link
from rag.countries import countries_in, country_code, country_name
from rag.models import LABELS
from rag.text import fold

BLOCKS = frozenset(
    "address article aside blockquote body caption center details dd div dl dt figcaption figure"
    " header hr html li main ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
"""Elements that begin and end a line."""

_FLAG_CLASS = re.compile(r"^(?:flag-icon|flag|fi)-([a-z]{2})$")
_EMOJI_FLAG = re.compile("([\U0001f1e6-\U0001f1ff])([\U0001f1e6-\U0001f1ff])")
_FIRST_EMOJI_LETTER = 0x1F1E6
# Two noncharacters of Unicode, which no text may hold, around the code of a country.
_FLAG = re.compile("\ufdd0([A-Z]{2})\ufdd1")
_FLAGS_FIRST = re.compile("^(?:\\s*\ufdd0[A-Z]{2}\ufdd1)+\\s*")
# A link whose brackets went wrong, so that Markdown shows them.
_BROKEN_LINK = re.compile(
    r"\[(?P<text>[^\[\]\n]{1,200})(?:\]\]|\[|\](?=\(\s*[\[(]))"
    r"\(\s*[\[(]?(?P<address>https?://[^\s()\[\]]*)[\])]?\)"
)
# The name of an emoji, where no plugin drew it.
_EMOJI_NAME = re.compile(r"(?<![\w:/.]):[a-z][a-z_]{2,}:(?![\w:/])")
_IN_CODE = "\ufdd3"
"""A noncharacter of Unicode behind each dot in code, which ends no sentence."""
# Where a word may be cut, and a mark of byte order: they part no words, and are not seen.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_FUSED = re.compile(r"(?<![\w.])([a-z]{3,}[.!?])(?=(?:[A-Z][a-z]+|[A-Z]{2,}) [a-z]{2,})")


def label_of(element: Tag) -> str | None:
    """Return the importance label that a badge of the theme carries."""
    if element.name != "span" or "badge" not in element.get_attribute_list("class"):
        return None
    words = fold(element.get_text()).lower()
    return words if words in LABELS else None


def flag_of(element: Tag) -> str | None:
    """Return the country whose flag an element without words draws by its class."""
    if element.name not in ("span", "i"):
        return None
    classes = [str(each) for each in element.get_attribute_list("class") if each]
    codes = [match[1] for each in classes if (match := _FLAG_CLASS.match(each))]
    return _country(codes[0]) if codes and not element.get_text().strip() else None


def _country(code: str) -> str | None:
    """A code as ISO writes it, None where no country has it."""
    known = country_code(code) or code.upper()
    return known if country_name(known, "en") != known else None


class Inline:
    """A run of inline content, read once."""

    def __init__(self, elements: Iterable[PageElement]):
        self._words: list[str] = []
        self._plain: list[str] = []
        self._links: list[Link] = []
        self._labels: list[str] = []
        self._in_link = False
        self._line = 0
        self.begins_with_link = False
        for element in elements:
            self._read(element)
        self.text = one_line("".join(self._words))
        self.plain = one_line("".join(self._plain)).strip(" :,")
        """The text without its labels."""
        broken = _BROKEN_LINK.finditer("".join(self._words))
        self.links = (
            *self._links,
            *(Link(one_line(match["text"]), match["address"]) for match in broken),
        )

    @property
    def only_label(self) -> str | None:
        """The label, where all labels of the run are one."""
        return self._labels[0] if len(set(self._labels)) == 1 else None

    def _read(self, element: PageElement) -> None:
        if isinstance(element, NavigableString):
            # Only a <br> ends a line; a line end of the source is a space, and yet begins
            # what a label at its end belongs to.
            lines = str(element).split("\n")
            for number, line in enumerate(lines):
                if number:
                    self._say(" ")
                    self._line = len(self._plain)
                self._say(" ".join(re.split(r"\s+", line)))
        elif isinstance(element, Tag):
            self._read_tag(element)

    def _read_tag(self, element: Tag) -> None:
        label = label_of(element)
        country = flag_of(element)
        if label:
            self._labels.append(label)
            self._words.append(f" {fold(element.get_text())} ")
            if not self._in_link:
                self._give(label)
        elif country:
            self._say(f" \ufdd0{country}\ufdd1 ")
        elif element.name == "br":
            self._say("\n")
            self._line = len(self._plain)
        elif element.name in ("code", "kbd", "samp"):
            self._say(fold(element.get_text()).replace(".", f".{_IN_CODE}"))
        elif element.name == "a" and element.get("href"):
            self._link(element)
        else:
            around = " " if element.name in BLOCKS else ""
            self._say(around)
            for child in element.children:
                self._read(child)
            self._say(around)

    def _give(self, label: str) -> None:
        """Give a label to the link before it, else to the words before it on its line."""
        if self._links and self._links[-1].label is None:
            self._links[-1] = replace(self._links[-1], label=label)
        elif not self._links:
            words = one_line("".join(self._plain[self._line :])).strip(" :,")
            if words:
                self._links.append(Link(words, "", label))

    def _say(self, words: str) -> None:
        self._words.append(words)
        self._plain.append(words)

    def _link(self, element: Tag) -> None:
        begins = not fold(_FLAG.sub("", "".join(self._words)))
        first_word, first_label = len(self._plain), len(self._labels)
        outer, self._in_link = self._in_link, True
        for child in element.children:
            self._read(child)
        self._in_link = outer
        shown = "".join(self._plain[first_word:])
        text = one_line(shown)
        if not text and shown.strip():
            return  # a template's placeholder, which nobody replaced
        if text or element.has_attr("data-wordless"):
            self.begins_with_link = self.begins_with_link or begins
            inside = self._labels[first_label:]
            label = inside[0] if len(set(inside)) == 1 else None
            self._links.append(Link(text, _address(str(element["href"])), label))


def _address(written: str) -> str:
    """A link's address without brackets that are none of it."""
    address = written.strip()
    if address.startswith("%5B") and address.endswith("%5D"):  # as Markdown writes them
        address = address.removeprefix("%5B").removesuffix("%5D")
    while len(address) > 1 and address[0] + address[-1] in ("[]", "()", "<>"):
        address = address[1:-1].strip()
    return address


def one_line(text: str) -> str:
    """Fold white space, name flags, and mend what runs together or shows its brackets."""
    text = text.translate(_UNSEEN)
    named = "\n".join(_name_flags(line) for line in text.split("\n"))
    # Where a label stood before a comma, a space is left.
    line = fold(_EMOJI_NAME.sub(" ", named)).replace(" ,", ",")
    if "](" in line or "[(" in line:
        line = _BROKEN_LINK.sub(lambda match: match["text"], line)
    return _FUSED.sub(r"\1 ", without_placeholders(line)).replace(_IN_CODE, "")


def _name_flags(line: str) -> str:
    """Write flags as names: before the line they lead, else in parentheses.

    A line that names the country, or speaks of its people, needs no flag.
    """
    line = _EMOJI_FLAG.sub(_mark_emoji, line)
    if "\ufdd0" not in line:
        return line
    words = _FLAG.sub(" ", line)
    said = countries_in(words)

    def name(code: str) -> str:
        given = country_name(code, "en")
        return "" if code in said or given.lower() in words.lower() else given

    leading = _FLAGS_FIRST.match(line)
    names = [name(code) for code in dict.fromkeys(_FLAG.findall(leading[0]))] if leading else []
    rest = line[leading.end() :] if leading else line
    rest = _FLAG.sub(lambda match: f" ({name(match[1])}) " if name(match[1]) else " ", rest)
    first = ", ".join(each for each in names if each)
    return f"{first}: {rest}" if first and rest.strip() else first or rest


def _mark_emoji(match: re.Match[str]) -> str:
    letters = (chr(ord(each) - _FIRST_EMOJI_LETTER + ord("A")) for each in match.groups())
    country = _country("".join(letters))
    return f" \ufdd0{country}\ufdd1 " if country else ""
