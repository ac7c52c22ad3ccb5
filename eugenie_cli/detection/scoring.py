"""The scoring graph: engineering units in, scores out. What is exported and served is this, as it stands.

    score = cbrt(D(residual) D(level) S) / threshold

D is the Mahalanobis distance from the asset's normal operation: of the smoothed forecast errors, which see
what the network did not expect, and of the smoothed levels, which see what it got used to. S is the scatter of
the forecast errors over their normal one, which sees what swings. The geometric mean asks all three and weighs
them equally, whatever their scales. A sensor contributes its part of S.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from eugenie_cli.detection import types
from eugenie_cli.detection.covariance import Baseline
from eugenie_cli.detection.statistics import StatisticsModule, WindowStatistics, scale
from eugenie_cli.detection.trained import LstmDetector, TrainedDetector
from eugenie_cli.detection.types.graph import Judged

NAN = tf.constant(np.nan, tf.float32)


class Tables(tf.Module):
    """A `Baseline` in the graph, with one more asset at the end: the unknown one."""

    def __init__(self, baseline: Baseline) -> None:
        super().__init__()
        sensors = baseline.mean.shape[1]
        self.mean = with_unknown(baseline.mean, np.zeros(sensors))
        self.deviation = with_unknown(baseline.deviation, np.ones(sensors))
        self.whitening = with_unknown(baseline.whitening, np.eye(sensors))
        self.precision = with_unknown(baseline.precision, np.eye(sensors))

    def centre(self, asset: tf.Tensor, value: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """`value` float32 [B, K, P] less its normal mean; absent entries get their conditional mean given the
        present ones (see `covariance.impute`)."""
        centred = tf.where(present, value - tf.gather(self.mean, asset)[:, None], 0.0)
        return impute(centred, present, asset, self.precision)

    def distance(self, asset: tf.Tensor, centred: tf.Tensor) -> tf.Tensor:
        """Mahalanobis distance of float32 [B, K, P] -> [B, K]."""
        return tf.norm(tf.matmul(centred, tf.gather(self.whitening, asset), transpose_b=True), axis=-1)

    def standardised(self, asset: tf.Tensor, centred: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Squared deviation of each sensor by itself, 0 where absent: float32 [B, K, P]."""
        return tf.where(present, tf.square(centred / tf.gather(self.deviation, asset)[:, None]), 0.0)


