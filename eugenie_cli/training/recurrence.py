"""A linear recurrence from the first row on, with its gradient: h_t = a_t h_{t-1} + b_t.

The gradient is the same recurrence backwards in time: of h, g_t = dL/dh_t + a_{t+1} g_{t+1}; of b, g_t; of a,
g_t h_{t-1}. Only h is kept for it. XLA compiles the loop over rows into one piece of code; in single operations it
would be two per row, so there the rows are combined in pairs, fours, eights (Hillis and Steele, 1986).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Recurrence = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def looped(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Row by row, for XLA: a, b float32 [T, ...] -> h [T, ...]; T is known."""
    return _with_gradient(_loop)(a, b)


def doubled(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The same in log2(T) operations on all rows."""
    return _with_gradient(_double)(a, b)


def _with_gradient(recurrence: Recurrence) -> Recurrence:
    @tf.custom_gradient
    def run(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
        states = recurrence(a, b)

        def gradient(of_states: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            none = tf.zeros_like(a[:1])
            backwards = [tf.reverse(part, [0]) for part in (tf.concat([a[1:], none], axis=0), of_states)]
            of_b = tf.reverse(recurrence(*backwards), [0])
            return of_b * tf.concat([none, states[:-1]], axis=0), of_b

        return states, gradient

    return run


def _loop(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    length = a.shape[0]

    def body(row: tf.Tensor, state: tf.Tensor, states: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        state = a[row] * state + b[row]
        return row + 1, state, states.write(row, state)

    states = tf.TensorArray(a.dtype, length, element_shape=a.shape[1:])
    start = (tf.constant(0), tf.zeros_like(a[0]), states)
    return tf.while_loop(lambda row, *_: row < length, body, start, maximum_iterations=length)[2].stack()


def _double(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    length = 1
    while length < a.shape[0]:
        a, b = (
            tf.concat([a[:length], a[length:] * a[:-length]], axis=0),
            tf.concat([b[:length], a[length:] * b[:-length] + b[length:]], axis=0),
        )
        length *= 2
    return b
