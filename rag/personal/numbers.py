"""Addresses, telephone and identity numbers, accounts, dates of birth.

Telephone numbers are judged by `phonenumbers`, identity numbers and IBANs by
the check digits that `python-stdnum` knows. Where digits alone are no proof,
a word before them must say what they are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module

from rag.countries import COUNTRIES
from rag.forms import fold
from rag.personal.spans import Kind
from rag.personal.words import Reading, listed

Stretch = tuple[int, int, Kind]
"""Start and end in the text that was searched, and what is there."""

_EMAIL = re.compile(
    r"(?<![\w.+-])([\w.+-]{1,64}?)(?:@| ?[(\[](?:at|@)[)\]] ?)"
    r"((?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,24})(?!\w)",
    re.IGNORECASE,
)
_ORCID = re.compile(r"(?<![\w-])\d{4}-\d{4}-\d{4}-\d{3}[\dX](?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_ITALIAN = re.compile(r"(?<!\w)[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z](?!\w)", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![\w.,/+#-])\d(?:[ ./-]?\d){5,17}(?:[ -]?[A-Z]{1,2}\d?)?(?![\w])")
_FINNISH = re.compile(r"(?<![\w-])\d{6}[-+A-FU-Y]\d{3}[0-9A-Y](?!\w)")
_LATVIAN = re.compile(r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d-[012]\d{4}|32\d{4}-\d{5}")
_FOREIGNER = re.compile(r"(?<![\w-])[XYZ]-?\d{7}-?[A-Z](?!\w)")
_LETTERED = re.compile(r"(?<![\w./-])[A-Z]{1,4}[ -]?\d{4,10}[A-Z]?(?!\w)")
"""As on passports and cards; a word before it must say so."""
_PHONE = re.compile(
    r"(?<![\w.,/+#-])(?:\+ ?)?\(?\d(?:(?:(?!\. )[ ./()-]|\ ?\(0\)\ ?|\ -\ ){0,2}\d){5,14}(?!\w)"
)
_VERSION = re.compile(r"(?:^|\D)\d\.\d")
"""No number of a person has single digits between full stops."""
_DATE = re.compile(
    r"""(?<![\w.-]) (?:
      \d{1,2} ([./-]) [ ]? \d{1,2} \1 [ ]? (?:(?:19|20)\d\d|\d\d)
    | (?:19|20)\d\d [./-] [ ]? \d{1,2} [./-] [ ]? \d{1,2}
    | \d{1,2} (?:º|\.|-?[^\W\d_]{1,2})? [ ] (?:de[ ]|ta'[ ]|d')?
      [^\W\d_]{3,12} \.? ,? [ ] (?:de[ ]|del[ ])? (?:19|20)\d\d
    | [^\W\d_]{3,12} [ ] \d{1,2} (?:st|nd|rd|th)? ,? [ ] (?:19|20)\d\d
    | (?:19|20)\d\d \.? [ ] (?:m\.[ ]|gada[ ])?
      (?: \d{1,2}\.[ ] [^\W\d_]{3,14} | [^\W\d_]{3,14} [ ] \d{1,2}\.? )
    ) (?!\w)""",
    re.VERBOSE,
)
_JUDGED = 100
"""Telephone numbers of a text that are judged; what looks like more is masked."""
_CUE = 5
"""Tokens before a number in which the word for it is looked for."""
_LABEL = 20
"""The same for identity numbers: "the number was in the file, it is ..."."""

_ELEVEN = ("pl.pesel", "be.nn", "ee.ik", "no.fodselsnummer", "gr.amka")
_BARE = {
    10: ("bg.egn",),
    11: _ELEVEN,
    13: ("ro.cnp", "si.emso"),
    15: ("fr.nir",),
}
"""With a date inside and a check digit: hardly another number passes."""
_SHAPED = (
    (re.compile(r"\d{3}[ -]\d{3}[ -]\d{4}"), ("gb.nhs",)),
    (re.compile(r"\d{6}/\d{3,4}"), ("cz.rc",)),
    (re.compile(r"\d{6}-\d{4}"), ("dk.cpr", "se.personnummer")),
    (re.compile(r"(?:19|20)\d{6}-\d{4}"), ("se.personnummer",)),
    (re.compile(r"\d{8}[ -]?[A-Z]"), ("es.dni",)),
    (re.compile(r"\d{7}[A-W][A-IW]?"), ("ie.pps",)),
)
"""Written as no other number is, with a date or a check letter inside."""


def addresses(text: str) -> Iterator[tuple[int, int, Kind | None]]:
    """Mail addresses and ORCIDs; with no kind, a mailbox that is no person's."""
    for match in _EMAIL.finditer(text):
        yield match.start(), match.end(), "email" if _personal(match[1], match[2]) else None
    for match in _ORCID.finditer(text):
        yield match.start(), match.end(), "national_id"


