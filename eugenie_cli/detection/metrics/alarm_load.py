"""Metrics of alarms as an operator sees them: alarms per hour, the peak in ten minutes, floods, nuisance alarms.

They follow ANSI/ISA-18.2-2016 and IEC 62682:2022, clause 16 (monitoring and assessment), and EEMUA Publication 191.
Their figures apply to *one operator position*; here, one operator watches all the given assets.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eugenie_cli.detection.metrics.events import Raised

HOUR_MS = 3_600_000
INTERVAL_MS = 600_000
"""The standards count alarms in consecutive intervals of ten minutes; here they are aligned with the clock."""
ACCEPTABLE_PER_HOUR = 6.0
"""Very likely to be acceptable, on average."""
MANAGEABLE_PER_HOUR = 12.0
"""The highest manageable rate, on average."""
MOST_IN_AN_INTERVAL = 10
"""More alarms than this in ten minutes are a flood, which ends when there are fewer than `FLOOD_ENDS_BELOW`."""
FLOOD_ENDS_BELOW = 5
ACCEPTABLE_FLOOD = 0.01
"""Share of the time."""
CHATTER_MS = 60_000
"""An alarm that returns within a minute of clearing is chattering; one that clears within a minute is fleeting."""
STALE_MS = 24 * HOUR_MS
"""An alarm that stands for more than a day is stale: nobody acts on it."""
MOST_STALE = 5
"""There should be fewer stale alarms on any day."""
MOST_STANDING = 10
"""EEMUA 191: fewer alarms than this should stand at once, on average."""

Span = tuple[int, int]
"""[start, end), ms since 1970 UTC."""


@dataclass(frozen=True)
class AlarmLoad:
    """An operator's alarm load. Shares are fractions; None where no time was observed."""

    alarms: int
    hours: float
    """Time during which at least one asset was observed."""
    per_hour: float | None
    peak_10_min: int
    """The most alarms in one interval."""
    floods: int
    flood_fraction: float | None
    """Share of the observed intervals that are in a flood."""
    chattering: int
    fleeting: int
    stale: int
    standing_mean: float | None
    """Standing alarms, averaged over the observed time."""
    standing_peak: int
    worst_asset: str | None
    worst_asset_share: float | None
    """The asset with the most alarms, and its share of them."""


def alarm_load(raised: Sequence[Raised], observed: Iterable[Span]) -> AlarmLoad:
    """The load of `raised` over the time that the spans cover; spans may overlap."""
    spans = union(observed)
    hours = sum(end - start for start, end in spans) / HOUR_MS
    intervals = sorted({i for start, end in spans for i in range(start // INTERVAL_MS, -(-end // INTERVAL_MS))})
    counts = Counter(alarm.detected // INTERVAL_MS for alarm in raised)
    floods, in_flood = _floods(intervals, counts)
    mean, peak = _standing(raised, hours)
    worst = Counter(alarm.asset for alarm in raised).most_common(1)
    return AlarmLoad(
        alarms=len(raised),
        hours=hours,
        per_hour=len(raised) / hours if hours else None,
        peak_10_min=max(counts.values(), default=0),
        floods=floods,
        flood_fraction=in_flood / len(intervals) if intervals else None,
        chattering=_chattering(raised),
        fleeting=sum(alarm.end - alarm.detected < CHATTER_MS for alarm in raised),
        stale=sum(alarm.end - alarm.detected > STALE_MS for alarm in raised),
        standing_mean=mean,
        standing_peak=peak,
        worst_asset=worst[0][0] if worst else None,
        worst_asset_share=worst[0][1] / len(raised) if worst else None,
    )


def union(spans: Iterable[Span]) -> list[Span]:
    """Merge spans into ordered spans that neither overlap nor touch."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > start:
            merged.append((start, end))
    return merged


def _floods(intervals: Sequence[int], counts: Counter[int]) -> tuple[int, int]:
    """The number of floods, and of intervals in a flood. An interval that was not observed ends a flood."""
    floods = inside = 0
    flooded, previous = False, None
    for interval in intervals:
        count = counts[interval]
        continues = flooded and interval - 1 == previous and count >= FLOOD_ENDS_BELOW
        begins = not continues and count > MOST_IN_AN_INTERVAL
        floods += begins
        flooded, previous = continues or begins, interval
        inside += flooded
    return floods, inside


def _chattering(raised: Sequence[Raised]) -> int:
    """Alarms raised within `CHATTER_MS` after the same asset's last alarm cleared."""
    cleared: dict[str, int] = {}
    chattering = 0
    for alarm in sorted(raised, key=lambda alarm: alarm.detected):
        chattering += alarm.detected - cleared.get(alarm.asset, alarm.detected - CHATTER_MS - 1) <= CHATTER_MS
        cleared[alarm.asset] = alarm.end
    return chattering


def _standing(raised: Sequence[Raised], hours: float) -> tuple[float | None, int]:
    """Standing alarms: the average over the observed time, and the peak."""
    changes: defaultdict[int, int] = defaultdict(int)
    for alarm in raised:
        changes[alarm.detected] += 1
        changes[alarm.end] -= 1
    peak = standing = 0
    for instant in sorted(changes):
        standing += changes[instant]
        peak = max(peak, standing)
    total = sum(alarm.end - alarm.detected for alarm in raised)
    return (total / HOUR_MS / hours if hours else None), peak
