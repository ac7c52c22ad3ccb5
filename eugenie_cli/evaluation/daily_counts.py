"""Alarms by day, as people count days: in the site's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from eugenie_cli.detection.arrays import Ints
from eugenie_cli.detection.metrics import Raised
from eugenie_cli.evaluation.findings import DayCount


def day_counts(
    timezone: str, edges: Ints, step_ms: int, raised: Sequence[Raised], false: Sequence[Raised] | None
) -> tuple[DayCount, ...]:
    """The days of an asset on which it has a judged row (edges [J], in order) or an alarm was raised."""
    instants = [*(edges[[0, -1]].tolist() if len(edges) else ()), *(one.detected for one in raised)]
    if not instants:
        return ()
    days, midnights = _midnights(ZoneInfo(timezone), min(instants), max(instants))
    rows = np.diff(np.searchsorted(edges, midnights))
    alarms = np.histogram([one.detected for one in raised], midnights)[0]
    wrong = None if false is None else np.histogram([one.detected for one in false], midnights)[0]
    return tuple(
        DayCount(day, int(rows[i]) * step_ms / 1000, int(alarms[i]), None if wrong is None else int(wrong[i]))
        for i, day in enumerate(days)
        if rows[i] or alarms[i]
    )


def _midnights(zone: ZoneInfo, first_ms: int, last_ms: int) -> tuple[list[str], Ints]:
    """The local days from the first instant to the last, and where each begins and the last one ends."""
    first, last = (datetime.fromtimestamp(instant / 1000, zone).date() for instant in (first_ms, last_ms))
    count = (last - first).days + 1
    dates = [first + timedelta(days=number) for number in range(count + 1)]
    begins = [datetime(date.year, date.month, date.day, tzinfo=zone).timestamp() for date in dates]
    return [date.isoformat() for date in dates[:-1]], np.array([round(begin * 1000) for begin in begins], np.int64)
