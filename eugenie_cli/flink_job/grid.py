"""Aligns readings on the grid, row by row, for all assets of a class in a shard at once. Pure; numpy only.

The rules are those of `history.grid`: a row takes the last reading at or before its edge, no older than max_gap; a bad
reading is a missing value; of two readings at one instant the larger good value wins. The same readings give the same
rows in any order and any batching.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from eugenie_cli.flink_job.spec import ClassSpec

NEVER = np.iinfo(np.int64).min // 4
"""The instant of the last reading of a sensor that has none: older than any max_gap; subtraction does not overflow."""

MAX_STEPS = 256
"""Rows of one asset in a segment at most. Windows are computed separately: longer segments only save call overhead."""

MAX_WINDOWS = 4_096
"""Windows in one Predict call at most: about 0.1 s of work for a core, 16 MB at 120 rows x 8 sensors."""


@dataclass(frozen=True)
class Batch:
    """Segments of several assets of a class over the same K edges: one Predict call."""

    class_name: str
    assets: tuple[str, ...]
    first_edge: int
    """Edge of the first of the K rows to score, ms since 1970 UTC."""
    step_ms: int
    rows: np.ndarray
    """float32 [B, M - 1 + K, S], engineering units, NaN where missing."""
    readings: np.ndarray
    """int32 [B, K]: good readings that each row took in."""
    bad_quality: np.ndarray
    """int32 [B, K]: bad readings."""

    @property
    def edges(self) -> np.ndarray:
        """Edges of the rows to score, int64 [K], ms since 1970 UTC."""
        return self.first_edge + self.step_ms * np.arange(self.readings.shape[1], dtype=np.int64)


class ClassRows:
    """The grid of one class in one shard: pending readings, the last reading of each sensor, the last M - 1 rows."""

    def __init__(self, spec: ClassSpec, assets: tuple[str, ...]) -> None:
        count, sensors = len(assets), len(spec.sensors)
        self._assets = assets
        self._sensors = spec.sensors
        self._step = spec.step_ms
        self._max_gap = spec.max_gap_ms
        self._name = spec.name
        self._low = np.array([-math.inf if low is None else low for low in spec.low])
        self._high = np.array([math.inf if high is None else high for high in spec.high])
        self.edge: int | None = None
        """The edge of the last row made."""
        self._last_ts = np.full((count, sensors), NEVER, np.int64)
        self._last_value = np.full((count, sensors), np.nan)
        self._window = np.full((count, spec.window - 1, sensors), np.nan, np.float32)
        self._asset = np.empty(0, np.int32)  # pending readings, in four columns
        self._sensor = np.empty(0, np.int32)
        self._ts = np.empty(0, np.int64)
        self._value = np.empty(0, np.float64)

    @property
    def cells(self) -> int:
        """Number of values in the windows."""
        return self._window.size

    def state(self) -> dict[str, object]:
        """Plain data for `restore`. Pending readings are kept elsewhere, because they change far more often."""
        # only assets with readings; the settings of the class come with the job
        with_readings = np.flatnonzero((self._last_ts > NEVER).any(axis=1))
        return {
            "assets": [self._assets[index] for index in with_readings],
            "sensors": self._sensors,
            "step": self._step,
            "edge": self.edge,
            "last_ts": self._last_ts[with_readings],
            "last_value": self._last_value[with_readings],
            "window": self._window[with_readings],
        }

    def restore(self, state: dict) -> None:
        """Take over the state of an earlier job, asset by asset. Assets that left the class are dropped.

        With other sensors, another step or another window, the rows do not apply: the class starts with empty state.
        """
        if state["sensors"] != self._sensors or state["step"] != self._step:
            return
        self.edge = state["edge"]
        if not len(state["assets"]) or state["window"].shape[1:] != self._window.shape[1:]:
            return
        indices = {asset: index for index, asset in enumerate(self._assets)}
        for position, asset in enumerate(state["assets"]):
            if asset in indices:
                own = indices[asset]
                self._last_ts[own] = state["last_ts"][position]
                self._last_value[own] = state["last_value"][position]
                self._window[own] = state["window"][position]

    def pending(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Readings that wait for their row, in the form that `add` takes."""
        return self._asset, self._sensor, self._ts, self._value

    def add(self, asset: np.ndarray, sensor: np.ndarray, ts: np.ndarray, value: np.ndarray) -> np.ndarray:
        """Add readings: indices [N], instants [N] in ms, values [N] (NaN: bad).

        Returns a mask [N] of late readings, which are not added because their row has already been made.
        """
        late = np.zeros(len(ts), bool) if self.edge is None else ts <= self.edge
        if late.any():
            asset, sensor, ts, value = asset[~late], sensor[~late], ts[~late], value[~late]
        outside = (value < self._low[sensor]) | (value > self._high[sensor])
        self._asset = np.concatenate([self._asset, asset.astype(np.int32)])
        self._sensor = np.concatenate([self._sensor, sensor.astype(np.int32)])
        self._ts = np.concatenate([self._ts, ts])
        self._value = np.concatenate([self._value, np.where(outside, np.nan, value)])
        return late

    def next_edge(self) -> int | None:
        """The edge of the next row to make; None while every asset is silent and nothing is pending."""
        due = [] if not len(self._ts) else [int(-(-self._ts.min() // self._step) * self._step)]
        if self.edge is not None and self._alive_until() > self.edge:
            due.append(self.edge + self._step)
        return min(due, default=None)

    def advance(self, until: int) -> list[Batch]:
        """Make all rows up to `until` (ms). Every reading up to there must have been added."""
        end = until // self._step * self._step
        batches = []
        while (cursor := self._start_of_rows(end)) is not None:
            last = min(end, self._end_of_rows(cursor))
            steps = min((last - cursor) // self._step, MAX_STEPS, max(1, MAX_WINDOWS // len(self._assets)))
            batches += self._make(cursor, steps)
            self.edge = cursor + steps * self._step
        return batches

    def _alive_until(self) -> int:
        """The last edge for which some asset still has a value without a further reading."""
        if not self._assets:  # all left the site file; `edge` was restored nevertheless
            return NEVER
        return int((self._last_ts.max() + self._max_gap) // self._step * self._step)

    def _start_of_rows(self, end: int) -> int | None:
        """The edge before the next row up to `end`; None when no row follows: then `edge` moves to `end`."""
        following = self.next_edge()
        if following is None or following > end:
            if self.edge is not None and end > self.edge:
                self._skip((end - self.edge) // self._step)
                self.edge = end
            return None
        before = following - self._step
        if self.edge is not None and before > self.edge:
            self._skip((before - self.edge) // self._step)
        self.edge = before
        return before

    def _end_of_rows(self, before: int) -> int:
        """The last edge of the rows after `before` up to the next gap in which no asset has a value."""
        reach = max(self._alive_until(), before)
        ts = np.sort(self._ts)
        reaches = np.maximum.accumulate(np.maximum((ts + self._max_gap) // self._step * self._step, reach))
        until_then = np.concatenate([[reach], reaches[:-1]])
        gaps = np.flatnonzero(-(-ts // self._step) * self._step > until_then + self._step)
        if len(gaps):
            return int(until_then[gaps[0]])
        return int(reaches[-1]) if len(ts) else reach

    def _skip(self, count: int) -> None:
        """Append `count` rows without values."""
        keep = max(self._window.shape[1] - count, 0)
        self._window[:, :keep] = self._window[:, self._window.shape[1] - keep :].copy()
        self._window[:, keep:] = np.nan

    def _make(self, before: int, steps: int) -> list[Batch]:
        count, sensors = self._last_ts.shape
        edges = before + self._step * np.arange(1, steps + 1, dtype=np.int64)
        due = self._ts <= edges[-1]
        asset, sensor, ts, value = self._asset[due], self._sensor[due], self._ts[due], self._value[due]
        self._asset, self._sensor = self._asset[~due], self._sensor[~due]
        self._ts, self._value = self._ts[~due], self._value[~due]

        step = (ts - before - 1) // self._step
        bad = np.isnan(value)
        cell = (asset.astype(np.int64) * sensors + sensor) * steps + step
        order = np.lexsort((np.where(bad, -np.inf, value), ts, cell))
        ordered = cell[order]
        last = order[np.flatnonzero(np.diff(ordered, append=-1))]
        instants = np.full(count * sensors * steps, NEVER, np.int64)
        values = np.full(count * sensors * steps, np.nan)
        instants[cell[last]], values[cell[last]] = ts[last], value[last]
        instants, values = instants.reshape(count, sensors, steps), values.reshape(count, sensors, steps)

        source = np.maximum.accumulate(np.where(instants > NEVER, np.arange(steps), -1), axis=2)
        has_reading = source >= 0
        source = np.maximum(source, 0)
        instants = np.where(has_reading, np.take_along_axis(instants, source, 2), self._last_ts[:, :, None])
        values = np.where(has_reading, np.take_along_axis(values, source, 2), self._last_value[:, :, None])
        self._last_ts, self._last_value = instants[:, :, -1].copy(), values[:, :, -1].copy()

        fresh = edges - instants <= self._max_gap
        rows = np.where(fresh, values, np.nan).transpose(0, 2, 1).astype(np.float32)
        row = asset.astype(np.int64) * steps + step
        readings = np.bincount(row[~bad], minlength=count * steps).reshape(count, steps).astype(np.int32)
        bad_quality = np.bincount(row[bad], minlength=count * steps).reshape(count, steps).astype(np.int32)

        segments = np.concatenate([self._window, rows], axis=1)
        self._window = segments[:, steps:].copy()
        active = np.flatnonzero(fresh.any(axis=(1, 2)) | (readings + bad_quality).any(axis=1))
        if not len(active):
            return []
        return [
            Batch(
                self._name,
                tuple(self._assets[index] for index in active),
                int(edges[0]),
                self._step,
                segments[active],
                readings[active],
                bad_quality[active],
            )
        ]
