"""Aligns readings on the grid, row by row, for all assets of a class in a shard at once. Pure; numpy only.

The rules are those of `history.grid`: a row takes the last reading at or before its edge, no older than max_gap; a bad
reading is a missing value; of two readings at one instant the larger good value wins. The same readings give the same
rows in any order and any batching, and the rows of an asset do not depend on other assets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.flink_job.instants import FOREVER, NEVER
from eugenie_cli.flink_job.spec import ClassSpec

SIZES = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows of an asset in a segment. Windows are computed separately: longer segments only save call overhead. Assets that
are behind by different numbers of rows share calls, because each is cut into segments of these sizes."""

EVEN_WINDOWS = 64
"""Windows that are worth a call of their own, of assets that are behind by the same number of rows, as in a backlog."""

NO_ROW = 2 * FOREVER
"""Later than every instant up to which rows can be complete."""

MAX_WINDOWS = 512
"""Windows in one Predict call at most. A server works on a call with one thread, so a backlog takes several."""


@dataclass(frozen=True)
class Batch:
    """Segments of B assets of a class with K rows to score each, which end at different edges: one Predict call."""

    class_name: str
    assets: tuple[str, ...]
    first_edge: NDArray[np.int64]
    """[B]: edge of the first of the K rows to score, ms since 1970 UTC."""
    step_ms: int
    rows: NDArray[np.float32]
    """[B, M - 1 + K, S], engineering units, NaN where missing."""
    readings: NDArray[np.int32]
    """[B, K]: good readings that each row took in."""
    bad_quality: NDArray[np.int32]
    """[B, K]: bad readings."""
    delayed_until: NDArray[np.int64]
    """[B]: rows up to this edge (ms) took in readings that arrived much later than usual."""

    @property
    def edges(self) -> NDArray[np.int64]:
        """Edges of the rows to score, [B, K], ms since 1970 UTC."""
        return self.first_edge[:, None] + self.step_ms * np.arange(self.readings.shape[1], dtype=np.int64)


