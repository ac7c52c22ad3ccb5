"""The linear path of the forecaster in TensorFlow: see `linear_path`."""

from __future__ import annotations

import tensorflow as tf

from eugenie_cli.detection.linear_path import LinearPath


class LinearGraph(tf.Module):
    """The linear path's forecasts of rows float32 [..., S] along an axis, NaN where missing."""

    def __init__(self, path: LinearPath) -> None:
        super().__init__(name="linear")
        self._lags, sensors, horizons, _ = path.kernel.shape
        self._shape = [horizons, sensors]
        self._carried = path.carried
        flat = path.kernel.reshape(self._lags * sensors, horizons * sensors)
        self._kernel, self._bias = tf.constant(flat, tf.float32), tf.constant(path.bias.reshape(-1), tf.float32)

    def forecasts(self, scaled: tf.Tensor, axis: int) -> tf.Tensor:
        """At every horizon after each row: float32 [..., H, S], not clipped; see `LinearPath.forecasts`."""
        values = scaled
        for _ in range(self._carried):
            values = tf.where(tf.math.is_nan(values), _later(values, 1, axis), values)
        values = tf.where(tf.math.is_nan(values), 0.0, values)
        lagged = tf.concat([_later(values, lag, axis) for lag in range(self._lags)], axis=-1)
        flat = tf.matmul(tf.reshape(lagged, [-1, self._kernel.shape[0]]), self._kernel)
        return tf.reshape(tf.nn.bias_add(flat, self._bias), tf.concat([tf.shape(scaled)[:-1], self._shape], axis=0))


def _later(values: tf.Tensor, rows: int, axis: int) -> tf.Tensor:
    """`values` moved `rows` rows later along `axis`; 0 before the first."""
    if not rows:
        return values
    before = [[0, 0]] * len(values.shape)
    before[axis] = [rows, 0]
    kept = [slice(None)] * len(values.shape)
    kept[axis] = slice(0, tf.shape(values)[axis])
    return tf.pad(values, before)[tuple(kept)]
