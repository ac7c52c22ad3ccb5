"""Control charts of moving averages: a signal of each row is smoothed, and its distance from normal is the statistic.

    statistic = D(sum of w_j signal[t - j])

D is the Mahalanobis distance. Plant data are autocorrelated, so the covariance of the averages is estimated from the
averages themselves (shrunk) instead of being derived from that of the rows. Each type defines its signal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET
from eugenie_cli.detection.covariance import Baseline, baseline, distance, impute, known
from eugenie_cli.detection.detectors.options import ChartOptions
from eugenie_cli.detection.detectors.statistic import GraphMeasurement, Measurement, masked
from eugenie_cli.detection.ewma import MIN_WEIGHT, ewma_kernel
from eugenie_cli.detection.graph_ops import Tables, with_unknown

Made = TypeVar("Made", bound="Chart")


@dataclass(frozen=True)
class Chart(ABC):
    """A: assets, S: sensors. `mean`, `deviation` and `whitening` are the `covariance.Baseline` of the averages."""

    window: int
    smoothing: float
    mean: Floats = field(metadata=PER_ASSET)
    deviation: Floats = field(metadata=PER_ASSET)
    whitening: Floats = field(metadata=PER_ASSET)
    horizons: tuple[int, ...] = ()

    @classmethod
    def learn(
        cls: type[Made], options: ChartOptions, z: Sequence[Floats], learnt: Sequence[Bools], used: Bools
    ) -> Made:
        empty = np.zeros((0, 0), np.float32)
        horizons = tuple(getattr(options, "horizons", ()))
        untrained = cls(options.window, options.smoothing, empty, empty, empty, horizons)
        samples = []
        for rows, mask, keep in zip(z, learnt, used, strict=True):
            average, enough = smoothed(untrained.signal(masked(rows, keep)), untrained.kernel)
            chosen = mask & enough.any(axis=1)
            samples.append((known(average[chosen], enough[chosen]),))
        normal = baseline(lambda: samples)
        return cls(options.window, options.smoothing, normal.mean, normal.deviation, normal.whitening, horizons)

    @property
    def normal(self) -> Baseline:
        return Baseline(self.mean, self.deviation, self.whitening)

    @property
    def kernel(self) -> Floats:
        """Weights float64 [R] of the window's last rows; the signal of the first rows needs rows before the window."""
        return ewma_kernel(self.window - max(self.horizons, default=0), self.smoothing)

    @abstractmethod
    def signal(self, z: Floats) -> Floats:
        """The signal to smooth: rows [T, S] -> [T, S], NaN where unknown."""

    @abstractmethod
    def expected(self, z: Floats) -> Floats:
        """Rows [T, S] -> the expected value of each, [T, S]."""

    def measure(self, index: int, z: Floats, used: Bools) -> Measurement:
        average, enough = smoothed(self.signal(masked(z, used)), self.kernel)
        centred = np.where(enough, average - self.mean[index], 0.0)
        parts = np.where(enough, (centred / self.deviation[index]) ** 2, 0.0)
        filled = impute(centred, enough & used, self.normal.precision[index])
        statistic = distance(filled, self.whitening[index].astype(np.float64))
        return Measurement(statistic, parts, self.expected(z), enough.any(axis=1))


class ChartGraph(tf.Module, ABC):
    """See `statistic.StatisticGraph`."""

    def __init__(self, learnt: Chart) -> None:
        super().__init__()
        self._window = learnt.window
        self._back = max(learnt.horizons, default=0)
        self._kernel = tf.constant(learnt.kernel[:, None, None], tf.float32)
        self._tables = Tables(learnt.normal)
        self._deviation = with_unknown(learnt.deviation, np.ones(learnt.deviation.shape[1]))

    @abstractmethod
    def signal(self, z: tf.Tensor) -> tf.Tensor:
        """`Chart.signal` of float32 [B, L, S], without the first rows, which need earlier rows."""

    @abstractmethod
    def expected(self, z: tf.Tensor) -> tf.Tensor:
        """`Chart.expected` of the rows that end a window: float32 [B, K, S]."""

    def judge(self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor) -> GraphMeasurement:
        signal = self.signal(tf.where(used, z, tf.constant(np.nan, tf.float32)))
        present = tf.math.is_finite(signal)
        weight = smoothed_in_graph(tf.cast(present, tf.float32), self._kernel)
        # the kernel sums to 1 only up to rounding
        enough = weight >= MIN_WEIGHT - 1e-6
        average = smoothed_in_graph(tf.where(present, signal, 0.0), self._kernel) / tf.maximum(weight, MIN_WEIGHT)
        centred = self._tables.centre(index, average, enough)
        return GraphMeasurement(
            self._tables.distance(index, centred),
            tf.where(enough, tf.square(centred / tf.gather(self._deviation, index)[:, None]), 0.0),
            self.expected(z),
            tf.reduce_any(enough, axis=-1),
        )


def smoothed_in_graph(values: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Weighted sums along the rows for each column: float32 [B, L, C] and [R, 1, 1] -> [B, L - R + 1, C]."""
    shape, width = tf.shape(values), values.shape[-1]
    columns = tf.reshape(tf.transpose(values, [0, 2, 1]), [-1, shape[1], 1])
    sums = tf.nn.conv1d(columns, kernel, stride=1, padding="VALID")
    return tf.transpose(tf.reshape(sums, [shape[0], width, -1]), [0, 2, 1])


def smoothed(signal: Floats, kernel: Floats) -> tuple[Floats, Bools]:
    """`ewma.smooth` at every row of `signal` [T, S] (NaN where unknown): averages [T, S], and where enough values were
    present. Rows before the first count as missing."""
    present = np.isfinite(signal)
    newest_first = kernel[::-1]
    total = weighted(np.where(present, signal, 0.0), newest_first)
    weight = weighted(present.astype(np.float64), newest_first)
    enough = weight >= MIN_WEIGHT - 1e-6
    return np.where(enough, total / np.maximum(weight, MIN_WEIGHT), 0.0), enough


def weighted(columns: Floats, weights: Floats) -> Floats:
    """The weighted sum of the last rows of each column at every row; weights are newest first: [T, C] -> [T, C]."""
    if not len(columns):
        return columns.astype(np.float64)
    return np.stack([np.convolve(column, weights)[: len(column)] for column in columns.T.astype(np.float64)], axis=1)
