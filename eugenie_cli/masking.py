"""Asterisks for secrets in any text: passwords of addresses, parameters that are named like one, and values once read.

Every text that leaves for a terminal, a log or a store goes through `mask`: what libraries say of a failed connection
holds the address with all that was written into it.
"""

from __future__ import annotations

import re

REDACTED = "********"

SHORTEST = 6
"""A shorter secret is not looked for in texts: its letters are parts of words."""

# user:password@ of an address. The password ends at the last @, for it may hold one itself; digits up to a slash are a
# port, behind which a path may hold an @.
_PASSWORD = re.compile(r"(?<=://)([^/\s:@\"'<>]*):(?!\d+(?:[/?#]|$))[^\s\"'<>]*@")
# A user name alone that is as long as a token is one, as in https://ghp_...@host.
_TOKEN = re.compile(r"(?<=://)[A-Za-z0-9_\-.~%+]{20,}@")
# name=value of a query, a connection string or a JAAS line. A reference without a default is no secret.
_PARAMETER = re.compile(
    r"""(?ix)
    ( (?: (?<=[?&;]) (?:sig|sas|pass|auth|pat|key|code|jwt)
        | [\w.-]* (?: password | passwd | passphrase | \bpwd | secret | token | signature | credential
                    | api[-_]?key | access[-_]?key | account[-_]?key ) [\w.-]* )
      \s? = \s? )
    (?! \$\{ (?: env:\w+ | file:[^}]+ ) \} (?: [&;,\s"'<>)\]] | $ ) )
    ( "[^"]*" | '[^']*' | [^&;,\s"'<>)\]]+ )
    """
)
_HEADER = re.compile(r"(?i)\b(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic))\s+[A-Za-z0-9._~+/\-]{8,}=*")

_read: set[str] = set()


def remember(secret: str) -> None:
    """A secret that was read in this process: `mask` finds it wherever it stands."""
    if len(secret) >= SHORTEST:
        _read.add(secret)


def mask(text: str) -> str:
    """`text`, with asterisks for what must not be shown."""
    for secret in _read:
        if secret in text:
            text = text.replace(secret, REDACTED)
    if "://" in text:
        text = _TOKEN.sub(f"{REDACTED}@", _PASSWORD.sub(rf"\1:{REDACTED}@", text))
    if "=" in text:
        text = _PARAMETER.sub(rf"\1{REDACTED}", text)
    return _HEADER.sub(rf"\1 {REDACTED}", text)
