"""Detection metrics: by row, by event, by hour of alarm, by sensor. None is point-adjusted."""

from __future__ import annotations

from eugenie_cli.detection.metrics.alarm_load import AlarmLoad, alarm_load
from eugenie_cli.detection.metrics.events import EventMetrics, Interval, Raised, event_metrics, first_alarm, is_false
from eugenie_cli.detection.metrics.phases import PhaseRates, phase_counts, phase_of, phase_rates
from eugenie_cli.detection.metrics.point import PointMetrics, point_metrics
from eugenie_cli.detection.metrics.ranking import average_precision
from eugenie_cli.detection.metrics.root_cause import (
    RootCauseMetrics,
    mean_contribution,
    rank_sensors,
    root_cause_metrics,
)
from eugenie_cli.detection.metrics.vus import vus_pr

__all__ = [
    "AlarmLoad",
    "EventMetrics",
    "Interval",
    "PhaseRates",
    "PointMetrics",
    "Raised",
    "RootCauseMetrics",
    "alarm_load",
    "average_precision",
    "event_metrics",
    "first_alarm",
    "is_false",
    "mean_contribution",
    "phase_counts",
    "phase_of",
    "phase_rates",
    "point_metrics",
    "rank_sensors",
    "root_cause_metrics",
    "vus_pr",
]
