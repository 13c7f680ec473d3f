"""Bytes of mails to text, whatever they say of themselves."""

from __future__ import annotations

import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header

from charset_normalizer import from_bytes

_ALSO_KNOWN = {
    "ansi": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-8-i": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "x-mac-roman": "mac-roman",
    "x-sjis": "cp932",
    "x-unknown": "",
}
"""What mail programs call codecs that Python knows by other names, or larger ones of their kind."""
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""Codecs of text that no mail is written in; some take long."""
_SINGLE = frozenset({"ascii", "cp1252", "iso8859-1", "iso8859-15"})
"""Charsets that programs claim by default: what is UTF-8 is not meant in them."""
_LOOKED_AT = 20_000
"""Bytes from which a charset is guessed."""
_FOREIGN = 0.25
"""Share of bytes beyond ASCII from which on a text is in no Latin script; of the charsets of
those that are, a short text does not tell which."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u2028\u2029\ud800-\udfff]")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""They turn or hide what stands beside them."""


def decoded(content: bytes, charset: str | None) -> str:
    """Return the text of bytes, by the charset they claim if that can be, else by a likely one."""
    codec = _codec(charset)
    if codec not in _SINGLE and codec is not None:
        try:
            return content.decode(codec)
        except (UnicodeError, LookupError):
            pass
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if codec in _SINGLE and codec != "ascii" and not re.search(rb"[\x80-\x9f]", content):
        return content.decode(codec)
    if codec in _SINGLE and codec != "ascii":
        return content.decode("cp1252", "replace")
    # UTF-8 with a letter broken is nearer than any guess.
    tolerant = content.decode("utf-8", "replace")
    if tolerant.count("\ufffd") * 50 <= len(tolerant) and any(map(_beyond_ascii, tolerant)):
        return tolerant
    high = sum(byte > 0x7F for byte in content[:_LOOKED_AT])
    best = None
    if high > _FOREIGN * len(content[:_LOOKED_AT]):
        best = from_bytes(content[:_LOOKED_AT]).best()
    return content.decode(best.encoding if best else "cp1252", "replace")


def header_text(raw: str, most: int = 2000) -> str:
    """Return a header as it is meant: its encoded words decoded, in one line.

    Args:
        raw: As the parser of the standard library has it, bytes beyond ASCII escaped.
        most: Characters that are looked at.
    """
    line = re.sub(r"\s*[\r\n]+\s*", " ", raw[:most])
    # Before the encoded words: in those there are no such bytes.
    plain = decoded(line.encode("utf-8", "surrogateescape"), None) if _escaped(line) else line
    try:
        parts = decode_header(plain)
    except (HeaderParseError, ValueError, IndexError):
        parts = [(plain, None)]
    text = "".join(
        part if isinstance(part, str) else decoded(_bytes_of(part), charset)
        for part, charset in parts
    )
    return " ".join(clean(text).split())


def clean(text: str) -> str:
    """Return a text without what no database takes and no reader sees, its lines ended alike."""
    ended = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    spaced = ended.replace("\u2028", "\n").replace("\u2029", "\n").replace("\xa0", " ")
    return _UNSEEN.sub("", _CONTROLS.sub("", spaced))


def _codec(charset: str | None) -> str | None:
    """The name of the codec of text that a charset means; None: there is none."""
    name = (charset or "").strip().strip("\"'").lower()
    try:
        found = codecs.lookup(_ALSO_KNOWN.get(name, name))
    except (LookupError, ValueError, UnicodeError):
        return None
    return None if found.name in _NO_CHARSETS else found.name


def _bytes_of(part: bytes) -> bytes:
    """What `decode_header` took for bytes; text beyond ASCII it escapes."""
    try:
        return part.decode("raw-unicode-escape").encode() if rb"\u" in part else part
    except UnicodeDecodeError:
        return part


def _escaped(text: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in text)


def _beyond_ascii(letter: str) -> bool:
    return letter > "\x7f" and letter != "\ufffd"
