"""The statistics of a window, as a TensorFlow graph: smoothed forecast errors and smoothed levels.

Segments are framed in the graph, a bounded number of windows at a time, so that a segment of hours costs
hardly more memory than one of minutes. Nothing crosses from one window to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.kernel import MIN_WEIGHT, ewma_kernel
from eugenie_cli.detection.network import CLIP
from eugenie_cli.detection.trained import MIN_PRESENT

# Windows that go through the LSTM together: the kernel's seven outputs of 120 rows x 32 units are 28 MB, and
# more windows gain nothing.
FRAME_WINDOWS = 256


class WindowStatistics(NamedTuple):
    """N windows, S sensors, P scored sensors, H horizons. Everything in deviations from normal."""

    residual: tf.Tensor
    """float32 [N, P]: smoothed forecast error, 0 where absent."""
    residual_present: tf.Tensor
    """bool [N, P]."""
    level: tf.Tensor
    """float32 [N, P]: smoothed value, 0 where absent."""
    level_present: tf.Tensor
    """bool [N, P]."""
    expected: tf.Tensor
    """float32 [N, S]: the last row as it was forecast, the mean over the horizons."""
    ahead: tf.Tensor
    """float32 [N, H, S]: forecasts of the rows to come."""
    valid: tf.Tensor
    """bool [N]: whether enough rows are there."""


class StatisticsModule(tf.Module):
    """Rows in deviations -> `WindowStatistics`. Built from the trained network's weights."""

    def __init__(
        self,
        network: Mapping[str, Floats],
        *,
        scored: Sequence[int],
        window: int,
        warmup: int,
        horizons: Sequence[int],
    ) -> None:
        super().__init__(name="statistics")
        self._window = window
        self._warmup = warmup
        self._horizons = tuple(horizons)
        self._scored = np.asarray(scored, dtype=np.int32)
        self._kernel = ewma_kernel(window - warmup).astype(np.float32)
        self._weights = {name: tf.constant(value, tf.float32, name=name) for name, value in network.items()}
        self._units = int(network["lstm_recurrent"].shape[0])
        self._sensors = int(network["lstm_kernel"].shape[0]) // 2
        # one matrix for input and recurrence, as the block kernel takes it
        self._lstm = tf.constant(np.concatenate([network["lstm_kernel"], network["lstm_recurrent"]]), tf.float32)

    def frame_all(self, scaled: tf.Tensor) -> WindowStatistics:
        """float32 [B, L, S] with NaN where missing -> statistics of the B x (L - M + 1) windows, row-major."""
        count = tf.shape(scaled)[0] * (tf.shape(scaled)[1] - self._window + 1)
        chunks = tf.maximum(1, (count + FRAME_WINDOWS - 1) // FRAME_WINDOWS)
        sensors, scored = self._sensors, len(self._scored)
        shapes = WindowStatistics([scored], [scored], [scored], [scored], [sensors], [len(self._horizons), sensors], [])
        dtypes = WindowStatistics(tf.float32, tf.bool, tf.float32, tf.bool, tf.float32, tf.float32, tf.bool)
        arrays = [
            tf.TensorArray(dtype, chunks, element_shape=[None, *shape], infer_shape=False)
            for dtype, shape in zip(dtypes, shapes, strict=True)
        ]

        def body(chunk: tf.Tensor, written: list[tf.TensorArray]) -> tuple[tf.Tensor, list[tf.TensorArray]]:
            windows = tf.range(chunk * FRAME_WINDOWS, tf.minimum(count, (chunk + 1) * FRAME_WINDOWS))
            parts = self.of_windows(self._frame(scaled, windows))
            return chunk + 1, [array.write(chunk, part) for array, part in zip(written, parts, strict=True)]

        _, arrays = tf.while_loop(
            lambda chunk, _: chunk < chunks, body, (tf.constant(0), arrays), parallel_iterations=1
        )
        return WindowStatistics(*(array.concat() for array in arrays))

    def _frame(self, scaled: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """The windows numbered `windows`, time first: float32 [M, n, S]."""
        frames = tf.shape(scaled)[1] - self._window + 1
        asset, start = windows // frames, windows % frames
        row = start[None, :] + tf.range(self._window)[:, None]
        return tf.gather_nd(scaled, tf.stack([tf.broadcast_to(asset[None, :], tf.shape(row)), row], axis=-1))

    def of_windows(self, frames: tf.Tensor) -> WindowStatistics:
        """float32 [M, n, S], time first, NaN where missing -> statistics of the n windows."""
        present = tf.math.is_finite(frames)
        values = tf.where(present, frames, 0.0)
        hidden = self._remember(tf.concat([values, tf.cast(present, tf.float32)], axis=-1))
        expected = self._forecasts_of_rows(hidden)
        late, late_present = values[self._warmup :], present[self._warmup :]
        level, level_present = self._smooth(late, late_present)
        residual, residual_present = self._smooth(late - expected, late_present)
        rows = tf.reduce_any(present, axis=-1)
        enough = tf.reduce_mean(tf.cast(rows, tf.float32), axis=0) >= MIN_PRESENT - 1e-6
        return WindowStatistics(
            residual,
            residual_present,
            level,
            level_present,
            expected[-1],
            self._heads(hidden[-1]),
            enough & rows[-1],
        )

    def _remember(self, inputs: tf.Tensor) -> tf.Tensor:
        """Hidden states, float32 [M, n, U], from a zero state: the fused kernel, gates i, f, c, o as in Keras."""
        zeros = tf.zeros([tf.shape(inputs)[1], self._units])
        peephole = tf.zeros([self._units])
        return tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.constant(self._window, tf.int64), x=inputs, cs_prev=zeros, h_prev=zeros, w=self._lstm,
            wci=peephole, wcf=peephole, wco=peephole, b=self._weights["lstm_bias"], cell_clip=0.0, use_peephole=False,
        ).h  # fmt: skip

    def _heads(self, hidden: tf.Tensor) -> tf.Tensor:
        """float32 [..., U] -> forecasts at every horizon, clipped as values are: float32 [..., H, S]."""
        narrow = tf.tensordot(hidden, self._weights["dense_kernel"], 1) + self._weights["dense_bias"]
        flat = tf.tensordot(narrow, self._weights["head_kernel"], 1) + self._weights["head_bias"]
        shape = tf.concat([tf.shape(flat)[:-1], [len(self._horizons), self._sensors]], axis=0)
        return tf.clip_by_value(tf.reshape(flat, shape), -CLIP, CLIP)

    def _forecasts_of_rows(self, hidden: tf.Tensor) -> tf.Tensor:
        """The window's last R rows as they were forecast, the mean over the horizons: float32 [R, n, S]."""
        first = self._warmup - max(self._horizons)
        heads = self._heads(hidden[first:])
        rows = self._window - self._warmup
        parts = []
        for position, horizon in enumerate(self._horizons):
            start = self._warmup - horizon - first
            parts.append(heads[start : start + rows, :, position])
        return tf.add_n(parts) / float(len(parts))

    def _smooth(self, values: tf.Tensor, present: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`kernel.smooth` of the scored sensors; time first."""
        values, present = tf.gather(values, self._scored, axis=-1), tf.gather(present, self._scored, axis=-1)
        weight = tf.tensordot(self._kernel, tf.cast(present, tf.float32), 1)
        total = tf.tensordot(self._kernel, tf.where(present, values, 0.0), 1)
        # the kernel sums to 1 up to rounding only
        enough = weight >= MIN_WEIGHT - 1e-6
        return tf.where(enough, total / tf.maximum(weight, MIN_WEIGHT), 0.0), enough


def scale(rows: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """Engineering units -> clipped deviations; NaN stays NaN (a clip alone may turn it into a bound)."""
    scaled = tf.clip_by_value((rows - mean) / deviation, -CLIP, CLIP)
    return tf.where(tf.math.is_finite(rows), scaled, tf.constant(np.nan, tf.float32))
