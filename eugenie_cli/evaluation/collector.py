"""Watches an evaluation, asset by asset, and keeps of each what a report says: figures, and rows for a few pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.metrics import (
    Interval,
    Raised,
    alarm_load,
    first_alarm,
    is_false,
    mean_contribution,
    phase_counts,
    phase_of,
    phase_rates,
    root_cause_metrics,
)
from eugenie_cli.detection.metrics.alarm_load import Span
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.evaluation.coverage import coverage_of, watched
from eugenie_cli.evaluation.daily_counts import day_counts
from eugenie_cli.evaluation.downsampling import OVERVIEW_POINTS, STRANDS, Trace, score_on, trace
from eugenie_cli.evaluation.findings import AlarmFinding, AssetFinding, Blame, EventFinding, Findings
from eugenie_cli.evaluation.judged_rows import quiet_rows
from eugenie_cli.evaluation.labels import Label, Labels
from eugenie_cli.evaluation.performance import quiet_of, raised_by
from eugenie_cli.evaluation.timeline import TimelineSum
from eugenie_cli.evaluation.top_k import TopK
from eugenie_cli.site.schema import Site

MOST_EVENT_TRACES = 24
MOST_ALARM_TRACES = 6
MOST_ALARM_TRACES_ALONE = 12
"""Pictures of alarms where no labelled event has one."""
MOST_ALARMS = 200
"""Alarms that are listed one by one."""
MARGIN_ROWS = 60
"""Rows drawn before and after an event, at least: a picture shows what was normal."""


@dataclass(frozen=True)
class _Asset:
    """What is looked at of one asset."""

    one: Backtest
    judged: Bools
    raised: Sequence[Raised]
    faults: Sequence[Span]
    on: Sequence[Span]
    """When an alarm was."""
    beside: Floats | None
    """The other version's scores of the same rows, [T]."""
    raised_beside: Sequence[Raised] | None


