"""What was found out about the history, in words that a newcomer can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Severity = Literal["serious", "doubtful", "note"]
"""serious: training learns nothing, or something wrong; doubtful: look at it before training; note: good to know."""

ORDER: dict[str, int] = {"serious": 0, "doubtful": 1, "note": 2}
NAMES_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One finding. `asset` and `sensor` are None if it concerns all of a class. `next`: what to do or to write."""

    kind: str
    severity: Severity
    class_name: str
    asset: str | None
    sensor: str | None
    text: str
    next: str

    @property
    def sentence(self) -> str:
        """The finding and the next step as one line."""
        return f"{self.text}: {self.next}" if self.next else self.text


def listed(names: Iterable[str]) -> str:
    """`a, b and 3 more`."""
    every = list(names)
    more = f" and {len(every) - NAMES_SHOWN:,} more" if len(every) > NAMES_SHOWN else ""
    return ", ".join(every[:NAMES_SHOWN]) + more


def instant(milliseconds: int) -> str:
    """ISO 8601 to the second, UTC."""
    return f"{np.datetime64(int(milliseconds), 'ms').astype('M8[s]')}Z"


def lasting(milliseconds: float) -> str:
    """A duration in the largest unit in which it is at least 1: `10 s`, `1.5 min`."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if milliseconds >= size:
            return f"{milliseconds / size:.3g} {unit}"
    return f"{milliseconds:.0f} ms"


def percent(share: float) -> str:
    """A share in percent; a small one is `<1 %`, never 0."""
    return "<1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")
