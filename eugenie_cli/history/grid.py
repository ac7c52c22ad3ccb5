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
FEW_EMPTY = 0.1
"""The share of a sensor's cells without a reading of their own up to which they are searched for one by one."""


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
    numbers = [columns.get(name, -1) for name in readings.names]
    sensor, ts, value = readings.sensor, readings.ts, readings.value
    if limits is not None and len(ts):  # before ties are resolved: an impossible value is a bad reading
        value = limits.apply(np.array(numbers, np.int32)[sensor], value)
    sensor, ts, value = deduplicate(sensor, ts, value)
    bounds = np.searchsorted(sensor, np.arange(len(numbers) + 1, dtype=np.int32)).tolist()
    slices = itertools.starmap(slice, itertools.pairwise(bounds))
    series = [
        (number, ts[own], value[own])
        for number, own in zip(numbers, slices, strict=True)
        if number >= 0 and own.start < own.stop
    ]
    edges = _edges(readings.asset, [own_ts for _, own_ts, _ in series], step_ms, max_gap_ms, len(sensors))
    rows = np.full((len(sensors), len(edges)), np.nan, np.float32)
    if len(edges):
        for number, own_ts, own_value in series:
            _fill(rows[number], edges, own_ts, own_value, step_ms, max_gap_ms)
    return Grid(readings.asset, edges, np.ascontiguousarray(rows.T))


def _fill(
    row: NDArray[np.float32],
    edges: NDArray[np.int64],
    ts: NDArray[np.int64],
    value: NDArray[np.float64],
    step_ms: int,
    max_gap_ms: int,
) -> None:
    """Fill in the cells of one sensor, NaN before, from its readings in the order of time."""
    # the first edge at or after each reading; outside of the grid there is none that the reading reaches
    first = (ts - (edges[0] - step_ms + 1)) // step_ms
    inside = slice(*np.searchsorted(first, (0, len(edges))).tolist())
    first, ts, value = first[inside], ts[inside], value[inside].astype(np.float32)
    if not len(first):
        return
    empty = np.ones(len(row), bool)
    empty[first] = False
    if max_gap_ms >= step_ms - 1:  # a reading reaches its first edge
        row[first] = value  # of several, the last one stays
    else:
        reaching = edges[first] - ts <= max_gap_ms
        last = np.append(first[1:] != first[:-1], True)
        row[first[last & reaching]] = value[last & reaching]
    rest = np.flatnonzero(empty)
    if len(rest) > FEW_EMPTY * len(row):
        latest = np.zeros(len(row), np.int64)
        latest[first] = np.arange(len(first))
        latest = np.maximum.accumulate(latest, out=latest)[rest]
    else:
        latest = np.searchsorted(first, rest, side="right") - 1
    rest, latest = rest[rest > first[0]], latest[rest > first[0]]
    fresh = edges[rest] - ts[latest] <= max_gap_ms
    row[rest[fresh]] = value[latest[fresh]]


def _edges(
    asset: str, series: Sequence[NDArray[np.int64]], step_ms: int, max_gap_ms: int, sensors: int
) -> NDArray[np.int64]:
    """Every edge from the first to the last that has a reading, good or bad, at most `max_gap_ms` old.

    `series`: the instants of each sensor, in the order of time.
    """
    if max_gap_ms < step_ms - 1:  # otherwise every reading reaches an edge
        series = [ts[-(-ts // step_ms) * step_ms - ts <= max_gap_ms] for ts in series]
    series = [ts for ts in series if len(ts)]
    if not series:
        return np.zeros(0, np.int64)
    start = -(-min(int(ts[0]) for ts in series) // step_ms) * step_ms
    end = (max(int(ts[-1]) for ts in series) + max_gap_ms) // step_ms * step_ms
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
    first = 0 if start_ms is None else int(np.searchsorted(grid.edges, start_ms))
    last = len(grid.edges) if end_ms is None else int(np.searchsorted(grid.edges, end_ms))
    return Grid(asset, grid.edges[first:last], grid.rows[first:last])
