"""The statistics of windows whose rows are forecast one by one: see `window_statistics`.

A row has one forecast error, whichever window it is in, so the smoothed errors of all windows are sliding sums.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.ewma import SCATTER_SMOOTHING, ewma_kernel
from eugenie_cli.detection.row_forecasts import RowForecasts
from eugenie_cli.detection.window_statistics import Sums, TrainedForecaster, WindowStatistics, valid

# Windows whose sums are one matrix product. The product also multiplies zeros, as many as there are windows in it.
_TOGETHER = 64


class RowStatistics(tf.Module):
    """See `window_statistics.Statistics`; for the weights of a minimal LSTM."""

    def __init__(self, forecaster: TrainedForecaster, scored: Sequence[int]) -> None:
        super().__init__(name="statistics")
        window, warmup = forecaster.window, forecaster.warmup
        self._window = window
        self._warmup = warmup
        self._scored = np.asarray(scored, dtype=np.int32)
        self._forecasts = RowForecasts(forecaster)
        self._sums = SlidingSums(ewma_kernel(window - warmup))
        self._recent_sums = SlidingSums(ewma_kernel(window - warmup, SCATTER_SMOOTHING))

    def frame_all(self, scaled: tf.Tensor) -> WindowStatistics:
        """See `window_statistics.Statistics`."""
        rows = tf.transpose(scaled, [1, 0, 2])
        hidden = self._forecasts.hidden(rows)
        expected = self._forecasts.of_rows(hidden)
        late = tf.gather(rows[self._warmup :], self._scored, axis=-1)
        known = tf.math.is_finite(late)
        present, values = tf.cast(known, tf.float32), tf.where(known, late, 0.0)
        error = tf.where(known, values - tf.gather(expected, self._scored, axis=-1), 0.0)
        residual, level, weight = tf.split(self._sums(tf.concat([error, values, present], axis=-1)), 3, axis=-1)
        recent, square, recent_weight = tf.split(
            self._recent_sums(tf.concat([error, tf.square(error), present], axis=-1)), 3, axis=-1
        )
        averages = Sums(residual, level, weight, recent, square, recent_weight).averages()
        frames = tf.shape(residual)[0]
        ahead = self._forecasts.ahead(hidden[tf.shape(hidden)[0] - frames :])
        parts = (*averages, expected[self._window - 1 - self._warmup :], ahead)
        return WindowStatistics._make([*map(_by_segment, parts), valid(scaled, self._window)])


class SlidingSums(tf.Module):
    """Weighted sums of the last R of the rows [L, B, C] at each of the rows that have as many: [L - R + 1, B, C].

    `kernel` [R]: the weights, oldest row first.
    """

    def __init__(self, kernel: Floats) -> None:
        super().__init__(name="sums")
        self._rows = len(kernel)
        band = np.zeros((_TOGETHER, _TOGETHER + self._rows - 1), np.float32)
        for number in range(_TOGETHER):
            band[number, number : number + self._rows] = kernel
        self._band = tf.constant(band)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        length, shape = tf.shape(values)[0], tf.shape(values)[1:]
        count = length - self._rows + 1
        together = tf.minimum(count, _TOGETHER)
        span = together + self._rows - 1
        first = tf.range(0, count, together)
        # the last rows fill up the last product; the sums that contain them are dropped
        frames = tf.gather(tf.reshape(values, [length, -1]), tf.minimum(first[:, None] + tf.range(span), length - 1))
        sums = tf.matmul(self._band[:together, :span], frames)
        return tf.reshape(sums, tf.concat([[-1], shape], axis=0))[:count]


def _by_segment(parts: tf.Tensor) -> tf.Tensor:
    """[K, B, ...] -> [B x K, ...]."""
    return tf.reshape(
        tf.transpose(parts, [1, 0, *range(2, parts.shape.rank)]), tf.concat([[-1], tf.shape(parts)[2:]], axis=0)
    )
