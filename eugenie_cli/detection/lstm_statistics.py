"""The statistics of windows whose forecaster is an LSTM: see `window_statistics`.

An LSTM's state depends on where its window began, so each window passes through it on its own. The graph cuts segments
into windows, a bounded number at a time, so a segment of hours needs hardly more memory than one of minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.ewma import SCATTER_SMOOTHING, ewma_kernel
from eugenie_cli.detection.linear_graph import LinearGraph
from eugenie_cli.detection.window_statistics import Heads, Sums, TrainedForecaster, WindowStatistics, encode, valid

# Windows that pass through the LSTM together: the kernel's seven outputs of 120 rows x 32 units take 28 MB, and more
# windows are no faster.
FRAME_WINDOWS = 256


class _Linear(NamedTuple):
    """Forecasts of the linear path for n windows."""

    of_rows: tf.Tensor
    """float32 [R, n, S]: of their last rows, at the shortest horizon."""
    ahead: tf.Tensor
    """float32 [n, H, S]: after their last row."""


class LstmStatistics(tf.Module):
    """Computes `WindowStatistics` from rows in deviations, with the trained network's weights."""

    def __init__(self, forecaster: TrainedForecaster, scored: Sequence[int]) -> None:
        super().__init__(name="statistics")
        network, window, warmup = forecaster.network, forecaster.window, forecaster.warmup
        self._window = window
        self._warmup = warmup
        self._scored = np.asarray(scored, dtype=np.int32)
        self._kernel = ewma_kernel(window - warmup).astype(np.float32)
        self._short_kernel = ewma_kernel(window - warmup, SCATTER_SMOOTHING).astype(np.float32)
        self._units = int(network["lstm_recurrent"].shape[0])
        self._horizons = len(forecaster.horizons)
        self._heads = Heads(network, forecaster.horizons)
        self._sensors = self._heads.sensors
        self._linear = None if forecaster.linear is None else LinearGraph(forecaster.linear)
        # a single matrix for input and recurrence, as the block kernel expects
        self._lstm = tf.constant(np.concatenate([network["lstm_kernel"], network["lstm_recurrent"]]), tf.float32)
        self._lstm_bias = tf.constant(network["lstm_bias"], tf.float32)

    def frame_all(self, scaled: tf.Tensor) -> WindowStatistics:
        """float32 [B, L, S] with NaN where missing -> statistics of the B x (L - M + 1) windows, row-major.

        What depends on a single row is computed once, before the row enters its M windows.
        """
        length = tf.shape(scaled)[1]
        frames = length - self._window + 1
        count = tf.shape(scaled)[0] * frames
        chunks = tf.maximum(1, (count + FRAME_WINDOWS - 1) // FRAME_WINDOWS)
        rows = tf.reshape(encode(scaled), [-1, 2 * self._sensors])
        linear = None if self._linear is None else self._of_linear(self._linear, scaled)
        sensors, scored = self._sensors, len(self._scored)
        shapes = [*([scored] for _ in range(7)), [sensors], [self._horizons, sensors]]
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
            parts = self._of_windows(frame, None if linear is None else linear(windows, frames))
            return chunk + 1, [array.write(chunk, part) for array, part in zip(written, parts, strict=True)]

        _, arrays = tf.while_loop(
            lambda chunk, _: chunk < chunks, body, (tf.constant(0), arrays), parallel_iterations=1
        )
        return WindowStatistics._make([*(array.concat() for array in arrays), valid(scaled, self._window)])

    def _of_linear(self, path: LinearGraph, scaled: tf.Tensor) -> Callable[[tf.Tensor, tf.Tensor], _Linear]:
        """The linear path's forecasts for segments float32 [B, L, S], made once for each row: a function from numbers
        of windows int32 [n], and the number of windows in a segment, to those of the windows."""
        horizon = self._heads.nearest
        late = path.at(self._heads.nearest_index, scaled[:, :-horizon], axis=1, first=self._warmup - horizon)
        length = tf.shape(late)[1]
        of_rows = tf.reshape(late, [-1, self._sensors])
        ahead = path.ahead(scaled, axis=1, first=self._window - 1)
        ahead = tf.reshape(ahead, [-1, self._horizons, self._sensors])

        def of_windows(windows: tf.Tensor, frames: tf.Tensor) -> _Linear:
            first = windows // frames * length + windows % frames
            places = first[None, :] + tf.range(self._window - self._warmup)[:, None]
            return _Linear(tf.gather(of_rows, places), tf.gather(ahead, windows))

        return of_windows

    def _of_windows(self, frames: tf.Tensor, linear: _Linear | None) -> tuple[tf.Tensor, ...]:
        """Encoded rows float32 [M, n, 2S], time first, and the linear path's forecasts -> `WindowStatistics` of the n
        windows, all but `valid`."""
        hidden = self._remember(frames)
        of_rows, linear_ahead = (None, None) if linear is None else linear
        expected = self._forecasts_of_rows(hidden, of_rows)
        late = frames[self._warmup :]
        values, present = late[..., : self._sensors], late[..., self._sensors :]
        error = (values - expected) * present
        smoothed = self._smoothed(late, self._kernel)
        recent, square, recent_weight = (
            self._smoothed(part, self._short_kernel) for part in (error, tf.square(error), present)
        )
        sums = Sums(
            residual=self._smoothed(error, self._kernel),
            level=smoothed[:, : self._sensors],
            weight=smoothed[:, self._sensors :],
            recent=recent,
            square=square,
            recent_weight=recent_weight,
        )
        averages = Sums._make(map(self._of_scored, sums)).averages()
        return (*averages, expected[-1], self._heads.of_all(hidden[-1], linear_ahead))

    def _remember(self, inputs: tf.Tensor) -> tf.Tensor:
        """Hidden states float32 [M, n, U] from a zero state, by the fused kernel; gates i, f, c, o as in Keras."""
        zeros = tf.zeros([tf.shape(inputs)[1], self._units])
        peephole = tf.zeros([self._units])
        return tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.constant(self._window, tf.int64), x=inputs, cs_prev=zeros, h_prev=zeros, w=self._lstm,
            wci=peephole, wcf=peephole, wco=peephole, b=self._lstm_bias, cell_clip=0.0, use_peephole=False,
        ).h  # fmt: skip

    def _forecasts_of_rows(self, hidden: tf.Tensor, linear: tf.Tensor | None) -> tf.Tensor:
        """The shortest horizon's forecasts of the window's last R rows: float32 [R, n, S]."""
        nearest = self._heads.nearest
        return self._heads.of_nearest(hidden[self._warmup - nearest : self._window - nearest], linear)

    def _smoothed(self, values: tf.Tensor, kernel: Floats) -> tf.Tensor:
        """`ewma.smooth` before the division by the weight of present values: float32 [R, n, P] -> [n, P]."""
        return tf.tensordot(kernel, values, 1)

    def _of_scored(self, values: tf.Tensor) -> tf.Tensor:
        """float32 [n, S] -> [n, P]."""
        return tf.gather(values, self._scored, axis=-1)
