"""The parts of a mail: what of it is text, what is attached, what cannot be read."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message

from api.desk.inbox.decoding import clean, decoded, header_text
from api.desk.inbox.html_text import html_text
from api.desk.inbox.mail import LEFT_OUT, Attachment

_DEEPEST = 20
"""Parts within parts that are looked into; forwarded mails within mails stay below."""
_MOST = 300
"""Parts that are looked at."""
_READ = 400_000
"""Bytes of a text that are read: what is kept is far shorter."""
_KIND = 100
"""Characters of a media type that are kept."""
_STUB = 200
"""Characters below which plain text is held against the HTML beside it."""
_RICHER = 4
"""So many times as long HTML says more, as where the plain text only says that there is HTML."""
_SEALS = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_ARMOUR = re.compile(r"(?m)^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[\w-]+: .*\n)*\n")
_SIGNATURE, _SIGNATURE_END = "\n-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
_DIGITS = re.compile(r"[0-9]{1,15}")
_ENCRYPTED = "-----BEGIN PGP MESSAGE-----"


@dataclass
class Parts:
    """What has been found."""

    texts: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """HTML."""
    attachments: list[Attachment] = field(default_factory=list)
    forwarded: list[Message] = field(default_factory=list)
    encrypted: bool = False

    @property
    def text(self) -> str:
        """What a reader reads."""
        plain = "\n\n".join(each for each in self.texts if each.strip())
        if len(plain.strip()) < _STUB and self.pages:
            seen = "\n\n".join(clean(html_text(page)) for page in self.pages)
            if len(seen) > _RICHER * len(plain.strip()):
                return seen
        return plain


def parts_of(mail: Message) -> Parts:
    """Look through a mail."""
    found = Parts()
    _look(mail, found, _DEEPEST, iter(range(_MOST)))
    if not found.text.strip() and found.forwarded and not found.encrypted:
        # Passed on without a word: it is what was written.
        inner = Parts()
        _look(found.forwarded[0], inner, _DEEPEST, iter(range(_MOST)))
        found.texts, found.pages = [inner.text], []
        found.attachments += inner.attachments
    found.texts = [_unarmoured(each) for each in found.texts]
    found.encrypted = found.encrypted or any(
        each.lstrip().startswith(_ENCRYPTED) for each in found.texts
    )
    return found


def _look(part: Message, found: Parts, depth: int, left: Iterator[int]) -> None:
    """Look into a part, as long as there are not too many, or too many within each other."""
    kind = clean(part.get_content_type())[:_KIND]
    if next(left, None) is None or depth == 0:
        return
    # Asked for a text it would decode it, by whatever it says its charset is.
    inside = _messages(part) if part.is_multipart() else None
    if kind == "multipart/encrypted":
        found.encrypted = True
    elif kind == "message/rfc822" and inside:
        found.forwarded.append(inside[0])
        subject = header_text(_raw(inside[0], "subject"))
        found.attachments.append(Attachment(subject or "mail", kind, None))
    elif kind == "multipart/alternative" and inside:
        _choose(inside, found, depth, left)
    elif kind == "multipart/signed" and inside:
        for each in inside[:1]:
            _look(each, found, depth - 1, left)
    elif inside is not None:
        for each in inside:
            _look(each, found, depth - 1, left)
    else:
        _read(part, kind, found)


def _messages(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)]


def _choose(forms: Sequence[Message], found: Parts, depth: int, left: Iterator[int]) -> None:
    """Take one of several forms of the same text."""
    either = Parts()
    for each in forms:
        _look(each, either, depth - 1, left)
    found.texts.append(either.text)
    found.attachments += either.attachments
    found.forwarded += either.forwarded
    found.encrypted = found.encrypted or either.encrypted


def _read(part: Message, kind: str, found: Parts) -> None:
    name = name_of(part)
    attached = (part.get_content_disposition() or "") == "attachment" or bool(name)
    if kind in _SEALS:
        return
    if kind in _SEALED:
        found.encrypted = True
    elif kind.startswith("multipart/") or (kind in ("text/plain", "text/html") and not attached):
        text = decoded(_content(part)[:_READ], _charset(part))
        if kind == "text/html":
            found.pages.append(text)
        else:
            found.texts.append(clean(text))
    elif not (kind.startswith("image/") and part.get("Content-ID") and not attached):
        told = str(part.get(LEFT_OUT, ""))
        size = _unencoded(part, int(told)) if _DIGITS.fullmatch(told) else len(_content(part))
        if size or name:
            found.attachments.append(Attachment(name or kind, kind, size))


def name_of(part: Message) -> str:
    """What an attachment is called; empty: it has no name."""
    try:
        name = part.get_filename()
    except (LookupError, UnicodeError, ValueError, TypeError):
        return "attachment"
    return header_text(name)[:200] if name else ""


def _charset(part: Message) -> str | None:
    try:
        charset = part.get_param("charset")
    except (LookupError, UnicodeError, ValueError):
        return None
    return charset[2] if isinstance(charset, tuple) else charset


def _content(part: Message) -> bytes:
    """The bytes of a part, its transfer encoding undone as far as that can be."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, UnicodeError):
        content = None
    try:
        as_sent = str(part.get_payload()).encode("utf-8", "surrogateescape")
    except ValueError:  # a charset that holds a NUL
        as_sent = b""
    if not isinstance(content, bytes):
        return as_sent
    if _is_base64(part) and content.strip() == as_sent.strip():
        # It gives up where a letter is missing.
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", as_sent)
        return b64decode(letters[: len(letters) // 4 * 4])
    return content


def _unencoded(part: Message, size: int) -> int:
    """The bytes of a part by those it takes in the mail, lines of 76 letters."""
    return size * 57 // 78 if _is_base64(part) else size


def _is_base64(part: Message) -> bool:
    return str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64"


def _unarmoured(text: str) -> str:
    """A text that was signed within itself, without what signs it."""
    # Step by step: one pattern for the whole tries each opening with all that follows.
    kept, at = [], 0
    while opening := _ARMOUR.search(text, at):
        ends = text.find(_SIGNATURE, opening.end() - 1)
        if ends == -1:
            break
        kept += [text[at : opening.start()], re.sub(r"(?m)^- ", "", text[opening.end() : ends])]
        closing = text.find(_SIGNATURE_END, ends)
        at = len(text) if closing == -1 else closing + len(_SIGNATURE_END)
    return "".join([*kept, text[at:]])


def _raw(mail: Message, name: str) -> str:
    """A header as it came; empty: there is none."""
    return next((str(value) for key, value in mail.raw_items() if key.lower() == name), "")
