"""Watches an evaluation asset by asset and keeps what a report needs: figures, and rows for a few pictures."""

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
from eugenie_cli.evaluation.judged_rows import early_ms, quiet_rows
from eugenie_cli.evaluation.performance import quiet_of, raised_by
from eugenie_cli.evaluation.timeline import TimelineSum
from eugenie_cli.evaluation.top_k import TopK
from eugenie_cli.site.labels import Label, Labels
from eugenie_cli.site.schema import Fleet

MOST_EVENT_TRACES = 24
MOST_ALARM_TRACES = 6
MOST_ALARM_TRACES_ALONE = 12
"""Pictures of alarms where there are no labels, and so no pictures of events."""
MOST_ALARMS = 200
"""Alarms that are listed one by one."""
MARGIN_ROWS = 60
"""Least number of rows drawn before and after an event, so that a picture shows normal operation."""


@dataclass(frozen=True)
class _Asset:
    """What the collector examines of one asset."""

    backtest: Backtest
    judged: Bools
    raised: Sequence[Raised]
    faults: Sequence[Span]
    on: Sequence[Span]
    """When an alarm was on."""
    beside: Floats | None
    """The other version's scores of the same rows, [T]."""
    raised_beside: Sequence[Raised] | None


class Collector:
    """`add` each asset's backtest once, then ask for `findings`."""

    def __init__(self, fleet: Fleet, labels: Labels | None, event_pictures: int = MOST_EVENT_TRACES) -> None:
        self._fleet, self._labels = fleet, labels
        self._equipment = fleet.equipment
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

    def add(self, backtest: Backtest, judged: Bools, beside: Backtest | None = None) -> None:
        """Add an asset's scored rows and which of them are judged, bool [T]; `beside`: another version's scores."""
        labels = [
            label for label in self._labels_of(backtest.asset) if _judged_in(backtest, judged, (label.start, label.end))
        ]
        raised = [
            alarm
            for alarm in raised_by(backtest.asset, backtest.events)
            if _judged_in(backtest, judged, (alarm.detected, alarm.end))
        ]
        intervals = [self._interval(backtest.asset, label) for label in labels]
        false = [alarm for alarm in raised if is_false(alarm, intervals)] if self._labels is not None else []
        faults = [(label.start, label.end) for label in labels]
        spans = [(alarm.detected, alarm.end) for alarm in raised]
        on = _covered(backtest, spans)
        watched_asset = _Asset(
            backtest, judged, raised, faults, spans,
            None if beside is None else score_on(backtest.edges, beside),
            None if beside is None else tuple(raised_by(beside.asset, beside.events)),
        )  # fmt: skip

        self._raised += raised
        self._watched += watched(backtest.edges, judged, self._equipment.step)
        phase = phase_of(backtest.edges, faults)
        self._phases = self._phases + phase_counts(phase[judged], backtest.score[judged], on[judged])
        flagged = backtest.score > 1.0
        self._timeline.add_rows(backtest.edges[judged], ~np.isnan(backtest.score[judged]), flagged[judged], on[judged])
        self._timeline.add_alarms(
            np.array([alarm.detected for alarm in raised]), np.array([alarm.detected for alarm in false])
        )
        if judged.any():
            first, last = int(backtest.edges[judged][0]), int(backtest.edges[judged][-1])
            before = self._period or (first, last)
            self._period = (min(before[0], first), max(before[1], last))
        events = [self._event(watched_asset, label) for label in labels]
        self._events += events
        for alarm in raised:
            self._alarm(watched_asset, alarm, alarm in false)
        count = int(np.count_nonzero(judged))
        window = max(backtest.window, 0 if beside is None else beside.window)
        quiet = quiet_rows(self._fleet, backtest.asset, backtest.edges, self._labels, window)
        self._assets.append(
            AssetFinding(
                asset=backtest.asset,
                judged_rows=count,
                flagged=float(flagged[judged].mean()) if count else None,
                alarm_time_fraction=float(on[judged].mean()) if count else None,
                alarms=len(raised),
                false_alarms=len(false) if self._labels is not None else None,
                events=len(events) if self._labels is not None else None,
                detected=sum(event.detected is not None for event in events) if self._labels is not None else None,
                days=day_counts(
                    self._fleet.timezone, backtest.edges[judged], self._equipment.step, raised,
                    false if self._labels is not None else None,
                ),
                coverage=coverage_of(backtest.edges, backtest.rows, backtest.score, self._equipment.sensor_names,
                                     self._equipment.step),
                overview=trace(backtest, _whole(backtest), labelled=faults, alarms=spans, points=OVERVIEW_POINTS,
                               beside=watched_asset.beside),
                quiet=quiet_of(flagged[judged], on[judged], quiet[judged]),
                scored=float((~np.isnan(backtest.score[judged])).mean()) if count else None,
            )
        )  # fmt: skip

    def findings(self) -> Findings:
        """The findings over all assets."""
        labelled = self._labels is not None
        with_sensors = [event for event in self._events if event.sensors]
        return Findings(
            labelled=labelled,
            period=self._period,
            load=alarm_load(self._raised, self._watched),
            phases=phase_rates(self._phases) if labelled and self._events else None,
            root_cause_at_alarm=self._at_alarm(with_sensors) if labelled else None,
            events=tuple(sorted(self._events, key=lambda event: (event.start, event.asset))),
            alarms=tuple(self._alarms.in_order()),
            assets=tuple(self._assets),
            timeline=self._timeline.finished(),
            flagged_by_half=self._timeline.halves(),
            event_traces=tuple(self._event_traces.in_order()),
            alarm_traces=tuple(self._alarm_traces.in_order()),
        )

    def _labels_of(self, asset: str) -> Sequence[Label]:
        return self._labels.of([asset]) if self._labels is not None else ()

    def _interval(self, asset: str, label: Label) -> Interval:
        return Interval(asset, label.start, label.end, early_ms(self._equipment))

    def _at_alarm(self, events: Sequence[EventFinding]) -> Any:
        names = self._equipment.sensor_names
        return root_cause_metrics([
            ([names.index(blame.sensor) for blame in event.blamed_at_alarm],
             frozenset(names.index(name) for name in event.sensors))
            for event in events
        ])  # fmt: skip

    def _event(self, watched_asset: _Asset, label: Label) -> EventFinding:
        backtest = watched_asset.backtest
        event = self._interval(backtest.asset, label)
        inside = (backtest.edges >= label.start) & (backtest.edges < label.end) & watched_asset.judged
        score, contribution = backtest.score[inside], backtest.contribution[inside]
        alarm = first_alarm(event, watched_asset.raised)
        scored = np.isfinite(score)
        finding = EventFinding(
            asset=backtest.asset,
            start=label.start,
            end=label.end,
            sensors=label.sensors,
            detected=alarm.detected if alarm else None,
            delay_s=_delay(event, alarm),
            peak=float(score[scored].max()) if scored.any() else None,
            blamed=self._blame(mean_contribution(score, contribution), label.sensors),
            blamed_at_alarm=self._blame(_contribution_at(backtest, alarm), label.sensors),
        )
        delays = [finding.delay_s]
        if watched_asset.raised_beside is not None:  # a fault that either version missed is worth a picture
            delays.append(_delay(event, first_alarm(event, watched_asset.raised_beside)))
        worst = max(math.inf if delay is None else delay for delay in delays)
        if self._event_traces.would_take(worst):
            picture = self._trace(watched_asset, (label.start, label.end), finding.blamed)
            if picture is not None:
                self._event_traces.add(worst, (finding, picture))
        return finding

    def _alarm(self, watched_asset: _Asset, alarm: Raised, false: bool) -> None:
        closed = next(
            event
            for event in watched_asset.backtest.events
            if event.kind == "closed" and event.detected == alarm.detected
        )
        finding = AlarmFinding(
            asset=watched_asset.backtest.asset,
            start=alarm.start,
            detected=alarm.detected,
            end=alarm.end,
            peak=closed.peak,
            false=false if self._labels is not None else None,
            blamed=self._blame(np.asarray(closed.contribution), ()),
        )
        self._alarms.add(finding.peak, finding)
        if finding.false is not False and self._alarm_traces.would_take(finding.peak):
            picture = self._trace(watched_asset, (alarm.start, alarm.end), finding.blamed)
            if picture is not None:
                self._alarm_traces.add(finding.peak, (finding, picture))

    def _trace(self, watched_asset: _Asset, span: Span, blamed: Sequence[Blame]) -> Trace | None:
        margin = max((span[1] - span[0]) // 2, MARGIN_ROWS * self._equipment.step)
        units = {sensor.name: sensor.unit for sensor in self._equipment.sensors}
        names = self._equipment.sensor_names
        sensors = [
            (names.index(blame.sensor), blame.sensor, units[blame.sensor], blame.contribution)
            for blame in blamed[:STRANDS]
        ]
        return trace(
            watched_asset.backtest, (span[0] - margin, span[1] + margin),
            labelled=watched_asset.faults, alarms=watched_asset.on, sensors=sensors, beside=watched_asset.beside,
        )  # fmt: skip

    def _blame(self, contribution: Floats | None, truth: Sequence[str]) -> tuple[Blame, ...]:
        """All sensors with a share, strongest first."""
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


def _judged_in(backtest: Backtest, judged: Bools, span: Span) -> bool:
    """Whether a judged row lies in the span."""
    first, last = np.searchsorted(backtest.edges, span)
    return bool(judged[first:last].any())


def _covered(backtest: Backtest, spans: Sequence[Span]) -> Bools:
    """bool [T]: edges inside a span."""
    inside = np.zeros(len(backtest.edges), bool)
    for span in spans:
        first, last = np.searchsorted(backtest.edges, span)
        inside[first:last] = True
    return inside


def _whole(backtest: Backtest) -> Span:
    return (int(backtest.edges[0]), int(backtest.edges[-1]) + 1) if len(backtest.edges) else (0, 0)


def _contribution_at(backtest: Backtest, alarm: Raised | None) -> Floats | None:
    """Contribution of the rows that raised the alarm, from its first record."""
    if alarm is None:
        return None
    opened = next(event for event in backtest.events if event.kind == "open" and event.detected == alarm.detected)
    return np.asarray(opened.contribution)
