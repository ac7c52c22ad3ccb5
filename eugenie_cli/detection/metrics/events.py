"""Metrics of events: labelled faults detected, detection delay, and false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A labelled event of one asset, [start, end), ms since 1970 UTC.

    `early`: ms before `start` in which an alarm may be raised and still count as raised for the event.
    """

    asset: str
    start: int
    end: int
    early: int = 0


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
    """Anomalies that neither began during a labelled event nor were raised for one."""


def event_metrics(labelled: Sequence[Interval], raised: Sequence[Raised]) -> EventMetrics:
    """Compare events with anomalies. An event is detected by an anomaly of its asset that was raised during it, or at
    most `early` before it and is still on when it begins.

    The delay is the time from the event's start until the alarm was raised, or 0 for an early one. An alarm that has
    stood since long before detects nothing: it said nothing about the event, and is false. So a detector that flags
    everything detects no event.
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
    own = [anomaly for anomaly in raised if anomaly.asset == event.asset and _raised_for(anomaly, event)]
    return min(own, key=lambda anomaly: anomaly.detected, default=None)


def is_false(anomaly: Raised, labelled: Sequence[Interval]) -> bool:
    """Whether the anomaly neither began during a labelled event nor was raised for one."""
    return not any(
        anomaly.asset == event.asset and (event.start <= anomaly.start < event.end or _raised_for(anomaly, event))
        for event in labelled
    )


def _raised_for(anomaly: Raised, event: Interval) -> bool:
    return event.start - event.early <= anomaly.detected < event.end and anomaly.end > event.start
