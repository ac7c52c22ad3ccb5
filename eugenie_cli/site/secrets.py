"""Secrets of a site: kept as written (`${env:NAME}`, `${file:path}`), resolved where used, shown nowhere."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.variables import expand, is_reference

REDACTED = "********"

_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")


def reveal(secret: SecretStr) -> str:
    """The secret's value, read now. Hand it to a client; never print, log or store it.

    Raises EugenieError when its variable or file is missing.
    """
    try:
        return expand(secret.get_secret_value(), Path.cwd())
    except ValueError as error:
        raise EugenieError(f"a secret of the site file: {error}", "set it, then run the command again") from None


def show_secret(secret: SecretStr) -> str:
    """What may be shown of a secret: where it comes from, or asterisks when the file itself holds it."""
    written = secret.get_secret_value()
    return written if is_reference(written) else REDACTED


def without_password(text: str) -> str:
    """`text`, with asterisks for the password of an address such as `http://user:password@host`."""
    return _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)
