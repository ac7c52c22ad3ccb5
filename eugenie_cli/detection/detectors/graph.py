"""What a type's part of the scoring graph must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import tensorflow as tf


class Judged(NamedTuple):
    """`measured.Measured` in the graph: B segments, the K windows of each, S sensors."""

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
