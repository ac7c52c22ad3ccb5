"""What a type of detector is to the rest: `DetectorType`, its part of the scoring graph, what it says of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from eugenie_cli.detection.arrays import Floats
    from eugenie_cli.detection.detector import TrainedDetector


class DetectorType(Protocol):
    """A type. `detector` is always what `restore` gives: a `TrainedDetector` of this type."""

    def graph(self, detector: Any) -> Graph:
        """The detector's part of the scoring graph."""

    def measure(self, detector: Any, index: int, rows: Floats) -> Measured:
        """The same in numpy, slowly: asset number `index`, rows float32 [L, S] -> its K windows."""

    def arrays(self, detector: Any) -> dict[str, np.ndarray]:
        """The arrays that only this type has, by name."""

    def plain(self, detector: Any) -> dict[str, Any]:
        """The other values that only this type has, as JSON can hold them."""

    def restore(
        self, common: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]
    ) -> TrainedDetector:
        """The detector again. `common`: the fields that every type has."""

    def describe(self, detector: Any) -> Sequence[str]:
        """Lines for the model card: how it judges, and what its `expected` is."""


class Measured(NamedTuple):
    """Of the K rows of a segment that end a window; S sensors."""

    statistic: Floats
    """float [K], NaN where there is nothing to judge by; over the threshold it is the score."""
    contribution: Floats
    """float [K, S], non-negative, summing to 1 over S; anything where the statistic is NaN."""
    expected: Floats
    """float [K, S], engineering units; anything where the statistic is NaN."""


class Judged(NamedTuple):
    """`Measured` in the graph: B segments, the K windows of each, S sensors."""

    statistic: tf.Tensor
    """float32 [B, K]."""
    contribution: tf.Tensor
    """float32 [B, K, S]."""
    expected: tf.Tensor
    """float32 [B, K, S]."""


class Graph(Protocol):
    """B and L are free. `index` int32 [B]: the asset's number, the number of assets for an unknown one, of which
    anything may be said, as long as it spoils no other's answer."""

    def judge(self, index: tf.Tensor, rows: tf.Tensor) -> Judged:
        """Rows float32 [B, L, S] in engineering units, NaN where missing -> the K = L - M + 1 windows of each."""

    def ahead(self, index: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Rows float32 [B, M, S] -> the rows to come, float32 [B, H, S]. Only of types that forecast."""
