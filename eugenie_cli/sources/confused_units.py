"""Instants read in the wrong unit that are plausible all the same: .NET's ticks of 2026 are nanoseconds of 1990.

Of all pairs of units, a few only leave instants between 1990 and now. Most of these are told apart by when a file was
written: nothing in it can be later, and exports usually end shortly before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from eugenie_cli.history.assessment.findings import instant
from eugenie_cli.history.manifest import Item
from eugenie_cli.readings.number_units import COUNTS, DAY_MS, DAYS, FIRST_PLAUSIBLE, LEAPS_OF_GPS, of_instant

UNITS = (*COUNTS, *DAYS)
YEAR_MS = 366 * DAY_MS
ZONES_MS = DAY_MS
"""Local times, and clocks that are a little off."""


@dataclass(frozen=True)
class Doubt:
    """Why a unit may be wrong. `is_sure`: the instants cannot be right; otherwise they may be of an old export."""

    sentence: str
    is_sure: bool


def doubt_of_items(items: Iterable[Item], unit: str, now_ms: int) -> Doubt | None:
    """The doubt about most items of a source that has one: a single item may have a strange date of its own."""
    if unit not in UNITS:
        return None
    doubts: list[Doubt | None] = []
    for item in items:
        if spans := [(start, end) for part in item.parts for _, start, end in part.assets.values()]:
            first, last = min(start for start, _ in spans), max(end for _, end in spans)
            doubts.append(doubt(first, last, unit, item.exported // 1_000_000, now_ms))
    found = sorted((one for one in doubts if one is not None), key=lambda one: not one.is_sure)
    return found[0] if 2 * len(found) > len(doubts) else None


def doubt(start_ms: int, end_ms: int, unit: str, written_ms: int, now_ms: int) -> Doubt | None:
    """The doubt about instants from `start_ms` to `end_ms` (UTC) that were read in a unit; None if there is none.

    `written_ms`: when the file was written, 0 if unknown. All in ms since 1970.
    """
    for other in rivals(unit, now_ms):
        first, last = (_in_other(at, unit, other) for at in (start_ms, end_ms))
        if not FIRST_PLAUSIBLE <= first <= last <= now_ms + ZONES_MS:
            continue
        would = f"with `unit: {other}` they would end at {instant(last)}"
        if _shadow(other, unit, now_ms) < YEAR_MS:
            return Doubt(f"readings end at {instant(end_ms)}; {would}", True)
        if written_ms < FIRST_PLAUSIBLE or last > written_ms + ZONES_MS:
            continue
        if end_ms > written_ms + ZONES_MS:
            return Doubt(f"readings end at {instant(end_ms)}, after their file was written; {would}", True)
        if end_ms < written_ms - YEAR_MS <= last:
            words = (
                f"readings end at {instant(end_ms)}, long before their file was written ({instant(written_ms)[:10]})"
            )
            return Doubt(f"{words}; {would}", False)
    return None


def rivals(unit: str, now_ms: int) -> Iterator[str]:
    """The units whose instants from 1990 to now are, in part, plausible in this unit, too."""
    return (other for other in UNITS if other != unit and _shadow(other, unit, now_ms) > 0)


def _shadow(other: str, unit: str, now_ms: int) -> int:
    """How much time, ms, between 1990 and now the instants of `other` cover if they are read in `unit`."""
    return _shadow_of_day(other, unit, now_ms // DAY_MS)


@cache
def _shadow_of_day(other: str, unit: str, day: int) -> int:
    now = (day + 1) * DAY_MS
    first, last = (_in_other(at, other, unit) for at in (FIRST_PLAUSIBLE, now))
    return max(0, min(last, now) - max(first, FIRST_PLAUSIBLE))


def _in_other(ts: int, unit: str, other: str) -> int:
    """The instant, ms since 1970, that the number of an instant in `unit` is in `other`."""
    number = of_instant(ts, ts, unit)
    if other in DAYS:
        return int(number / DAYS[other].per_day * DAY_MS) + DAYS[other].zero
    count = COUNTS[other]
    at = int(number * count.times / count.over) + count.zero
    return at - 1_000 * bisect_right(LEAPS_OF_GPS, at) if other == "gps" else at
