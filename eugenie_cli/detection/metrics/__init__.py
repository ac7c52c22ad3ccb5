"""How good a detector is: by row, by event, by hour of alarm, by sensor. Never point-adjusted."""

from __future__ import annotations

from eugenie_cli.detection.metrics.events import EventMetrics, Interval, Raised, event_metrics
from eugenie_cli.detection.metrics.point import PointMetrics, point_metrics
from eugenie_cli.detection.metrics.ranking import average_precision, vus_pr
from eugenie_cli.detection.metrics.root_cause import RootCauseMetrics, rank_sensors, root_cause_metrics

__all__ = [
    "EventMetrics",
    "Interval",
    "PointMetrics",
    "Raised",
    "RootCauseMetrics",
    "average_precision",
    "event_metrics",
    "point_metrics",
    "rank_sensors",
    "root_cause_metrics",
    "vus_pr",
]
