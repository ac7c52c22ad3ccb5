"""The cell of the minimal LSTM, whose gates depend on the row and not on the state.

    f_t = tanh(W x_t),   h_t = a_t h_{t-1} + (1 - a_t) c_t,   y_t = o_t h_t

The gates a and o and the candidate c are functions of the row's features f alone, as in Feng et al., "Were RNNs All We
Needed?", 2024, arXiv 2410.01201. So the recurrence is linear: rows need not be processed in turn, and the state after
the last W rows follows from any division of these rows (see `sliding_recurrence`).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

# Initial time constants of the state in rows, in geometric progression over the units: within a row, up to the usual
# warm-up.
SHORTEST, LONGEST = 0.5, 60.0


@keras.saving.register_keras_serializable("eugenie")
class MinLSTMCell(keras.layers.Layer):
    """One step; `keras.layers.RNN` runs it along a sequence. `kernels`: initialisers of its two kernels."""

    def __init__(self, units: int, kernels: tuple[Any, Any] = ("glorot_uniform", "glorot_uniform"), **options: Any):
        super().__init__(**options)
        self.units = self.state_size = self.output_size = units
        self._kernels = kernels

    def build(self, row_shape: Any) -> None:
        units = self.units
        self.features_kernel = self.add_weight(
            shape=(row_shape[-1], units), initializer=self._kernels[0], name="features_kernel"
        )
        self.features_bias = self.add_weight(shape=(units,), initializer="zeros", name="features_bias")
        self.gates_kernel = self.add_weight(shape=(units, 3 * units), initializer=self._kernels[1], name="gates_kernel")
        self.gates_bias = self.add_weight(shape=(3 * units,), initializer=_first_bias, name="gates_bias")

    def call(self, row: Any, states: Any, training: bool = False) -> Any:  # noqa: ARG002 - the interface of a cell
        """A row [B, I] and the state [B, U] -> output [B, U] and the new state."""
        keep, candidate, output = self.gates(row)
        state = keep * states[0] + (1.0 - keep) * candidate
        return output * state, [state]

    def gates(self, rows: Any) -> tuple[Any, Any, Any]:
        """Rows [..., I] -> a, c and o, [..., U] each."""
        ops = keras.ops
        features = ops.tanh(ops.matmul(rows, self.features_kernel) + self.features_bias)
        keep, candidate, output = ops.split(ops.matmul(features, self.gates_kernel) + self.gates_bias, 3, axis=-1)
        return ops.sigmoid(keep), candidate, ops.sigmoid(output)


def _first_bias(shape: tuple[int], dtype: Any = None) -> Any:
    """Bias of a, c and o: a = exp(-1 / time constant), c = 0, o = 1/2."""
    units = shape[0] // 3
    decay = np.exp(-1.0 / np.geomspace(SHORTEST, LONGEST, units))
    bias = np.concatenate([np.log(decay / (1.0 - decay)), np.zeros(2 * units)])
    return keras.ops.convert_to_tensor(bias, dtype=dtype)
