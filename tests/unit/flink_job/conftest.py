"""Job specifications for the tests of the Flink job."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.job_specs import build_spec, class_spec

from eugenie_cli.flink_job.grid import Batch
from eugenie_cli.flink_job.sensor_index import SensorIndex
from eugenie_cli.flink_job.share import Readings
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.flink_job.task_rows import TaskRows

__all__ = ["build_spec", "class_spec", "job_spec", "readings", "rows_until"]


@pytest.fixture
def job_spec() -> Callable[..., JobSpec]:
    """`build_spec`."""
    return build_spec


def readings(routes: SensorIndex, *records: tuple[str, str, int, float]) -> Readings:
    """(asset, sensor, ts, value) as columns; each arrives at its own instant, in a message of its own."""
    place = [routes.place_of(asset, sensor, None) for asset, sensor, _, _ in records]
    ts = np.array([ts for _, _, ts, _ in records], np.int64)
    return Readings(
        np.array(place, np.int64),
        ts,
        np.array([value for _, _, _, value in records], np.float64),
        ts,
        np.zeros(len(records), np.int64),
        np.arange(len(records)),
    )


def rows_until(rows: TaskRows, until: int) -> list[Batch]:
    """Make all rows up to an instant, whatever the clocks of their assets are."""
    for end in rows._until:
        end[:] = until
    return list(rows.segments())
