"""What `eugenie doctor` says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One finding. `ok` False: the engines will not run; `hint` says what to do."""

    name: str
    ok: bool
    found: str
    hint: str = ""
