"""Principal component analysis for process monitoring: Q (squared prediction error) and Hotelling's T2.

Jackson and Mudholkar, "Control procedures for residuals associated with principal component analysis",
Technometrics 21 (1979). The control limits come from calibration rows instead of a distribution, and both statistics
are lengths instead of squares. Each row is judged by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Bools, Floats
from eugenie_cli.detection.asset_tables import PER_ASSET
from eugenie_cli.detection.covariance import MIN_BASELINE_ROWS, impute, ledoit_wolf
from eugenie_cli.detection.detectors.options import PcaOptions
from eugenie_cli.detection.detectors.statistic import GraphMeasurement, Measurement, StatisticGraph, masked
from eugenie_cli.detection.graph_ops import impute as impute_in_graph
from eugenie_cli.detection.graph_ops import with_unknown

MIN_VARIANCE = 1e-6
"""Floor of a component's variance."""
RIDGE = 1e-6
"""Added to each variance, so that redundant sensors remain distinguishable."""

Made = TypeVar("Made", bound="Pca")


@dataclass(frozen=True)
class Pca:
    """A: assets, S: sensors, C: the largest number of components that an asset keeps; unused components are 0."""

    window: int
    explained: float
    precision: Floats = field(metadata=PER_ASSET)
    """float32 [A, S, S]: inverse of the shrunk covariance, used to impute missing values."""
    loadings: Floats = field(metadata=PER_ASSET)
    """float32 [A, S, C]."""
    variances: Floats = field(metadata=PER_ASSET)
    """float32 [A, C]."""
    horizons: tuple[int, ...] = ()

    LEAST: ClassVar[int] = 1
    """Least number of components to keep, even for a single sensor."""

    @classmethod
    def learn(cls: type[Made], options: PcaOptions, z: Sequence[Floats], learnt: Sequence[Bools], used: Bools) -> Made:
        own = [_rows(rows[mask], keep) for rows, mask, keep in zip(z, learnt, used, strict=True)]
        pooled = _components(np.concatenate(own), options.explained, cls.LEAST)
        parts = [
            _components(rows, options.explained, cls.LEAST) if len(rows) >= MIN_BASELINE_ROWS else pooled
            for rows in own
        ]
        most = max(1, *(len(variances) for _, _, variances in parts))
        loadings = np.zeros((len(parts), z[0].shape[1], most), np.float32)
        spread = np.ones((len(parts), most), np.float32)
        for number, (_, vectors, variances) in enumerate(parts):
            loadings[number, :, : len(variances)] = vectors
            spread[number, : len(variances)] = variances
        precision = np.stack([part for part, _, _ in parts]).astype(np.float32)
        return cls(options.window, options.explained, precision, loadings, spread)

    def _project(self, index: int, z: Floats, used: Bools) -> tuple[Floats, Floats, Floats, Bools]:
        """Complete rows [T, S], their scores [T, C], the reconstructed rows [T, S], and which values were present."""
        values = masked(z, used)
        present = np.isfinite(values)
        complete = impute(np.where(present, values, 0.0).astype(np.float64), present, self.precision[index])
        scores = complete @ self.loadings[index].astype(np.float64)
        return complete, scores, scores @ self.loadings[index].T.astype(np.float64), present

    def _describe(self, what: str) -> list[str]:
        kept = int(np.count_nonzero(np.abs(self.loadings).sum(axis=1), axis=1).max())
        return [
            f"{what} of at most {kept} principal components, which explain {self.explained:.0%} of the variance; each",
            "row by itself. `expected` is the row as the components reconstruct it; it forecasts nothing.",
        ]


class PcaQ(Pca):
    """Q statistic: the length of the residual that the components leave; a sensor contributes its square. For a single
    sensor, the residual is the sensor itself."""

    LEAST = 0

    def measure(self, index: int, z: Floats, used: Bools) -> Measurement:
        complete, _, rebuilt, present = self._project(index, z, used)
        squares = (complete - rebuilt) ** 2
        return Measurement(np.sqrt(squares.sum(axis=1)), np.where(present, squares, 0.0), rebuilt, present.any(axis=1))

    def graph(self) -> StatisticGraph:
        return _QGraph(self)

    def describe(self) -> Sequence[str]:
        return self._describe("Q, the length of the residual,")


