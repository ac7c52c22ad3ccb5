"""The forecaster's part of the scoring graph.

    statistic = cbrt(D(residual) D(level) S), or, of type auto, as in `combination`

D is the Mahalanobis distance from the asset's normal operation: of the smoothed forecast errors, which show what the
network did not expect, and of the smoothed levels, which show what it has adapted to. S is the scatter of the forecast
errors over their normal scatter, which shows oscillations. The geometric mean weights all three equally, whatever their
scales. A sensor contributes its part of S.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from eugenie_cli.detection import combination
from eugenie_cli.detection.detector import ForecasterDetector
from eugenie_cli.detection.detectors.interfaces import Judged
from eugenie_cli.detection.forecasters import statistics_of
from eugenie_cli.detection.graph_ops import NAN, Tables, share, with_unknown
from eugenie_cli.detection.window_statistics import TrainedForecaster, WindowStatistics, scale


class ForecasterGraph(tf.Module):
    """The forecaster's part of the graph: see `interfaces.Graph`."""

    def __init__(self, detector: ForecasterDetector) -> None:
        super().__init__(name="forecaster")
        self._window = detector.window
        sensors = len(detector.sensors)
        self._scored = detector.scored_index.astype(np.int32)
        forecaster = TrainedForecaster(
            detector.network, detector.window, detector.warmup, detector.horizons, detector.linear
        )
        self._statistics = statistics_of(forecaster, self._scored.tolist())
        self._mean = with_unknown(detector.mean, np.zeros(sensors))
        self._deviation = with_unknown(detector.deviation, np.ones(sensors))
        self._residual, self._level = Tables(detector.residual), Tables(detector.level)
        # most plants hide no sensor, so their graph omits this step
        hides = detector.used is not None and not detector.used.all()
        self._used = tf.constant(np.concatenate([detector.used, np.ones((1, sensors), bool)])) if hides else None
        count_scored = len(self._scored)
        self._offset = with_unknown(detector.scatter.offset, np.zeros(count_scored))
        self._scatter = with_unknown(detector.scatter.normal, np.ones(count_scored))
        self._spread = tf.one_hot(self._scored, sensors)
        units = detector.units_of_parts
        self._units = None if units is None else with_unknown(units, np.ones(combination.COUNT))

    def statistics(self, asset: tf.Tensor, rows: tf.Tensor) -> WindowStatistics:
        """Table index int32 [B] and rows float32 [B, L, S] -> statistics of the B x K windows, row-major."""
        if self._used is not None:
            rows = tf.where(tf.gather(self._used, asset)[:, None], rows, NAN)
        scaled = scale(rows, tf.gather(self._mean, asset)[:, None], tf.gather(self._deviation, asset)[:, None])
        return self._statistics.frame_all(scaled)

    def judge(self, index: tf.Tensor, rows: tf.Tensor) -> Judged:
        """See `interfaces.Graph.judge`."""
        statistics = self.statistics(index, rows)
        shape = tf.stack([tf.shape(rows)[0], tf.shape(rows)[1] - self._window + 1])

        def by_asset(flat: tf.Tensor) -> tf.Tensor:
            return tf.reshape(flat, tf.concat([shape, tf.shape(flat)[1:]], axis=0))

        residual_present, level_present = by_asset(statistics.residual_present), by_asset(statistics.level_present)
        residual = self._residual.centre(index, by_asset(statistics.residual), residual_present)
        level = self._level.centre(index, by_asset(statistics.level), level_present)
        recent_present = by_asset(statistics.recent_present)
        relative = self._relative(index, by_asset(statistics.recent), by_asset(statistics.square), recent_present)
        scatter = tf.sqrt(tf.reduce_sum(relative, -1) / tf.maximum(_count(recent_present), 1.0))
        parts = [self._residual.distance(index, residual), self._level.distance(index, level), scatter]
        statistic = self._statistic(index, parts, relative)
        scorable = by_asset(statistics.valid) & tf.reduce_any(level_present, -1) & tf.reduce_any(recent_present, -1)

        contribution = tf.tensordot(share(relative), self._spread, 1)
        expected = self._in_units(index, by_asset(statistics.expected))
        return Judged(tf.where(scorable, statistic, NAN), contribution, expected)

    def _statistic(self, index: tf.Tensor, parts: Sequence[tf.Tensor], relative: tf.Tensor) -> tf.Tensor:
        """float32 [B, K], from error, level and scatter, [B, K] each, and relative scatters [B, K, P]."""
        if self._units is None:
            return tf.pow(tf.reduce_prod(parts, axis=0), 1.0 / 3.0)
        stacked = tf.stack([*parts, tf.sqrt(tf.reduce_max(relative, axis=-1))], axis=-1)
        ratios = stacked / tf.gather(self._units, index)[:, None]
        alone = tf.reduce_max(ratios[..., combination.ALONE], axis=-1) / combination.TIMES_ALONE
        return tf.maximum(tf.square(tf.reduce_mean(tf.sqrt(ratios), axis=-1)), alone)

    def _in_units(self, index: tf.Tensor, scaled: tf.Tensor) -> tf.Tensor:
        """Forecasts [B, K, S] in engineering units; a sensor that never moved is forecast at its constant value."""
        mean = tf.gather(self._mean, index)[:, None]
        forecast = scaled * tf.gather(self._deviation, index)[:, None] + mean
        return forecast if self._used is None else tf.where(tf.gather(self._used, index)[:, None], forecast, mean)

    def _relative(self, index: tf.Tensor, recent: tf.Tensor, square: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Scatter of each sensor over its normal scatter, 0 where absent: float32 [B, K, P]."""
        offset = tf.gather(self._offset, index)[:, None]
        scatter = tf.maximum(square - 2.0 * offset * recent + tf.square(offset), 0.0)
        return tf.where(present, scatter / tf.gather(self._scatter, index)[:, None], 0.0)

    def ahead(self, index: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """See `interfaces.Graph.ahead`."""
        statistics = self.statistics(index, rows)
        return tf.where(statistics.valid[:, None, None], self._in_units(index, statistics.ahead), NAN)


def _count(present: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(present, tf.float32), axis=-1)
