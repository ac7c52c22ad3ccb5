"""Isolation forest: random cuts isolate an unusual row early.

Liu, Ting and Zhou, "Isolation forest", ICDM 2008; grown by scikit-learn. The statistic is c(n) / E[h]: the mean depth
of the n rows that a tree was grown on, over the mean depth of this row; it is 2 for a row that half as many cuts
isolate. It orders rows like the authors' score 2^(-E[h] / c(n)), but is not confined to values below 1, where no
multiple of a normal value could be a threshold. A single row's depth is noisy, because its cuts are few and random, so
the depth is averaged over the last rows, weighted as in a chart.

Contributions: a cut that leaves a row a shorter remaining path than before counts for the cut's sensor. A row's depth
is exactly the root's mean depth minus these steps, so a sensor's part is the sum of its steps over its cuts and all
trees (the decomposition along paths of Saabas, "Interpreting random forests", 2014). Sensors whose steps lengthen the
path have no part.

Where a value is missing, a row stays at the cut that needs it, with the mean depth that training rows reached from
there: an unknown value neither isolates nor hides. Rows and cuts are compared in float32 in both implementations, so
the graph follows the same paths as its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.detectors.control_chart import smoothed_in_graph, weighted
from eugenie_cli.detection.detectors.options import ForestOptions
from eugenie_cli.detection.detectors.statistic import GraphMeasurement, Measurement, masked
from eugenie_cli.detection.ewma import MIN_WEIGHT, ewma_kernel

MAX_ROWS = 200_000
"""Rows that trees draw from, evenly thinned if there are more, which would only cost copying."""
MIN_DEPTH = 1e-3
"""Floor of a mean depth."""


@dataclass(frozen=True)
class IsolationForest:
    """N nodes of T trees, including the roots. One forest serves all assets of a class."""

    window: int
    smoothing: float
    samples: int
    """Rows that each tree was grown on."""
    depth: int
    """The largest number of cuts on a path."""
    sensor: Ints
    """int32 [N]: the sensor that a node compares; 0 at a leaf."""
    cut: Floats
    """float32 [N]: rows at or below the cut go left."""
    left: Ints
    """int32 [N]; a leaf is its own child."""
    right: Ints
    roots: Ints
    """int32 [T]."""
    worth: Floats
    """float32 [N, 1 + S]: mean depth of rows that reach the node, and each sensor's reduction of it on the path."""
    horizons: tuple[int, ...] = ()

    @classmethod
    def learn(
        cls, options: ForestOptions, z: Sequence[Floats], learnt: Sequence[Bools], used: Bools
    ) -> IsolationForest:
        from sklearn.ensemble import IsolationForest as Grown

        picked = np.flatnonzero(used.any(axis=0))
        rows = np.concatenate(
            [masked(of_asset[mask], keep)[:, picked] for of_asset, mask, keep in zip(z, learnt, used, strict=True)]
        )
        rows = rows[np.isfinite(rows).any(axis=1)]
        complete = rows[np.isfinite(rows).all(axis=1)]
        # assets that lack a sensor, or gaps everywhere: missing values are replaced by the mean
        rows = complete if len(complete) >= options.samples else np.nan_to_num(rows)
        rows = rows[:: -(-len(rows) // MAX_ROWS)].astype(np.float32)
        samples = min(options.samples, len(rows))
        grown = Grown(n_estimators=options.trees, max_samples=samples, random_state=options.seed).fit(rows)
        trees = [_nodes(tree.tree_, picked, z[0].shape[1]) for tree in grown.estimators_]
        sizes = np.array([len(tree["cut"]) for tree in trees])
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        joined = {
            name: np.concatenate(
                [tree[name] + (offset if name in ("left", "right") else 0)
                 for tree, offset in zip(trees, first, strict=True)]
            )
            for name in ("sensor", "cut", "left", "right", "worth")
        }  # fmt: skip
        return cls(
            window=options.window,
            smoothing=options.smoothing,
            samples=samples,
            depth=max(int(tree.tree_.max_depth) for tree in grown.estimators_),
            sensor=joined["sensor"].astype(np.int32),
            cut=joined["cut"].astype(np.float32),
            left=joined["left"].astype(np.int32),
            right=joined["right"].astype(np.int32),
            roots=first.astype(np.int32),
            worth=joined["worth"].astype(np.float32),
        )

    @property
    def kernel(self) -> Floats:
        """Weights float64 [M] of the window's rows."""
        return ewma_kernel(self.window, self.smoothing)

    @property
    def usual(self) -> float:
        """c(n): the mean depth of the rows that a tree was grown on."""
        return float(_mean_depth(np.array([self.samples]))[0])

    def measure(self, index: int, z: Floats, used: Bools) -> Measurement:  # noqa: ARG002 - one forest for all assets
        values = masked(z, used).astype(np.float32)
        total = np.zeros((len(values), self.worth.shape[1]))
        for root in self.roots:
            node = np.full(len(values), root)
            for _ in range(self.depth):
                value = values[np.arange(len(values)), self.sensor[node]]
                child = np.where(value <= self.cut[node], self.left[node], self.right[node])
                node = np.where(np.isnan(value), node, child)
            total += self.worth[node]
        present = np.isfinite(values).any(axis=1)[:, None]
        weights = self.kernel[::-1]
        weight = weighted(present.astype(np.float64), weights)
        mean = weighted(np.where(present, total / len(self.roots), 0.0), weights) / np.maximum(weight, MIN_WEIGHT)
        statistic = self.usual / np.maximum(mean[:, 0], MIN_DEPTH)
        return Measurement(
            statistic, np.maximum(mean[:, 1:], 0.0), np.zeros(z.shape), weight[:, 0] >= MIN_WEIGHT - 1e-6
        )

    def graph(self) -> _ForestGraph:
        return _ForestGraph(self)

    def describe(self) -> Sequence[str]:
        return [
            f"Isolation forest of {len(self.roots)} trees, each grown on {self.samples} rows; depths averaged over the",
            f"last {self.window} rows (weight {self.smoothing:g} for the newest). `expected` is the asset's normal",
            "mean; it forecasts nothing.",
        ]


class _ForestGraph(tf.Module):
    """See `statistic.StatisticGraph`. Every row descends all trees at once, one level per step."""

    def __init__(self, learnt: IsolationForest) -> None:
        super().__init__()
        self._window, self._depth, self._usual = learnt.window, learnt.depth, learnt.usual
        self._sensor, self._cut = tf.constant(learnt.sensor), tf.constant(learnt.cut)
        self._left, self._right = tf.constant(learnt.left), tf.constant(learnt.right)
        self._kernel = tf.constant(learnt.kernel[:, None, None], tf.float32)
        self._roots, self._worth = tf.constant(learnt.roots), tf.constant(learnt.worth)

    def judge(self, index: tf.Tensor, z: tf.Tensor, used: tf.Tensor) -> GraphMeasurement:  # noqa: ARG002
        rows = tf.where(used, z, tf.constant(np.nan, tf.float32))
        shape, sensors = tf.shape(rows), rows.shape[-1]
        total = self._down(tf.reshape(rows, [-1, sensors]))
        present = tf.reduce_any(tf.math.is_finite(rows), axis=-1, keepdims=True)
        weight = smoothed_in_graph(tf.cast(present, tf.float32), self._kernel)
        depths = tf.where(present, tf.reshape(total, [shape[0], shape[1], 1 + sensors]), 0.0)
        mean = smoothed_in_graph(depths, self._kernel) / tf.maximum(weight, MIN_WEIGHT)
        return GraphMeasurement(
            self._usual / tf.maximum(mean[..., 0], MIN_DEPTH),
            tf.maximum(mean[..., 1:], 0.0),
            tf.zeros_like(z[:, self._window - 1 :]),
            weight[..., 0] >= MIN_WEIGHT - 1e-6,
        )

    def _down(self, values: tf.Tensor) -> tf.Tensor:
        """Rows float32 [n, S] -> the `worth` of their nodes, averaged over the trees: float32 [n, 1 + S]."""
        count, trees = tf.shape(values)[0], self._roots.shape[0]
        node = tf.broadcast_to(self._roots, tf.stack([count, trees]))
        for _ in range(self._depth):
            value = tf.gather(values, tf.gather(self._sensor, node), batch_dims=1)
            below = value <= tf.gather(self._cut, node)
            child = tf.where(below, tf.gather(self._left, node), tf.gather(self._right, node))
            node = tf.where(tf.math.is_nan(value), node, child)
        # sum without a copy for each tree
        total = tf.sparse.segment_sum(
            self._worth, tf.reshape(node, [-1]), tf.repeat(tf.range(count), trees), num_segments=count
        )
        return total / float(trees)


def _nodes(tree: Any, picked: Ints, sensors: int) -> dict[str, Any]:
    """A grown tree's arrays; nodes precede their children."""
    leaf = tree.children_left < 0
    nodes = np.arange(tree.node_count)
    left, right = np.where(leaf, nodes, tree.children_left), np.where(leaf, nodes, tree.children_right)
    sensor = np.where(leaf, 0, picked[np.maximum(tree.feature, 0)])
    count = tree.n_node_samples.astype(np.float64)
    level = np.zeros(tree.node_count)
    for node in nodes[~leaf]:
        level[[left[node], right[node]]] = level[node] + 1
    worth = np.zeros((tree.node_count, 1 + sensors))
    worth[:, 0] = level + _mean_depth(count)
    for node in nodes[~leaf][::-1]:
        children = [left[node], right[node]]
        worth[node, 0] = np.average(worth[children, 0], weights=count[children])
    for node in nodes[~leaf]:
        for child in (left[node], right[node]):
            worth[child, 1:] = worth[node, 1:]
            worth[child, 1 + sensor[node]] += worth[node, 0] - worth[child, 0]
    return {"sensor": sensor, "cut": _rounded_down(tree.threshold), "left": left, "right": right, "worth": worth}


def _rounded_down(cut: Floats) -> Floats:
    """The largest float32 at or below each cut, so that comparing a float32 value with either gives the same result."""
    nearest = cut.astype(np.float32)
    return np.where(nearest > cut, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _mean_depth(rows: Floats | Ints) -> Floats:
    """c(n) of the paper: the mean depth of n rows in a tree of their own, 0 for a single row."""
    n = np.maximum(np.asarray(rows, np.float64), 1.0)
    depth = np.zeros(n.shape)
    depth[n == 2] = 1.0
    more = n > 2
    depth[more] = 2.0 * (np.log(n[more] - 1.0) + np.euler_gamma) - 2.0 * (n[more] - 1.0) / n[more]
    return depth
