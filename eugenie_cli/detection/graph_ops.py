"""Operations that the scoring graphs of several detector types share: tables by asset, imputation, shares."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.covariance import Baseline

NAN = tf.constant(np.nan, tf.float32)
# Coefficients of the systems that `impute` solves at once: they and the intermediate results fit in a cache.
CHUNK_CELLS = 1 << 16
# Up to this many sensors, a system with an equation for each of them is quicker than selecting the absent ones.
FEW_ENTRIES = 8


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
    `precision` [A + 1, P, P] -> float32 [B, K, P].

    A row's system has one equation for each of its absent entries. Memory is bounded however many rows there are, and
    nothing is computed if no entry is absent.
    """
    absent = tf.reduce_sum(tf.cast(~present, tf.int32), axis=-1)
    where = tf.where((absent > 0) & (absent < centred.shape[-1]))

    def completed() -> tf.Tensor:
        rows = tf.gather_nd(centred, where), tf.gather_nd(present, where), tf.gather(asset, where[:, 0])
        equations = tf.gather_nd(absent, where)
        most = tf.reduce_max(equations)
        filled = tf.cond(
            tf.size(where, tf.int64) * tf.cast(most, tf.int64) <= CHUNK_CELLS // centred.shape[-1],
            lambda: _solved(*rows, precision, most),
            lambda: _solved_in_chunks(*rows, precision, equations),
        )
        return tf.tensor_scatter_nd_update(centred, where, filled)

    return tf.cond(tf.size(where) > 0, completed, lambda: centred)


def _solved_in_chunks(
    known: tf.Tensor, present: tf.Tensor, asset: tf.Tensor, precision: tf.Tensor, equations: tf.Tensor
) -> tf.Tensor:
    """`_solved` for rows with `equations` int32 [N] absent entries each. A chunk's rows have about equally many."""
    order = tf.argsort(equations, direction="DESCENDING")
    entries = known.shape[-1]

    def solve(first: tf.Tensor, number: tf.Tensor, filled: tf.TensorArray) -> tuple[tf.Tensor, ...]:
        most = equations[order[first]]
        last = tf.minimum(tf.size(order), first + tf.maximum(1, CHUNK_CELLS // (most * entries)))
        own = order[first:last]
        rows = tf.gather(known, own), tf.gather(present, own), tf.gather(asset, own)
        return last, number + 1, filled.write(number, _solved(*rows, precision, most))

    empty = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[None, entries], infer_shape=False)
    start = tf.constant(0), tf.constant(0), empty
    *_, filled = tf.while_loop(lambda first, *_: first < tf.size(order), solve, start, parallel_iterations=1)
    return tf.scatter_nd(order[:, None], filled.concat(), tf.shape(known))


def _solved(
    known: tf.Tensor, present: tf.Tensor, asset: tf.Tensor, precision: tf.Tensor, equations: tf.Tensor
) -> tf.Tensor:
    """`impute` of rows [N, P] that need at most `equations` equations each; the others' further equations are x = 0."""
    entries = known.shape[-1]
    if entries <= FEW_ENTRIES:
        system, needed = tf.gather(precision, asset), tf.cast(~present, tf.float32)
        return known - _shifts(system, tf.linalg.matvec(system, known), needed)
    needed, entry = tf.math.top_k(tf.cast(~present, tf.float32), equations)
    of_absent = tf.gather(tf.reshape(precision, [-1, entries]), asset[:, None] * entries + entry)
    system = tf.gather(of_absent, entry, axis=2, batch_dims=1)
    shifts = _shifts(system, tf.linalg.matvec(of_absent, known), needed)
    return known - tf.linalg.matvec(tf.one_hot(entry, entries), shifts, transpose_a=True)


def _shifts(system: tf.Tensor, right: tf.Tensor, needed: tf.Tensor) -> tf.Tensor:
    """Solutions float32 [N, E] of systems [N, E, E]; an equation not `needed` (0 or 1, [N, E]) becomes x = 0."""
    system = system * needed[:, :, None] * needed[:, None, :] + tf.linalg.diag(1.0 - needed)
    return tf.linalg.solve(system, (right * needed)[:, :, None])[:, :, 0]


def with_unknown(table: np.ndarray, unknown: np.ndarray | np.floating) -> tf.Tensor:
    """`table` [A, ...] with an entry appended for assets that are not in it, float32 [A + 1, ...]."""
    return tf.constant(np.concatenate([table, np.asarray(unknown)[None]]), tf.float32)


def share(parts: tf.Tensor) -> tf.Tensor:
    """Non-negative float32 [..., P] -> shares that sum to 1; equal shares where the total is 0."""
    total = tf.reduce_sum(parts, axis=-1, keepdims=True)
    equal = tf.fill(tf.shape(parts), 1.0 / parts.shape[-1])
    return tf.where(total > 0, tf.math.divide_no_nan(parts, total), equal)
