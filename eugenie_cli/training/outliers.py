"""Wild values among an asset's normal rows: readings that no measurement made, such as a fault code or a spike of 1e6.

One of them in 4,000 rows makes a deviation of 3 one of 16,000, after which the sensor's faults cannot be seen; a run of
them in the calibration block does the same to a threshold. They are taken out of the rows before anything is learnt.

What is wild has to be told from what is rare: a standby pump's weekly test is heavy, and normal. Wild is a value that
lies apart: few values are like it, between it and the others there is nothing for several times their reach, and no
other sensor of the asset has anything unusual to say at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.training.mmap_arrays import blocks

# At most this share of a sensor's normal values is wild, or this many where there are few values.
MOST_SHARE = 0.01
FEW = 2
# A wild value is at least this many times as far from the median as every value nearer to it. Of the normal rows of six
# public data sets (SKAB, TEP, ASD, BATADAL, SMD, HVAC: 250 sensors that move) one value lies so far out.
APART = 4.0
# And differs by this share of the median: of a temperature in kelvin, a few degrees are not wild.
SHARE_OF_VALUE = 0.01
# A sensor that (nearly) never moves has no reach. A valve that opens once is rare, not wild: the value then has to be
# this many times the median, and this large.
APART_FROM_STILL = 100.0
APART_FROM_NOTHING = 1e4
# Up to so many rows are wild though other sensors have something to say, too: a logger's hiccup.
HICCUP_ROWS = 10
HICCUP_SHARE = 0.0025
# Rows that a median is taken of, and the share of a sensor's values that are looked at one by one.
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
    """A sensor's normal values: how many, their median, and those furthest from it, the furthest last."""

    count: int
    median: float
    reach: float
    """How far from the median those are at most that are not listed."""
    rows: Ints
    value: Floats

    @property
    def away(self) -> Floats:
        return np.abs(self.value - self.median)


def drop(rows: Floats, part: Ints, limited: Sequence[tuple[bool, bool]]) -> tuple[Wild, ...]:
    """Makes wild values missing, in place: in `rows` float [T, S], where `part` int [T] is not 0; infinite ones too.

    `limited`: whether the site file says for a sensor how low and how high it may be, which is then the last word.
    -> what was taken out.
    """
    for block in blocks(len(part)):
        rows[block][~np.isfinite(rows[block])] = np.nan
    columns = _columns(rows, part)
    found = []
    for sensor, (low, high) in enumerate(limited):
        own = columns[sensor]
        outer = _apart(own)
        outer = outer[~((own.value[outer] < own.median) & low | (own.value[outer] > own.median) & high)]
        if outer.size and not _shared(rows, columns, sensor, own.rows[outer]):
            order = outer[np.argsort(own.rows[outer])]
            value, inner = own.value[order], np.delete(own.value, outer)
            near = [*inner, own.median - own.reach, own.median + own.reach]
            found.append(
                Wild(sensor, own.rows[order], float(value.min()), float(value.max()), min(near), max(near)),
            )
    for one in found:
        rows[one.rows, one.sensor] = np.nan
    return tuple(found)


def thinned(rows: Floats, part: Ints) -> tuple[Ints, Floats]:
    """Evenly spread rows of those where `part` is not 0: their numbers int [n], and a copy float64 [n, S]."""
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
            there = far[:, sensor]
            tails[sensor].append((block.start + own[there], values[there, sensor]))
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
    """Which of a column's values lie apart: everything beyond the innermost gap that is wide enough."""
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
    """Whether another sensor, too, is as far out as it ever is in most of these rows, and not by the same code."""
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


def told(one: Wild, sensor: str, first: str, last: str) -> str:
    """What was taken out, in words."""
    count, what = (f"{len(one.rows)} values", "are") if len(one.rows) > 1 else ("a value", "is")
    span = f"from {first} to {last}" if first != last else f"at {first}"
    values = f"{one.low:.4g} to {one.high:.4g}" if one.low != one.high else f"{one.low:.4g}"
    return (
        f"{sensor}: {count} ({values}, {span}) far from all others ({one.least:.4g} to {one.most:.4g}) {what} taken "
        "as no measurement and not learnt from; if normal, say so by `low` and `high` of the sensor"
    )
