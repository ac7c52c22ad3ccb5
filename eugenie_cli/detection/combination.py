"""Combines the four parts of the forecaster's statistic.

    statistic = (mean of sqrt(part / unit))^2

The parts are the distance of smoothed forecast errors, the distance of smoothed levels, and the scatter of the forecast
errors over all sensors and of the most unrestful one. A part's unit is what one normal row in a thousand exceeds. The
power mean with exponent 1/2 stands between the geometric mean, an AND that loses a fault which a single part shows, and
the arithmetic mean, which a single part that wanders in normal operation raises on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eugenie_cli.detection.alarm_budget import LEAST_QUANTILE, MIN_CALIBRATION_ROWS, QUANTILE
from eugenie_cli.detection.arrays import Floats

COUNT = 4


def units(parts: Sequence[Floats]) -> Floats:
    """float32 [A, 4]: each asset's units, from its parts float64 [N, 4] on calibration rows; the class's for an asset
    with too few."""
    pooled = _units(np.concatenate(list(parts)))
    own = [_units(part) if len(part) >= MIN_CALIBRATION_ROWS else pooled for part in parts]
    return np.stack(own).astype(np.float32)


def combine(parts: Floats, units: Floats) -> Floats:
    """Parts [..., 4] and units [4] -> the statistic [...]."""
    statistic: Floats = np.mean(np.sqrt(parts / units), axis=-1) ** 2
    return statistic


def _units(parts: Floats) -> Floats:
    return np.maximum(np.quantile(parts, QUANTILE, axis=0), LEAST_QUANTILE)