class PcaT2(Pca):
    """Hotelling's T in the kept components; a sensor contributes the square of its reconstruction."""

    def measure(self, index: int, z: Floats, used: Bools) -> Measurement:
        _, scores, rebuilt, present = self._project(index, z, used)
        unit = scores / np.sqrt(self.variances[index])
        parts = np.where(present, (unit @ self.loadings[index].T) ** 2, 0.0)
        return Measurement(np.sqrt((unit**2).sum(axis=1)), parts, rebuilt, present.any(axis=1))

    def graph(self) -> StatisticGraph:
        return _T2Graph(self)

    def describe(self) -> Sequence[str]:
        return self._describe("Hotelling's T")


class _PcaGraph(tf.Module):
    """The common part of both graphs; see `statistic.StatisticGraph`."""

    def __init__(self, learnt: Pca) -> None:
        super().__init__()
        _, sensors, components = learnt.loadings.shape
        self._window = learnt.window
        self._precision = with_unknown(learnt.precision, np.eye(sensors))
        self._loadings = with_unknown(learnt.loadings, np.zeros((sensors, components)))
        self._deviations = with_unknown(np.sqrt(learnt.variances), np.ones(components))

    def _project(
        self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """`Pca._project` of the rows that end a window, and the loadings float32 [B, S, C]."""
        rows = z[:, self._window - 1 :]
        present = tf.math.is_finite(rows) & used
        complete = impute_in_graph(tf.where(present, rows, 0.0), present, index, self._precision)
        loadings = tf.gather(self._loadings, index)
        scores = tf.matmul(complete, loadings)
        return complete, scores, tf.matmul(scores, loadings, transpose_b=True), present, loadings


class _QGraph(_PcaGraph):
    def judge(self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor) -> GraphMeasurement:
        complete, _, rebuilt, present, _ = self._project(index, z, used)
        residual = complete - rebuilt
        parts = tf.where(present, tf.square(residual), 0.0)
        return GraphMeasurement(tf.norm(residual, axis=-1), parts, rebuilt, tf.reduce_any(present, axis=-1))


class _T2Graph(_PcaGraph):
    def judge(self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor) -> GraphMeasurement:
        _, scores, rebuilt, present, loadings = self._project(index, z, used)
        unit = scores / tf.gather(self._deviations, index)[:, None]
        parts = tf.where(present, tf.square(tf.matmul(unit, loadings, transpose_b=True)), 0.0)
        return GraphMeasurement(tf.norm(unit, axis=-1), parts, rebuilt, tf.reduce_any(present, axis=-1))


def _rows(z: Floats, used: Bools) -> Floats:
    """Rows with at least one value, 0 (the mean) where a value is missing: float64 [N, S]."""
    values = masked(z, used)
    return np.nan_to_num(values[np.isfinite(values).any(axis=1)]).astype(np.float64)


def _components(rows: Floats, explained: float, least: int) -> tuple[Floats, Floats, Floats]:
    """Precision [S, S], loadings [S, C] and variances [C] of rows [N, S], with C at least `least`."""
    values, vectors = np.linalg.eigh(rows.T @ rows / max(len(rows), 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    share = np.cumsum(values) / max(values.sum(), MIN_VARIANCE)
    # always leave out one direction in which rows differ, or Q would be 0
    directions = int(np.count_nonzero(rows.any(axis=0)))
    kept = min(int(np.searchsorted(share, explained)) + 1, max(directions - 1, least))
    precision = np.linalg.inv(ledoit_wolf(rows)[0] + RIDGE * np.eye(rows.shape[1]))
    return precision, vectors[:, :kept], np.maximum(values[:kept], MIN_VARIANCE)
