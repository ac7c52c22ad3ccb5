"""Secrets of a site: kept as written (`${env:NAME}`, `${file:path}`), resolved on use, and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from eugenie_cli.errors import EugenieError
from eugenie_cli.masking import REDACTED, mask, remember
from eugenie_cli.site.interpolation import expand, is_reference


def reveal(secret: SecretStr) -> str:
    """Read and return the secret's value. Pass it to a client; never print, log or store it.

    Raises EugenieError if its variable or file is missing.
    """
    try:
        value = expand(secret.get_secret_value(), Path.cwd())
    except ValueError as error:
        raise EugenieError(f"a secret of the site file: {error}", "set it, then run the command again") from None
    remember(value)
    return value


def remember_written(value: Any) -> None:
    """Register the secrets that the site file itself contains, at any depth of `value`, so that `mask` hides them.

    Needed for importers, which may read a secret without `reveal`. References are not read.
    """
    if isinstance(value, SecretStr):
        written = value.get_secret_value()
        if not is_reference(written):
            remember(written)
    elif isinstance(value, BaseModel):
        remember_written((*vars(value).values(), *(value.model_extra or {}).values()))
    elif isinstance(value, Mapping):
        remember_written(tuple(value.values()))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            remember_written(item)


def show_secret(secret: SecretStr) -> str:
    """The text to show for a secret: its reference, or asterisks if the file itself contains it."""
    written = secret.get_secret_value()
    return written if is_reference(written) else REDACTED


def without_password(text: str) -> str:
    """`text` with asterisks for the password in a URL such as `http://user:password@host`, for parameters such as
    `?token=...`, and for secrets that this process has read."""
    return mask(text)
