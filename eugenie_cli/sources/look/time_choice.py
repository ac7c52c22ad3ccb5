"""Which of several readings of the same timestamps is meant: shown by their order, or left to be checked."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from eugenie_cli.readings.number_units import FIRST_PLAUSIBLE
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.instants import Instants

CLOCK_MS = 86_400_000
"""How far ahead of this machine's clock an instant may be: the plant's zone is not known yet."""
REGULAR = 10
"""A reading whose instants span this many times less than the other's is the right one: days, not months, pass."""


@dataclass(frozen=True)
class Sequel:
    """What a reading makes of timestamps in the order of the rows: how often they turn back, and the time they span."""

    turns: int
    span: int
    last: int
    first: int
    days: int


def choose(found: Instants, cells: Sequence[str], notes: Notes, where: str) -> int:
    """The index of the reading (`found.formats`) that is meant. Adds a check if the data do not show it."""
    if len(found.formats) < 2:
        return 0
    if (dotted := _day_first(found)) is not None:
        notes.find("order of day and month", _shown(found.formats[dotted]), "nobody writes the month first with dots")
        return dotted
    sequels = [_sequel(found, choice, cells) for choice in range(len(found.formats))]
    left = list(range(len(sequels)))
    now = int(time.time() * 1_000)
    for why, keep in (
        ("the other would be ahead of this machine's clock, or before 1990", lambda s: _plausible(s, now)),
        ("with the other, rows would not be in the order of time", lambda s: s.turns <= min(q.turns for q in sequels)),
        ("with the other, far more time would lie between rows", lambda s: s.span * REGULAR <= _widest(sequels)),
    ):
        kept = [choice for choice in left if keep(sequels[choice])]
        if kept and len(kept) < len(left):
            left = kept
            evidence = why
        if len(left) == 1:
            notes.find("order of day and month", _shown(found.formats[left[0]]), evidence)
            return left[0]
    chosen = _likely(found, left)
    sample = next((cell for cell in cells if cell), "")
    others = " or ".join(_shown(found.formats[choice]) for choice in left if choice != chosen)
    notes.check(
        "ts",
        f"{where} {sample!r} may have its day or its month first; {_shown(found.formats[chosen])} was taken",
        f"the other way: format {others}",
    )
    return chosen


def _day_first(found: Instants) -> int | None:
    """The index of the only reading that has a day before a month and dots between them."""
    dotted = [n for n, formats in enumerate(found.formats) if all(f.startswith("%d.%m.") for f in formats)]
    others = [n for n, formats in enumerate(found.formats) if any("." not in f[:3] for f in formats)]
    return dotted[0] if len(dotted) == 1 and not others else None


def _likely(found: Instants, left: Sequence[int]) -> int:
    """The reading to begin with: month first with AM and PM, otherwise day first."""
    for choice in left:
        first = found.formats[choice][0]
        if ("%p" in first and "/" in first) == first.lstrip("%aA, ").startswith(("m", "%m")):
            return choice
    return left[0]


def _plausible(sequel: Sequel, now: int) -> bool:
    return sequel.last <= now + CLOCK_MS and sequel.first >= FIRST_PLAUSIBLE


def _widest(sequels: Sequence[Sequel]) -> int:
    """The widest span, if there are enough days to compare; otherwise none is too wide."""
    widest = max(sequel.span for sequel in sequels)
    return widest if min(sequel.days for sequel in sequels) > 2 else 0


def _sequel(found: Instants, choice: int, cells: Sequence[str]) -> Sequel:
    read = found.reader(choice)
    texts = {cell: read(cell) for cell in dict.fromkeys(cells) if cell}
    instants = [at for cell in cells if (at := texts.get(cell)) is not None]
    if not instants:
        return Sequel(0, 0, 0, 0, 0)
    steps = [b - a for a, b in itertools.pairwise(instants)]
    falls, rises = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    days = len({at // 86_400_000 for at in instants})
    return Sequel(min(falls, rises), max(instants) - min(instants), max(instants), min(instants), days)


def _shown(formats: Sequence[str]) -> str:
    return " and ".join(formats)
