"""The forecaster's linear path: a ridge autoregression whose forecast the LSTM corrects.

A recurrent network saturates: beyond the values that it was trained on, its forecast stays where it was, so that each
change of a machine's level is an error that never ends. A linear forecast moves with its input. It is also most of the
forecast where normal rows are few. Beside the network it is the autoregressive part of Lai, Chang, Yang and Liu,
"Modeling long- and short-term temporal patterns with deep neural networks" (SIGIR 2018), in closed form: Hoerl and
Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12 (1970).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eugenie_cli.detection.arrays import Bools, Floats

# Rows that a forecast is made from, and rows for which a missing value is replaced by the last known one.
LAGS = 5
CARRIED = 4
# Ridge penalty, as a share of a sensor's variance. The validation loss would choose one that forecasts hardly better on
# thousands of rows, and one that finds less on 300 rows of 52 sensors: 1, which forecasts little.
PENALTY = 1e-2
# Penalty of the constant term: it keeps the equations solvable.
LEAST_PENALTY = 1e-9
# Evenly spread rows that the coefficients are estimated from, and how many are read at once.
MAX_ROWS = 50_000
BLOCK_ROWS = 2_000


@dataclass(frozen=True)
class LinearPath:
    """S sensors, H horizons, K rows."""

    kernel: Floats
    """float32 [K, S, H, S]: coefficients of the newest row first."""
    bias: Floats
    """float32 [H, S]."""
    carried: int
    """Rows for which a missing value is replaced by the last known one; after that, by 0."""

    def forecasts(self, scaled: Floats) -> Floats:
        """Rows [..., T, S] in deviations, NaN where missing -> forecasts [..., T, H, S] of the rows `horizon` rows
        later, not clipped. Rows before the first count as missing."""
        newest_first = _lagged(filled(scaled, self.carried), len(self.kernel))
        forecasts: Floats = np.einsum("...ks,ksht->...ht", newest_first, self.kernel.astype(np.float64)) + self.bias
        return forecasts


@dataclass(frozen=True)
class Rows:
    """An asset's contiguous rows: `scaled` float [T, S] in deviations, NaN where missing; `training` bool [T]: the rows
    whose forecasts it is fitted to."""

    scaled: Floats
    training: Bools


def memory(warmup: int, horizons: Sequence[int]) -> tuple[int, int]:
    """`LAGS` and `CARRIED`, or less: the forecasts of a window's scored rows must not need rows before the window."""
    before = warmup - min(horizons)
    lags = min(LAGS, before // 2 + 1)
    return lags, min(CARRIED, before - (lags - 1))


def filled(scaled: Floats, carried: int) -> Floats:
    """Rows [..., T, S] with the last known value for at most `carried` rows, and then 0, where a value is missing."""
    values = scaled.astype(np.float64)
    for _ in range(carried):
        missing = np.isnan(values[..., 1:, :])
        values[..., 1:, :] = np.where(missing, values[..., :-1, :], values[..., 1:, :])
    return np.nan_to_num(values, copy=False)


def fit(assets: Sequence[Rows], horizons: Sequence[int], lags: int, carried: int) -> LinearPath:
    """The path for the training rows; it forecasts 0 (the mean) where there are none.

    One path serves all assets, whose rows are in deviations. A missing target is left out of its own products only, as
    if values were missing at random.
    """
    samples = _Samples(assets, tuple(horizons), lags, carried)
    size, sensors = lags * samples.sensors + 1, samples.sensors
    own, cross = np.zeros((size, size)), np.zeros((size, len(horizons), sensors))
    known, count = np.zeros((len(horizons), sensors)), 0
    for inputs, targets in samples.blocks():
        present = np.isfinite(targets)
        own += inputs.T @ inputs
        cross += np.tensordot(inputs.T, np.where(present, targets, 0.0), 1)
        known += present.sum(axis=0)
        count += len(inputs)
    penalty = np.full(size, PENALTY)
    penalty[-1] = LEAST_PENALTY
    products = (cross / np.maximum(known, 1)).reshape(size, -1)
    solved = np.linalg.solve(own / max(count, 1) + np.diag(penalty), products).astype(np.float32)
    return LinearPath(
        solved[:-1].reshape(lags, sensors, len(horizons), sensors), solved[-1].reshape(len(horizons), sensors), carried
    )


@dataclass(frozen=True)
class _Samples:
    """Inputs and targets of forecasts, evenly spread, in blocks of bounded size."""

    assets: Sequence[Rows]
    horizons: tuple[int, ...]
    lags: int
    carried: int

    @property
    def sensors(self) -> int:
        return self.assets[0].scaled.shape[1]

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Inputs float64 [n, K * S + 1], the last of which is 1, and targets [n, H, S], NaN where missing, of rows from
        which every horizon leads to a training row."""
        before = self.lags - 1 + self.carried
        chosen = []
        for asset in self.assets:
            length = max(len(asset.training) - max(self.horizons), 0)
            possible = np.logical_and.reduce([asset.training[ahead : ahead + length] for ahead in self.horizons])
            chosen.append(np.flatnonzero(possible[before:]) + before)
        step = max(1, -(-sum(map(len, chosen)) // MAX_ROWS))
        for asset, rows in zip(self.assets, chosen, strict=True):
            thinned = rows[::step]
            for first in range(0, len(thinned), BLOCK_ROWS):
                block = thinned[first : first + BLOCK_ROWS]
                recent = filled(asset.scaled[block[:, None] + np.arange(-before, 1)], self.carried)
                newest_first = recent[:, : -self.lags - 1 : -1].reshape(len(block), -1)
                inputs = np.concatenate([newest_first, np.ones((len(block), 1))], axis=1)
                targets = [asset.scaled[block + ahead].astype(np.float64) for ahead in self.horizons]
                yield inputs, np.stack(targets, axis=1)


def _lagged(values: Floats, lags: int) -> Floats:
    """Rows [..., T, S] -> each row and the `lags` - 1 before it, newest first: [..., T, K, S], 0 before the first."""
    before = np.zeros((*values.shape[:-2], lags - 1, values.shape[-1]))
    joined = np.concatenate([before, values], axis=-2)
    length = values.shape[-2]
    return np.stack([joined[..., lags - 1 - lag : lags - 1 - lag + length, :] for lag in range(lags)], axis=-2)
