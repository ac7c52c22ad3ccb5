"""The linear path of the forecaster in TensorFlow: see `linear_path`."""

from __future__ import annotations

import tensorflow as tf

from eugenie_cli.detection.linear_path import LinearPath


class LinearGraph(tf.Module):
    """The linear path's forecasts from rows float32 [..., S] along an axis, NaN where missing."""

    def __init__(self, path: LinearPath) -> None:
        super().__init__(name="linear")
        self._lags, self._sensors, horizons, _ = path.kernel.shape
        self._before = self._lags - 1 + path.carried
        self._carried = path.carried
        inputs = self._lags * self._sensors
        self._of_all = tf.constant(path.kernel.reshape(inputs, horizons * self._sensors), tf.float32)
        self._of_each = [
            tf.constant(path.kernel[:, :, number].reshape(inputs, self._sensors), tf.float32)
            for number in range(horizons)
        ]
        self._bias = tf.constant(path.bias, tf.float32)

    def ahead(self, scaled: tf.Tensor, axis: int, first: int) -> tf.Tensor:
        """Forecasts after row `first` and each later one, at every horizon: float32 [..., H, S], not clipped."""
        forecasts = self._product(self._lagged(scaled, axis, first), self._of_all)
        shape = tf.concat([tf.shape(forecasts)[:-1], [len(self._of_each), self._sensors]], axis=0)
        return tf.reshape(forecasts, shape) + self._bias

    def at(self, horizon: int, scaled: tf.Tensor, axis: int, first: int) -> tf.Tensor:
        """The same at one horizon, given its number: float32 [..., S]."""
        return self._product(self._lagged(scaled, axis, first), self._of_each[horizon]) + self._bias[horizon]

    def _lagged(self, scaled: tf.Tensor, axis: int, first: int) -> tf.Tensor:
        """Row `first` and each later one, with the rows before it, newest first: float32 [..., K * S], 0 before the
        first."""
        needed = max(0, first - self._before)
        values = _from(scaled, axis, needed)
        for _ in range(self._carried):
            values = tf.where(tf.math.is_nan(values), _later(values, axis, 1), values)
        values = tf.where(tf.math.is_nan(values), 0.0, values)
        later = [_from(_later(values, axis, lag), axis, first - needed) for lag in range(self._lags)]
        return tf.concat(later, axis=-1)

    @staticmethod
    def _product(lagged: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        flat = tf.matmul(tf.reshape(lagged, [-1, kernel.shape[0]]), kernel)
        return tf.reshape(flat, tf.concat([tf.shape(lagged)[:-1], [kernel.shape[1]]], axis=0))


def _from(values: tf.Tensor, axis: int, first: int) -> tf.Tensor:
    """The part of `values` from entry `first` of an axis on."""
    return values[(slice(None),) * axis + (slice(first, None),)]


def _later(values: tf.Tensor, axis: int, rows: int) -> tf.Tensor:
    """`values` moved `rows` rows later along an axis; 0 before the first."""
    if not rows:
        return values
    before = [[0, 0]] * len(values.shape)
    before[axis] = [rows, 0]
    kept = (slice(None),) * axis + (slice(0, tf.shape(values)[axis]),)
    return tf.pad(values, before)[kept]
