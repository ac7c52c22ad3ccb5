"""Fitting the forecaster: Adam on the Huber loss of its forecasts, early stopping on rows that come later.

Windows are cut from one long array for each batch, without copies of the data set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Bools, Floats, Ints

# Positions before this one have seen too little of the window to be blamed for their forecasts.
BURN_IN = 20
# Gradients are cut at this norm: one odd window must not throw the weights away.
CLIP_NORM = 1.0
# Epochs without a better validation loss before the fit stops.
PATIENCE = 4
# Windows per epoch, drawn anew each time. Overlapping windows say the same again, so more only takes longer.
EPOCH_WINDOWS = 3072
# Shares of the training input that are hidden at random, so that missing values are nothing new when they
# come: single values, and windows in which a whole sensor is missing from some row on.
HIDDEN_VALUES = 0.02
HIDDEN_SENSOR_WINDOWS = 0.1


@dataclass(frozen=True)
class Windows:
    """Windows of one long array, which training and validation share.

    `rows` float32 [N, S] in deviations, NaN where missing or not to be seen; `part` int8 [N]: which part a
    row belongs to; `counts`: the part whose rows are to be forecast; `starts` int [W]: first rows of the
    windows. After each start lie at least a window and the longest horizon.
    """

    rows: Floats
    part: Ints
    counts: int
    starts: Ints


@dataclass(frozen=True)
class Epoch:
    """Losses after an epoch (Huber, in deviations squared)."""

    number: int
    loss: float
    validation: float
    seconds: float


@dataclass(frozen=True)
class Fit:
    """A fitted network and how it went."""

    network: dict[str, Floats]
    epochs: tuple[Epoch, ...]
    best: int
    windows: int
    seconds: float


def huber(target: tf.Tensor, forecast: tf.Tensor) -> tf.Tensor:
    """Mean Huber loss (delta 1) over the targets that are there."""
    there = tf.math.is_finite(target)
    error = tf.abs(tf.where(there, target - forecast, 0.0))
    loss = tf.where(error <= 1.0, 0.5 * tf.square(error), error - 0.5)
    return tf.reduce_sum(loss) / tf.maximum(tf.reduce_sum(tf.cast(there, tf.float32)), 1.0)


class Fitter:
    """One fit: the Keras network, its optimiser and the compiled steps."""

    def __init__(
        self,
        sensors: int,
        *,
        window: int,
        horizons: Sequence[int],
        units: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        self._window = window
        self._horizons = tuple(horizons)
        self._random = np.random.default_rng(seed)
        self.model = network.build(sensors, len(self._horizons), units, seed=seed)
        self._optimizer = keras.optimizers.Adam(learning_rate, clipnorm=CLIP_NORM)
        self._optimizer.build(self.model.trainable_variables)
        self._learn = tf.function(self._learn_eagerly, reduce_retracing=True)
        self._judge = tf.function(self._judge_eagerly, reduce_retracing=True)

    def _loss(self, inputs: tf.Tensor, target: tf.Tensor, training: bool) -> tf.Tensor:
        forecast = self.model(inputs, training=training)
        wanted = tf.stack([target[:, h : h + self._window] for h in self._horizons], axis=2)
        return huber(wanted[:, BURN_IN:], forecast[:, BURN_IN:])

    def _learn_eagerly(self, inputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self._loss(inputs, target, training=True)
        variables = self.model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def _judge_eagerly(self, inputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return self._loss(inputs, target, training=False)

    def _cut(self, windows: Windows, starts: Ints) -> tuple[Floats, Floats]:
        """Inputs float32 [b, M, S] and targets float32 [b, M + longest horizon, S] of a batch; the targets are
        NaN outside the part that counts."""
        index = starts[:, None] + np.arange(self._window + max(self._horizons))
        rows = windows.rows[index]
        inputs = rows[:, : self._window].copy()
        rows[windows.part[index] != windows.counts] = np.nan
        return inputs, rows

    def _hide(self, inputs: Floats) -> Floats:
        """`inputs` with values missing at random."""
        count, length, sensors = inputs.shape
        hidden: Bools = np.less(self._random.random(inputs.shape, dtype=np.float32), HIDDEN_VALUES)
        whole = np.flatnonzero(self._random.random(count) < HIDDEN_SENSOR_WINDOWS)
        since = self._random.integers(0, length, whole.size)
        sensor = self._random.integers(0, sensors, whole.size)
        hidden[whole, :, sensor] |= np.arange(length) >= since[:, None]
        inputs[hidden] = np.nan
        return inputs

    def epoch(self, windows: Windows, batch: int, limit: int) -> float:
        """Learns from at most `limit` windows, drawn anew; the mean loss."""
        starts = self._random.permutation(windows.starts)[:limit]
        losses = []
        for first in range(0, len(starts), batch):
            inputs, target = self._cut(windows, starts[first : first + batch])
            losses.append(float(self._learn(network.encode(self._hide(inputs)), target)))
        return float(np.mean(losses))

    def validate(self, windows: Windows, batch: int, limit: int) -> float:
        """The loss on at most `limit` windows, evenly spread: the same ones every time."""
        starts = windows.starts[:: max(1, len(windows.starts) // limit)]
        losses, counts = [], []
        for first in range(0, len(starts), batch):
            inputs, target = self._cut(windows, starts[first : first + batch])
            losses.append(float(self._judge(network.encode(inputs), target)))
            counts.append(len(inputs))
        return float(np.average(losses, weights=counts))


def fit(
    train: Windows,
    validation: Windows,
    *,
    window: int,
    horizons: Sequence[int],
    units: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Fits the forecaster of one class. The weights of the epoch with the lowest validation loss are kept.

    The same data and seed give the same weights on the same machine.
    """
    began = time.perf_counter()
    fitter = Fitter(
        train.rows.shape[1],
        window=window,
        horizons=horizons,
        units=units,
        learning_rate=learning_rate,
        seed=seed,
    )
    done: list[Epoch] = []
    best, kept = 0, network.weights_of(fitter.model)
    for number in range(epochs):
        started = time.perf_counter()
        loss = fitter.epoch(train, batch, EPOCH_WINDOWS)
        judged = fitter.validate(validation, batch, EPOCH_WINDOWS // 4)
        done.append(Epoch(number, loss, judged, time.perf_counter() - started))
        if on_epoch is not None:
            on_epoch(done[-1])
        if judged <= done[best].validation:
            best, kept = number, network.weights_of(fitter.model)
        elif number - best >= PATIENCE:
            break
    windows = len(done) * min(EPOCH_WINDOWS, len(train.starts))
    return Fit(kept, tuple(done), best, windows, time.perf_counter() - began)
