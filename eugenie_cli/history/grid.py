"""The grid: readings aligned on multiples of a step, each row the "last value at or before the edge, of limited age".

The stream applies the same rules (`docs/design.md`, "Time, the grid and missing values"), so a model gets the same rows
from history and from the live stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import AssetReadings, deduplicate
from eugenie_cli.readings.limits import Limits

if TYPE_CHECKING:
    from eugenie_cli.history.store import History
    from eugenie_cli.site.schema import EquipmentClass, Fleet

# 2 GiB of float32. Otherwise one stray reading, years from the others, would exhaust the memory.
MAX_CELLS = 1 << 29


@dataclass(frozen=True)
class Grid:
    """Rows of one asset: contiguous edges from the first to the last row that exists.

    `edges` int64 [T]: ms since 1970 UTC, one step apart; `rows` float32 [T, S]: the value of each sensor in the class's
    order, NaN where missing. A row that does not exist is all NaN.
    """

    asset: str
    edges: NDArray[np.int64]
    rows: NDArray[np.float32]


def align(
    readings: AssetReadings,
    *,
    sensors: Sequence[str],
    step_ms: int,
    max_gap_ms: int,
    limits: Limits | None = None,
) -> Grid:
    """Readings -> rows. Omits sensors that are not in `sensors`; `limits` are in the order of `sensors`.

    Raises EugenieError when the readings span more rows than memory can hold.
    """
    columns = {name: index for index, name in enumerate(sensors)}
    lookup = np.array([columns.get(name, -1) for name in readings.names], np.int32)
    sensor = lookup[readings.sensor] if len(readings.sensor) else np.zeros(0, np.int32)
    known = sensor >= 0
    sensor, ts, value = sensor[known], readings.ts[known], readings.value[known]
    if limits is not None:
        value = limits.apply(sensor, value)  # before ties are resolved: an impossible value is a bad reading
    sensor, ts, value = deduplicate(sensor, ts, value)

    edges = _edges(readings.asset, ts, step_ms, max_gap_ms, len(sensors))
    rows = np.full((len(edges), len(sensors)), np.nan, np.float32)
    if not len(edges):
        return Grid(readings.asset, edges, rows)
    starts = np.searchsorted(sensor, np.arange(len(sensors) + 1))
    # the first edge at or after each reading; outside of the grid there is none that the reading reaches
    first = -(-(ts - edges[0]) // step_ms)
    inside = (first >= 0) & (first < len(edges))
    for column, (start, stop) in enumerate(itertools.pairwise(starts)):
        own_ts, own_value = ts[start:stop][inside[start:stop]], value[start:stop][inside[start:stop]]
        if not len(own_ts):
            continue
        last = np.full(len(edges), -1, np.int64)
        last[first[start:stop][inside[start:stop]]] = np.arange(len(own_ts))  # of several, the last one stays
        np.maximum.accumulate(last, out=last)
        fresh = (last >= 0) & (edges - own_ts[last] <= max_gap_ms)
        rows[fresh, column] = own_value[last[fresh]]
    return Grid(readings.asset, edges, rows)


def _edges(asset: str, ts: NDArray[np.int64], step_ms: int, max_gap_ms: int, sensors: int) -> NDArray[np.int64]:
    """Every edge from the first to the last that has a reading, good or bad, at most `max_gap_ms` old."""
    first = -(-ts // step_ms) * step_ms
    reaching = first - ts <= max_gap_ms
    if not reaching.any():
        return np.zeros(0, np.int64)
    start = int(first[reaching].min())
    end = int(((ts[reaching] + max_gap_ms) // step_ms).max()) * step_ms
    if ((end - start) // step_ms + 1) * sensors > MAX_CELLS:
        raise EugenieError(
            f"{asset}: {_show(start)} to {_show(end)} is too long for a grid of {step_ms} ms steps",
            hint="`eugenie history quality` shows stray readings; set a start and an end, or a longer step",
        )
    return np.arange(start, end + step_ms, step_ms, dtype=np.int64)


def _show(instant_ms: int) -> str:
    return str(np.datetime64(instant_ms, "ms")) + "Z"


def limits_of(equipment: EquipmentClass) -> Limits:
    """The engineering limits of a class's sensors."""
    return Limits([sensor.low for sensor in equipment.sensors], [sensor.high for sensor in equipment.sensors])


def limits_by_name(equipment: EquipmentClass) -> dict[str, tuple[float | None, float | None]]:
    """The limits by sensor name, for `History.read`, which applies them before it chooses between repeated readings."""
    return {sensor.name: (sensor.low, sensor.high) for sensor in equipment.sensors}


def load_grid(
    fleet: Fleet, history: History, asset: str, start_ms: int | None = None, end_ms: int | None = None
) -> Grid:
    """The rows of an asset with `start_ms <= edge < end_ms`, by its class's step, maximum gap and limits.

    Readings before `start_ms` still count for the first rows, as in the stream. Raises EugenieError for an asset
    that is not of the class; an asset without readings gives a grid without rows.
    """
    fleet.asset_named(asset)
    equipment = fleet.equipment
    step, max_gap = equipment.step, equipment.max_gap
    first_ms = None if start_ms is None else start_ms - max_gap
    readings = history.read(asset, first_ms, end_ms, limits_by_name(equipment))
    grid = align(readings, sensors=equipment.sensor_names, step_ms=step, max_gap_ms=max_gap)
    keep = np.ones(len(grid.edges), bool)
    if start_ms is not None:
        keep &= grid.edges >= start_ms
    if end_ms is not None:
        keep &= grid.edges < end_ms
    return Grid(asset, grid.edges[keep], grid.rows[keep])
