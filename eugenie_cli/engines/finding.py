"""The result of one check of `eugenie doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One check. `found`: what was found; `ok` False: the engines will not run; `hint`: what to do."""

    name: str
    ok: bool
    found: str
    hint: str = ""
