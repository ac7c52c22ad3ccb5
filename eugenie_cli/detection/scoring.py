"""The scoring graph, which is exported and served unchanged: engineering units in, scores out.

A score is the statistic of the detector type divided by the asset's threshold; `detectors` has a module for each type.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.graph_ops import NAN, with_unknown


class ScoringModule(tf.Module):
    """A `TrainedDetector` as a graph. B assets, L rows each, S sensors, M the window, K = L - M + 1.

    `serving_default(asset, rows)`, `alarm(asset)` and, where the type forecasts, `forecast(asset, rows)` are
    tf.functions with fixed signatures; B and L are variable.
    """

    def __init__(self, detector: TrainedDetector) -> None:
        super().__init__(name="scoring")
        self.window = detector.window
        sensors, count = len(detector.sensors), len(detector.assets)
        self._running = detector.running
        self._graph = registry.of(detector.type).graph(detector)
        self._index = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(detector.assets), tf.range(count)),
            default_value=count,
        )
        # dividing by NaN makes an unknown asset's score NaN
        self._threshold = with_unknown(detector.threshold, np.float32(np.nan))
        asset = tf.TensorSpec([None], tf.string, "asset")
        self.serving_default = tf.function(
            self._score, input_signature=[asset, tf.TensorSpec([None, None, sensors], tf.float32, "rows")]
        )
        self._delays = detector.calibration.delays
        self.alarm = tf.function(self._alarm, input_signature=[asset])
        if detector.horizons:
            self.forecast = tf.function(
                self._forecast,
                input_signature=[asset, tf.TensorSpec([None, detector.window, sensors], tf.float32, "rows")],
            )

    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """The signatures for `tf.saved_model.save`."""
        names = ("serving_default", "alarm", "forecast")
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def _score(self, asset: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_greater_equal(
            tf.shape(rows)[1], self.window, message=f"a segment needs at least the window's {self.window} rows"
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
        """`operating_state.OperatingState.mask` in the graph."""
        if self._running is None:
            return rows
        return tf.where(rows[..., self._running.column, None] <= self._running.above, NAN, rows)

    def _alarm(self, asset: tf.Tensor) -> dict[str, tf.Tensor]:
        """The delays that the thresholds were set for, int32 [B] each: a stream follows them with the version."""
        return {
            "on_delay": tf.fill(tf.shape(asset), self._delays.on),
            "off_delay": tf.fill(tf.shape(asset), self._delays.off),
        }

    def _forecast(self, asset: tf.Tensor, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        index = self._index.lookup(asset)
        known = tf.math.is_finite(tf.gather(self._threshold, index))
        return {"forecast": tf.where(known[:, None, None], self._graph.ahead(index, self._of_running(rows)), NAN)}
