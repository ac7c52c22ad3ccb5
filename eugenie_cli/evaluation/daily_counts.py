"""Alarms by calendar day in the site's time zone."""

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
    """Days on which the asset has a judged row (edges [J], in order) or raised an alarm."""
    instants = [*(edges[[0, -1]].tolist() if len(edges) else ()), *(alarm.detected for alarm in raised)]
    if not instants:
        return ()
    days, midnights = _midnights(ZoneInfo(timezone), min(instants), max(instants))
    rows = np.diff(np.searchsorted(edges, midnights))
    alarms = np.histogram([alarm.detected for alarm in raised], midnights)[0]
    false_alarms = None if false is None else np.histogram([alarm.detected for alarm in false], midnights)[0]
    return tuple(
        DayCount(
            day, int(rows[i]) * step_ms / 1000, int(alarms[i]), None if false_alarms is None else int(false_alarms[i])
        )
        for i, day in enumerate(days)
        if rows[i] or alarms[i]
    )


def _midnights(zone: ZoneInfo, first_ms: int, last_ms: int) -> tuple[list[str], Ints]:
    """The local days from the first instant to the last, and the instants at which each begins and the last ends."""
    first, last = (datetime.fromtimestamp(instant / 1000, zone).date() for instant in (first_ms, last_ms))
    count = (last - first).days + 1
    dates = [first + timedelta(days=number) for number in range(count + 1)]
    begins = [datetime(date.year, date.month, date.day, tzinfo=zone).timestamp() for date in dates]
    return [date.isoformat() for date in dates[:-1]], np.array([round(begin * 1000) for begin in begins], np.int64)
