"""Sliding states are those of a loop over each window, whatever its length and the scale of the values."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eugenie_cli.detection.row_statistics import SlidingSums
from eugenie_cli.detection.sliding_recurrence import sliding_states

ROWS = 70


@pytest.mark.parametrize("window", [1, 2, 3, 7, 16, 31, 60, ROWS])
@pytest.mark.parametrize("decay", [0.0, 1e-30, 0.5, 0.9999, 1.0])
def test_the_state_of_each_window_is_that_of_a_loop(window: int, decay: float) -> None:
    random = np.random.default_rng(window)
    a = np.clip(random.normal(decay, 0.2, (ROWS, 2, 3)), 0.0, 1.0).astype(np.float32)
    b = random.normal(0, 100, (ROWS, 2, 3)).astype(np.float32)
    a[5], b[20] = 0.0, 1e30
    slow = []
    for first in range(ROWS - window + 1):
        state = np.zeros((2, 3))
        for row in range(first, first + window):
            state = a[row].astype(np.float64) * state + b[row]
        slow.append(state)
    fast = sliding_states(tf.constant(a), tf.constant(b), window)
    scale = np.abs(slow).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(fast / scale, slow / scale, atol=1e-5)


@pytest.mark.parametrize("rows", [9, 10, 72, 73, 300])
def test_sliding_sums_are_weighted_sums_of_each_window(rows: int) -> None:
    random = np.random.default_rng(rows)
    kernel, values = random.normal(size=9), random.normal(size=(rows, 2, 3)).astype(np.float32)
    slow = np.stack([np.tensordot(kernel, values[first : first + 9], 1) for first in range(rows - 8)])
    np.testing.assert_allclose(SlidingSums(kernel)(tf.constant(values)), slow, rtol=1e-4, atol=1e-5)
