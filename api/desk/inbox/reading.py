"""Bytes to a mail, whatever they hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from email import message_from_bytes
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses

from email_validator import EmailNotValidError, validate_email

from api.desk.inbox.decoding import header_text
from api.desk.inbox.mail import Mail, UnreadableMail
from api.desk.inbox.nature import Header, nature_of
from api.desk.inbox.parts import parts_of

_ID = re.compile(r"<[!-;=?-~]{1,250}>")
"""Of other bytes than printable ASCII there is none."""
_MOST_IDS = 50
_NAME = 200
"""Characters of a name that are kept, as of one that is typed."""
_NAMED = re.compile(r"(?im)^message-id:\s*(<[!-;=?-~]{1,250}>)")
_STATUS = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_LATE = frozenset({"delayed", "delivered", "relayed", "expanded"})
"""Of what is reported: nothing is lost, or not yet."""
_PARAMETRISED = 10_000
"""Characters of a header with parameters that are read."""
_PARAMETERS = 100
"""Of one header that are read."""
_SEARCHED = 200_000
"""Bytes of a report in which the mail that came back is looked for."""


def read_mail(
    raw: bytes, own: Collection[str], *, flags: Collection[str] = (), received: str = ""
) -> Mail:
    """Read a mail.

    Args:
        raw: As the server has it; parts that were not fetched have a head only, and there the
            header `LEFT_OUT` with their size.
        own: Addresses of the helpdesk, in small letters.
        flags: That the server has set, in small letters.
        received: When the server got it: tells mails apart that have no id.

    Raises:
        UnreadableMail: Nothing can be made of it.
    """
    mail = message_from_bytes(raw, policy=_Policy())
    header = _Headers(mail)
    sender, name = _sender(header, own)
    report = mail.get_param("report-type")
    nature = nature_of(
        header,
        sender.lower(),
        mail.get_content_type(),
        report.lower() if isinstance(report, str) else "",
        own,
        flags,
    )
    if nature == "person" and not sender:
        raise UnreadableMail("nobody who could be answered sent it")
    found = parts_of(mail)
    subject, text = header_text(header.raw("subject")), found.text.strip()
    ids = _ID.findall(header.raw("message-id"))
    message_id = ids[0] if ids else ""
    reported, status = _report(mail, raw) if nature == "bounce" else ((), "")
    asked = _addresses(header.raw("reply-to"))
    answer_to = asked[0][0] if asked and asked[0][0].lower() != sender.lower() else ""
    return Mail(
        sha256=_sha256(message_id or received, header, text),
        message_id=message_id,
        references=_references(header),
        nature=nature,
        sender=sender,
        name=name,
        answer_to="" if answer_to.lower() in own else answer_to,
        subject=subject,
        text=text,
        attachments=tuple(found.attachments),
        encrypted=found.encrypted,
        reported=reported,
        status=status,
    )


class _Policy(Compat32):
    """Keeps of the headers that have parameters what can be parsed soon.

    The standard library takes time with the square of what they hold, and already does so
    while it takes a mail apart.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Return the name and the value of a header."""
        name, value = super().header_source_parse(sourcelines)
        if name.lower().startswith("content-"):
            value = ";".join(value[:_PARAMETRISED].split(";")[:_PARAMETERS])
        return name, value


class _Headers:
    """The headers of a mail by their names, the first of each."""

    def __init__(self, mail: Message):
        """Read them as they came: the parser changes what is not ASCII."""
        self._raw: dict[str, str] = {}
        for name, value in mail.raw_items():
            self._raw.setdefault(name.lower(), str(value))

    def raw(self, name: str) -> str:
        """One as it came; empty: there is none."""
        return self._raw.get(name, "")

    def __call__(self, name: str) -> str:
        """One as it is meant."""
        return header_text(self.raw(name))


def _sender(header: _Headers, own: Collection[str]) -> tuple[str, str | None]:
    """Who sent a mail, and what they call themselves; empty where nobody could be answered.

    A group that the helpdesk has its mails from may put its own address there.
    """
    for field in ("from", "x-original-from", "reply-to"):
        found = _addresses(header.raw(field))
        if found and (found[0][0].lower() not in own or not header.raw("list-id")):
            return found[0]
    return "", None


def _addresses(raw: str) -> list[tuple[str, str | None]]:
    """The addresses in a header that can be written to, with their names."""
    # Before its words are decoded: a name may hold what parts addresses.
    for told in (raw[:2000], header_text(raw)):
        found = []
        try:
            named_addresses = getaddresses([told])
        except RecursionError:
            continue  # comments within comments
        for name, address in named_addresses:
            try:
                known = validate_email(address, check_deliverability=False).normalized
            except EmailNotValidError:
                continue
            named = header_text(name)[:_NAME].strip()
            found.append((known, named if named and named.isprintable() else None))
        if found:
            return found
    return []


def _references(header: _Headers) -> tuple[str, ...]:
    """Ids of the mails that one answers, the nearest first."""
    answered = _ID.findall(header.raw("in-reply-to")[:20_000])
    before = _ID.findall(header.raw("references")[-20_000:])
    return tuple(dict.fromkeys([*answered, *reversed(before)]))[:_MOST_IDS]


def _report(mail: Message, raw: bytes) -> tuple[tuple[str, ...], str]:
    """Which mails came back, and why; no reason where they may still arrive."""
    said = {
        name.lower(): str(value).strip().lower()
        for part in mail.walk()
        if part.get_content_type() == "message/delivery-status" and part.is_multipart()
        for block in part.get_payload()
        if isinstance(block, Message)
        for name, value in block.items()
    }
    text = raw[-_SEARCHED:].decode("latin-1")
    named = tuple(dict.fromkeys(_NAMED.findall(text)))[:_MOST_IDS]
    if said.get("action") in _LATE:
        return named, ""
    status = _STATUS.search(said.get("status", "")) or _STATUS.search(text)
    return named, status[0] if status else "5.0.0"


def _sha256(identity: str, header: Header, text: str) -> str:
    """Of what tells a mail from others: some programs give the same id to all they send."""
    told = [identity, *(header(name) for name in ("from", "date", "subject")), text]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()
