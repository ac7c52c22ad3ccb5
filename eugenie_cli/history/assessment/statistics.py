"""Statistics of a block of measurements, all of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.assessment.measurements import Block, Measurements

# This many consecutive readings of exactly the same value: the noise of a live analogue sensor prevents such a run, so
# the sensor is stuck.
FLAT_RUN = 30
NONE = -1
"""In place of a number that does not exist: of a period with fewer than two readings, say."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistics:
    """Arrays with an entry for each of K measurements; times in ms, NONE (-1) where unknown, shares from 0 to 1.

    `median_period`, `early` and `late`: median, 5th and 95th percentile of the intervals between successive readings,
    including bad ones; `usual_gap`: their 99th. `longest_gap`: between successive good readings, from
    `longest_gap_start`; `gaps`: intervals between good readings longer than `max_gap`. `flat`: share of readings in
    runs of at least `FLAT_RUN` equal values. `cells`: values of the grid that have a good reading; `normal_cells`:
    those of them in normal operation; `stopped_cells`: those of these in which the value says that the asset does not
    run. `low`, `middle`, `high`: smallest, median and largest good value; NaN without one.
    """

    readings: Ints
    start: Ints
    end: Ints
    median_period: Ints
    early: Ints
    late: Ints
    usual_gap: Ints
    bad: Floats
    out_of_range: Floats
    longest_gap: Ints
    longest_gap_start: Ints
    gaps: Ints
    flat: Floats
    cells: Ints
    normal_cells: Ints
    stopped_cells: Ints
    low: Floats
    middle: Floats
    high: Floats
    repeated: Ints
    conflicts: Ints


def statistics(block: Block, wanted: Measurements) -> Statistics:
    """The statistics of a block's measurements."""
    count = block.last - block.first
    own = slice(block.first, block.last)
    index, ts, value = block.index, block.ts, block.value
    readings = np.bincount(index, minlength=count)
    outside = (value < wanted.low[own][index]) | (value > wanted.high[own][index])
    missing = np.isnan(value)
    good = ~(missing | outside)
    share = 1 / np.maximum(readings, 1)
    begun = np.cumsum(readings) - readings
    held = readings > 0
    start, end = np.full(count, NONE, np.int64), np.full(count, NONE, np.int64)
    start[held], end[held] = ts[begun[held]], ts[(begun + readings - 1)[held]]
    of, interval, begin = _intervals(index, ts)
    ordered = _Sorted(of, interval, count)
    good_index, good_ts, good_value = index, ts, value
    if not good.all():
        good_index, good_ts, good_value = index[good], ts[good], value[good]
        of, gap, begin = _intervals(good_index, good_ts)
    else:
        gap = interval
    longest, longest_start = _longest(of, gap, begin, count)
    extremes = _extremes(good_index, good_value, count)
    cells = _cells(block, wanted, good)
    normal = np.where(_normal(block, wanted, begun, readings), cells, 0)
    stopped = np.where(value <= wanted.above[own][index], normal, 0)
    return Statistics(
        readings,
        start,
        end,
        ordered.median(),
        ordered.at(0.05),
        ordered.at(0.95),
        ordered.at(0.99),
        np.bincount(index[missing], minlength=count) * share,
        np.bincount(index[outside], minlength=count) * share,
        longest,
        longest_start,
        np.bincount(of[gap > wanted.max_gap[own][of]], minlength=count),
        _flat(index, value, count) * share,
        _sum(index, cells, count),
        _sum(index, normal, count),
        _sum(index, stopped, count),
        extremes[0],
        _middle(good_index, good_value, count),
        extremes[1],
        block.repeated,
        block.conflicts,
    )


def joined(parts: list[Statistics]) -> Statistics:
    """The statistics of successive blocks as one."""
    return Statistics(
        *(np.concatenate(column) for column in zip(*(vars(part).values() for part in parts), strict=True))
    )


def _sum(index: NDArray[np.int32], numbers: Ints, count: int) -> Ints:
    """The sum of the numbers of each measurement."""
    return np.bincount(index, numbers, minlength=count).astype(np.int64)


def _intervals(index: NDArray[np.int32], ts: Ints) -> tuple[NDArray[np.int32], Ints, Ints]:
    """Measurement, length and begin (ms) of each interval between successive readings of one measurement."""
    same = index[1:] == index[:-1]
    return index[1:][same], (ts[1:] - ts[:-1])[same], ts[:-1][same]


