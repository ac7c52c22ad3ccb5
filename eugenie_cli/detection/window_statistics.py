"""The statistics of a window as a TensorFlow graph: smoothed forecast errors, their scatter, smoothed levels.

`lstm_statistics` and `row_statistics` compute them. No state crosses from one window to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detector import MIN_PRESENT
from eugenie_cli.detection.ewma import MIN_WEIGHT
from eugenie_cli.detection.linear_path import LinearPath
from eugenie_cli.detection.network import CLIP


@dataclass(frozen=True)
class TrainedForecaster:
    """A trained network, and the windows that it judges."""

    network: Mapping[str, Floats]
    """Weights by `network.WEIGHTS`."""
    window: int
    warmup: int
    horizons: tuple[int, ...]
    linear: LinearPath | None = None
    """The forecast that the network corrects."""


class WindowStatistics(NamedTuple):
    """Statistics of N windows; S sensors, P scored sensors, H horizons. All values are in deviations from normal."""

    residual: tf.Tensor
    """float32 [N, P]: smoothed forecast error, 0 where absent."""
    residual_present: tf.Tensor
    """bool [N, P]."""
    level: tf.Tensor
    """float32 [N, P]: smoothed value, 0 where absent."""
    level_present: tf.Tensor
    """bool [N, P]."""
    recent: tf.Tensor
    """float32 [N, P]: forecast error smoothed over fewer rows, 0 where absent."""
    square: tf.Tensor
    """float32 [N, P]: its square, smoothed alike."""
    recent_present: tf.Tensor
    """bool [N, P]: presence of both."""
    expected: tf.Tensor
    """float32 [N, S]: the shortest horizon's forecast of the last row."""
    ahead: tf.Tensor
    """float32 [N, H, S]: forecasts of the rows to come."""
    valid: tf.Tensor
    """bool [N]: whether enough rows are present."""


class Statistics(Protocol):
    """Computes `WindowStatistics` from rows in deviations, with the trained network's weights."""

    def frame_all(self, scaled: tf.Tensor) -> WindowStatistics:
        """float32 [B, L, S] with NaN where missing -> statistics of the B x (L - M + 1) windows, row-major."""


class Sums(NamedTuple):
    """Weighted sums over the last R rows of each window, 0 for what is missing: float32 [..., P] each. `weight` and
    `recent_weight` are those of the values present, with the kernels of either smoothing."""

    residual: tf.Tensor
    level: tf.Tensor
    weight: tf.Tensor
    recent: tf.Tensor
    square: tf.Tensor
    recent_weight: tf.Tensor

    def averages(self) -> tuple[tf.Tensor, ...]:
        """The sums over the weight of the values present, as in `ewma.smooth`: `WindowStatistics` up to
        `recent_present`."""
        # the kernels sum to 1 only up to rounding
        enough, recent_enough = self.weight >= MIN_WEIGHT - 1e-6, self.recent_weight >= MIN_WEIGHT - 1e-6
        weight, recent_weight = tf.maximum(self.weight, MIN_WEIGHT), tf.maximum(self.recent_weight, MIN_WEIGHT)
        return (
            tf.where(enough, self.residual / weight, 0.0),
            enough,
            tf.where(enough, self.level / weight, 0.0),
            enough,
            tf.where(recent_enough, self.recent / recent_weight, 0.0),
            tf.where(recent_enough, self.square / recent_weight, 0.0),
            recent_enough,
        )


class Heads(tf.Module):
    """The layers after the memory: outputs of the memory float32 [..., U] -> forecasts, clipped like values. They
    correct the forecasts of a linear path, if there is one."""

    def __init__(self, network: Mapping[str, Floats], horizons: Sequence[int]) -> None:
        super().__init__()
        # a single matrix for the narrow layer and the heads, which have no activation in between
        dense, head = network["dense_kernel"].astype(np.float64), network["head_kernel"].astype(np.float64)
        self._kernel = tf.constant(dense @ head, tf.float32)
        self._bias = tf.constant(network["dense_bias"] @ head + network["head_bias"], tf.float32)
        self._units, self.sensors = dense.shape[0], head.shape[1] // len(horizons)
        self._horizons = len(horizons)
        # the shortest horizon forecasts best; the others shape the memory and serve `forecast`
        self.nearest = min(horizons)
        self.nearest_index = list(horizons).index(self.nearest)
        first = self.nearest_index * self.sensors
        self._nearest = slice(first, first + self.sensors)

    def of_nearest(self, hidden: tf.Tensor, linear: tf.Tensor | None = None) -> tf.Tensor:
        """Forecasts at the shortest horizon: float32 [..., S]. `linear`: those that they correct."""
        kernel, bias = self._kernel[:, self._nearest], self._bias[self._nearest]
        return self._forecast(hidden, kernel, bias, [self.sensors], linear)

    def of_all(self, hidden: tf.Tensor, linear: tf.Tensor | None = None) -> tf.Tensor:
        """Forecasts at every horizon: float32 [..., H, S]. `linear`: those that they correct."""
        return self._forecast(hidden, self._kernel, self._bias, [self._horizons, self.sensors], linear)

    def _forecast(
        self, hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, shape: list[int], linear: tf.Tensor | None
    ) -> tf.Tensor:
        flat = tf.nn.bias_add(tf.matmul(tf.reshape(hidden, [-1, self._units]), kernel), bias)
        forecasts = tf.reshape(flat, tf.concat([tf.shape(hidden)[:-1], shape], axis=0))
        return tf.clip_by_value(forecasts if linear is None else forecasts + linear, -CLIP, CLIP)


def valid(scaled: tf.Tensor, window: int) -> tf.Tensor:
    """Whether a window has its last row and enough of the others: rows float32 [B, L, S] -> bool [B x K]."""
    present = tf.reduce_any(tf.math.is_finite(scaled), axis=-1)
    until = tf.cumsum(tf.pad(tf.cast(present, tf.int32), [[0, 0], [1, 0]]), axis=1)
    count = until[:, window:] - until[:, :-window]
    enough = tf.cast(count, tf.float32) >= (MIN_PRESENT - 1e-6) * window
    return tf.reshape(enough & present[:, window - 1 :], [-1])


def encode(scaled: tf.Tensor) -> tf.Tensor:
    """`network.encode` in the graph: float32 [..., S] with NaN where missing -> [..., 2S]."""
    present = tf.math.is_finite(scaled)
    return tf.concat([tf.where(present, scaled, 0.0), tf.cast(present, tf.float32)], axis=-1)


def scale(rows: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """Engineering units -> clipped deviations; NaN stays NaN (clipping alone may turn it into a bound)."""
    scaled = tf.clip_by_value((rows - mean) / deviation, -CLIP, CLIP)
    return tf.where(tf.math.is_finite(rows), scaled, tf.constant(np.nan, tf.float32))
