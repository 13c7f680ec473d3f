"""150 invented messages with personal data of nobody: names, addresses, numbers that check out."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from types import ModuleType

import phonenumbers
from stdnum import iban
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fi import hetu
from stdnum.nl import bsn
from stdnum.pl import pesel

MESSAGES = 150

_FORMS = (
    "My name is {first} {last} and my address is {email}. How can I share my data?",
    "How can I share my data? I have {health}. Call me on {gb}.\n\nKind regards,\n{first} {last}",
    "Who signs the agreement? Pay {iban}, please.\n\nBest wishes\n{first} {last}",
    "Ich heiße {first} {last}, geboren am {born}. Wie kann ich meine Daten teilen?",
    "Meine Steuer-ID ist {de}, bitte an {email} antworten. Wie kann ich meine Daten teilen?",
    "Je m'appelle {first} {last}, mon numéro est le {fr}. Comment partager mes données ?",
    "Me llamo {first} {last}, DNI {es}. ¿Cómo puedo compartir mis datos?",
    "Mi chiamo {first} {last}, il mio IBAN è {iban}. Come posso condividere i miei dati?",
    "O meu nome é {first} {last}, telefone {pt}. Como posso partilhar os meus dados?",
    "Mijn naam is {first} {last}, BSN {nl}. Hoe kan ik mijn gegevens delen?",
    "Nazywam się {first} {last}, PESEL {pl}. Jak mogę udostępnić swoje dane?",
    "Jag heter {first} {last}, mejla {email}. Hur kan jag dela mina data?",
    "Nimeni on {first} {last}, henkilötunnus {fi}. Miten voin jakaa tietojani?",
    "Jmenuji se {first} {last}, narozena {born}. Jak mohu sdílet svá data?",
    "Με λένε {first} {last}, τηλέφωνο {gr}. Πώς μπορώ να μοιραστώ τα δεδομένα μου;",
)
_FIRST = ("Agata", "Odile", "Matilda", "Telmo", "Wojciech", "Eleni", "Sinéad", "Bjarne", "Lucía")
_BEGUN = ("Zwiebel", "Quennel", "Brambi", "Oster", "Vauquel", "Nowotar", "Tjurk", "Ekelund")
_ENDED = ("kamp", "strand", "owicz", "berger", "mont", "holt", "field", "ström")
_HEALTH = ("Huntington disease", "Lynch syndrome", "cystic fibrosis", "multiple sclerosis")
_MOBILE = {"gb": "GB", "fr": "FR", "pt": "PT", "gr": "GR"}


@dataclass(frozen=True)
class Message:
    """What somebody writes, and what of it must not be found anywhere."""

    text: str
    planted: tuple[str, ...]


def messages() -> list[Message]:
    """The same ones each time."""
    chosen = random.Random(9)
    return [_message(number, chosen) for number in range(MESSAGES)]


def _message(number: int, chosen: random.Random) -> Message:
    # No surname twice, and none that anybody has.
    last = chosen.choice(_BEGUN) + _ENDED[number % len(_ENDED)] + "abcdefghij"[number // 15] * 2
    born = f"{chosen.randint(1, 28)}.{chosen.randint(1, 12)}.{chosen.randint(1950, 2000)}"
    data = {
        "last": last,
        "email": f"{last.lower().replace('ö', 'o')}.{number}@clinic.example",
        "born": born,
        "health": chosen.choice(_HEALTH),
        "iban": _iban(chosen),
        "de": _checked(idnr, _distinct(chosen)),
        "es": _checked(dni, _digits(chosen, 8)),
        "pl": _checked(pesel, f"{chosen.randint(50, 99)}0417{_digits(chosen, 4)}"),
        "nl": _bsn(chosen),
        "fi": _checked(hetu, _born_in_finland(chosen)),
        **{name: _mobile(region, chosen) for name, region in _MOBILE.items()},
    }
    form = _FORMS[number % len(_FORMS)]
    text = form.format(first=chosen.choice(_FIRST), **data)
    return Message(text, tuple(each for name, each in data.items() if f"{{{name}}}" in form))


def _digits(chosen: random.Random, count: int) -> str:
    return str(chosen.randint(1, 9)) + "".join(chosen.choices("0123456789", k=count - 1))


def _distinct(chosen: random.Random) -> str:
    """Ten digits, of which one stands twice, as a German tax number has them."""
    digits = chosen.sample("123456789", 9)
    return "".join((*digits, digits[0]))


def _checked(kind: ModuleType, number: str) -> str:
    """A number with the check digit that fits."""
    return next(
        whole
        for sign in string.digits + string.ascii_uppercase
        if kind.is_valid(whole := number + sign)
    )


def _iban(chosen: random.Random) -> str:
    account = f"DE00{_digits(chosen, 18)}"
    whole = f"DE{iban.calc_check_digits(account)}{account[4:]}"
    assert iban.is_valid(whole)
    return iban.format(whole)


def _bsn(chosen: random.Random) -> str:
    while not bsn.is_valid(number := _digits(chosen, 9)):
        pass
    return number


def _born_in_finland(chosen: random.Random) -> str:
    day, month, year = chosen.randint(10, 28), chosen.randint(10, 12), chosen.randint(50, 99)
    return f"{day}{month}{year}-{chosen.randint(2, 899):03}"


def _mobile(region: str, chosen: random.Random) -> str:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    while True:
        number = phonenumbers.PhoneNumber(
            country_code=example.country_code,
            national_number=example.national_number // 10_000 * 10_000 + chosen.randint(0, 9999),
        )
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
