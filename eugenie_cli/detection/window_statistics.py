"""The statistics of a window as a TensorFlow graph: smoothed forecast errors, their scatter, smoothed levels.

The graph cuts segments into windows, a bounded number at a time, so a segment of hours needs hardly more memory than
one of minutes. No state crosses from one window to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detector import MIN_PRESENT
from eugenie_cli.detection.ewma import MIN_WEIGHT, SCATTER_SMOOTHING, ewma_kernel
from eugenie_cli.detection.network import CLIP

# Windows that pass through the LSTM together: the kernel's seven outputs of 120 rows x 32 units take 28 MB, and more
# windows are no faster.
FRAME_WINDOWS = 256


class WindowStatistics(NamedTuple):
    """Statistics of N windows; S sensors, P scored sensors, H horizons. All values are in deviations from normal."""

    residual: tf.Tensor
    """float32 [N, P]: smoothed forecast error, 0 where absent."""
    residual_present: tf.Tensor
    """bool [N, P]."""
    level: tf.Tensor
    """float32 [N, P]: smoothed value, 0 where absent."""
    level_present: tf.Tensor
    """bool [N, P]."""
    recent: tf.Tensor
    """float32 [N, P]: forecast error smoothed over fewer rows, 0 where absent."""
    square: tf.Tensor
    """float32 [N, P]: its square, smoothed alike."""
    recent_present: tf.Tensor
    """bool [N, P]: presence of both."""
    expected: tf.Tensor
    """float32 [N, S]: the shortest horizon's forecast of the last row."""
    ahead: tf.Tensor
    """float32 [N, H, S]: forecasts of the rows to come."""
    valid: tf.Tensor
    """bool [N]: whether enough rows are present."""


