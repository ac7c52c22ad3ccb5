"""Masks secrets in any text: passwords in URLs, parameters with names such as `password`, and secrets read before.

All text bound for a terminal, a log or a store passes through `mask`: a library's message about a failed connection
contains the whole URL, password included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

REDACTED = "********"

SHORTEST = 6
"""Shorter secrets are not searched for: they occur inside ordinary words."""

# user:password@ in a URL. The password ends at the last @, since it may contain one itself. Digits up to a slash are a
# port, and the path after it may contain an @.
_PASSWORD = re.compile(r"(?<=://)([^/\s:@\"'<>\[]*):(?!\d+(?:[/?#]|$))[^\s\"'<>]*@")
# A user name without a password, as long as a token, is a token, as in https://ghp_...@host.
_TOKEN = re.compile(r"(?<=://)[A-Za-z0-9_\-.~%+]{20,}@")
# name=value in a query, a connection string or a JAAS line. A reference without a default is not a secret, and neither
# is the path in kubectl's --from-file=password=FILE.
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
"""All public names joined in one text, to find a part of a name quickly."""


def remember(secret: str) -> None:
    """Register a secret that this process has read: `mask` hides it everywhere, percent-encoded too."""
    if len(secret) >= SHORTEST:
        _read.update((secret, quote(secret, safe="")))


def leave(names: Iterable[str]) -> None:
    """Register the site's public names, replacing earlier ones: `mask` never changes a text that equals one of them.

    A secret that is part of a public name or of the program's name is not masked either: asterisks would hide data,
    and such a password is public anyway.
    """
    _names.clear()
    _names.update(names)
    _openly[0] = "\n".join((PROGRAM, *_names))


def mask(text: str) -> str:
    """`text` with its secrets replaced by asterisks."""
    if text in _names:
        return text
    for secret in sorted(_read, key=len, reverse=True):  # one secret may be part of another
        if secret in text and secret not in _openly[0]:
            text = text.replace(secret, REDACTED)
    if "://" in text:
        text = _TOKEN.sub(f"{REDACTED}@", _PASSWORD.sub(rf"\1:{REDACTED}@", text))
    if "=" in text:
        text = _PARAMETER.sub(rf"\1{REDACTED}", text)
    return _HEADER.sub(rf"\1 {REDACTED}", text)
