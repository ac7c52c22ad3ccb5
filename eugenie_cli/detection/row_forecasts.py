"""Forecasts of rows by the minimal LSTM: each is a pure function of the rows before it that a warm-up contains.

With the horizon n and a warm-up of W rows, row t is forecast from the rows t - W to t - n: the same number of rows for
each, so that a segment's rows are forecast once, not once for every window that contains them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.sliding_recurrence import sliding_states
from eugenie_cli.detection.window_statistics import Heads, encode


class RowForecasts(tf.Module):
    """The trained network as a function of rows. Rows are the first axis, segments the second."""

    def __init__(self, network: Mapping[str, Floats], *, warmup: int, horizons: Sequence[int]) -> None:
        super().__init__(name="forecasts")
        self._heads = Heads(network, horizons)
        self._context = warmup - self._heads.nearest + 1
        self._features_kernel, self._features_bias = (
            tf.constant(network[f"features_{part}"], tf.float32) for part in ("kernel", "bias")
        )
        self._units = network["features_bias"].shape[0]
        state, output = slice(0, 2 * self._units), slice(2 * self._units, None)
        self._state, self._output = (
            (tf.constant(network["gates_kernel"][:, part]), tf.constant(network["gates_bias"][part]))
            for part in (state, output)
        )

    def hidden(self, scaled: tf.Tensor) -> tf.Tensor:
        """Rows in deviations float32 [L, B, S], NaN where missing -> outputs of the memory after each row that ends a
        context: float32 [L - context + 1, B, U]. The context is the warm-up, without the rows of the horizon."""
        rows = encode(scaled)
        features = tf.tanh(_dense(rows, self._features_kernel, self._features_bias))
        keep, candidate = tf.split(_dense(features, *self._state), 2, axis=-1)
        keep = tf.sigmoid(keep)
        states = sliding_states(keep, (1.0 - keep) * candidate, self._context)
        return tf.sigmoid(_dense(features[self._context - 1 :], *self._output)) * states

    def of_rows(self, hidden: tf.Tensor) -> tf.Tensor:
        """The result of `hidden` -> forecasts of the segments' rows after the warm-up: float32 [L - warmup, B, S]."""
        return self._heads.of_nearest(hidden[: tf.shape(hidden)[0] - self._heads.nearest])

    def ahead(self, hidden: tf.Tensor) -> tf.Tensor:
        """Results of `hidden` -> forecasts at every horizon after them: float32 [..., H, S]."""
        return self._heads.of_all(hidden)


def _dense(values: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    flat = tf.nn.bias_add(tf.matmul(tf.reshape(values, [-1, kernel.shape[0]]), kernel), bias)
    return tf.reshape(flat, tf.concat([tf.shape(values)[:-1], kernel.shape[1:]], axis=0))
