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
from eugenie_cli.history.grid_edges import Edges, edges_of
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
    """Rows of one asset, from the first to the last row that exists.

    `edges` int64 [T]: ms since 1970 UTC, one step apart, except where a long gap is cut out; `rows` float32 [T, S]: the
    value of each sensor in the class's order, NaN where missing. A row that does not exist is all NaN.
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
    gap_rows: int | None = None,
) -> Grid:
    """Readings -> rows. Omits sensors that are not in `sensors`; `limits` are in the order of `sensors`. Of a longer
    gap in the readings, only the first row and the last `gap_rows` rows are made; all of them for None.

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
    span = _span([own_ts for _, own_ts, _ in series], step_ms, max_gap_ms)
    if span is None:
        return Grid(readings.asset, np.zeros(0, np.int64), np.zeros((0, len(sensors)), np.float32))
    places = edges_of([own_ts for _, own_ts, _ in series], *span, step_ms, max_gap_ms, gap_rows)
    if len(places) * len(sensors) > MAX_CELLS:
        raise EugenieError(
            f"{readings.asset}: {_show(span[0])} to {_show(span[1])} is too long for a grid of {step_ms} ms steps",
            hint="`eugenie history quality` shows stray readings; set a start and an end, or a longer step",
        )
    edges = places.instants
    rows = np.full((len(sensors), len(edges)), np.nan, np.float32)
    for number, own_ts, own_value in series:
        _fill(rows[number], places, edges, own_ts, own_value, max_gap_ms)
    return Grid(readings.asset, edges, np.ascontiguousarray(rows.T))


def _fill(
    row: NDArray[np.float32],
    places: Edges,
    edges: NDArray[np.int64],
    ts: NDArray[np.int64],
    value: NDArray[np.float64],
    max_gap_ms: int,
) -> None:
    """Fill in the cells of one sensor, NaN before, from its readings in the order of time."""
    first = places.positions(ts)
    inside = slice(*np.searchsorted(first, (0, len(edges))).tolist())
    first, ts, value = first[inside], ts[inside], value[inside].astype(np.float32)
    if not len(first):
        return
    empty = np.ones(len(row), bool)
    empty[first] = False
    if max_gap_ms >= places.step_ms - 1:  # a reading reaches its first edge
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


def _span(series: Sequence[NDArray[np.int64]], step_ms: int, max_gap_ms: int) -> tuple[int, int] | None:
    """The first and the last edge that has a reading, good or bad, at most `max_gap_ms` old; None if there is none.

    `series`: the instants of each sensor, in the order of time.
    """
    if max_gap_ms < step_ms - 1:  # otherwise every reading reaches an edge
        series = [ts[-(-ts // step_ms) * step_ms - ts <= max_gap_ms] for ts in series]
    series = [ts for ts in series if len(ts)]
    if not series:
        return None
    start = -(-min(int(ts[0]) for ts in series) // step_ms) * step_ms
    return start, (max(int(ts[-1]) for ts in series) + max_gap_ms) // step_ms * step_ms


def _show(instant_ms: int) -> str:
    return str(np.datetime64(instant_ms, "ms")) + "Z"


def limits_of(equipment: EquipmentClass) -> Limits:
    """The engineering limits of a class's sensors."""
    return Limits([sensor.low for sensor in equipment.sensors], [sensor.high for sensor in equipment.sensors])


def limits_by_name(equipment: EquipmentClass) -> dict[str, tuple[float | None, float | None]]:
    """The limits by sensor name, for `History.read`, which applies them before it chooses between repeated readings."""
    return {sensor.name: (sensor.low, sensor.high) for sensor in equipment.sensors}


def load_grid(
    fleet: Fleet,
    history: History,
    asset: str,
    start_ms: int | None = None,
    end_ms: int | None = None,
    *,
    gap_rows: int | None = None,
) -> Grid:
    """The rows of an asset with `start_ms <= edge < end_ms`, by its class's step, maximum gap and limits. Long gaps are
    cut out by `gap_rows`: see `align`.

    Readings before `start_ms` still count for the first rows, as in the stream. Raises EugenieError for an asset
    that is not of the class; an asset without readings gives a grid without rows.
    """
    fleet.asset_named(asset)
    equipment = fleet.equipment
    step, max_gap = equipment.step, equipment.max_gap
    first_ms = None if start_ms is None else start_ms - max_gap
    readings = history.read(asset, first_ms, end_ms, limits_by_name(equipment))
    grid = align(readings, sensors=equipment.sensor_names, step_ms=step, max_gap_ms=max_gap, gap_rows=gap_rows)
    first = 0 if start_ms is None else int(np.searchsorted(grid.edges, start_ms))
    last = len(grid.edges) if end_ms is None else int(np.searchsorted(grid.edges, end_ms))
    return Grid(asset, grid.edges[first:last], grid.rows[first:last])
