"""Secrets of a site: kept as written (`${env:NAME}`, `${file:path}`), resolved where used, shown nowhere."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from eugenie_cli.errors import EugenieError
from eugenie_cli.masking import REDACTED, mask, remember
from eugenie_cli.site.interpolation import expand, is_reference


def reveal(secret: SecretStr) -> str:
    """The secret's value, read now. Hand it to a client; never print, log or store it.

    Raises EugenieError when its variable or file is missing.
    """
    try:
        value = expand(secret.get_secret_value(), Path.cwd())
    except ValueError as error:
        raise EugenieError(f"a secret of the site file: {error}", "set it, then run the command again") from None
    remember(value)
    return value


def show_secret(secret: SecretStr) -> str:
    """What may be shown of a secret: where it comes from, or asterisks when the file itself holds it."""
    written = secret.get_secret_value()
    return written if is_reference(written) else REDACTED


def without_password(text: str) -> str:
    """`text`, with asterisks for the password of an address such as `http://user:password@host`, for parameters such as
    `?token=...`, and for secrets that were read in this process."""
    return mask(text)
