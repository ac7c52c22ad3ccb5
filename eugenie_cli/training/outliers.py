"""Wild values among an asset's normal rows: readings that are not measurements, such as a fault code or a spike of 1e6.

One of them in 4,000 rows turns a deviation of 3 into 16,000, which hides the sensor's faults; a run of them in the
calibration block does the same to a threshold. They are removed from the rows before training.

Wild values must be distinguished from rare ones: a standby pump's weekly test is far from the usual values, yet normal.
A value is wild if few values are like it, a gap of several times the spread of the others separates it from them, and
no other sensor of the asset is unusual at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.training.mmap_arrays import blocks

# At most this share of a sensor's normal values is wild, or this many of a short record.
MOST_SHARE = 0.01
FEW = 2
# A wild value is at least this many times as far from the median as any value nearer to it. In the normal rows of six
# public data sets (SKAB, TEP, ASD, BATADAL, SMD, HVAC: 250 sensors that move) only one value is that far out.
APART = 4.0
# It also differs by this share of the median: a few degrees of a temperature in kelvin are not wild.
SHARE_OF_VALUE = 0.01
# A sensor that (nearly) never moves has no spread. A valve that opens once is rare, not wild, so the value must then be
# this many times the median, and at least this large.
APART_FROM_STILL = 100.0
APART_FROM_NOTHING = 1e4
# Up to this many rows are wild even if other sensors are unusual, too: a logger's hiccup.
HICCUP_ROWS = 10
HICCUP_SHARE = 0.0025
# Rows that estimate a median, and the share of a sensor's values that are examined individually.
SAMPLE_ROWS = 20_000
TAIL = 0.02
# Differences below this share of a value are float32's.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Wild:
    """Wild values of the sensor in column `sensor`, from `low` to `high`; the others lie from `least` to `most`."""

    sensor: int
    rows: Ints
    """int [n]: their rows, in order."""
    low: float
    high: float
    least: float
    most: float


@dataclass(frozen=True)
class _Column:
    """A sensor's normal values: their number, their median, and those furthest from it, the furthest last."""

    count: int
    median: float
    reach: float
    """The largest distance from the median of the values that are not listed."""
    rows: Ints
    value: Floats

    @property
    def away(self) -> Floats:
        return np.abs(self.value - self.median)


def drop(rows: Floats, part: Ints, limited: Sequence[tuple[bool, bool]]) -> tuple[Wild, ...]:
    """Sets wild and infinite values to missing, in place: in `rows` float [T, S], where `part` int [T] is not 0.

    `limited`: whether the site file gives a sensor a lower and an upper limit; values on a limited side are never wild.
    -> the values removed.
    """
    for block in blocks(len(part)):
        rows[block][~np.isfinite(rows[block])] = np.nan
    columns = _columns(rows, part)
    removed = []
    for sensor, (low, high) in enumerate(limited):
        own = columns[sensor]
        outer = _apart(own)
        outer = outer[~((own.value[outer] < own.median) & low | (own.value[outer] > own.median) & high)]
        if outer.size and not _shared(rows, columns, sensor, own.rows[outer]):
            order = outer[np.argsort(own.rows[outer])]
            value, inner = own.value[order], np.delete(own.value, outer)
            near = [*inner, own.median - own.reach, own.median + own.reach]
            removed.append(
                Wild(sensor, own.rows[order], float(value.min()), float(value.max()), min(near), max(near)),
            )
    for wild in removed:
        rows[wild.rows, wild.sensor] = np.nan
    return tuple(removed)


