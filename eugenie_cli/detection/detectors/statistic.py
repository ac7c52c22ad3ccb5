"""A statistic of standardised rows: the interface of all detector types except the forecaster.

Rows are clipped deviations from the asset's normal, NaN where missing. `used` marks the sensors that count: neither
context sensors nor sensors without normal rows on the asset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Bools, Floats


class Measurement(NamedTuple):
    """The statistic of T rows, each the last of its window; S sensors."""

    statistic: Floats
    """float [T]; arbitrary where not usable."""
    parts: Floats
    """float [T, S], non-negative: each sensor's part, 0 where missing or not used."""
    expected: Floats
    """float [T, S], deviations."""
    usable: Bools
    """bool [T]: whether the values that the statistic needs are present."""


class GraphMeasurement(NamedTuple):
    """The same for B segments with K windows each: float32 [B, K], [B, K, S], [B, K, S] and bool [B, K]."""

    statistic: tf.Tensor
    parts: tf.Tensor
    expected: tf.Tensor
    usable: tf.Tensor


class StatisticGraph(Protocol):
    """`index` int32 [B]; `z` float32 [B, L, S], NaN where missing; `used` bool [B, 1, S]."""

    def judge(self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor) -> GraphMeasurement:
        """The statistic of the K = L - M + 1 windows."""


class ForecastingGraph(StatisticGraph, Protocol):
    """The graph of a statistic with horizons."""

    def ahead(self, z: tf.Tensor) -> tf.Tensor:
        """`z` float32 [B, M, S] -> forecast rows in deviations, float32 [B, H, S]."""


class Statistic(Protocol):
    """A statistic learnt for a class: a frozen dataclass whose fields are its arrays and plain values."""

    horizons: tuple[int, ...]
    """Forecast horizons in rows; empty for most statistics."""

    @classmethod
    def learn(cls, options: Any, z: Sequence[Floats], learnt: Sequence[Bools], used: Bools) -> Any:
        """Learn from each asset's rows float32 [T, S] where `learnt` bool [T] allows it; `used` is bool [A, S]."""

    def measure(self, index: int, z: Floats, used: Bools) -> Measurement:
        """Measure rows [T, S] of asset number `index`; `used` bool [S]. Rows before the first count as missing."""

    def graph(self) -> StatisticGraph:
        """The same statistic in TensorFlow."""

    def describe(self) -> Sequence[str]:
        """Lines for the model card."""


def masked(z: Floats, used: Bools) -> Floats:
    """`z` [T, S] with NaN for sensors that are not used."""
    return np.where(used, z, np.float32(np.nan))
