"""Metrics of the alarms as an operator meets them: how many in an hour, at worst in ten minutes, how many in vain.

After ANSI/ISA-18.2-2016 and IEC 62682:2022, clause 16 (monitoring and assessment), and EEMUA Publication 191. Their
figures are for *one operator position*; here it is one who watches all the assets that are given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eugenie_cli.detection.metrics.events import Raised

HOUR_MS = 3_600_000
INTERVAL_MS = 600_000
"""The standards count alarms in consecutive intervals of ten minutes; ours begin on the clock."""
ACCEPTABLE_PER_HOUR = 6.0
"""Very likely to be acceptable, on average."""
MANAGEABLE_PER_HOUR = 12.0
"""The most that is manageable, on average."""
MOST_IN_AN_INTERVAL = 10
"""More alarms than this in ten minutes are a flood, which lasts until an interval with less than half."""
FLOOD_ENDS_BELOW = 5
ACCEPTABLE_FLOOD = 0.01
"""Share of the time."""
CHATTER_MS = 60_000
"""An alarm that comes back within a minute of going is chattering; one that goes within a minute is fleeting."""
STALE_MS = 24 * HOUR_MS
"""An alarm that stands for more than a day is stale: nobody acts on it."""
MOST_STALE = 5
"""On any day there should be fewer."""
MOST_STANDING = 10
"""EEMUA 191: fewer alarms than this stand at once, on average."""

Span = tuple[int, int]
"""[start, end), ms since 1970 UTC."""


@dataclass(frozen=True)
class AlarmLoad:
    """An operator's alarms. Shares are fractions; None is what cannot be known, for want of time observed."""

    alarms: int
    hours: float
    """Observed: while at least one asset was."""
    per_hour: float | None
    peak_10_min: int
    """The most in one interval."""
    floods: int
    flood_fraction: float | None
    """Intervals in a flood, of those observed."""
    chattering: int
    fleeting: int
    stale: int
    standing_mean: float | None
    """Alarms that stand at once, averaged over the time observed."""
    standing_peak: int
    worst_asset: str | None
    worst_asset_share: float | None
    """The asset with the most alarms, and its share of them."""


def alarm_load(raised: Sequence[Raised], observed: Iterable[Span]) -> AlarmLoad:
    """The load of `raised`, over the time that the spans cover; they may overlap."""
    spans = union(observed)
    hours = sum(end - start for start, end in spans) / HOUR_MS
    intervals = sorted({i for start, end in spans for i in range(start // INTERVAL_MS, -(-end // INTERVAL_MS))})
    counts = Counter(one.detected // INTERVAL_MS for one in raised)
    floods, in_flood = _floods(intervals, counts)
    mean, peak = _standing(raised, hours)
    worst = Counter(one.asset for one in raised).most_common(1)
    return AlarmLoad(
        alarms=len(raised),
        hours=hours,
        per_hour=len(raised) / hours if hours else None,
        peak_10_min=max(counts.values(), default=0),
        floods=floods,
        flood_fraction=in_flood / len(intervals) if intervals else None,
        chattering=_chattering(raised),
        fleeting=sum(one.end - one.detected < CHATTER_MS for one in raised),
        stale=sum(one.end - one.detected > STALE_MS for one in raised),
        standing_mean=mean,
        standing_peak=peak,
        worst_asset=worst[0][0] if worst else None,
        worst_asset_share=worst[0][1] / len(raised) if worst else None,
    )


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time as spans that neither overlap nor touch, in order."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > start:
            merged.append((start, end))
    return merged


def _floods(intervals: Sequence[int], counts: Counter[int]) -> tuple[int, int]:
    """Floods, and intervals in one. An interval that was not observed ends a flood."""
    floods = inside = 0
    flooded, before = False, None
    for interval in intervals:
        count = counts[interval]
        going_on = flooded and interval - 1 == before and count >= FLOOD_ENDS_BELOW
        begins = not going_on and count > MOST_IN_AN_INTERVAL
        floods += begins
        flooded, before = going_on or begins, interval
        inside += flooded
    return floods, inside


def _chattering(raised: Sequence[Raised]) -> int:
    """Alarms that came within `CHATTER_MS` of the same asset's last one going."""
    last: dict[str, int] = {}
    found = 0
    for one in sorted(raised, key=lambda one: one.detected):
        found += one.detected - last.get(one.asset, one.detected - CHATTER_MS - 1) <= CHATTER_MS
        last[one.asset] = one.end
    return found


def _standing(raised: Sequence[Raised], hours: float) -> tuple[float | None, int]:
    """How many stand at once: on average over the time observed, and at most."""
    changes: defaultdict[int, int] = defaultdict(int)
    for one in raised:
        changes[one.detected] += 1
        changes[one.end] -= 1
    peak = now = 0
    for instant in sorted(changes):
        now += changes[instant]
        peak = max(peak, now)
    total = sum(one.end - one.detected for one in raised)
    return (total / HOUR_MS / hours if hours else None), peak