class ClassRows:
    """The grid of one class in one shard: pending readings, the last reading of each sensor, the last M - 1 rows."""

    def __init__(self, spec: ClassSpec, assets: tuple[str, ...]) -> None:
        count, sensors = len(assets), len(spec.sensors)
        self.assets = assets
        self._sensors = spec.sensors
        self._step = spec.step_ms
        self._max_gap = spec.max_gap_ms
        self._name = spec.name
        self._low = np.array([-math.inf if low is None else low for low in spec.low])
        self._high = np.array([math.inf if high is None else high for high in spec.high])
        self.edge = np.full(count, NEVER, np.int64)
        """[A]: the edge of the last row made of each asset; NEVER: none."""
        self.conflicts = 0
        """Good readings that were ignored because another of the same sensor and instant has a larger value."""
        self._left = np.zeros(count, np.int64)
        """[A]: rows that `plan` found due and that are not made yet."""
        self._last_ts = np.full((count, sensors), NEVER, np.int64)
        self._last_value = np.full((count, sensors), np.nan)
        self._window = np.full((count, spec.window - 1, sensors), np.nan, np.float32)
        self._asset = np.empty(0, np.int32)  # pending readings, in four columns
        self._sensor = np.empty(0, np.int32)
        self._ts = np.empty(0, np.int64)
        self._value = np.empty(0, np.float64)

    @property
    def cells(self) -> int:
        """Number of values in the window of an asset."""
        return self._window.shape[1] * self._window.shape[2]

    @property
    def waiting(self) -> int:
        """Number of readings that wait for their row."""
        return len(self._ts)

    def edge_of(self, ts: NDArray[np.int64]) -> NDArray[np.int64]:
        """[N]: the edge of the row that takes in a reading of instant `ts`."""
        return -(-ts // self._step) * self._step

    def state(self, assets: NDArray[np.int64]) -> dict[str, Any]:
        """Plain data of some assets for `restore`. Pending readings are kept elsewhere: they change far more often."""
        return {
            "assets": [self.assets[index] for index in assets],
            "sensors": self._sensors,
            "step": self._step,
            "edges": self.edge[assets],
            "last_ts": self._last_ts[assets],
            "last_value": self._last_value[assets],
            "window": self._window[assets],
        }

    def with_readings(self) -> NDArray[np.int64]:
        """Indices of the assets that have a reading in some row."""
        return np.flatnonzero((self._last_ts > NEVER).any(axis=1))

    def restore(self, state: dict[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Take over the state of an earlier job, asset by asset. Assets that left the class are dropped.

        With other sensors or another step, the rows do not apply: the class starts with empty state. With another
        window it starts with empty windows, and no row is made again. Returns the positions in the state that were
        taken over, and the assets (indices) that have them now.
        """
        indices = {asset: index for index, asset in enumerate(self.assets)}
        taken = [(position, indices[asset]) for position, asset in enumerate(state["assets"]) if asset in indices]
        if state["sensors"] != self._sensors or state["step"] != self._step:
            taken = []
        positions, own = np.array(taken, np.int64).reshape(-1, 2).T
        # earlier releases made the rows of all assets of a class together
        edges = state["edges"] if "edges" in state else np.full(len(state["assets"]), state["edge"], np.int64)
        self.edge[own] = edges[positions]
        if state["window"].shape[1:] == self._window.shape[1:]:
            self._last_ts[own] = state["last_ts"][positions]
            self._last_value[own] = state["last_value"][positions]
            self._window[own] = state["window"][positions]
        return positions, own

    def pending(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
        """Readings that wait for their row, in the form that `add` takes."""
        return self._asset, self._sensor, self._ts, self._value

    def add(
        self,
        asset: NDArray[np.int64],
        sensor: NDArray[np.int64],
        ts: NDArray[np.int64],
        value: NDArray[np.float64],
    ) -> None:
        """Add readings whose rows have not been made: indices [N], instants [N] in ms, values [N] (NaN: bad)."""
        outside = (value < self._low[sensor]) | (value > self._high[sensor])
        self._asset = np.concatenate([self._asset, asset.astype(np.int32)])
        self._sensor = np.concatenate([self._sensor, sensor.astype(np.int32)])
        self._ts = np.concatenate([self._ts, ts])
        self._value = np.concatenate([self._value, np.where(outside, np.nan, value)])

    def newest(self) -> NDArray[np.int64]:
        """[A]: the instant of each asset's newest reading that a row took in; NEVER: none."""
        if not self._last_ts.size:
            return np.full(len(self.assets), NEVER, np.int64)
        return np.asarray(self._last_ts.max(axis=1))

    def last_readings(self, assets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """[B, S]: instant and value of the last reading of each sensor of some assets that a row took in."""
        return self._last_ts[assets], self._last_value[assets]

    def alive_until(self) -> NDArray[np.int64]:
        """[A]: the last edge at which each asset still has a value without a further reading."""
        return (self.newest() + self._max_gap) // self._step * self._step

    def due(self, until: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mask [A] of the assets with a row up to `until` ([A], ms)."""
        return self._next_edge() <= until

    def plan(self, until: NDArray[np.int64]) -> bool:
        """Prepare the next rows up to `until` ([A], ms): for each asset those up to its next gap without a value.

        Returns whether there are any. Then `segments` makes them, and `plan` is to be called again. Every reading up to
        `until` must have been added.
        """
        following = self._next_edge()
        due = following <= until
        if not due.any():
            return False
        before = following - self._step
        gap = due & (self.edge > NEVER) & (before > self.edge)
        for index in np.flatnonzero(gap).tolist():
            self._skip(index, int(before[index] - self.edge[index]) // self._step)
        self.edge = np.where(due, before, self.edge)
        ends = np.minimum(until // self._step * self._step, self._run_ends())
        self._left = np.where(due, (ends - self.edge) // self._step, 0)
        return True

    def segments(self, size: int, delayed_until: NDArray[np.int64]) -> Iterator[Batch]:
        """Make segments of `size` rows of all assets for which that many are planned, as long as there are any.

        `delayed_until`: [A], for `Batch`.
        """
        while len(assets := np.flatnonzero(self._left >= size)):
            yield from self._together(assets, size, delayed_until)

    def even_segments(self, delayed_until: NDArray[np.int64]) -> Iterator[Batch]:
        """Make all planned rows of assets that have as many of them as others, where they fill a call.

        `delayed_until`: as for `segments`.
        """
        for size, count in zip(*np.unique(self._left, return_counts=True), strict=True):
            if 1 < size <= SIZES[0] and size * count >= EVEN_WINDOWS:
                yield from self._together(np.flatnonzero(self._left == size), int(size), delayed_until)

    def _together(self, assets: NDArray[np.int64], size: int, delayed_until: NDArray[np.int64]) -> Iterator[Batch]:
        most = max(1, MAX_WINDOWS // size)
        for begin in range(0, len(assets), most):
            own = assets[begin : begin + most]
            yield self._make(own, size, self.edge_of(delayed_until[own]))

    def _next_edge(self) -> NDArray[np.int64]:
        """[A]: the edge of each asset's next row; NO_ROW while it is silent and nothing is pending."""
        carried = np.where((self.edge > NEVER) & (self.alive_until() > self.edge), self.edge + self._step, NO_ROW)
        if len(self._ts):
            np.minimum.at(carried, self._asset, self.edge_of(self._ts))
        return carried

    def _run_ends(self) -> NDArray[np.int64]:
        """[A]: the last edge of the rows after `edge` up to the next gap in which the asset has no value."""
        ends = np.maximum(self.alive_until(), self.edge)
        if not len(self._ts):
            return ends
        order = np.lexsort((self._ts, self._asset))
        asset, ts = self._asset[order], self._ts[order]
        edges = self.edge_of(ts)
        reaches = np.maximum((ts + self._max_gap) // self._step * self._step, edges)
        starts = np.flatnonzero(np.diff(asset, prepend=-1))
        # readings of an asset are in order of time, and so are the edges that they reach
        until_then = np.maximum(np.concatenate([[NEVER], reaches[:-1]]), ends[asset])
        until_then[starts] = np.maximum(ends[asset[starts]], self.edge[asset[starts]])
        is_gap = edges > until_then + self._step
        last = np.append(starts[1:], len(asset)) - 1
        ends[asset[last]] = np.maximum(ends[asset[last]], reaches[last])
        gaps = np.flatnonzero(is_gap)
        of_assets, first = np.unique(asset[gaps], return_index=True)
        ends[of_assets] = until_then[gaps[first]]
        return ends

    def _skip(self, asset: int, count: int) -> None:
        """Append `count` rows without values to an asset's window."""
        window = self._window[asset]
        keep = max(len(window) - count, 0)
        window[:keep] = window[len(window) - keep :].copy()
        window[keep:] = np.nan

    def _make(self, assets: NDArray[np.int64], steps: int, delayed_until: NDArray[np.int64]) -> Batch:
        """The next `steps` rows of some assets (indices [B])."""
        count, sensors = len(assets), len(self._sensors)
        before = self.edge[assets]
        edges = before[:, None] + self._step * np.arange(1, steps + 1, dtype=np.int64)
        position = np.full(len(self.assets), -1, np.int64)
        position[assets] = np.arange(count)
        due = (position[self._asset] >= 0) & (self._ts <= (self.edge + steps * self._step)[self._asset])
        own, sensor, ts, value = position[self._asset[due]], self._sensor[due], self._ts[due], self._value[due]
        self._asset, self._sensor = self._asset[~due], self._sensor[~due]
        self._ts, self._value = self._ts[~due], self._value[~due]

        step = (ts - before[own] - 1) // self._step
        bad = np.isnan(value)
        cell = (own * sensors + sensor) * steps + step
        order = np.lexsort((np.where(bad, -np.inf, value), ts, cell))
        ordered = cell[order]
        last = order[np.flatnonzero(np.diff(ordered, append=-1))]
        self.conflicts += _conflicts(ordered, ts[order], value[order])
        instants = np.full(count * sensors * steps, NEVER, np.int64)
        values = np.full(count * sensors * steps, np.nan)
        instants[cell[last]], values[cell[last]] = ts[last], value[last]
        instants, values = instants.reshape(count, sensors, steps), values.reshape(count, sensors, steps)

        source = np.maximum.accumulate(np.where(instants > NEVER, np.arange(steps), -1), axis=2)
        has_reading = source >= 0
        source = np.maximum(source, 0)
        instants = np.where(has_reading, np.take_along_axis(instants, source, 2), self._last_ts[assets][:, :, None])
        values = np.where(has_reading, np.take_along_axis(values, source, 2), self._last_value[assets][:, :, None])
        self._last_ts[assets], self._last_value[assets] = instants[:, :, -1], values[:, :, -1]

        fresh = edges[:, None, :] - instants <= self._max_gap
        rows = np.where(fresh, values, np.nan).transpose(0, 2, 1).astype(np.float32)
        row = own * steps + step
        readings = np.bincount(row[~bad], minlength=count * steps).reshape(count, steps).astype(np.int32)
        bad_quality = np.bincount(row[bad], minlength=count * steps).reshape(count, steps).astype(np.int32)

        segments = np.concatenate([self._window[assets], rows], axis=1)
        self._window[assets] = segments[:, steps:]
        self.edge[assets] = edges[:, -1]
        self._left[assets] -= steps
        names = tuple(self.assets[index] for index in assets.tolist())
        first = edges[:, 0].copy()
        return Batch(self._name, names, first, self._step, segments, readings, bad_quality, delayed_until)


def _conflicts(cell: NDArray[np.int64], ts: NDArray[np.int64], value: NDArray[np.float64]) -> int:
    """Readings, ordered by cell and instant, followed by one of the same instant with another good value."""
    same = (cell[1:] == cell[:-1]) & (ts[1:] == ts[:-1])
    if not same.any():
        return 0
    return int(np.count_nonzero(same & (value[1:] != value[:-1]) & ~np.isnan(value[:-1])))
