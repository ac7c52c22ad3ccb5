"""Readings as columns, which importers produce and the store reads and writes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Series = tuple[str, str]
"""(asset, sensor): one measurement over time."""


@dataclass(frozen=True)
class Batch:
    """Readings of many series, in any order.

    `series`: the (asset, sensor) pairs; `index` int32 [N]: index into `series`; `ts` int64 [N]: ms since 1970 UTC;
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

    `names`: sensor names; `sensor` int32 [N]: index into `names`; `ts` int64 [N]: ms since 1970 UTC; `value` float64
    [N]: NaN where the quality is bad. Counts by sensor name, from before one reading was chosen for each instant:
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
    """One reading for each (sensor, instant), N of them, with the groups of readings from which they were chosen.

    `first` int64 [N]: where each group begins in the readings sorted by `order` (None: they were sorted already);
    `conflict` bool [N]: whether readings of the group disagreed.
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
    """The readings sorted by (sensor, ts), one for each pair: good before bad, then the larger value.

    The result depends only on the set of readings, not on their order.
    """
    if _increases(sensor, ts):
        return sensor, ts, value
    merged = merge(sensor, ts, value)
    return merged.sensor, merged.ts, merged.value


def merge(
    sensor: NDArray[np.int32],
    ts: NDArray[np.int64],
    value: NDArray[np.float64],
    age: NDArray[np.int64] | Callable[[], NDArray[np.int64]] | None = None,
) -> Deduplicated:
    """Like `deduplicate`, for readings of several exports.

    `age` int64 [N], or a function that makes it when it is needed: of two readings of one sensor and instant, the one
    with the larger age counts, regardless of its value; at equal age (None: all equal) the good one, then the larger
    value. Readings disagree when two good ones differ, or when the one that counts is bad and another is good.
    """
    if _increases(sensor, ts):
        return Deduplicated(sensor, ts, value, np.arange(len(ts)), None, np.zeros(len(ts), bool))
    order = None
    if not _rises(sensor, ts):
        order, sensor, ts = arranged(sensor, ts)
        value = value[order]
    new = np.ones(len(ts), bool)
    new[1:] = (sensor[1:] != sensor[:-1]) | (ts[1:] != ts[:-1])
    first = np.flatnonzero(new)
    if len(first) == len(ts):
        return Deduplicated(sensor, ts, value, first, order, np.zeros(len(ts), bool))
    bad = np.isnan(value)
    high = np.where(bad, -np.inf, value) + 0.0  # bad loses to any good value; -0.0 becomes 0.0
    largest = np.maximum.reduceat(high, first)
    conflict = largest > np.minimum.reduceat(np.where(bad, np.inf, high), first)
    best = largest
    if age is not None:
        age = age() if callable(age) else age
        age = age if order is None else age[order]
        latest = np.maximum.reduceat(age, first)
        counts = age == np.repeat(latest, np.diff(np.append(first, len(ts))))
        best = np.maximum.reduceat(np.where(counts, high, -np.inf), first)
        conflict |= (best == -np.inf) & (largest > -np.inf)
    return Deduplicated(sensor[first], ts[first], np.where(best == -np.inf, np.nan, best), first, order, conflict)


def arranged(
    series: NDArray[np.int32], ts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """The stable permutation that sorts by (series, ts), and both columns sorted.

    Exports are mostly in time order: usually a radix sort by series suffices, and otherwise the merge sort of each
    series finds sorted runs. Many times faster than a lexicographic sort.
    """
    small = series.astype(np.uint16) if len(series) and int(series.max()) < 1 << 16 else series
    order = np.argsort(small, kind="stable")
    ordered, instants = series[order], ts[order]
    if not _rises(ordered, instants):
        bounds = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(order)]))
        for start, stop in itertools.pairwise(bounds.tolist()):
            own = order[start:stop]
            order[start:stop] = own[np.argsort(ts[own], kind="stable")]
        instants = ts[order]
    return order, ordered, instants


def _increases(series: NDArray[np.int32], ts: NDArray[np.int64]) -> bool:
    """Whether (series, ts) always increases."""
    starts = np.flatnonzero(series[1:] != series[:-1])
    later = ts[1:] > ts[:-1]
    later[starts] = series[starts + 1] > series[starts]
    return bool(later.all())


def _rises(series: NDArray[np.int32], ts: NDArray[np.int64]) -> bool:
    """Whether (series, ts) never decreases."""
    return bool(np.all((series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (ts[1:] >= ts[:-1]))))