class _Sorted:
    """Numbers of each measurement in ascending order. Sorting one array of packed integers is many times faster than
    sorting by two keys.
    """

    BITS = 41  # 69 years in ms; longer intervals count as this long

    def __init__(self, of: NDArray[np.int32], numbers: Ints, count: int) -> None:
        packed = of.astype(np.int64) << self.BITS
        packed |= np.minimum(numbers, (1 << self.BITS) - 1)
        packed.sort()
        self._numbers = packed & ((1 << self.BITS) - 1)
        self._size = np.bincount(of, minlength=count)
        self._first = np.cumsum(self._size) - self._size

    def at(self, share: float) -> Ints:
        """The number at a share of each measurement's, NONE without numbers."""
        return self._pick((share * (self._size - 1)).astype(np.int64))

    def median(self) -> Ints:
        lower, upper = self._pick((self._size - 1) // 2), self._pick(self._size // 2)
        return np.where(self._size > 0, (lower + upper) // 2, NONE)

    def _pick(self, place: Ints) -> Ints:
        held = self._size > 0
        result = np.full(len(held), NONE, np.int64)
        result[held] = self._numbers[(self._first + place)[held]]
        return result


def _longest(of: NDArray[np.int32], gap: Ints, begin: Ints, count: int) -> tuple[Ints, Ints]:
    """The longest interval of each measurement and where it begins, NONE without intervals.

    `of`, `gap` and `begin`: measurement, length and begin of all intervals.
    """
    longest, start = np.full(count, NONE, np.int64), np.full(count, NONE, np.int64)
    if len(of):
        first = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        most = np.maximum.reduceat(gap, first)
        # among equal ones, the first
        begins = np.where(gap == np.repeat(most, np.diff(np.append(first, len(of)))), begin, np.iinfo(np.int64).max)
        longest[of[first]], start[of[first]] = most, np.minimum.reduceat(begins, first)
    return longest, start


def _extremes(index: NDArray[np.int32], value: Floats, count: int) -> tuple[Floats, Floats]:
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    if len(index):
        first = np.flatnonzero(np.append(True, index[1:] != index[:-1]))
        low[index[first]] = np.minimum.reduceat(value, first)
        high[index[first]] = np.maximum.reduceat(value, first)
    return low, high


def _middle(index: NDArray[np.int32], value: Floats, count: int) -> Floats:
    """The median of each measurement's values, to float32's precision: the packed sort has no room for more."""
    with np.errstate(over="ignore"):  # a larger value counts as infinite
        bits = (value.astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.int64)  # -0.0 becomes 0.0
    ascending = np.where(bits >> 31 == 1, 0xFFFFFFFF - bits, bits + 0x80000000)  # the order of floats, as integers
    chosen = _Sorted(index, ascending, count).at(0.5)
    bits = np.where(chosen >= 0x80000000, chosen - 0x80000000, 0xFFFFFFFF - chosen)
    middle = bits.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.where(chosen == NONE, np.nan, middle)


def _flat(index: NDArray[np.int32], value: Floats, count: int) -> Ints:
    """Readings of each measurement in long runs of one value; NaN never forms a run."""
    if not len(value):
        return np.zeros(count, np.int64)
    changes = np.flatnonzero((value[1:] != value[:-1]) | (index[1:] != index[:-1])) + 1
    first = np.concatenate(([0], changes))
    runs = np.diff(np.append(first, len(value)))
    long = runs >= FLAT_RUN
    return np.bincount(index[first[long]], runs[long], minlength=count).astype(np.int64)


def _cells(block: Block, wanted: Measurements, good: NDArray[np.bool_]) -> Ints:
    """For each reading, the number of grid edges that it fills: see `grid.align`."""
    index, ts = block.index, block.ts
    own = slice(block.first, block.last)
    step, max_gap = _of_each(wanted.step[own], index), _of_each(wanted.max_gap[own], index)
    last = ts + max_gap
    same = index[1:] == index[:-1]
    np.minimum(last[:-1], ts[1:] - 1, out=last[:-1], where=same)
    cells = last // step
    cells -= (ts - 1) // step
    cells[~good] = 0
    return cells


def _of_each(settings: Ints, index: NDArray[np.int32]) -> Ints | np.int64:
    """The setting of each reading's measurement; a single number, which is much faster to divide by, if all agree."""
    return settings[index] if len(settings) == 0 or (settings != settings[0]).any() else settings[0]


def _normal(block: Block, wanted: Measurements, begun: Ints, readings: Ints) -> NDArray[np.bool_]:
    """bool [N]: readings of normal operation."""
    normal, ends = np.ones(len(block.ts), bool), begun + readings
    for asset, turns in wanted.normal.items():
        first, last = wanted.of_asset.get(asset, (0, 0))
        if first < block.first or last > block.last or first == last:
            continue
        own = slice(int(begun[first - block.first]), int(ends[last - block.first - 1]))
        normal[own] = np.searchsorted(turns, block.ts[own], side="right") % 2 == 1
    return normal