def _personal(local: str, domain: str) -> bool:
    """Whether a mailbox is one person's: no word of it names a task."""
    name, host = fold(local), fold(domain)
    parts = [part for part in re.split(r"[\W\d_]+", name) if part]
    labels = host.split(".")
    if labels[0] in listed("free_mail"):
        return not any(_role(part, whole=True) for part in parts)
    return not any(_role(part) for part in parts) and not any(part in labels[:-1] for part in parts)


def _role(part: str, whole: bool = False) -> bool:
    roles = _roles()
    return part in roles[0] or (not whole and part.startswith(roles[1]))


@cache
def _roles() -> tuple[frozenset[str], tuple[str, ...]]:
    roles = listed("role")
    return (
        frozenset(role.rstrip("*") for role in roles),
        tuple(role[:-1] for role in roles if role.endswith("*")),
    )


def accounts(text: str) -> Iterator[Stretch]:
    """IBANs whose check digits are right."""
    for match in _IBAN.finditer(text):
        found = match.group()
        # Words in capitals may follow: they are taken off until it is one.
        for end in (len(found), *(m.start() for m in reversed(list(re.finditer(" ", found))))):
            if _valid("iban", found[:end]):
                yield match.start(), match.start() + end, "iban"
                break


def identities(reading: Reading) -> Iterator[Stretch]:
    """Numbers that a state gives to one person."""
    text = reading.text
    for pattern, checks in (
        (_ITALIAN, ("it.codicefiscale",)),
        (_FINNISH, ("fi.hetu",)),
        (_FOREIGNER, ("es.nie",)),
    ):
        for match in pattern.finditer(text):
            known = _labelled(reading, match.start(), match.end())
            if known or any(_valid(check, match.group()) for check in checks):
                yield match.start(), match.end(), "national_id"
    for match in _LETTERED.finditer(text):
        if _labelled(reading, match.start(), match.end()):
            yield match.start(), match.end(), "national_id"
    for match in _DIGITS.finditer(text):
        if _VERSION.search(match.group()):
            continue
        known = _labelled(reading, match.start(), match.end())
        if known or _identity(match.group()):
            yield match.start(), match.end(), "national_id"


def _identity(written: str) -> bool:
    """Whether a number is one that a state gave, by itself."""
    for shape, checks in _SHAPED:
        if shape.fullmatch(written):
            return any(_valid(check, written) for check in checks)
    if _LATVIAN.fullmatch(written):
        return True
    digits = re.sub(r"\D", "", written)
    if written[-1].isalpha():
        return False
    return any(_valid(check, digits) for check in _BARE.get(len(digits), ()))


def phones(reading: Reading) -> Iterator[Stretch]:
    """Telephone numbers: international, with a leading zero, or called one."""
    for count, match in enumerate(_PHONE.finditer(reading.text)):
        written = match.group()
        if _DATE.fullmatch(written) or _VERSION.search(written):
            continue
        # Nobody writes so many: those after are not worth the time of judging them.
        unjudged = count >= _JUDGED and written.startswith(("+", "0"))
        if unjudged or _telephone(written, called=_cue(reading, "phone", match.start())):
            yield match.start(), match.end(), "phone"


@cache
def _numbers() -> Callable[[str, str | None, bool], bool]:
    """The judge of telephone numbers; loaded when there is one."""
    import phonenumbers as library

    def valid(written: str, region: str | None, called: bool) -> bool:
        try:
            number = library.parse(written, region)
        except library.NumberParseException:
            return False
        if called:
            return bool(library.is_possible_number(number))
        return bool(library.is_valid_number(number))

    return valid


def _telephone(written: str, called: bool) -> bool:
    valid = _numbers()
    if written.startswith(("+", "00")):
        return valid(f"+{written.removeprefix('00')}", None, True)
    leading = written.lstrip("(").startswith("0")
    if not called and not leading:
        return False
    return any(valid(written, region, called and leading) for region in COUNTRIES)


def birth_dates(reading: Reading) -> Iterator[Stretch]:
    """Dates that a word before them calls a birth."""
    for match in _DATE.finditer(reading.text):
        if _cue(reading, "born", match.start()):
            yield match.start(), match.end(), "birth_date"


def _cue(reading: Reading, category: str, start: int, reach: int = _CUE) -> bool:
    """Whether a word of a category stands a few words before a place."""
    hits = reading.hits(category)
    if not hits:
        return False
    place = bisect_left(reading.tokens, start, key=lambda token: token.start)
    return any(
        each in hits and hits[each].last <= place for each in range(max(0, place - reach), place)
    )


def _labelled(reading: Reading, start: int, end: int) -> bool:
    """Whether words near a number say that it is one that a state gave."""
    if _cue(reading, "number", start, _LABEL):
        return True
    place = bisect_left(reading.tokens, end, key=lambda token: token.start)
    return any(each in reading.hits("number") for each in range(place, place + _CUE))


def _valid(check: str, written: str) -> bool:
    return _check(check)(written)


@cache
def _check(name: str) -> Callable[[str], bool]:
    """A check of `python-stdnum`, by the name of its module; loaded when asked for."""
    check: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return check
