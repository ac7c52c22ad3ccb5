"""Layers for training on CPUs, where Keras' own layers take most of the time.

The recurrent layer is TensorFlow's fused kernel, forwards and backwards.

Keras' layer runs about twenty operations per time step; the kernel runs the whole window in one, in half the time.
`BlockLSTMV2`, which serves exported versions, has a wrong gradient in TensorFlow 2.20. The gradient of the older
`BlockLSTM` is correct (a test compares it with Keras' layer), and the kernel differs only in the order of the gates.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eugenie_cli.training import recurrence, xla


class FusedLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` with the same weights, for whole sequences from a zero state, with rows as the first axis."""

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:  # noqa: ARG002 - the layer's interface
        """float32 [T, B, I] -> hidden states float32 [T, B, U]."""
        zeros = tf.zeros([tf.shape(sequences)[1], self.units], sequences.dtype)
        peephole = tf.zeros([self.units], sequences.dtype)
        weights = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], axis=0)
        return tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(sequences, tf.int64)[0], x=sequences, cs_prev=zeros, h_prev=zeros,
            w=_reordered(tf.cast(weights, sequences.dtype)), wci=peephole, wcf=peephole, wco=peephole,
            b=_reordered(tf.cast(self.cell.bias, sequences.dtype)), forget_bias=0.0, cell_clip=-1.0,
            use_peephole=False,
        ).h  # fmt: skip


class RowsFirstLSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` for sequences with rows as the first axis and windows as the second."""

    def call(self, sequences: Any, *arguments: Any, **options: Any) -> Any:
        """float32 [T, B, I] -> hidden states float32 [T, B, U]."""
        hidden = super().call(tf.transpose(sequences, [1, 0, 2]), *arguments, **options)
        return tf.transpose(hidden, [1, 0, 2])


class ScannedMinLSTM(keras.layers.RNN):
    """`keras.layers.RNN` of a `min_lstm.MinLSTMCell` for whole sequences from a zero state, with rows as the first
    axis: gates of all rows at once, then the recurrence. XLA compiles it where it can."""

    def build(self, sequences_shape: Any) -> None:
        super().build(sequences_shape)
        self._compiled = tf.function(self._run, autograph=False, jit_compile=True) if xla.works() else None

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:  # noqa: ARG002 - the layer's interface
        """float32 [T, B, I] -> outputs float32 [T, B, U]; T is known."""
        if self._compiled is None or sequences.shape.num_elements() is None:
            return self._outputs(sequences, recurrence.doubled)
        return self._compiled(sequences)

    def _run(self, sequences: tf.Tensor) -> tf.Tensor:
        return self._outputs(sequences, recurrence.looped)

    def _outputs(self, sequences: tf.Tensor, states: recurrence.Recurrence) -> tf.Tensor:
        keep, candidate, output = self.cell.gates(sequences)
        return output * states(keep, (1.0 - keep) * candidate)


def _reordered(gates: tf.Tensor) -> tf.Tensor:
    """Keras' order of gates (input, forget, candidate, output) -> the kernel's (input, candidate, forget, output)."""
    first, forget, candidate, output = tf.split(gates, 4, axis=-1)
    return tf.concat([first, candidate, forget, output], axis=-1)


# Elements of the noise table: 8 MB, several times what a batch needs.
_TABLE = 1 << 21


class TabledNoise(keras.layers.GaussianNoise):
    """`keras.layers.GaussianNoise` from a table, read from a random offset in each step: drawing a normal number for
    every hidden value took as long as the recurrent layer."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        drawn = np.random.default_rng(self.seed).standard_normal(_TABLE, dtype=np.float32)
        self._table = drawn * np.float32(self.stddev)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self.stddev:
            return inputs
        if inputs.shape.num_elements() is None or inputs.shape.num_elements() > _TABLE // 2:
            return super().call(inputs, training)
        size = inputs.shape.num_elements()
        first = tf.random.stateless_uniform([], self.seed_generator.next(), 0, 1)
        room = float(_TABLE - size)
        table = tf.constant(self._table)
        stretch = tf.slice(table, [tf.cast(first * room, tf.int32)], [size])
        return inputs + tf.cast(tf.reshape(stretch, tf.shape(inputs)), inputs.dtype)
