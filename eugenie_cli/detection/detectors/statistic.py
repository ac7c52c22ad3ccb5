"""A statistic of standardised rows: the interface that the types beside the forecaster implement.

Rows are deviations from the asset's normal, clipped, NaN where missing. `used` says which sensors count: not those
that are context, nor those of which the asset had no normal row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Bools, Floats


class Found(NamedTuple):
    """Of T rows, each as the last of its window; S sensors."""

    statistic: Floats
    """float [T]; anything where not usable."""
    parts: Floats
    """float [T, S], non-negative: what each sensor adds, 0 for one that is missing or not used."""
    expected: Floats
    """float [T, S], deviations."""
    usable: Bools
    """bool [T]: whether what the statistic needs was there."""


class FoundInGraph(NamedTuple):
    """The same of B segments and the K windows of each: float32 [B, K], [B, K, S], [B, K, S] and bool [B, K]."""

    statistic: tf.Tensor
    parts: tf.Tensor
    expected: tf.Tensor
    usable: tf.Tensor


class StatisticGraph(Protocol):
    """`index` int32 [B]; `z` float32 [B, L, S], NaN where missing; `used` bool [B, 1, S]."""

    def judge(self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor) -> FoundInGraph:
        """The K = L - M + 1 windows."""


class ForecastingGraph(StatisticGraph, Protocol):
    """Of a statistic with horizons."""

    def ahead(self, z: tf.Tensor) -> tf.Tensor:
        """`z` float32 [B, M, S] -> deviations of the rows to come, float32 [B, H, S]."""


class Statistic(Protocol):
    """Learnt of a class. A frozen dataclass, whose fields are its arrays and plain values."""

    horizons: tuple[int, ...]
    """Rows ahead that it forecasts, mostly none."""

    @classmethod
    def learn(cls, options: Any, z: Sequence[Floats], learnt: Sequence[Bools], used: Bools) -> Any:
        """From each asset's rows float32 [T, S], of which those in `learnt` bool [T] may be learnt from, and `used`
        bool [A, S]."""

    def measure(self, index: int, z: Floats, used: Bools) -> Found:
        """Asset number `index`: rows [T, S], `used` bool [S]. Rows before the first one count as missing."""

    def graph(self) -> StatisticGraph:
        """The same in TensorFlow."""

    def describe(self) -> Sequence[str]:
        """Lines for the model card."""


def masked(z: Floats, used: Bools) -> Floats:
    """`z` [T, S] with NaN for sensors that are not used."""
    return np.where(used, z, np.float32(np.nan))
