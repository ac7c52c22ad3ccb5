"""A forecast that nothing changes, with a chart of its error magnitudes: the benchmark for any forecaster.

It detects jumps, unrest and frozen sensors, but soon expects a value that stays wrong. It uses magnitudes because
signed errors cancel out when averaged: a moving average of differences is little more than the last difference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detectors.control_chart import Chart, ChartGraph


class LastValue(Chart):
    """The signal is the difference from the row `horizon` rows earlier, averaged over the horizons that have one; a
    sensor contributes the standardised square of its average."""

    def signal(self, z: Floats) -> Floats:
        errors = np.abs([z - _before(z, horizon) for horizon in self.horizons])
        present = np.isfinite(errors)
        count = present.sum(axis=0)
        mean = np.where(present, errors, 0.0).sum(axis=0) / np.maximum(count, 1)
        return np.where(count > 0, mean, np.nan)

    def expected(self, z: Floats) -> Floats:
        """The last values known at each horizon within the window, averaged over the horizons."""
        return np.mean([self._last(z, horizon) for horizon in self.horizons], axis=0)

    def _last(self, z: Floats, horizon: int) -> Floats:
        """The window's last value at least `horizon` rows earlier, 0 (the mean) if there is none."""
        rows = np.arange(len(z))[:, None]
        newest = np.maximum.accumulate(np.where(np.isfinite(z), rows, -1), axis=0)
        last_row = np.concatenate([np.full((min(horizon, len(z)), z.shape[1]), -1), newest[: max(len(z) - horizon, 0)]])
        known = last_row >= np.maximum(rows - self.window + 1, 0)
        return np.where(known, np.take_along_axis(z, np.maximum(last_row, 0), axis=0), 0.0).astype(np.float64)

    def graph(self) -> ChartGraph:
        return _LastValueGraph(self)

    def describe(self) -> Sequence[str]:
        horizons = ", ".join(map(str, self.horizons))
        return [
            f"Last-value forecast, horizons {horizons} rows ahead: distance of its errors' magnitude, averaged over",
            f"the last {len(self.kernel)} rows (weight {self.smoothing:g} for the newest), from its normal.",
            "`expected` is the last value that was known, the mean over the horizons; `forecast` repeats the last one.",
        ]


class _LastValueGraph(ChartGraph):
    def __init__(self, learnt: LastValue) -> None:
        super().__init__(learnt)
        self._horizons = learnt.horizons

    def signal(self, z: tf.Tensor) -> tf.Tensor:
        length = tf.shape(z)[1]
        late = z[:, self._back :]
        errors = tf.abs([late - z[:, self._back - ahead : length - ahead] for ahead in self._horizons])
        present = tf.math.is_finite(errors)
        count = tf.reduce_sum(tf.cast(present, tf.float32), axis=0)
        mean = tf.math.divide_no_nan(tf.reduce_sum(tf.where(present, errors, 0.0), axis=0), count)
        return tf.where(count > 0, mean, tf.constant(np.nan, tf.float32))

    def expected(self, z: tf.Tensor) -> tf.Tensor:
        return tf.add_n([self._last(z, ahead) for ahead in self._horizons]) / float(len(self._horizons))

    def ahead(self, z: tf.Tensor) -> tf.Tensor:
        return tf.repeat(self._last(z, 0), len(self._horizons), axis=1)

    def _last(self, z: tf.Tensor, ahead: int) -> tf.Tensor:
        """`LastValue._last` of the rows that end a window: [B, K, S]. float32 row numbers are exact up to 16 M rows."""
        length = tf.shape(z)[1]
        rows = tf.cast(tf.range(length), tf.float32)[None, :, None]
        row_or_none = tf.where(tf.math.is_finite(z), rows, -1.0)[:, : length - ahead]
        last_row = tf.nn.max_pool1d(row_or_none, self._window - ahead, strides=1, padding="VALID")
        columns, places = tf.transpose(z, [0, 2, 1]), tf.transpose(tf.maximum(last_row, 0.0), [0, 2, 1])
        values = tf.gather(columns, tf.cast(places, tf.int32), batch_dims=2)
        return tf.where(last_row >= 0, tf.transpose(values, [0, 2, 1]), 0.0)


def _before(z: Floats, rows: int) -> Floats:
    """Each row's predecessor `rows` rows earlier: [T, S]."""
    gap = np.full((min(rows, len(z)), z.shape[1]), np.nan, z.dtype)
    return np.concatenate([gap, z[: max(len(z) - rows, 0)]])
