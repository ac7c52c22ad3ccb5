"""Operations that the scoring graphs of several detector types share: tables by asset, imputation, shares."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.covariance import Baseline

NAN = tf.constant(np.nan, tf.float32)


class Tables(tf.Module):
    """A `Baseline` in the graph, with an extra entry at the end for unknown assets."""

    def __init__(self, baseline: Baseline) -> None:
        super().__init__()
        sensors = baseline.mean.shape[1]
        self.mean = with_unknown(baseline.mean, np.zeros(sensors))
        self.whitening = with_unknown(baseline.whitening, np.eye(sensors))
        self.precision = with_unknown(baseline.precision, np.eye(sensors))

    def centre(self, asset: tf.Tensor, value: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """`value` float32 [B, K, P] minus its normal mean; absent entries get their conditional mean given the
        present ones (see `covariance.impute`)."""
        centred = tf.where(present, value - tf.gather(self.mean, asset)[:, None], 0.0)
        return impute(centred, present, asset, self.precision)

    def distance(self, asset: tf.Tensor, centred: tf.Tensor) -> tf.Tensor:
        """Mahalanobis distance of float32 [B, K, P] -> [B, K]."""
        return tf.norm(tf.matmul(centred, tf.gather(self.whitening, asset), transpose_b=True), axis=-1)


def impute(centred: tf.Tensor, present: tf.Tensor, asset: tf.Tensor, precision: tf.Tensor) -> tf.Tensor:
    """`covariance.impute` in the graph: `centred` float32 [B, K, P] with 0 where absent, `present` bool [B, K, P],
    `precision` [A + 1, P, P] -> float32 [B, K, P]."""
    where = tf.where(tf.reduce_any(~present, axis=-1))
    known, absent = tf.gather_nd(centred, where), ~tf.gather_nd(present, where)
    own = tf.gather(precision, tf.gather(asset, where[:, 0]))
    right = tf.where(absent, tf.linalg.matvec(own, known), 0.0)
    system = tf.where(absent[:, :, None] & absent[:, None, :], own, tf.eye(centred.shape[-1]))
    filled = known - tf.linalg.solve(system, right[:, :, None])[:, :, 0]
    return tf.tensor_scatter_nd_update(centred, where, filled)


def with_unknown(table: np.ndarray, unknown: np.ndarray | np.floating) -> tf.Tensor:
    """`table` [A, ...] with an entry appended for assets that are not in it, float32 [A + 1, ...]."""
    return tf.constant(np.concatenate([table, np.asarray(unknown)[None]]), tf.float32)


def share(parts: tf.Tensor) -> tf.Tensor:
    """Non-negative float32 [..., P] -> shares that sum to 1; equal shares where the total is 0."""
    total = tf.reduce_sum(parts, axis=-1, keepdims=True)
    equal = tf.fill(tf.shape(parts), 1.0 / parts.shape[-1])
    return tf.where(total > 0, tf.math.divide_no_nan(parts, total), equal)
