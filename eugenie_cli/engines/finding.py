"""The result of one check of `eugenie doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check. `found`: what was found; `ok` False: the engines will not run; `hint`: what to do.

    A check that is ok but has a hint is a warning.
    """

    name: str
    ok: bool
    found: str
    hint: str = ""