class Collector:
    """`add` each asset's backtest once, then ask for `findings`."""

    def __init__(
        self, site: Site, class_name: str, labels: Labels | None, event_pictures: int = MOST_EVENT_TRACES
    ) -> None:
        self._site, self._class_name, self._labels = site, class_name, labels
        self._equipment = site.classes[class_name]
        self._raised: list[Raised] = []
        self._watched: list[Span] = []
        self._phases: Any = 0
        self._timeline = TimelineSum()
        self._events: list[EventFinding] = []
        self._assets: list[AssetFinding] = []
        self._period: tuple[int, int] | None = None
        most = MOST_ALARM_TRACES if labels is not None else MOST_ALARM_TRACES_ALONE
        self._alarms: TopK[AlarmFinding] = TopK(MOST_ALARMS)
        self._event_traces: TopK[tuple[EventFinding, Trace]] = TopK(event_pictures)
        self._alarm_traces: TopK[tuple[AlarmFinding, Trace]] = TopK(most)

    def add(self, one: Backtest, judged: Bools, beside: Backtest | None = None) -> None:
        """An asset's scored rows, and which of them are judged, bool [T]; `beside`: as another version scored them."""
        labels = [label for label in self._own(one.asset) if _judged_in(one, judged, (label.start, label.end))]
        raised = [
            found for found in raised_by(one.asset, one.events) if _judged_in(one, judged, (found.detected, found.end))
        ]
        intervals = [Interval(one.asset, label.start, label.end) for label in labels]
        false = [found for found in raised if is_false(found, intervals)] if self._labels is not None else []
        faults = [(label.start, label.end) for label in labels]
        spans = [(found.detected, found.end) for found in raised]
        on = _covered(one, spans)
        seen = _Asset(
            one, judged, raised, faults, spans,
            None if beside is None else score_on(one.edges, beside),
            None if beside is None else tuple(raised_by(beside.asset, beside.events)),
        )  # fmt: skip

        self._raised += raised
        self._watched += watched(one.edges, judged, self._equipment.step)
        phase = phase_of(one.edges, faults)
        self._phases = self._phases + phase_counts(phase[judged], one.score[judged], on[judged])
        flagged = one.score > 1.0
        self._timeline.add_rows(one.edges[judged], ~np.isnan(one.score[judged]), flagged[judged], on[judged])
        self._timeline.add_alarms(np.array([a.detected for a in raised]), np.array([a.detected for a in false]))
        if judged.any():
            first, last = int(one.edges[judged][0]), int(one.edges[judged][-1])
            before = self._period or (first, last)
            self._period = (min(before[0], first), max(before[1], last))
        events = [self._event(seen, label) for label in labels]
        self._events += events
        for found in raised:
            self._alarm(seen, found, found in false)
        count = int(np.count_nonzero(judged))
        self._assets.append(
            AssetFinding(
                asset=one.asset,
                judged_rows=count,
                flagged=float(flagged[judged].mean()) if count else None,
                alarm_time_fraction=float(on[judged].mean()) if count else None,
                alarms=len(raised),
                false_alarms=len(false) if self._labels is not None else None,
                events=len(events) if self._labels is not None else None,
                detected=sum(event.detected is not None for event in events) if self._labels is not None else None,
                days=day_counts(
                    self._site.timezone, one.edges[judged], self._equipment.step, raised,
                    false if self._labels is not None else None,
                ),
                coverage=coverage_of(one.edges, one.rows, one.score, self._equipment.sensor_names,
                                     self._equipment.step),
                overview=trace(one, _whole(one), labelled=faults, alarms=spans, points=OVERVIEW_POINTS,
                               beside=seen.beside),
                quiet=quiet_of(flagged[judged], on[judged],
                               quiet_rows(self._site, self._class_name, one.asset, one.edges[judged], self._labels)),
                scored=float((~np.isnan(one.score[judged])).mean()) if count else None,
            )
        )  # fmt: skip

    def findings(self) -> Findings:
        """What all assets come to."""
        labelled = self._labels is not None
        told = [event for event in self._events if event.sensors]
        return Findings(
            labelled=labelled,
            period=self._period,
            load=alarm_load(self._raised, self._watched),
            phases=phase_rates(self._phases) if labelled and self._events else None,
            root_cause_at_alarm=self._at_alarm(told) if labelled else None,
            events=tuple(sorted(self._events, key=lambda event: (event.start, event.asset))),
            alarms=tuple(self._alarms.in_order()),
            assets=tuple(self._assets),
            timeline=self._timeline.finished(),
            flagged_by_half=self._timeline.halves(),
            event_traces=tuple(self._event_traces.in_order()),
            alarm_traces=tuple(self._alarm_traces.in_order()),
        )

    def _own(self, asset: str) -> Sequence[Label]:
        return self._labels.of([asset]) if self._labels is not None else ()

    def _at_alarm(self, events: Sequence[EventFinding]) -> Any:
        names = self._equipment.sensor_names
        return root_cause_metrics([
            ([names.index(blame.sensor) for blame in event.blamed_at_alarm],
             frozenset(names.index(name) for name in event.sensors))
            for event in events
        ])  # fmt: skip

    def _event(self, seen: _Asset, label: Label) -> EventFinding:
        one, event = seen.one, Interval(seen.one.asset, label.start, label.end)
        inside = (one.edges >= label.start) & (one.edges < label.end) & seen.judged
        score, contribution = one.score[inside], one.contribution[inside]
        alarm = first_alarm(event, seen.raised)
        scored = np.isfinite(score)
        found = EventFinding(
            asset=one.asset,
            start=label.start,
            end=label.end,
            sensors=label.sensors,
            detected=alarm.detected if alarm else None,
            delay_s=_delay(event, alarm),
            peak=float(score[scored].max()) if scored.any() else None,
            blamed=self._blame(mean_contribution(score, contribution), label.sensors),
            blamed_at_alarm=self._blame(_contribution_at(one, alarm), label.sensors),
        )
        delays = [found.delay_s]
        if seen.raised_beside is not None:  # a fault that either missed is worth a picture
            delays.append(_delay(event, first_alarm(event, seen.raised_beside)))
        worst = max(math.inf if delay is None else delay for delay in delays)
        if self._event_traces.would_take(worst):
            drawn = self._trace(seen, (label.start, label.end), found.blamed)
            if drawn is not None:
                self._event_traces.add(worst, (found, drawn))
        return found

    def _alarm(self, seen: _Asset, alarm: Raised, false: bool) -> None:
        closed = next(e for e in seen.one.events if e.kind == "closed" and e.detected == alarm.detected)
        found = AlarmFinding(
            asset=seen.one.asset,
            start=alarm.start,
            detected=alarm.detected,
            end=alarm.end,
            peak=closed.peak,
            false=false if self._labels is not None else None,
            blamed=self._blame(np.asarray(closed.contribution), ()),
        )
        self._alarms.add(found.peak, found)
        if found.false is not False and self._alarm_traces.would_take(found.peak):
            drawn = self._trace(seen, (alarm.start, alarm.end), found.blamed)
            if drawn is not None:
                self._alarm_traces.add(found.peak, (found, drawn))

    def _trace(self, seen: _Asset, span: Span, blamed: Sequence[Blame]) -> Trace | None:
        margin = max((span[1] - span[0]) // 2, MARGIN_ROWS * self._equipment.step)
        units = {sensor.name: sensor.unit for sensor in self._equipment.sensors}
        names = self._equipment.sensor_names
        sensors = [
            (names.index(blame.sensor), blame.sensor, units[blame.sensor], blame.contribution)
            for blame in blamed[:STRANDS]
        ]
        return trace(
            seen.one, (span[0] - margin, span[1] + margin),
            labelled=seen.faults, alarms=seen.on, sensors=sensors, beside=seen.beside,
        )  # fmt: skip

    def _blame(self, contribution: Floats | None, truth: Sequence[str]) -> tuple[Blame, ...]:
        """All sensors with a share, the strongest first."""
        if contribution is None:
            return ()
        return tuple(
            Blame(name, float(contribution[i]), name in truth if truth else None)
            for i in np.argsort(-contribution, kind="stable")
            if contribution[i] > 0
            for name in (self._equipment.sensor_names[i],)
        )


def _delay(event: Interval, alarm: Raised | None) -> float | None:
    """Seconds; None: missed."""
    return None if alarm is None else max(0, alarm.detected - event.start) / 1000


def _judged_in(one: Backtest, judged: Bools, span: Span) -> bool:
    """Whether a judged row lies in the span."""
    first, last = np.searchsorted(one.edges, span)
    return bool(judged[first:last].any())


def _covered(one: Backtest, spans: Sequence[Span]) -> Bools:
    """bool [T]: edges in a span."""
    inside = np.zeros(len(one.edges), bool)
    for span in spans:
        first, last = np.searchsorted(one.edges, span)
        inside[first:last] = True
    return inside


def _whole(one: Backtest) -> Span:
    return (int(one.edges[0]), int(one.edges[-1]) + 1) if len(one.edges) else (0, 0)


def _contribution_at(one: Backtest, alarm: Raised | None) -> Floats | None:
    """Of the rows that raised the alarm: what its first record says."""
    if alarm is None:
        return None
    opened = next(event for event in one.events if event.kind == "open" and event.detected == alarm.detected)
    return np.asarray(opened.contribution)
