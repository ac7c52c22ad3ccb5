"""Looks up names given by the user, and suggests the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TypeVar

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.printable import printable
from eugenie_cli.site.diagnostics import did_you_mean

T = TypeVar("T")
SHOWN_NAMES = 20
"""The largest number of names in a hint: a site may have thousands of assets."""
_PLURALS = {"class": "classes", "asset": "assets", "source": "sources"}


def named(what: str, name: str, known: Mapping[str, T], site: str) -> T:
    """The `class`, `asset` or `source` (`what`) with that name. Raises EugenieError (USAGE), listing known names."""
    if name in known:
        return known[name]
    raise EugenieError(
        no_such(what, name, known), f"{_PLURALS[what]} of site {site}: {listed(known)}", ExitCode.USAGE
    )  # fmt: skip


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """`there is no class pumpe (did you mean pump?)`."""
    return f"there is no {what} {printable(name) or repr(name)}{did_you_mean(name, known)}"


def listed(names: Iterable[str]) -> str:
    """The first SHOWN_NAMES names, followed by the number of the others."""
    names = list(names)
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(islice(names, SHOWN_NAMES)) + more or "none"