class StatisticsModule(tf.Module):
    """Computes `WindowStatistics` from rows in deviations, with the trained network's weights."""

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
        # the shortest horizon forecasts best; the others shape the memory and serve `forecast`
        self._nearest = int(np.argmin(self._horizons))
        self._kernel = ewma_kernel(window - warmup).astype(np.float32)
        self._short_kernel = ewma_kernel(window - warmup, SCATTER_SMOOTHING).astype(np.float32)
        self._units = int(network["lstm_recurrent"].shape[0])
        self._sensors = int(network["lstm_kernel"].shape[0]) // 2
        # a single matrix for input and recurrence, as the block kernel expects
        self._lstm = tf.constant(np.concatenate([network["lstm_kernel"], network["lstm_recurrent"]]), tf.float32)
        self._lstm_bias = tf.constant(network["lstm_bias"], tf.float32)
        # a single matrix for the narrow layer and the heads, which have no activation in between
        dense, head = network["dense_kernel"].astype(np.float64), network["head_kernel"].astype(np.float64)
        self._head_kernel = tf.constant(dense @ head, tf.float32)
        self._head_bias = tf.constant(network["dense_bias"] @ head + network["head_bias"], tf.float32)

    def frame_all(self, scaled: tf.Tensor) -> WindowStatistics:
        """float32 [B, L, S] with NaN where missing -> statistics of the B x (L - M + 1) windows, row-major.

        What depends on a single row is computed once, before the row enters its M windows.
        """
        length = tf.shape(scaled)[1]
        frames = length - self._window + 1
        count = tf.shape(scaled)[0] * frames
        chunks = tf.maximum(1, (count + FRAME_WINDOWS - 1) // FRAME_WINDOWS)
        rows = tf.reshape(encode(scaled), [-1, 2 * self._sensors])
        sensors, scored = self._sensors, len(self._scored)
        shapes = [*([scored] for _ in range(7)), [sensors], [len(self._horizons), sensors]]
        dtypes = [
            tf.float32, tf.bool, tf.float32, tf.bool, tf.float32, tf.float32, tf.bool, tf.float32, tf.float32,
        ]  # fmt: skip
        arrays = [
            tf.TensorArray(dtype, chunks, element_shape=[None, *shape], infer_shape=False)
            for dtype, shape in zip(dtypes, shapes, strict=True)
        ]

        def body(chunk: tf.Tensor, written: list[tf.TensorArray]) -> tuple[tf.Tensor, list[tf.TensorArray]]:
            windows = tf.range(chunk * FRAME_WINDOWS, tf.minimum(count, (chunk + 1) * FRAME_WINDOWS))
            first = windows // frames * length + windows % frames
            frame = tf.gather(rows, first[None, :] + tf.range(self._window)[:, None])
            parts = self._of_windows(frame)
            return chunk + 1, [array.write(chunk, part) for array, part in zip(written, parts, strict=True)]

        _, arrays = tf.while_loop(
            lambda chunk, _: chunk < chunks, body, (tf.constant(0), arrays), parallel_iterations=1
        )
        return WindowStatistics._make([*(array.concat() for array in arrays), self._valid(scaled)])

    def _valid(self, scaled: tf.Tensor) -> tf.Tensor:
        """Whether a window has its last row and enough of the others: bool [B x K]."""
        present = tf.reduce_any(tf.math.is_finite(scaled), axis=-1)
        until = tf.cumsum(tf.pad(tf.cast(present, tf.int32), [[0, 0], [1, 0]]), axis=1)
        count = until[:, self._window :] - until[:, : -self._window]
        enough = tf.cast(count, tf.float32) >= (MIN_PRESENT - 1e-6) * self._window
        return tf.reshape(enough & present[:, self._window - 1 :], [-1])

    def _of_windows(self, frames: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Encoded rows float32 [M, n, 2S], time first -> `WindowStatistics` of the n windows, all but `valid`."""
        hidden = self._remember(frames)
        expected = self._forecasts_of_rows(hidden)
        late = frames[self._warmup :]
        values, present = late[..., : self._sensors], late[..., self._sensors :]
        error = (values - expected) * present
        smoothed = self._smoothed(late, self._kernel)
        level, weight = self._of_scored(smoothed[:, : self._sensors]), self._of_scored(smoothed[:, self._sensors :])
        residual = self._of_scored(self._smoothed(error, self._kernel))
        recent, square, short_weight = (
            self._of_scored(self._smoothed(part, self._short_kernel)) for part in (error, tf.square(error), present)
        )
        # the kernels sum to 1 only up to rounding
        enough, short_enough = weight >= MIN_WEIGHT - 1e-6, short_weight >= MIN_WEIGHT - 1e-6
        weight, short_weight = tf.maximum(weight, MIN_WEIGHT), tf.maximum(short_weight, MIN_WEIGHT)
        return (
            tf.where(enough, residual / weight, 0.0),
            enough,
            tf.where(enough, level / weight, 0.0),
            enough,
            tf.where(short_enough, recent / short_weight, 0.0),
            tf.where(short_enough, square / short_weight, 0.0),
            short_enough,
            expected[-1],
            self._heads(hidden[-1]),
        )

    def _remember(self, inputs: tf.Tensor) -> tf.Tensor:
        """Hidden states float32 [M, n, U] from a zero state, by the fused kernel; gates i, f, c, o as in Keras."""
        zeros = tf.zeros([tf.shape(inputs)[1], self._units])
        peephole = tf.zeros([self._units])
        return tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.constant(self._window, tf.int64), x=inputs, cs_prev=zeros, h_prev=zeros, w=self._lstm,
            wci=peephole, wcf=peephole, wco=peephole, b=self._lstm_bias, cell_clip=0.0, use_peephole=False,
        ).h  # fmt: skip

    def _heads(self, hidden: tf.Tensor) -> tf.Tensor:
        """float32 [..., U] -> forecasts at every horizon, clipped like values: float32 [..., H, S]."""
        flat = tf.nn.bias_add(tf.matmul(tf.reshape(hidden, [-1, self._units]), self._head_kernel), self._head_bias)
        shape = tf.concat([tf.shape(hidden)[:-1], [len(self._horizons), self._sensors]], axis=0)
        return tf.reshape(tf.clip_by_value(flat, -CLIP, CLIP), shape)

    def _forecasts_of_rows(self, hidden: tf.Tensor) -> tf.Tensor:
        """The shortest horizon's forecasts of the window's last R rows: float32 [R, n, S]."""
        horizon = self._horizons[self._nearest]
        columns = slice(self._nearest * self._sensors, (self._nearest + 1) * self._sensors)
        before = hidden[self._warmup - horizon : self._window - horizon]
        flat = tf.matmul(tf.reshape(before, [-1, self._units]), self._head_kernel[:, columns])
        flat = tf.clip_by_value(tf.nn.bias_add(flat, self._head_bias[columns]), -CLIP, CLIP)
        return tf.reshape(flat, [self._window - self._warmup, -1, self._sensors])

    def _smoothed(self, values: tf.Tensor, kernel: Floats) -> tf.Tensor:
        """`ewma.smooth` before the division by the weight of present values: float32 [R, n, P] -> [n, P]."""
        return tf.tensordot(kernel, values, 1)

    def _of_scored(self, values: tf.Tensor) -> tf.Tensor:
        """float32 [n, S] -> [n, P]."""
        return tf.gather(values, self._scored, axis=-1)


def encode(scaled: tf.Tensor) -> tf.Tensor:
    """`network.encode` in the graph: float32 [..., S] with NaN where missing -> [..., 2S]."""
    present = tf.math.is_finite(scaled)
    return tf.concat([tf.where(present, scaled, 0.0), tf.cast(present, tf.float32)], axis=-1)


def scale(rows: tf.Tensor, mean: tf.Tensor, deviation: tf.Tensor) -> tf.Tensor:
    """Engineering units -> clipped deviations; NaN stays NaN (clipping alone may turn it into a bound)."""
    scaled = tf.clip_by_value((rows - mean) / deviation, -CLIP, CLIP)
    return tf.where(tf.math.is_finite(rows), scaled, tf.constant(np.nan, tf.float32))
