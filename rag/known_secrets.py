"""Secrets that are none: what manuals and images are delivered with, or typed to have something.

Whoever tries a door tries these first.
"""

from __future__ import annotations

import string

LEAST = 16
"""Characters of a secret that we have somebody make up."""
_DIFFERENT = 5
"""Different characters of one, at least."""
_WORDS = (
    "a an and api app bar change changed changeit changeme changethis default demo desk dev docker"
    " dummy example foo guest hello help helpdesk here insert is it key letmein local localhost me"
    " my nmg none not now of our pass passphrase passw passwd password passwort placeholder please"
    " postgres postgresql private prod production qwerty qwertz replace replaceme root sample"
    " secret secure staff super temp test testing the this to todo token user value very webhook"
    " welcome word you your admin administrator with x xx xxx"
).split()
_LOOKS = str.maketrans("013457@$!", "oieastasi")
"""Digits and signs in the place of letters."""
_ROWS = (string.digits * 8, (string.digits[1:] + "0") * 8, string.ascii_lowercase * 3,
         "qwertyuiopasdfghjklzxcvbnm", "0123456789abcdef" * 4)  # fmt: skip
_MAKE = 'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'


def known(value: str) -> bool:
    """Whether a secret is one that everybody knows: such words, rows of keys, a placeholder."""
    low = value.strip().lower()
    plain = "".join(each for each in low if each.isalnum())
    if not plain or low[0] + low[-1] in ("<>", "{}", "[]", "${") or low.startswith("${"):
        return True
    if any(plain in row or plain[::-1] in row for row in _ROWS):
        return True
    ways = (plain, low.translate(_LOOKS))
    letters = ("".join(each for each in way if each.isalpha()) for way in ways)
    return any(way and _made_of_words(way) for way in letters)


def _made_of_words(text: str) -> bool:
    """Whether letters are such words and nothing else; in a time that grows as their number."""
    ends = {0}
    for place in range(len(text)):
        if place in ends:
            ends |= {place + len(word) for word in _WORDS if text.startswith(word, place)}
    return len(text) in ends


def given(value: str) -> str:
    """Check a secret that somebody else gave out: a password, a token, a client's secret.

    Raises:
        ValueError: It is known to everybody; the message does not repeat it.
    """
    if value and known(value):
        raise ValueError("is one that everybody knows; set the real one")
    return value


def made(value: str) -> str:
    """Check a secret that was made up for the helpdesk.

    Raises:
        ValueError: It is short, or known to everybody; the message does not repeat it.
    """
    if value and len(value) < LEAST:
        raise ValueError(f"must have {LEAST} characters or more; {_MAKE} makes one")
    if value and (known(value) or len(set(value)) < _DIFFERENT):
        raise ValueError(f"is one that everybody knows; {_MAKE} makes another")
    return value
