"""An evaluation's findings on a model, beyond the figures that it shares with the baselines.

Instants are ms since 1970 UTC, durations seconds, shares fractions; None means that a value cannot be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eugenie_cli.detection.arrays import Ints
from eugenie_cli.detection.metrics import AlarmLoad, PhaseRates, RootCauseMetrics
from eugenie_cli.evaluation.coverage import Coverage
from eugenie_cli.evaluation.downsampling import Trace
from eugenie_cli.evaluation.performance import Quiet


@dataclass(frozen=True)
class Blame:
    """A sensor named as a cause."""

    sensor: str
    contribution: float
    right: bool | None
    """Whether the label names it too; None if the label names no sensor."""


@dataclass(frozen=True)
class EventFinding:
    """A labelled event: whether it was found, and which sensors were blamed."""

    asset: str
    start: int
    end: int
    sensors: tuple[str, ...]
    """As labelled."""
    detected: int | None
    """When the alarm that found it was raised, perhaps before the event; None: missed."""
    delay_s: float | None
    peak: float | None
    """The highest score during the event; None if no row had a score."""
    blamed: tuple[Blame, ...]
    """Over the whole event, strongest first: as known afterwards."""
    blamed_at_alarm: tuple[Blame, ...]
    """From the rows that raised the alarm: as shown to the operator."""


@dataclass(frozen=True)
class AlarmFinding:
    """An alarm."""

    asset: str
    start: int
    detected: int
    end: int
    peak: float
    false: bool | None
    """Whether it neither began nor was raised during a labelled event; None without labels."""
    blamed: tuple[Blame, ...]


@dataclass(frozen=True)
class DayCount:
    """An asset's day in the site's time zone."""

    day: str
    """ISO 8601 date."""
    judged_s: float
    alarms: int
    false_alarms: int | None


@dataclass(frozen=True)
class AssetFinding:
    """An asset's rows and alarms."""

    asset: str
    judged_rows: int
    flagged: float | None
    alarm_time_fraction: float | None
    alarms: int
    false_alarms: int | None
    events: int | None
    detected: int | None
    days: tuple[DayCount, ...]
    coverage: Coverage
    overview: Trace | None
    """The score over the whole period."""
    quiet: Quiet | None = None
    """Its quiet rows: judged rows at which nothing is known to be wrong."""
    scored: float | None = None
    """Share of its judged rows that have a score."""


@dataclass(frozen=True)
class Timeline:
    """The class by intervals of time: the N intervals with a judged row."""

    interval_ms: int
    start: Ints
    """int64 [N]."""
    counts: Ints
    """int64 [N, 6], by `COLUMNS`."""

    COLUMNS = ("rows", "scored", "flagged", "alarm_rows", "alarms", "false_alarms")


@dataclass(frozen=True)
class Findings:
    """The model's findings over all assets of the class."""

    labelled: bool
    period: tuple[int, int] | None
    """First and last judged edges."""
    load: AlarmLoad
    phases: Mapping[str, PhaseRates] | None
    root_cause_at_alarm: RootCauseMetrics | None
    events: tuple[EventFinding, ...]
    alarms: tuple[AlarmFinding, ...]
    """The strongest alarms, strongest first, at most `collector.MOST_ALARMS`."""
    assets: tuple[AssetFinding, ...]
    timeline: Timeline
    flagged_by_half: tuple[float | None, float | None]
    """Share of rows above 1 in the first and in the second half of the judged rows."""
    event_traces: tuple[tuple[EventFinding, Trace], ...]
    """The worst events: missed ones first, then those found late."""
    alarm_traces: tuple[tuple[AlarmFinding, Trace], ...]
    """The strongest false alarms; without labels, the strongest alarms."""
