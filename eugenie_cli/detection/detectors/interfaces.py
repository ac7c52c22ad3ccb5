"""The interface of a detector type: `DetectorType`, its part of the scoring graph, and its results for windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from eugenie_cli.detection.arrays import Floats
    from eugenie_cli.detection.detector import TrainedDetector


class DetectorType(Protocol):
    """A detector type. `detector` is always a result of `restore`: a `TrainedDetector` of this type."""

    def graph(self, detector: Any) -> Graph:
        """The detector's part of the scoring graph."""

    def measure(self, detector: Any, index: int, rows: Floats) -> Measured:
        """The slow numpy equivalent: rows float32 [L, S] of asset number `index` -> its K windows."""

    def arrays(self, detector: Any) -> dict[str, np.ndarray]:
        """The arrays specific to this type, by name."""

    def plain(self, detector: Any) -> dict[str, Any]:
        """The other values specific to this type, as JSON-compatible values."""

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> TrainedDetector:
        """Rebuild the detector. `common`: the fields that every type has."""

    def describe(self, detector: Any) -> Sequence[str]:
        """Lines for the model card: how the detector judges, and what its `expected` means."""


class Measured(NamedTuple):
    """Results for the K rows of a segment that end a window; S sensors."""

    statistic: Floats
    """float [K], NaN where a row cannot be judged; divided by the threshold, it is the score."""
    contribution: Floats
    """float [K, S], non-negative, summing to 1 over S; arbitrary where the statistic is NaN."""
    expected: Floats
    """float [K, S], engineering units; arbitrary where the statistic is NaN."""


class Judged(NamedTuple):
    """`Measured` in the graph: B segments with K windows each, S sensors."""

    statistic: tf.Tensor
    """float32 [B, K]."""
    contribution: tf.Tensor
    """float32 [B, K, S]."""
    expected: tf.Tensor
    """float32 [B, K, S]."""


class Graph(Protocol):
    """B and L are variable. `index` int32 [B] is the asset's number; unknown assets get the number of assets, and
    their results are arbitrary but must not affect the others."""

    def judge(self, index: tf.Tensor, rows: tf.Tensor) -> Judged:
        """Rows float32 [B, L, S] in engineering units, NaN where missing -> the K = L - M + 1 windows of each."""

    def ahead(self, index: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Rows float32 [B, M, S] -> forecast rows, float32 [B, H, S]. Only for types that forecast."""
