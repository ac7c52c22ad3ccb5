"""Seeded random processes that do not change when the simulated span grows.

Every stream has its own generator and draws along time first, so the first N ticks are the same however many follow:
the live part continues exactly the plant whose history was exported.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 256  # ticks of one matrix product; larger wastes work, smaller pays Python's overhead


def generator(seed: int, *names: str) -> np.random.Generator:
    """The generator of one named stream."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def lag(signal: Floats, time_constant_s: float, tick_s: float, start: Floats | float | None = None) -> Floats:
    """First-order lag of `signal` [T, ...] y[t] = a y[t-1] + (1 - a) x[t], a = exp(-tick/constant).

    `start` is y before the first tick (default: the first sample). Exact, in blocks of a triangular product.
    """
    decay = float(np.exp(-tick_s / time_constant_s))
    flat = signal.reshape(len(signal), -1)
    offsets = np.arange(_BLOCK)
    kernel = np.tril((1 - decay) * decay ** np.maximum(offsets[:, None] - offsets[None, :], 0))
    carry_weights = decay ** (offsets + 1.0)
    state = flat[0] if start is None else np.broadcast_to(np.asarray(start, float).reshape(-1), flat.shape[1:])
    out = np.empty_like(flat)
    for begin in range(0, len(flat), _BLOCK):
        block = flat[begin : begin + _BLOCK]
        n = len(block)
        out[begin : begin + n] = kernel[:n, :n] @ block + carry_weights[:n, None] * state
        state = out[begin + n - 1]
    return out.reshape(signal.shape)


def wander(
    rng: np.random.Generator, ticks: int, width: int, deviation: float, time_constant_s: float, tick_s: float
) -> Floats:
    """Ornstein-Uhlenbeck noise [T, width] of standard deviation `deviation`: weather, restless consumers."""
    start = rng.standard_normal(width) * deviation
    decay = float(np.exp(-tick_s / time_constant_s))
    # a first-order lag scales the variance of white noise by (1 - a) / (1 + a)
    white = rng.standard_normal((ticks, width)) * deviation * np.sqrt((1 + decay) / (1 - decay))
    return lag(white, time_constant_s, tick_s, start)


def set_points(
    rng: np.random.Generator, ticks: int, width: int, reach: float, mean_interval_s: float, tick_s: float
) -> Floats:
    """Piecewise constant settings [T, width], changed after exponential intervals, uniform in +-reach.

    They are uniform because operators use the whole range that they are given.
    """
    changes = rng.random((ticks, width)) < tick_s / mean_interval_s
    changes[0] = True
    (other,) = rng.spawn(1)  # two draws of one generator would shift one another when the span grows
    values = other.uniform(-reach, reach, (ticks, width))
    latest = np.maximum.accumulate(np.where(changes, np.arange(ticks)[:, None], 0), axis=0)
    return np.take_along_axis(values, latest, axis=0)
