"""Sensors whose unit or range changed in the middle of an asset's normal rows: from bar to psi, from °C to °F.

Trained on unchanged, the deviation would be the distance between the two halves, which hides any fault. Live readings
have the later unit, so the earlier values are converted to it.

A change of the plant's operating level looks similar, but it changes other sensors as well; and a change of unit
scales a sensor's noise by the same factor as its values. If either test fails, nothing is converted and the step is
reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.training.mmap_arrays import blocks
from eugenie_cli.training.outliers import thinned

# A level is the median of up to `LEVEL_VALUES` values on one side of a change, which has at least
# `LEAST_LEVEL_VALUES`.
LEVEL_VALUES = 25
LEAST_LEVEL_VALUES = 10
# The gap between the values of the two units is at least this share of the wider range. A step that is no change of
# unit is reported when its gap is as wide as the range, or a quarter of it if no other sensor steps: a transmitter was
# replaced or adjusted.
GAP = 0.1
GAP_TO_TELL = 1.0
GAP_TO_TELL_ALONE = 0.25
# More changes than this come from a machine that starts and stops.
MOST_CHANGES = 4
# A smaller factor cannot be distinguished from a new level with the same noise, within these tolerances of the noise's
# factor: the second applies where the noise is known from few differences.
LEAST_FACTOR = 1.6
TOLERANCE, WIDE_TOLERANCE = 1.25, 1.4
MANY_DIFFERENCES = 200
# Factors of common conversions: powers of ten, minutes and hours, m3/h to l/s, psi, gpm, feet, inches, pounds, °C.
# An estimated factor this near (`NEAR`, in log ratio) to one of them is replaced by it.
USUAL = (
    10.0, 100.0, 1000.0, 1e4, 1e5, 1e6, 60.0, 3600.0, 3.6, 16.6667, 14.50377, 6.894757, 4.402868, 3.785412, 3.28084,
    25.4, 2.204623, 1.8,
)  # fmt: skip
NEAR = 0.025
# Conversions with an offset: °C to °F, °C to K, and back; and a change of sign.
OFFSETS = ((1.8, 32.0), (1 / 1.8, -32.0 / 1.8), (1.0, 273.15), (1.0, -273.15), (-1.0, 0.0))
OFFSET_SLACK = 0.03
# Another sensor changed at the same time when it stepped by this share of its range.
STEP_OF_OTHERS = 0.5


@dataclass(frozen=True)
class Change:
    """A permanent change of the sensor in column `sensor`: from row `row` its values are `factor` times the earlier
    ones plus `offset`. `factor` None: no change of unit, and nothing was converted. `levels`: just before and after."""

    sensor: int
    row: int
    levels: tuple[float, float]
    factor: float | None = None
    offset: float = 0.0


@dataclass(frozen=True)
class _Split:
    """A sensor's values in two groups that alternate a few times at most."""

    threshold: float
    gap: float
    """Divided by the wider range of the two."""
    above: bool
    """Whether the last values are the higher ones."""
    rows: Ints
    """int [n]: the sample's rows in which the sensor has a value."""
    value: Floats
    changes: Ints
    """Positions in `value` at which a new group begins."""

    @property
    def current(self) -> Bools:
        """bool [n]: whether a value belongs to the group of the last value."""
        return (self.value > self.threshold) == self.above


def convert(rows: Floats, part: Ints) -> tuple[Change, ...]:
    """Converts earlier values to the unit of the last ones, in place: in `rows` float [T, S] where `part` int [T] is
    not 0. -> each sensor that changed, including those that were not converted."""
    numbers, sample = thinned(rows, part)
    splits = {s: split for s in range(rows.shape[1]) if (split := _split(numbers, sample[:, s])) is not None}
    fits = {s: _conversion(split) for s, split in splits.items()}
    changes = []
    for sensor, split in splits.items():
        fit = fits[sensor]
        row, levels = int(split.rows[split.changes[-1]]), _levels(split, split.changes[-1])
        others_step = _others_step(numbers, sample, sensor, row, fits)
        if fit is None or others_step:
            if len(split.changes) == 1 and split.gap >= (GAP_TO_TELL if others_step else GAP_TO_TELL_ALONE):
                changes.append(Change(sensor, row, levels))
            continue
        changes.append(Change(sensor, row, levels, *fit))
        for block in blocks(len(part)):
            column = rows[block][:, sensor]
            earlier = ((column > split.threshold) != split.above) & np.isfinite(column)
            column[earlier] = column[earlier] * fit[0] + fit[1]
    return tuple(changes)


