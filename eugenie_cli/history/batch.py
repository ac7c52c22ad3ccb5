"""Readings as columns: what importers produce and the store takes and gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = tuple[str, str]
"""(asset, sensor): one measurement over time."""


@dataclass(frozen=True)
class Batch:
    """Readings of many series, in any order.

    `series`: the (asset, sensor) pairs; `index` int32 [N]: into them; `ts` int64 [N]: milliseconds, UTC;
    `value` float64 [N]: NaN where the quality is bad.
    """

    series: Sequence[Series]
    index: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]

    @staticmethod
    def of(readings: Iterable[tuple[str, str, int, float]]) -> Batch:
        """A batch of (asset, sensor, ts, value) tuples."""
        series: dict[Series, int] = {}
        index, instants, values = [], [], []
        for asset, sensor, ts, value in readings:
            index.append(series.setdefault((asset, sensor), len(series)))
            instants.append(ts)
            values.append(value)
        return Batch(
            tuple(series),
            np.array(index, np.int32),
            np.array(instants, np.int64),
            np.array(values, np.float64),
        )


@dataclass(frozen=True)
class AssetReadings:
    """Readings of one asset, sorted by (sensor, ts); one reading for each sensor and instant.

    `names`: sensor names; `sensor` int32 [N]: into them; `ts` int64 [N]: milliseconds, UTC; `value` float64
    [N]: NaN where the quality is bad.
    """

    asset: str
    names: tuple[str, ...]
    sensor: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]


def settle(
    sensor: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """The readings sorted by (sensor, ts), one for each pair: the good before the bad, then the larger value.

    The result depends on the set of readings alone, never on the order in which they came.
    """
    if not _strictly_sorted(sensor, ts):
        rank = np.where(np.isnan(value), -np.inf, value)  # a bad reading loses to every good one
        order = np.lexsort((rank, ts, sensor))
        sensor, ts, value = sensor[order], ts[order], value[order]
        last = np.ones(len(ts), bool)
        last[:-1] = (sensor[1:] != sensor[:-1]) | (ts[1:] != ts[:-1])
        sensor, ts, value = sensor[last], ts[last], value[last]
    return sensor, ts, value


def _strictly_sorted(sensor: NDArray[np.int32], ts: NDArray[np.int64]) -> bool:
    step = sensor[1:] - sensor[:-1]
    return bool(np.all((step > 0) | ((step == 0) & (ts[1:] > ts[:-1]))))
