"""Gauges that Flink is told about when they change.

Beam reports every gauge of an operator with every bundle, at some 20 us each: the six hundred that a hundred assets
with wrong clocks have took half of the time of a live bundle, and stayed for as long as the job ran. Flink keeps the
last value, so a gauge that has not been set since the last bundle need not be reported.

The cells are internal to the tested releases of Beam. With others, and with metrics that do not pass through Beam,
these are PyFlink's own gauges.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pyflink.fn_execution.metrics.process.metric_impl import GenericMetricGroup
from pyflink.metrics import MetricGroup

from eugenie_cli.flink_job import tested_versions


class ChangedGauges:
    """Gauges with a label each: `group.LABEL.VALUE.NAME`."""

    def __init__(self, group: MetricGroup, label: str) -> None:
        self._group, self._label = group, label
        self._values: dict[tuple[str, str], int] = {}
        is_beams = isinstance(group, GenericMetricGroup) and not tested_versions.others()
        self._updaters: dict[tuple[str, str], Any] | None = {} if is_beams else None

    def set(self, value_of_label: str, name: str, value: int) -> None:
        """Report a value with the bundle that is being processed."""
        gauge = value_of_label, name
        is_new = gauge not in self._values
        self._values[gauge] = value
        if self._updaters is None:
            if is_new:
                self._group.add_group(self._label, value_of_label).gauge(name, lambda: self._values[gauge])
            return
        if is_new:
            with tested_versions.private_part("the namespace of a metric group"):
                self._updaters[gauge] = _updater(self._group.add_group(self._label, value_of_label), name)
        self._updaters[gauge](value)


def _updater(group: Any, name: str) -> Any:
    from apache_beam.metrics.execution import MetricUpdater
    from apache_beam.metrics.metricbase import MetricName

    return MetricUpdater(_cell_type(), MetricName(group._get_namespace(), name))


@cache
def _cell_type() -> Any:
    """The class of the cells: Beam finds a cell by its class and name. Beam is slow to import."""
    from apache_beam.metrics.cells import GaugeCell

    class ChangedGaugeCell(GaugeCell):  # type: ignore[misc]
        def to_runner_api_monitoring_info(self, name: Any, transform_id: Any) -> Any:
            is_set = self.data.timestamp != 0
            return super().to_runner_api_monitoring_info(name, transform_id) if is_set else None

    return ChangedGaugeCell
