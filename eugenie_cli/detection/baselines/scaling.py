"""Standard scores of one asset, complete: what is missing is what the other sensors lead to expect."""

from __future__ import annotations

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.covariance import ledoit_wolf

CLIP = 10.0
"""Deviations beyond which a value says no more than "far out"."""
MIN_RELATIVE_DEVIATION = 1e-3
"""Floor of the deviation, relative to the mean: a sensor that stood still must not alarm at a breath."""


class Scaler:
    """Mean, deviation [S] and correlation of normal rows."""

    def __init__(self, rows: Floats) -> None:
        present = ~np.isnan(rows)
        count = np.maximum(present.sum(axis=0), 1)
        filled = np.where(present, rows, 0.0).astype(np.float64)
        self.mean = filled.sum(axis=0) / count
        squares = np.where(present, (filled - self.mean) ** 2, 0.0)
        deviation = np.sqrt(squares.sum(axis=0) / count)
        floor = np.maximum(MIN_RELATIVE_DEVIATION * np.abs(self.mean), 1e-6)
        self.deviation = np.maximum(deviation, floor)
        self._seen = present.any(axis=0)
        z, _ = self._standardise(rows)
        self._covariance = ledoit_wolf(z)[0] + 1e-6 * np.eye(rows.shape[1])

    def __call__(self, rows: Floats) -> tuple[Floats, Bools]:
        """Standard scores, float64 [T, S], and which rows have a value at all, bool [T].

        A missing value takes its conditional mean given the row's other values, so that it adds nothing to a
        distance; rows without any value are 0, and so is a sensor without any normal row.
        """
        z, present = self._standardise(rows)
        some = present.any(axis=1)
        holes = np.flatnonzero(some & ~present.all(axis=1))
        patterns, which = np.unique(present[holes], axis=0, return_inverse=True)
        for index, there in enumerate(patterns):
            chosen = holes[which.reshape(-1) == index]
            known = self._covariance[np.ix_(there, there)]
            absent = ~there & self._seen
            weights = np.linalg.solve(known, self._covariance[np.ix_(there, absent)])
            z[np.ix_(chosen, np.flatnonzero(absent))] = z[chosen][:, there] @ weights
        return z, some

    def _standardise(self, rows: Floats) -> tuple[Floats, Bools]:
        """Standard scores [T, S], 0 where not present; presence [T, S]."""
        present = ~np.isnan(rows) & self._seen
        z = np.clip((rows - self.mean) / self.deviation, -CLIP, CLIP)
        return np.where(present, z, 0.0), present


def shares(parts: Floats) -> Floats:
    """Non-negative parts [T, S] as shares that sum to 1 over S; equal shares where all parts are 0."""
    total = parts.sum(axis=1, keepdims=True)
    equal = np.full_like(parts, 1.0 / parts.shape[1])
    return np.divide(parts, total, out=equal, where=total > 0)
