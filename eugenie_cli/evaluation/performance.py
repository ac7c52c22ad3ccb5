"""Compares a detector's scores of an asset with the labels, and computes the class's figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.metrics import (
    EventMetrics,
    Interval,
    PointMetrics,
    Raised,
    RootCauseMetrics,
    event_metrics,
    point_metrics,
    rank_sensors,
    root_cause_metrics,
    vus_pr,
)
from eugenie_cli.episodes.state_machine import Event
from eugenie_cli.site.labels import Label

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Judgement:
    """One asset with J judged rows."""

    score: Floats
    """float32 [J]."""
    labelled: Bools
    """bool [J]."""
    on: Bools
    """bool [J]: rows during which an alarm was on."""
    quiet: Bools
    """bool [J]: quiet rows, at which nothing is known to be wrong."""
    raised: tuple[Raised, ...]
    """Anomalies that were on at a judged row."""
    events: tuple[Interval, ...]
    """Labelled events with a judged row."""
    blamed: tuple[tuple[tuple[int, ...], frozenset[int]], ...]
    """For each of these events: the ranked sensors and the labelled sensors."""


@dataclass(frozen=True)
class Quiet:
    """Judged rows at which nothing is known to be wrong (`judged_rows.quiet_rows`). Shares are of these rows."""

    rows: int
    flagged: float | None
    """Share that score above 1."""
    alarm_time_fraction: float | None
    """Share during which an alarm was on."""


@dataclass(frozen=True)
class Performance:
    """A detector's figures. Rates are fractions, times seconds; None means that a figure cannot be known."""

    point: PointMetrics | None
    events: EventMetrics | None
    root_cause: RootCauseMetrics | None
    false_alarms_per_asset_day: float | None
    vus_pr: float | None
    alarm_time_fraction: float | None
    anomalies_per_asset_day: float | None
    flagged: float | None
    """Share of the judged rows that score above 1."""
    coverage: float | None
    """Share of the judged rows that have a score; those without count as not flagged."""
    quiet: Quiet | None = None
    """None if not examined."""
    highest: float | None = None
    """The highest finite score."""


def judge(
    asset: str,
    edges: Ints,
    score: Floats,
    contribution: Floats,
    events: Sequence[Event],
    *,
    judged: Bools,
    labels: Sequence[Label],
    sensors: Sequence[str],
    quiet: Bools | None = None,
    early: int = 0,
) -> Judgement:
    """Judge edges [T], score [T], contribution [T, S] and the episode machine's events on the rows `judged` bool [T].

    `quiet` bool [T]: rows at which nothing is known to be wrong; by default those outside the labelled events.
    `early`: ms before a labelled event in which an alarm may be raised and still count as finding it.
    """
    labelled, on = np.zeros(len(edges), bool), np.zeros(len(edges), bool)
    kept, blamed, raised = [], [], []
    for label in labels:
        inside = (edges >= label.start) & (edges < label.end)
        labelled |= inside
        inside &= judged
        if inside.any():
            kept.append(Interval(asset, label.start, label.end, early))
            ranking = tuple(rank_sensors(score[inside], contribution[inside]))
            blamed.append((ranking, frozenset(sensors.index(name) for name in label.sensors)))
    for anomaly in raised_by(asset, events):
        during = (edges >= anomaly.detected) & (edges < anomaly.end) & judged
        on |= during
        if during.any():
            raised.append(anomaly)
    return Judgement(
        score=score[judged].astype(np.float32),
        labelled=labelled[judged],
        on=on[judged],
        quiet=(~labelled if quiet is None else quiet)[judged],
        raised=tuple(raised),
        events=tuple(kept),
        blamed=tuple(blamed),
    )


def summarise(judgements: Sequence[Judgement], *, step_ms: int, with_labels: bool) -> Performance:
    """The figures of all assets together. Rows are pooled, so each asset is weighted by its rows; VUS-PR is the mean
    over the assets."""
    rows = sum(len(judgement.score) for judgement in judgements)
    days = rows * step_ms / DAY_MS
    raised = [anomaly for judgement in judgements for anomaly in judgement.raised]
    score = np.concatenate([judgement.score for judgement in judgements]) if judgements else np.zeros(0, np.float32)
    flagged = score > 1.0
    on, quiet = (_joined([getattr(judgement, name) for judgement in judgements]) for name in ("on", "quiet"))
    finite = score[np.isfinite(score)]
    unlabelled = Performance(
        point=None,
        events=None,
        root_cause=None,
        false_alarms_per_asset_day=None,
        vus_pr=None,
        alarm_time_fraction=_ratio(int(np.count_nonzero(on)), rows),
        anomalies_per_asset_day=_ratio(len(raised), days),
        flagged=_ratio(int(np.count_nonzero(flagged)), rows),
        coverage=_ratio(int(np.count_nonzero(~np.isnan(score))), rows),
        quiet=quiet_of(flagged, on, quiet),
        highest=float(finite.max()) if len(finite) else None,
    )
    if not with_labels:
        return unlabelled
    labelled = _joined([judgement.labelled for judgement in judgements])
    events = event_metrics([event for judgement in judgements for event in judgement.events], raised)
    return Performance(
        **{
            **vars(unlabelled),
            "point": point_metrics(flagged, labelled),
            "events": events,
            "root_cause": root_cause_metrics([blame for judgement in judgements for blame in judgement.blamed]),
            "false_alarms_per_asset_day": _ratio(events.false_alarms, days),
            "vus_pr": vus_pr([(judgement.score, judgement.labelled) for judgement in judgements]),
        }
    )


def quiet_of(flagged: Bools, on: Bools, quiet: Bools) -> Quiet:
    """Figures of the quiet ones among J judged rows: bool [J] each for scores above 1, an alarm being on, and quiet."""
    rows = int(np.count_nonzero(quiet))
    return Quiet(rows, *(_ratio(int(np.count_nonzero(kind & quiet)), rows) for kind in (flagged, on)))


def _joined(parts: Sequence[Bools]) -> Bools:
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def raised_by(asset: str, events: Sequence[Event]) -> Iterator[Raised]:
    """The anomalies that the episode machine's events closed."""
    for event in events:
        if event.kind == "closed" and event.end is not None:
            # the last row before a silence is still part of the anomaly; the first row of a recovery is not
            end = event.end + 1 if event.reason == "silent" else event.end
            yield Raised(asset, event.start, event.detected, end)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
