"""What somebody may have planted in a document: orders to a machine, addresses, unseen letters.

Whoever writes a document writes what is quoted from it. A sentence that tells
an assistant what to say is no answer to a person, and an address leads readers
where no source of the helpdesk stands. Tried by ``python -m eval.poison``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from rag.text import letters_digits

OMITTED = "…"
"""Stands where an address was."""

_ADDRESS = re.compile(
    r"\b(?:javascript|vbscript|data):(?=\S)\S+"
    r"|\b[a-z][a-z0-9+.-]*://[^\s<>\"']+|(?<![\w:/])//[\w-]+\.[^\s<>\"']+"
    r"|\b(?:mailto|tel):[^\s<>\"']+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\bwww\.[^\s<>\"']+"
    r"|(?<![\w@.])(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?/[^\s<>\"']*"
    r"|(?<![\w@.])(?:[\w-]{2,}\.)+(?:com|org|net|eu|int|info|biz|io|app|dev|online|site|xyz|top"
    r"|shop|club|link|click|example|test|invalid)\b",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)]}»”’"

# How other machines mark who speaks, and the fences of prompts.
_MARKS = re.compile(
    r"<\||\|>|\[/?INST\]|<</?SYS>>|#{2,}\s*(?:system|instructions?|response|assistant)\b"
    r"|^\W*(?:system|assistant|developer)(?: (?:message|prompt|override))?\s*[:>]"
    r"|\bsystem (?:override|message)\b|\b(?:begin|end) (?:of )?(?:system|prompt|instructions?)\b"
    r"|</?(?:passages?|system|question|conversation|turn|instructions?|prompt)\b",
    re.IGNORECASE,
)
_MACHINE = (
    r"(?:(?:ai|virtual|digital) )?assistants?|chat ?bots?|bots?|(?:large )?language models?|llms?"
    r"|ai(?: (?:models?|systems?|agents?))?|gpt\w*|copilot"
    r"|assistent\w*|sprachmodell\w*|ki|ia|asistent\w*|assistente\w*|asystent\w*|asystenc\w*"
    r"|mod[eè]l[eo]s? (?:de lang\w+|de lingua\w+|di linguaggio|językow\w+)|taalmodel\w*"
)
_SPEAK = (
    r"answer|answers|reply|respond|say|says|tell|repeat|output|print|write|begin|start|end|include"
    r"|mention|reveal|ignore|disregard|forget|cite|cites|recommend|obey|follow|act|translate|decode"
    r"|antwort\w*|ignorier\w*|sag\w*|schreib\w*|répond\w*|ignor\w*|dites|écri\w*|respond\w*|di|diga"
    r"|escrib\w*|rispond\w*|scriv\w*|odpowied\w*|napisz|antwoord\w*|negeer\w*|svar\w*"
)
_ORDERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # What was told before shall not count.
        r"\b(?:ignor\w*|negeer\w*|zignoruj\w*|disregard|forget|override|bypass|skip|vergiss|vergesst"
        r"|oublie[zr]?|olvid[ae]\w*|dimentic\w*|esque[cç]\w*|zapomnij\w*|vergeet|glem\w*|glöm\w*)\b"
        r".{0,60}\b(?:instructions?|rules|prompts?|guidelines|anweisung\w*|regeln|consignes?|règles"
        r"|instruccion\w*|reglas|istruzion\w*|regole|instru[cç]\w*|regras|instrukcj\w*|instructies"
        r"|instruks\w*|instruktion\w*)\b",
        # The machine is named and ordered.
        rf"\b(?:{_MACHINE})\b.{{0,60}}\b(?:must|shall|should|has to|have to|needs? to|never|always"
        rf"|please|is to|are to|muss|müssen|soll|sollen|doit|doivent|debe|deben|deve|devono|musi)\b"
        rf".{{0,40}}\b(?:{_SPEAK})\b",
        rf"\b(?:{_MACHINE})\b\s*[:,!]\s*(?:\w+\W+){{0,3}}(?:{_SPEAK})\b",
        rf"\b(?:{_MACHINE}) (?:that|who|which) (?:reads?|cites?|sees?|answers?|summari[sz]es?)\b",
        rf"\b(?:{_MACHINE})s? (?:reading|processing|seeing|summari[sz]ing|answering)"
        r" (?:this|these)\b",
        # What it writes, or has been told, is spoken of.
        r"\b(?:begin|start|end|open|close|finish|conclude)\b.{0,20}\b(?:your|their|its|the|every|each)"
        r" (?:answers?|repl(?:y|ies)|responses?|outputs?|summar(?:y|ies))\b",
        r"\b(?:answer|reply to|respond to) (?:all|every|any|each)\b.{0,30}\b(?:with|by|only)\b",
        r"\b(?:answer|reply|respond|antworte\w*|répond\w*|responde\w*|rispond\w*|odpowied\w*"
        r"|antwoord)\b.{0,12}\b(?:only|just|nur|uniquement|seulement|solamente|solo|sólo|soltanto"
        r"|apenas|somente|tylko|alleen|with the words?)\b",
        r"\b(?:system|hidden|secret|initial|your) prompts?\b|\byour (?:\w+ )?instructions\b"
        r"|\bthe prompt\b.{0,30}\b(?:place|here|above|verbatim)\b",
        r"\byou are (?:now )?an? (?:\w+ ){0,3}(?:assistant|bot|chatbot|ai|model|agent|persona)\b",
        r"\b(?:act|behave|respond) as (?:if|though|an?) (?:\w+ ){0,3}(?:assistant|bot|chatbot|ai"
        r"|model|you)\b|\bpretend (?:to be|that you|you)\b",
        r"\bwhen(?:ever)? you (?:\w+ )?(?:summari[sz]e|answer|reply|respond|cite|quote|process)\b",
        r"\b(?:do|follow|obey|execute|decode)\b.{0,30}\bwhat (?:it|this|that) says\b",
        r"\b(?:is|be) the (?:only |right )?answer to (?:every|all|any) questions?\b",
    )
)
_SENDS = re.compile(
    r"\b(?:click|visit|go to|log ?in|sign ?in|sign up|register(?! of)|download|open|scan|paste|pay"
    r"|send|transfer|enter|confirm|verify|install|call|follow the link|klick\w*|besuch\w*|cliquez"
    r"|visitez|haga clic|visite|clicc\w*|visita\w*|kliknij\w*|odwiedź)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s[^()]*)?\)")
_TAG = re.compile(
    r"<!--.*?(?:-->|$)|</?(?:a|audio|base|body|button|details|div|embed|form|head|html|iframe|img"
    r"|input|link|math|meta|object|p|picture|script|source|span|style|svg|table|template|video)\b"
    r"[^<>]*>?",
    re.IGNORECASE | re.DOTALL,
)
"""What a program that draws Markdown or HTML would act on; `<name>` in a manual is no tag."""
_CODED = re.compile(
    r"\b(?=[A-Za-z+/]*\d)(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])[A-Za-z0-9+/]{40,}={0,2}"
)
"""Letters in a code such as base64; not a name of a program or a path."""
_WORD = re.compile(r"[^\W\d_]+")


def seen(text: str) -> str:
    """A text without letters that nobody sees, or that turn writing round."""
    return "".join(each for each in text if unicodedata.category(each) not in ("Cf", "Co", "Cn"))


def host(address: str) -> str | None:
    """The host that an address leads to; None: it has none, or cannot be read."""
    try:
        if "//" in address:
            return (urlsplit(address).hostname or "").removeprefix("www.") or None
        bare = address.lower().removeprefix("mailto:").removeprefix("www.")
        return (urlsplit(f"//{bare}").hostname or None) if ":" not in bare[:11] else None
    except ValueError:
        return None


def hosts(addresses: Iterable[str | None]) -> frozenset[str]:
    """The hosts of addresses, as `foreign` takes them.

    A part of a house knows the house: with ``docs.aurora.example`` comes ``aurora.example``.
    """
    found = {name for each in addresses if each and (name := host(each))}
    return frozenset(found | {name.partition(".")[2] for name in found if name.count(".") > 1})


def foreign(text: str, known: frozenset[str]) -> list[str]:
    """The addresses of a text that lead to none of the known hosts."""
    found = (each.group().rstrip(_TRAILING) for each in _ADDRESS.finditer(seen(text)))
    return [each for each in found if host(each) not in known]


def showable(text: str, known: frozenset[str]) -> str:
    """A text as a reader may get it, whatever draws it.

    Unseen letters and markup go, and an address that leads elsewhere becomes an ellipsis.
    """

    def kept(match: re.Match[str]) -> str:
        address = match.group().rstrip(_TRAILING)
        rest = match.group()[len(address) :]
        return match.group() if host(address) in known else f"{OMITTED}{rest}"

    bare = _ADDRESS.sub(kept, _TAG.sub(" ", seen(text)))
    return _LINK.sub(r"\1", bare)


def steers(text: str, known: frozenset[str]) -> bool:
    """Whether a sentence tells a machine what to say, or sends a reader to a foreign address.

    What is written so that people and programs read different things counts as well.
    """
    plain = unicodedata.normalize("NFKC", seen(text))
    if _MARKS.search(plain) or any(each.search(plain) for each in _ORDERS):
        return True
    if _CODED.search(plain) and not _ADDRESS.search(plain):
        return True
    if any(_mixed(word) for word in _WORD.findall(plain)):
        return True
    return bool(foreign(plain, known)) and bool(_SENDS.search(plain))


@lru_cache(maxsize=4000)
def harmless(heading: str, known: frozenset[str]) -> str:
    """A title or heading as it may be shown; empty where it steers."""
    return "" if steers(heading, known) else showable(heading, known)


def followable(address: str, known: frozenset[str]) -> bool:
    """Whether a link may be offered: no script, and no host made to look like a known one.

    It may lead anywhere else: what documents list is mostly kept by others.
    """
    name = host(address)
    if name is None or seen(address) != address:
        return False
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.scheme not in ("", "http", "https") or "@" in parts.netloc:
        return False
    labels = [_decoded(each) for each in name.split(".")]
    if not all(each and not _mixed(each) for each in labels):
        return False
    return not any(
        letters_digits(each) in letters_digits(name) and not f".{name}".endswith(f".{each}")
        for each in known
    )


def _decoded(label: str) -> str:
    """A part of the name of a host, in the letters it is shown in; empty where it has others."""
    try:
        shown = label.encode("ascii").decode("idna") if label.startswith("xn--") else label
    except UnicodeError:
        return ""
    return shown if re.fullmatch(r"[\w-]+", shown) else ""


def _mixed(word: str) -> bool:
    """Whether a word mixes Latin letters with Cyrillic ones that look like them."""
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return {"LATIN", "CYRILLIC"} <= scripts
