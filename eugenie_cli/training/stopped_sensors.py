"""Sensors that are missing, or stand still, for a long part of an asset's normal rows.

A sensor that stopped before the calibration rows is not in the thresholds, which are then too low for rows that have
it; one that stood still is known with too small a deviation. Neither can be mended from the rows, so both are reported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.training.outliers import thinned

# The share of the normal rows from which a pause is reported: about half of the rows that calibrate by default.
LONG = 0.1
# A sensor stands still if it otherwise changes from row to row at least this often; a valve does not.
USUALLY_CHANGES = 0.5
# Fewer values do not show how often a sensor changes.
LEAST_VALUES = 50


@dataclass(frozen=True)
class Pause:
    """Rows `first` to `last` in which the sensor in column `sensor` has no value, or always `value`. `share`: of all
    normal rows."""

    sensor: int
    first: int
    last: int
    share: float
    value: float | None = None


def pauses(rows: Floats, part: Ints) -> tuple[Pause, ...]:
    """The long pauses of the usable rows, those of float [T, S] where `part` int [T] is not 0. A sensor without any
    value has none."""
    numbers, sample = thinned(rows, part)
    found = []
    for sensor, column in enumerate(sample.T):
        known = np.flatnonzero(np.isfinite(column))
        if len(known) < LEAST_VALUES:
            continue
        for first, last in ((0, known[0] - 1), (known[-1] + 1, len(column) - 1)):
            if (share := (last - first + 1) / len(column)) >= LONG:
                found.append(Pause(sensor, int(numbers[first]), int(numbers[last]), share))
        changes = np.flatnonzero(np.diff(column[known])) + 1
        borders = np.concatenate([[0], changes, [len(known)]])
        longest = int(np.diff(borders).argmax())
        first, last = known[borders[longest]], known[borders[longest + 1] - 1]
        others = len(known) - (borders[longest + 1] - borders[longest])
        share = (last - first + 1) / len(column)
        if share >= LONG and others and len(changes) >= USUALLY_CHANGES * others:
            found.append(Pause(sensor, int(numbers[first]), int(numbers[last]), share, float(column[first])))
    return tuple(found)


def describe(pause: Pause, sensor: str, first: str, last: str) -> str:
    """A message about the pause; `first` and `last`: the instants of its first and last row."""
    what = "has no value" if pause.value is None else f"stands still at {pause.value:.4g}"
    return (
        f"{sensor} {what} from {first} to {last}, {pause.share:.0%} of the normal rows: thresholds and deviations rest "
        "on the others; if it was broken, exclude that time or start the normal periods later"
    )
