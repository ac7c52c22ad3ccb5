"""Thresholds that keep an alarm budget, from each asset's statistic on normal rows. Numpy only: any detector type, and
any combination of them, is calibrated by the same function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detector import AssetCalibration, Calibration

# The quantile of the statistic that one normal row in a thousand exceeds. Threshold = margin x quantile.
QUANTILE = 0.999
# Floor of that quantile. Where it is 0, as with forecasts that are always right, any statistic above 0 raises an alarm;
# below this floor, its score would be infinite and could not serve as a weight of rows.
LEAST_QUANTILE = 1e-20
# The rehearsal leaves out each of this many consecutive parts of the calibration rows in turn; five is the usual
# number of folds. On simulated normal operation (averages of noise, blocks of 105 to 2,160 rows, 1 to 16 assets), it
# made later rows exceed the threshold about as often as the budget allows, and less often with several assets.
REHEARSAL_PARTS = 5
MARGINS = np.arange(1.0, 4.0001, 0.05)
# An asset with fewer calibration rows uses the class's threshold.
MIN_CALIBRATION_ROWS = 60


@dataclass(frozen=True)
class CalibrationSeries:
    """An asset's statistic on its calibration rows, in time order."""

    asset: str
    statistic: Floats
    """float64 [N], finite: one value for each row that can be scored."""
    rows: Ints
    """int64 [N], increasing: the rows' numbers on the asset's grid. Rows that are not consecutive have others, or
    silence, between them."""


@dataclass(frozen=True)
class AlarmPolicy:
    """When scores become an alarm, and how many alarms are acceptable with nothing wrong."""

    budget: float
    """Share of normal rows that may score above 1."""


def thresholds(series: Sequence[CalibrationSeries], policy: AlarmPolicy) -> tuple[Floats, Calibration]:
    """Thresholds float32 [A] of the assets, in order, and where they come from.

    threshold = margin x quantile. The class has one margin: the smallest for which at most the budget's share of the
    rows exceed the threshold when each part of an asset's rows is left out in turn and judged by the quantile of the
    other parts.
    """
    statistic = [of_asset.statistic for of_asset in series]
    enough = [len(part) >= MIN_CALIBRATION_ROWS for part in statistic]
    pooled = _quantile(np.concatenate(statistic))
    quantile = np.array([_quantile(part) if own else pooled for part, own in zip(statistic, enough, strict=True)])
    ratios = [_rehearse(part) if own else part / pooled for part, own in zip(statistic, enough, strict=True)]
    exceeding = np.array([np.mean(np.concatenate(ratios) > margin) for margin in MARGINS])
    within = np.flatnonzero(exceeding <= policy.budget)
    chosen = int(within[0]) if within.size else len(MARGINS) - 1
    threshold = (MARGINS[chosen] * quantile).astype(np.float32)
    notes = tuple(
        AssetCalibration(
            of_asset.asset,
            len(part),
            not own,
            float(quantile[i]),
            float(np.mean(part > threshold[i])) if part.size else 0.0,
        )
        for i, (of_asset, part, own) in enumerate(zip(series, statistic, enough, strict=True))
    )
    return threshold, Calibration(policy.budget, float(MARGINS[chosen]), float(exceeding[chosen]), notes)


def _rehearse(statistic: Floats) -> Floats:
    """Each row's statistic over the quantile of the parts that do not contain it."""
    parts = np.array_split(statistic, REHEARSAL_PARTS)
    others = [np.concatenate(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
    return np.concatenate([part / _quantile(other) for part, other in zip(parts, others, strict=True)])


def _quantile(statistic: Floats) -> float:
    return max(float(np.quantile(statistic, QUANTILE)), LEAST_QUANTILE)