def _split(numbers: Ints, column: Floats) -> _Split | None:
    known = np.isfinite(column)
    value = column[known]
    if len(value) < 2 * LEAST_LEVEL_VALUES:
        return None
    ordered = np.sort(value)
    gaps = np.diff(ordered)
    widest = int(gaps.argmax())
    low, high = ordered[: widest + 1], ordered[widest + 1 :]
    ranges = low[-1] - low[0], high[-1] - high[0]
    if min(ranges) <= 0 or gaps[widest] < GAP * max(ranges):
        return None  # a valve, or a single range
    threshold = (low[-1] + high[0]) / 2
    above = value > threshold
    changes = np.flatnonzero(np.diff(above)) + 1
    if not 1 <= len(changes) <= MOST_CHANGES or np.diff([0, *changes, len(value)]).min() < LEAST_LEVEL_VALUES:
        return None
    gap = float(gaps[widest] / max(ranges))
    return _Split(float(threshold), gap, bool(above[-1]), numbers[known], value, changes)


def _levels(split: _Split, change: int) -> tuple[float, float]:
    first = max([0, *split.changes[split.changes < change]])
    last = min([len(split.value), *split.changes[split.changes > change]])
    before = split.value[max(first, change - LEVEL_VALUES) : change]
    after = split.value[change : min(last, change + LEVEL_VALUES)]
    return float(np.median(before)), float(np.median(after))


def _conversion(split: _Split) -> tuple[float, float] | None:
    """Factor and offset from the earlier values to the last ones; None if this is no change of unit."""
    pairs = []
    for change in split.changes:
        before, after = _levels(split, int(change))
        pairs.append((before, after) if split.current[change] else (after, before))
    other, current = np.array(pairs).T
    steps, inside = np.abs(np.diff(split.value)), np.diff(split.current.astype(int)) == 0
    noises = [steps[inside & (split.current[1:] == now)] for now in (False, True)]
    # a jump of the process in one half must not dominate
    was, now = (float(np.minimum(noise, np.quantile(noise, 0.95)).mean()) for noise in noises)
    if was <= 0 or now <= 0:
        return None
    tolerance = TOLERANCE if min(map(len, noises)) >= MANY_DIFFERENCES else WIDE_TOLERANCE

    def surprise(factor: float) -> float:
        """How far the noise's factor is from this one, in log ratio."""
        return float(abs(np.log(now / was / abs(factor))))

    spread = float(split.value[split.current].std())  # the process moves from one level to the other, too
    slack = max(2 * now, 2 * spread, OFFSET_SLACK * float(np.abs(current - other).max()))
    possible = [pair for pair in OFFSETS if np.all(np.abs(other * pair[0] + pair[1] - current) <= slack)]
    if np.all(other * current > 0):
        ratios = current / other
        factor = float(np.median(ratios))
        if max(factor, 1 / factor) >= LEAST_FACTOR and np.all(np.abs(np.log(ratios / factor)) <= np.log(TOLERANCE)):
            possible.append((_usual(factor), 0.0))
    best = min(possible, key=lambda conversion: surprise(conversion[0]), default=None)
    return best if best is not None and surprise(best[0]) <= np.log(tolerance) else None


def _usual(factor: float) -> float:
    """The exact factor of a common conversion if `factor`, estimated from a few noisy values, is near one."""
    common = np.array([*USUAL, *(1 / usual for usual in USUAL)])
    nearest = common[np.abs(np.log(common / factor)).argmin()]
    return float(nearest) if abs(np.log(nearest / factor)) <= NEAR else factor


def _others_step(
    numbers: Ints, sample: Floats, sensor: int, row: int, fits: dict[int, tuple[float, float] | None]
) -> bool:
    """Whether another sensor steps in that row; sensors that change by the same factor do not count."""
    place, own = int(np.searchsorted(numbers, row)), fits[sensor]
    for other, column in enumerate(sample.T):
        fit = fits.get(other)
        alike = fit is not None and own is not None and _same_factor(fit[0], own[0])
        if other == sensor or alike:
            continue
        before, after = column[max(0, place - LEVEL_VALUES) : place], column[place : place + LEVEL_VALUES]
        before, after = before[np.isfinite(before)], after[np.isfinite(after)]
        if not len(before) or not len(after):
            continue
        known = column[np.isfinite(column)]
        reach = np.quantile(known, 0.99) - np.quantile(known, 0.01)
        if abs(np.median(after) - np.median(before)) > STEP_OF_OTHERS * reach and reach > 0:
            return True
    return False


def _same_factor(factor: float, other: float) -> bool:
    return factor * other > 0 and bool(abs(np.log(factor / other)) <= np.log(TOLERANCE))


def describe(change: Change, sensor: str, when: str) -> str:
    """A message about the change."""
    before, after = (f"{level:.4g}" for level in change.levels)
    if change.factor is None:
        return (
            f"{sensor} steps from {before} to {after} at {when} and does not return: both levels count as normal, so "
            "smaller deviations are hard to detect; if the plant or its unit changed then, start the normal periods "
            "there"
        )
    plus = f" plus {change.offset:.4g}" if change.offset else ""
    return (
        f"{sensor} changes its unit or range at {when}: later values are {change.factor:.4g} times the earlier ones"
        f"{plus} ({before}, then {after}); the earlier values were converted"
    )