class LstmGraph(tf.Module):
    """The forecaster's part of the graph: see `types.Graph`."""

    def __init__(self, detector: LstmDetector) -> None:
        super().__init__(name="lstm")
        self._window = detector.window
        sensors = len(detector.sensors)
        self._scored = detector.scored_index.astype(np.int32)
        self._statistics = StatisticsModule(
            detector.network,
            scored=self._scored.tolist(),
            window=detector.window,
            warmup=detector.warmup,
            horizons=detector.horizons,
        )
        self._mean = with_unknown(detector.mean, np.zeros(sensors))
        self._deviation = with_unknown(detector.deviation, np.ones(sensors))
        self._residual, self._level = Tables(detector.residual), Tables(detector.level)
        # nothing is hidden of most plants: their graph has no step for it
        hides = detector.used is not None and not detector.used.all()
        self._used = tf.constant(np.concatenate([detector.used, np.ones((1, sensors), bool)])) if hides else None
        count_scored = len(self._scored)
        self._offset = with_unknown(detector.scatter.offset, np.zeros(count_scored))
        self._scatter = with_unknown(detector.scatter.normal, np.ones(count_scored))
        self._spread = tf.one_hot(self._scored, sensors)

    def statistics(self, asset: tf.Tensor, rows: tf.Tensor) -> WindowStatistics:
        """Table index int32 [B] and rows float32 [B, L, S] -> statistics of the B x K windows, row-major."""
        if self._used is not None:
            rows = tf.where(tf.gather(self._used, asset)[:, None], rows, NAN)
        scaled = scale(rows, tf.gather(self._mean, asset)[:, None], tf.gather(self._deviation, asset)[:, None])
        return self._statistics.frame_all(scaled)

    def judge(self, index: tf.Tensor, rows: tf.Tensor) -> Judged:
        """See `types.Graph.judge`."""
        found = self.statistics(index, rows)
        shape = tf.stack([tf.shape(rows)[0], tf.shape(rows)[1] - self._window + 1])

        def by_asset(flat: tf.Tensor) -> tf.Tensor:
            return tf.reshape(flat, tf.concat([shape, tf.shape(flat)[1:]], axis=0))

        residual_present, level_present = by_asset(found.residual_present), by_asset(found.level_present)
        residual = self._residual.centre(index, by_asset(found.residual), residual_present)
        level = self._level.centre(index, by_asset(found.level), level_present)
        recent_present = by_asset(found.recent_present)
        relative = self._relative(index, by_asset(found.recent), by_asset(found.square), recent_present)
        swing = tf.sqrt(tf.reduce_sum(relative, -1) / tf.maximum(_count(recent_present), 1.0))
        distances = self._residual.distance(index, residual) * self._level.distance(index, level)
        statistic = tf.pow(distances * swing, 1.0 / 3.0)
        scorable = by_asset(found.valid) & tf.reduce_any(level_present, -1) & tf.reduce_any(recent_present, -1)

        contribution = tf.tensordot(share(relative), self._spread, 1)
        expected = self._in_units(index, by_asset(found.expected))
        return Judged(tf.where(scorable, statistic, NAN), contribution, expected)

    def _in_units(self, index: tf.Tensor, scaled: tf.Tensor) -> tf.Tensor:
        """Forecasts [B, K, S]; of a sensor that never moved, the value that it had."""
        mean = tf.gather(self._mean, index)[:, None]
        found = scaled * tf.gather(self._deviation, index)[:, None] + mean
        return found if self._used is None else tf.where(tf.gather(self._used, index)[:, None], found, mean)

    def _relative(self, index: tf.Tensor, recent: tf.Tensor, square: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Scatter of each sensor over its normal one, 0 where absent: float32 [B, K, P]."""
        offset = tf.gather(self._offset, index)[:, None]
        scatter = tf.maximum(square - 2.0 * offset * recent + tf.square(offset), 0.0)
        return tf.where(present, scatter / tf.gather(self._scatter, index)[:, None], 0.0)

    def ahead(self, index: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """See `types.Graph.ahead`."""
        found = self.statistics(index, rows)
        return tf.where(found.valid[:, None, None], self._in_units(index, found.ahead), NAN)


class ScoringModule(tf.Module):
    """A `TrainedDetector` as a graph. B assets, L rows each, S sensors, M the window, K = L - M + 1.

    `serving_default(asset, rows)` and, where the type forecasts, `forecast(asset, rows)` are tf.functions with
    fixed signatures; B and L are free.
    """

    def __init__(self, detector: TrainedDetector) -> None:
        super().__init__(name="scoring")
        self.window = detector.window
        sensors, count = len(detector.sensors), len(detector.assets)
        self._running = detector.running
        self._graph = types.of(detector.type).graph(detector)
        self._index = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(detector.assets), tf.range(count)),
            default_value=count,
        )
        # an unknown asset's score is a number over NaN
        self._threshold = with_unknown(detector.threshold, np.float32(np.nan))
        asset = tf.TensorSpec([None], tf.string, "asset")
        self.serving_default = tf.function(
            self._score, input_signature=[asset, tf.TensorSpec([None, None, sensors], tf.float32, "rows")]
        )
        if detector.horizons:
            self.forecast = tf.function(
                self._forecast,
                input_signature=[asset, tf.TensorSpec([None, detector.window, sensors], tf.float32, "rows")],
            )

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """What `tf.saved_model.save` takes."""
        names = ("serving_default", "forecast")
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def _score(self, asset: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_greater_equal(
            tf.shape(rows)[1], self.window, message=f"a segment has at least the window's {self.window} rows"
        )
        index = self._index.lookup(asset)
        judged = self._graph.judge(index, self._of_running(rows))
        score = judged.statistic / tf.gather(self._threshold, index)[:, None]
        scored = tf.math.is_finite(score)[..., None]
        return {
            "score": score,
            "contribution": tf.where(scored, judged.contribution, NAN),
            "expected": tf.where(scored, judged.expected, NAN),
        }

    def _of_running(self, rows: tf.Tensor) -> tf.Tensor:
        """`running.Running.mask` in the graph."""
        if self._running is None:
            return rows
        return tf.where(rows[..., self._running.column, None] <= self._running.above, NAN, rows)

    def _forecast(self, asset: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        index = self._index.lookup(asset)
        known = tf.math.is_finite(tf.gather(self._threshold, index))
        return {"forecast": tf.where(known[:, None, None], self._graph.ahead(index, self._of_running(rows)), NAN)}


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
    """`table` [A, ...] and a last entry for assets that are not in it, float32 [A + 1, ...]."""
    return tf.constant(np.concatenate([table, np.asarray(unknown)[None]]), tf.float32)


def _count(present: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(present, tf.float32), axis=-1)


def share(parts: tf.Tensor) -> tf.Tensor:
    """Non-negative float32 [..., P] -> shares that sum to 1; equal ones where there is nothing to share."""
    total = tf.reduce_sum(parts, axis=-1, keepdims=True)
    equal = tf.fill(tf.shape(parts), 1.0 / parts.shape[-1])
    return tf.where(total > 0, tf.math.divide_no_nan(parts, total), equal)