def thinned(rows: Floats, part: Ints) -> tuple[Ints, Floats]:
    """An evenly spread sample of the rows where `part` is not 0: their numbers int [n], and a copy float64 [n, S]."""
    total = sum(int(np.count_nonzero(part[block])) for block in blocks(len(part)))
    step, before = max(1, -(-total // SAMPLE_ROWS)), 0
    numbers, values = [np.zeros(0, np.int64)], [np.zeros((0, rows.shape[1]))]
    for block in blocks(len(part)):
        own = np.flatnonzero(part[block])
        taken = own[-before % step :: step]
        numbers.append(block.start + taken)
        values.append(rows[block][taken].astype(np.float64))
        before += len(own)
    return np.concatenate(numbers), np.concatenate(values)


def _columns(rows: Floats, part: Ints) -> list[_Column]:
    _, sample = thinned(rows, part)
    middle, reach = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for sensor, column in enumerate(sample.T):
        known = column[np.isfinite(column)]
        if known.size:
            middle[sensor] = np.median(known)
            reach[sensor] = np.quantile(np.abs(known - middle[sensor]), 1.0 - TAIL)
    counts = np.zeros(rows.shape[1], np.int64)
    tails: list[list[tuple[Ints, Floats]]] = [[] for _ in range(rows.shape[1])]
    for block in blocks(len(part)):
        own = np.flatnonzero(part[block])
        values = rows[block][own].astype(np.float64)
        counts += np.isfinite(values).sum(axis=0)
        with np.errstate(invalid="ignore"):
            far = np.abs(values - middle) > reach
        for sensor in np.flatnonzero(far.any(axis=0)):
            outer = far[:, sensor]
            tails[sensor].append((block.start + own[outer], values[outer, sensor]))
    return [
        _column(int(count), float(at), float(within), tail)
        for count, at, within, tail in zip(counts, middle, reach, tails, strict=True)
    ]


def _column(count: int, median: float, reach: float, tail: Sequence[tuple[Ints, Floats]]) -> _Column:
    rows = np.concatenate([np.zeros(0, np.int64), *(part for part, _ in tail)])
    value = np.concatenate([np.zeros(0), *(part for _, part in tail)])
    order = np.argsort(np.abs(value - median), kind="stable")
    return _Column(count, median, reach, rows[order], value[order])


def _apart(own: _Column) -> Ints:
    """Indices of a column's wild candidates: everything beyond the innermost gap that is wide enough."""
    most = max(FEW, int(own.count * MOST_SHARE))
    away = own.away
    nearer = np.concatenate([[own.reach], away[:-1]]) if away.size else away
    still = own.reach <= ROUNDING * abs(own.median)
    factor = APART_FROM_STILL if still else APART
    least = np.where(
        nearer > ROUNDING * abs(own.median),
        np.maximum(factor * nearer, SHARE_OF_VALUE * abs(own.median)),
        max(APART_FROM_STILL * abs(own.median), APART_FROM_NOTHING),
    )
    gaps = np.flatnonzero((away >= least) & (np.arange(len(away)) >= len(away) - most))
    return np.arange(gaps[0], len(away)) if gaps.size else np.zeros(0, np.int64)


def _shared(rows: Floats, columns: Sequence[_Column], sensor: int, where: Ints) -> bool:
    """Whether another sensor is also near its extremes in most of these rows, with values other than the same code."""
    if len(where) <= max(HICCUP_ROWS, HICCUP_SHARE * columns[sensor].count):
        return False
    own = rows[where, sensor]
    for other, column in enumerate(columns):
        if other == sensor or not column.rows.size:
            continue
        values = rows[where, other].astype(np.float64)
        away = column.away
        usual = away[-2 * len(where)] if len(away) >= 2 * len(where) else column.reach
        out: Bools = (np.abs(values - column.median) >= max(usual, np.finfo(np.float64).tiny)) & (values != own)
        if np.mean(out) >= 0.5:
            return True
    return False


def describe(wild: Wild, sensor: str, first: str, last: str) -> str:
    """A message about the values removed; `first` and `last`: the instants of the first and last of them."""
    several = len(wild.rows) > 1
    count, verb, pronoun = (f"{len(wild.rows)} values", "are", "they are") if several else ("1 value", "is", "it is")
    span = f"from {first} to {last}" if first != last else f"at {first}"
    values = f"{wild.low:.4g} to {wild.high:.4g}" if wild.low != wild.high else f"{wild.low:.4g}"
    return (
        f"{sensor}: {count} ({values}, {span}) {verb} far from all others ({wild.least:.4g} to {wild.most:.4g}) and "
        f"excluded from training as implausible; if {pronoun} normal, set `low` and `high` of the sensor"
    )
