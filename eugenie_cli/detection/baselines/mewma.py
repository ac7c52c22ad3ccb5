"""Multivariate exponentially weighted moving average.

Lowry, Woodall, Champ and Rigdon, "A multivariate exponentially weighted moving average control chart",
Technometrics 34 (1992). Plant data are autocorrelated, so the covariance of the averages is estimated from
the averages themselves (shrunk) instead of derived from that of the rows.
"""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.baselines.scaling import Scaler, shares
from eugenie_cli.detection.covariance import whitener

WEIGHT = 0.1
"""Weight of the newest row, as the chart's authors advise for small shifts."""
LENGTH = 60
"""Rows after which a weight is dropped: .9 ** 60 = .2 %."""


class Mewma:
    """Squared Mahalanobis distance of the smoothed row; a sensor contributes its standardised square."""

    fixed = False

    def learn(self, rows: Floats) -> None:
        self._scaler = Scaler(rows)
        smooth, present = self._smooth(rows)
        self._mean, self._deviation, self._whitening = whitener(smooth[present])

    def measure(self, rows: Floats) -> tuple[Floats, Floats]:
        """See `detector.Statistic.measure`."""
        smooth, present = self._smooth(rows)
        centred = smooth - self._mean
        statistic = ((centred @ self._whitening.T) ** 2).sum(axis=1)
        return np.where(present, statistic, np.nan), shares((centred / self._deviation) ** 2)

    def _smooth(self, rows: Floats) -> tuple[Floats, Bools]:
        """Averages [T, S] over rows that have a value (the mean, 0, after a long gap); which rows do."""
        z, there = self._scaler(rows)
        weights = (1.0 - WEIGHT) ** np.arange(LENGTH)
        total = _convolve(z, weights)
        weight = _convolve(there.astype(np.float64)[:, None], weights)
        # the chart starts at the mean: until the window is full, rows before the first count as the mean
        missing_before = weights.sum() - np.cumsum(weights)
        head = min(LENGTH, len(z))
        weight[:head] += missing_before[:head, None]
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-9), there


def _convolve(columns: Floats, weights: Floats) -> Floats:
    """Each column [T] as the weighted sum of its last rows, newest first."""
    if not len(columns):
        return columns.astype(np.float64)
    return np.stack([np.convolve(column, weights)[: len(column)] for column in columns.T], axis=1)
