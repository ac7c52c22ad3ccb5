"""Metrics of events: labelled faults detected, detection delay, and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A labelled event of one asset, [start, end), ms since 1970 UTC."""

    asset: str
    start: int
    end: int


class Raised(NamedTuple):
    """An anomaly, [start, end), that was raised at `detected`; ms since 1970 UTC."""

    asset: str
    start: int
    detected: int
    end: int


@dataclass(frozen=True)
class EventMetrics:
    """`delay_*` in seconds over the detected events, None if there are none."""

    total: int
    detected: int
    delay_median: float | None
    delay_p90: float | None
    false_alarms: int
    """Anomalies that neither began nor were raised during a labelled event."""


def event_metrics(labelled: Sequence[Interval], raised: Sequence[Raised]) -> EventMetrics:
    """Compare events with anomalies. An event is detected if an anomaly of its asset is on at any time during it.

    The delay is the time from the event's start until the alarm was raised, or 0 for an alarm that was already on.
    Such an alarm was raised without cause and also counts as false: a detector that flags everything detects every
    event but pays for it.
    """
    delays = []
    for event in labelled:
        alarm = first_alarm(event, raised)
        if alarm is not None:
            delays.append(max(0, alarm.detected - event.start) / 1000)
    false_alarms = sum(is_false(anomaly, labelled) for anomaly in raised)
    median, p90 = (float(np.quantile(delays, share)) for share in (0.5, 0.9)) if delays else (None, None)
    return EventMetrics(len(labelled), len(delays), median, p90, false_alarms)


def first_alarm(event: Interval, raised: Sequence[Raised]) -> Raised | None:
    """The anomaly that detected the event; None if it was missed."""
    on = [anomaly for anomaly in raised if anomaly.asset == event.asset and _overlaps(anomaly, event)]
    return min(on, key=lambda anomaly: anomaly.detected, default=None)


def is_false(anomaly: Raised, labelled: Sequence[Interval]) -> bool:
    """Whether the anomaly neither began nor was raised during a labelled event."""
    return not any(_began_in(anomaly, event) for event in labelled)


def _overlaps(anomaly: Raised, event: Interval) -> bool:
    return anomaly.detected < event.end and anomaly.end > event.start


def _began_in(anomaly: Raised, event: Interval) -> bool:
    return anomaly.asset == event.asset and (
        event.start <= anomaly.start < event.end or event.start <= anomaly.detected < event.end
    )
