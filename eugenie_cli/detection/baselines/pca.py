"""Principal component analysis for process monitoring: Q (squared prediction error) and Hotelling's T2.

Jackson and Mudholkar, "Control procedures for residuals associated with principal component analysis",
Technometrics 21 (1979). The control limits come from calibration rows instead of a distribution.
"""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.baselines.scaling import Scaler, shares

EXPLAINED = 0.9
"""Share of the variance that the kept components explain."""
MIN_VARIANCE = 1e-6
"""Floor of a component's variance."""


class _Pca:
    fixed = False

    def learn(self, rows: Floats) -> None:
        self._scaler = Scaler(rows)
        z, present = self._scaler(rows)
        z = z[present]
        values, vectors = np.linalg.eigh(z.T @ z / max(len(z), 1))
        values, vectors = values[::-1], vectors[:, ::-1]
        explained = np.cumsum(values) / max(values.sum(), MIN_VARIANCE)
        # one direction is always left over, or Q would be 0
        kept = min(int(np.searchsorted(explained, EXPLAINED)) + 1, max(len(values) - 1, 1))
        self._loadings = vectors[:, :kept]
        self._variances = np.maximum(values[:kept], MIN_VARIANCE)


class PcaQ(_Pca):
    """Q statistic: the squared length of what the components leave over; a sensor contributes its square."""

    def measure(self, rows: Floats) -> tuple[Floats, Floats]:
        """See `detector.Statistic.measure`."""
        z, present = self._scaler(rows)
        squares = (z - z @ self._loadings @ self._loadings.T) ** 2
        return np.where(present, squares.sum(axis=1), np.nan), shares(squares)


class PcaT2(_Pca):
    """Hotelling's T2 in the kept components; a sensor contributes its square as they rebuild it."""

    def measure(self, rows: Floats) -> tuple[Floats, Floats]:
        """See `detector.Statistic.measure`."""
        z, present = self._scaler(rows)
        scores = z @ self._loadings
        t2 = (scores**2 / self._variances).sum(axis=1)
        rebuilt = (scores / np.sqrt(self._variances)) @ self._loadings.T
        return np.where(present, t2, np.nan), shares(rebuilt**2)
