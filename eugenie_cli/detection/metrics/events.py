"""Metrics of events: was a labelled fault noticed, how late, and how often was nothing the matter?"""

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
    """`delay_*` in seconds over the detected events, None when there are none."""

    total: int
    detected: int
    delay_median: float | None
    delay_p90: float | None
    false_alarms: int
    """Anomalies that neither began nor were raised during a labelled event."""


def event_metrics(labelled: Sequence[Interval], raised: Sequence[Raised]) -> EventMetrics:
    """An event is detected when an anomaly of its asset is on at any time of it.

    The delay is from the event's start to the moment the alarm was raised, 0 for one that was already on.
    Such a one was raised for nothing, a false alarm too: flagging everything detects all and pays for it.
    """
    delays = []
    for event in labelled:
        alarm = first_alarm(event, raised)
        if alarm is not None:
            delays.append(max(0, alarm.detected - event.start) / 1000)
    false_alarms = sum(is_false(one, labelled) for one in raised)
    median, p90 = (float(np.quantile(delays, share)) for share in (0.5, 0.9)) if delays else (None, None)
    return EventMetrics(len(labelled), len(delays), median, p90, false_alarms)


def first_alarm(event: Interval, raised: Sequence[Raised]) -> Raised | None:
    """The anomaly by which the event is detected; None where it is missed."""
    on = [one for one in raised if one.asset == event.asset and _overlaps(one, event)]
    return min(on, key=lambda one: one.detected, default=None)


def is_false(one: Raised, labelled: Sequence[Interval]) -> bool:
    """Whether the anomaly neither began nor was raised during a labelled event."""
    return not any(_began_in(one, event) for event in labelled)


def _overlaps(one: Raised, event: Interval) -> bool:
    return one.detected < event.end and one.end > event.start


def _began_in(one: Raised, event: Interval) -> bool:
    return one.asset == event.asset and (
        event.start <= one.start < event.end or event.start <= one.detected < event.end
    )
