"""Forecasts of rows by the minimal LSTM: each is a pure function of the rows before it that a warm-up contains.

With the horizon n and a warm-up of W rows, row t is forecast from the rows t - W to t - n: the same number of rows for
each, so that a segment's rows are forecast once, not once for every window that contains them.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.sliding_recurrence import sliding_states
from eugenie_cli.detection.window_statistics import Heads, TrainedForecaster, encode


class RowForecasts(tf.Module):
    """The trained network as a function of rows. Rows are the first axis, segments the second."""

    def __init__(self, forecaster: TrainedForecaster) -> None:
        super().__init__(name="forecasts")
        network = forecaster.network
        self._heads = Heads(network, forecaster.horizons)
        self._context = forecaster.warmup - self._heads.nearest + 1
        self._features = _Dense(network["features_kernel"], network["features_bias"])
        gates = zip(*(np.split(network[f"gates_{part}"], 3, axis=-1) for part in ("kernel", "bias")), strict=True)
        self._keep, self._candidate, self._output = (_Dense(kernel, bias) for kernel, bias in gates)

    def hidden(self, scaled: tf.Tensor) -> tf.Tensor:
        """Rows in deviations float32 [L, B, S], NaN where missing -> outputs of the memory after each row that ends a
        context: float32 [L - context + 1, B, U]. The context is the warm-up, without the rows within the horizon."""
        rows = encode(scaled)
        features = tf.tanh(self._features(tf.reshape(rows, [-1, rows.shape[-1]])))
        keep, candidate = tf.sigmoid(self._keep(features)), self._candidate(features)
        shape = tf.concat([tf.shape(rows)[:2], [-1]], axis=0)
        new = tf.reshape((1.0 - keep) * candidate, shape)
        states = sliding_states(tf.reshape(keep, shape), new, self._context)
        ends = features[(self._context - 1) * shape[1] :]
        return tf.reshape(tf.sigmoid(self._output(ends)), tf.shape(states)) * states

    def of_rows(self, hidden: tf.Tensor) -> tf.Tensor:
        """The result of `hidden` -> forecasts of the segments' rows after the warm-up: float32 [L - warmup, B, S]."""
        return self._heads.of_nearest(hidden[: tf.shape(hidden)[0] - self._heads.nearest])

    def ahead(self, hidden: tf.Tensor) -> tf.Tensor:
        """Results of `hidden` -> forecasts at every horizon after them: float32 [..., H, S]."""
        return self._heads.of_all(hidden)


class _Dense(tf.Module):
    """[N, I] -> [N, O]. An activation that follows directly becomes part of the product's kernel."""

    def __init__(self, kernel: Floats, bias: Floats) -> None:
        super().__init__()
        self._kernel, self._bias = tf.constant(kernel), tf.constant(bias)

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(values, self._kernel), self._bias)
