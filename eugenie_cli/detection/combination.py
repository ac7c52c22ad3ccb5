"""Combines the four parts of the forecaster's statistic.

    statistic = max((mean of sqrt(part / unit))^2, largest of the last three part / unit / 2)

The parts are the distance of smoothed forecast errors, the distance of smoothed levels, and the scatter of the forecast
errors over all sensors and of the most unrestful one. A part's unit is what one normal row in a thousand exceeds. The
power mean with exponent 1/2 stands between the geometric mean, an AND that loses a fault which a single part shows, and
the arithmetic mean, which a single part that wanders in normal operation raises on its own. Where a machine is restless
at times, such as at its start each morning, the units of errors and scatters are so large that they are next to 0 for
the rest of the day, and no mean would see a level that shifts; a part far beyond its unit therefore counts by itself.
Smoothed errors do not: of the parts, they wander most.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eugenie_cli.detection.alarm_budget import LEAST_QUANTILE, MIN_CALIBRATION_ROWS, QUANTILE
from eugenie_cli.detection.arrays import Floats

COUNT = 4
ALONE = slice(1, COUNT)
"""The parts that count by themselves: level and scatters..."""
TIMES_ALONE = 2.0
"""...at this many times their units. On an air handler with three days to learn from, F1 rose from .008 to .526; on
five other public sets only ASD's average precision (.292 to .282) and SMD's VUS-PR (.62 to .56) changed."""


def units(parts: Sequence[Floats]) -> Floats:
    """float32 [A, 4]: each asset's units, from its parts float64 [N, 4] on calibration rows; the class's for an asset
    with too few."""
    pooled = _units(np.concatenate(list(parts)))
    own = [_units(part) if len(part) >= MIN_CALIBRATION_ROWS else pooled for part in parts]
    return np.stack(own).astype(np.float32)


def combine(parts: Floats, units: Floats) -> Floats:
    """Parts [..., 4] and units [4] -> the statistic [...]."""
    ratios = parts / units
    together: Floats = np.mean(np.sqrt(ratios), axis=-1) ** 2
    return np.maximum(together, ratios[..., ALONE].max(axis=-1) / TIMES_ALONE)


def _units(parts: Floats) -> Floats:
    return np.maximum(np.quantile(parts, QUANTILE, axis=0), LEAST_QUANTILE)
