"""Readings as columns: what importers produce and the store takes and gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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
    [N]: NaN where the quality is bad. Of what was there before one was chosen for each instant, by sensor name:
    `repeated`, readings that shared the instant of another; `conflicts`, instants for which readings disagreed.
    """

    asset: str
    names: tuple[str, ...]
    sensor: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    repeated: Mapping[str, int] = field(default_factory=dict)
    conflicts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Deduplicated:
    """One reading for each (sensor, instant), N of them, and what the readings were that met there.

    `first` int64 [N]: where the readings of each begin, once they are sorted by `order` (None: they were);
    `conflict` bool [N]: where readings disagreed.
    """

    sensor: NDArray[np.int32]
    ts: NDArray[np.int64]
    value: NDArray[np.float64]
    first: NDArray[np.int64]
    order: NDArray[np.int64] | None
    conflict: NDArray[np.bool_]


def deduplicate(
    sensor: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """The readings sorted by (sensor, ts), one for each pair: the good before the bad, then the larger value.

    The result depends on the set of readings alone, never on the order in which they came.
    """
    settled = meet(sensor, ts, value)
    return settled.sensor, settled.ts, settled.value


def meet(
    sensor: NDArray[np.int32], ts: NDArray[np.int64], value: NDArray[np.float64], age: NDArray[np.int64] | None = None
) -> Deduplicated:
    """As `deduplicate`, for readings of several exports.

    `age` int64 [N]: of two readings of one sensor and instant the one of the larger age counts, whatever it says; among
    equals (None: all are) the good one, then the larger value. Readings disagree where two are good and differ, or
    where the one that counts is bad and another is good.
    """
    order = None
    if not _rises(sensor, ts):
        order = order_by(sensor, ts)
        sensor, ts, value = sensor[order], ts[order], value[order]
    new = np.ones(len(ts), bool)
    new[1:] = (sensor[1:] != sensor[:-1]) | (ts[1:] != ts[:-1])
    first = np.flatnonzero(new)
    if len(first) == len(ts):
        return Deduplicated(sensor, ts, value, first, order, np.zeros(len(ts), bool))
    bad = np.isnan(value)
    high = np.where(bad, -np.inf, value) + 0.0  # bad loses to all that is good; -0.0 becomes 0.0
    largest = np.maximum.reduceat(high, first)
    conflict = largest > np.minimum.reduceat(np.where(bad, np.inf, high), first)
    best = largest
    if age is not None:
        age = age if order is None else age[order]
        latest = np.maximum.reduceat(age, first)
        counts = age == np.repeat(latest, np.diff(np.append(first, len(ts))))
        best = np.maximum.reduceat(np.where(counts, high, -np.inf), first)
        conflict |= (best == -np.inf) & (largest > -np.inf)
    return Deduplicated(sensor[first], ts[first], np.where(best == -np.inf, np.nan, best), first, order, conflict)


def order_by(series: NDArray[np.int32], ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stable permutation that sorts by (series, ts).

    Exports are mostly in time order: a radix sort by series nearly always does it, and the merge sort of each
    series that is left finds sorted runs. Many times faster than a lexicographic sort.
    """
    small = series.astype(np.uint16) if len(series) and int(series.max()) < 1 << 16 else series
    order = np.argsort(small, kind="stable")
    if not _rises(series[order], ts[order]):
        ordered = series[order]
        bounds = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(order)]))
        for start, stop in itertools.pairwise(bounds.tolist()):
            own = order[start:stop]
            order[start:stop] = own[np.argsort(ts[own], kind="stable")]
    return order


def _rises(series: NDArray[np.int32], ts: NDArray[np.int64]) -> bool:
    """Whether (series, ts) never falls."""
    return bool(np.all((series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (ts[1:] >= ts[:-1]))))
