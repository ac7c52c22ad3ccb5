"""Asterisks for secrets in any text: passwords of addresses, parameters that are named like one, and values once read.

Every text that leaves for a terminal, a log or a store goes through `mask`: what libraries say of a failed connection
holds the address with all that was written into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "********"

SHORTEST = 6
"""A shorter secret is not looked for in texts: its letters are parts of words."""

# user:password@ of an address. The password ends at the last @, for it may hold one itself; digits up to a slash are a
# port, behind which a path may hold an @.
_PASSWORD = re.compile(r"(?<=://)([^/\s:@\"'<>\[]*):(?!\d+(?:[/?#]|$))[^\s\"'<>]*@")
# A user name alone that is as long as a token is one, as in https://ghp_...@host.
_TOKEN = re.compile(r"(?<=://)[A-Za-z0-9_\-.~%+]{20,}@")
# name=value of a query, a connection string or a JAAS line. A reference without a default is no secret, nor is the path
# in kubectl's --from-file=password=FILE.
_PARAMETER = re.compile(
    r"""(?ix)
    ( (?: (?<=[?&;]) (?:sig|sas|pass|auth|pat|key|code|jwt)
        | (?<! [\w.-] ) (?<! --from-file= )
          [\w.-]* (?: password | passwd | passphrase | \bpwd | secret | token | signature | credential
                     | api[-_]?key | access[-_]?key | account[-_]?key ) [\w.-]* )
      \s? = \s? )
    (?! \$\{ (?: env:\w+ | file:[^}]+ ) \} (?: [&;,\s"'<>)\]] | $ ) )
    ( "[^"]*" | '[^']*' | [^&;,\s"'<>)\]]+ )
    """
)
_HEADER = re.compile(r"(?i)\b(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic))\s+[A-Za-z0-9._~+/\-]{8,}=*")

PROGRAM = "eugenie"

_read: set[str] = set()
_names: set[str] = set()
_openly = [PROGRAM]
"""The names in one text, in which a part of one is found fast."""


def remember(secret: str) -> None:
    """A secret that was read in this process: `mask` finds it wherever it stands, as an address spells it too."""
    if len(secret) >= SHORTEST:
        _read.update((secret, quote(secret, safe="")))


def leave(names: Iterable[str]) -> None:
    """Names that the site shows openly: `mask` leaves a text that is one of them as it is, whatever it looks like.

    Nor does it look for a secret that is a part of one, or of the program's name: asterisks would hide the data, and
    who picked such a password has shown it. Replaces the names before.
    """
    _names.clear()
    _names.update(names)
    _openly[0] = "\n".join((PROGRAM, *_names))


def mask(text: str) -> str:
    """`text`, with asterisks for what must not be shown."""
    if text in _names:
        return text
    for secret in sorted(_read, key=len, reverse=True):  # one may be a part of another
        if secret in text and secret not in _openly[0]:
            text = text.replace(secret, REDACTED)
    if "://" in text:
        text = _TOKEN.sub(f"{REDACTED}@", _PASSWORD.sub(rf"\1:{REDACTED}@", text))
    if "=" in text:
        text = _PARAMETER.sub(rf"\1{REDACTED}", text)
    return _HEADER.sub(rf"\1 {REDACTED}", text)
