"""A linear recurrence over every window of consecutive rows, by doubling.

    h_t = a_t h_{t-1} + b_t, from h = 0 before the window's first row

A stretch of rows is a pair (A, h): the product of its a, and its state. Two adjacent stretches combine to (A A', A' h +
h'), which is associative (Blelloch, "Prefix sums and their applications", 1990). So the windows of 2, 4, 8 rows follow
from pairs of windows of half the length, and windows of any length from a few of these: a row costs some log2(W)
combinations instead of W steps. Nothing is divided or subtracted, so no digits are lost.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


def sliding_states(a: tf.Tensor, b: tf.Tensor, window: int) -> tf.Tensor:
    """The state after each window of `window` rows: a, b float32 [T, ...] -> [T - window + 1, ...]."""
    return _windows(_Windows(a, b, 1), window).state


class _Windows(NamedTuple):
    """All windows of `length` consecutive rows: [T - length + 1, ...]."""

    product: tf.Tensor
    state: tf.Tensor
    length: int

    def then(self, following: _Windows) -> _Windows:
        """Each window with that of `following` that begins after it."""
        count = tf.shape(following.state)[0] - self.length
        product, state = self.product[:count], self.state[:count]
        next_product = following.product[self.length : self.length + count]
        next_state = following.state[self.length : self.length + count]
        return _Windows(product * next_product, next_product * state + next_state, self.length + following.length)


def _windows(single: _Windows, length: int) -> _Windows:
    """Windows of `length` rows, from those of one row."""
    if length == 1:
        return single
    half = _windows(single, length // 2)
    both = half.then(half)
    return both.then(single) if length % 2 else both
