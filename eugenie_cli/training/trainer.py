"""The machinery of a fit: the Keras network, its optimiser and the compiled training and validation steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Floats
from eugenie_cli.detection.detectors.options import BURN_IN
from eugenie_cli.detection.linear_graph import LinearGraph
from eugenie_cli.detection.linear_path import LinearPath
from eugenie_cli.detection.window_statistics import encode
from eugenie_cli.training import devices as devices_
from eugenie_cli.training.batches import Batches, Cutter, Windows
from eugenie_cli.training.checkpoint import State
from eugenie_cli.training.devices import Devices

# Gradients are clipped at this norm, so that one odd window cannot ruin the weights.
CLIP_NORM = 1.0
# Windows that one thread processes at once; the pieces of a batch run in parallel. Their number depends on the batch
# alone, so that the sums, and therefore the weights, are the same on any number of cores.
PIECE = 32


class Trainer:
    """One fit of a network whose memory is of the kind `memory` (see `network.build`). Losses are Huber losses of
    forecasts in deviations, at positions after the burn-in. `linear`: the forecast that the network corrects."""

    def __init__(
        self,
        sensors: int,
        *,
        window: int,
        horizons: Sequence[int],
        units: int,
        learning_rate: float,
        seed: int,
        memory: str = network.LSTM,
        linear: LinearPath | None = None,
        devices: Devices | None = None,
    ) -> None:
        self._window = window
        self._linear = None if linear is None else LinearGraph(linear)
        self._horizons = tuple(horizons)
        self._random = np.random.default_rng(seed)
        self.cutter = Cutter(window, self._horizons, self._random)
        self._devices = devices or devices_.present()
        with self._devices.strategy.scope():
            layers = self._devices.layers(memory)
            self.model = network.build(sensors, len(self._horizons), units, kind=memory, seed=seed, **layers)
            self._remember = keras.Model(self.model.input, self.model.get_layer("noise").output)
            self._narrow, self._heads = self.model.get_layer("narrow"), self.model.get_layer("heads")
            self.optimizer = keras.optimizers.Adam(learning_rate, clipnorm=CLIP_NORM)
            self.optimizer.build(self.model.trainable_variables)
        self._compiled: dict[tuple[str, int], Any] = {}
        self._everywhere = tf.function(self._run_everywhere, autograph=False)
        self._loss, self._blame = self._loss_eagerly, self._blame_eagerly
        if self._devices.compiles:
            self._loss = tf.function(self._loss_eagerly, autograph=False, jit_compile=True)
            self._blame = tf.function(self._blame_eagerly, autograph=False, jit_compile=True)

    # -- state of the fit --------------------------------------------------------------------------------------

    def state(self) -> State:
        """Everything that determines how the fit continues: weights, the optimiser's moments, the random generator."""
        arrays = {f"variable.{number}": np.array(value) for number, value in enumerate(self._variables())}
        return State(arrays, {"random": self._random.bit_generator.state})

    def restore(self, state: State) -> None:
        """Returns the fit to the point at which `state` was taken."""
        for number, variable in enumerate(self._variables()):
            variable.assign(state.arrays[f"variable.{number}"])
        self._random.bit_generator.state = state.meta["random"]

    def _variables(self) -> list[Any]:
        return [*self.model.trainable_variables, *self.model.non_trainable_variables, *self.optimizer.variables]

    # -- steps -------------------------------------------------------------------------------------------------

    def _loss_eagerly(self, hidden: tf.Tensor, target: tf.Tensor, linear: tf.Tensor) -> tf.Tensor:
        """The loss of hidden states float32 [M, b, U], summed over the targets. `linear`: the forecasts that they
        correct, float32 [M - burn-in, b, H, S], or 0."""
        flat = tf.reshape(hidden[BURN_IN:], [-1, hidden.shape[-1]])
        forecast_rows = tf.stack([target[ahead + BURN_IN : ahead + self._window] for ahead in self._horizons], axis=2)
        corrections = tf.reshape(self._heads(self._narrow(flat)), tf.shape(forecast_rows))
        return huber(forecast_rows, corrections + linear)

    def _linear_forecasts(self, rows: tf.Tensor) -> tf.Tensor:
        """The linear path's forecasts after rows float32 [M, b, S]: see `_loss_eagerly`."""
        return tf.constant(0.0) if self._linear is None else self._linear.ahead(rows, axis=0, first=BURN_IN)

    def _blame_eagerly(
        self, hidden: tf.Tensor, target: tf.Tensor, linear: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The loss, and its gradients with respect to the hidden states and the weights of the later layers."""
        with tf.GradientTape() as tape:
            tape.watch(hidden)
            loss = self._loss_eagerly(hidden, target, linear)
        return loss, tape.gradient(loss, [hidden, *self._narrow.trainable_variables, *self._heads.trainable_variables])

    def _learn_here(self, inputs: tf.Tensor, target: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        losses, gradients = [], []
        for rows, targets in zip(_pieces(inputs), _pieces(target), strict=True):
            with tf.GradientTape() as tape:
                hidden = self._remember(encode(rows), training=True)
            loss, (of_hidden, *later) = self._blame(hidden, targets, self._linear_forecasts(rows))
            losses.append(loss)
            first = tape.gradient(hidden, self._remember.trainable_variables, output_gradients=of_hidden)
            gradients.append([*first, *later])
        summed = [tf.add_n(parts) / count for parts in zip(*gradients, strict=True)]
        if self._devices.replicas > 1:
            summed = tf.distribute.get_replica_context().all_reduce("SUM", summed)
        self.optimizer.apply_gradients(zip(summed, self.model.trainable_variables, strict=True))
        return tf.add_n(losses)

    def _judge_here(self, inputs: tf.Tensor, target: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        losses = [
            self._loss(self._remember(encode(rows), training=False), targets, self._linear_forecasts(rows))
            for rows, targets in zip(_pieces(inputs), _pieces(target), strict=True)
        ]
        return tf.add_n(losses)

    def _in_turn(self, step: Callable[..., tf.Tensor], batches: Batches) -> Floats:
        """Runs a step on each batch in turn, in one graph; their mean losses, float32 [K]."""
        key = step.__name__, batches.size
        if key not in self._compiled:
            signature = [tf.TensorSpec([None, *array.shape[1:]], tf.float32) for array in batches]
            self._compiled[key] = tf.function(_looped(step), input_signature=signature, autograph=False)
        losses: Floats = self._compiled[key](*batches).numpy() / batches.targets
        return losses

    def learn(self, batches: Batches) -> Floats:
        """Learns from each batch; their mean losses, float32 [K]."""
        if self._devices.replicas == 1:
            return self._in_turn(self._learn_here, batches)
        return np.array([self._learn_everywhere(*batch) for batch in zip(*batches, strict=True)], np.float32)

    def _learn_everywhere(self, inputs: Floats, target: Floats, count: np.float32) -> np.float32:
        """One step on every replica's share of a batch; the mean loss."""
        # replicas take equal shares: the windows added have no target, and so no effect
        missing = ((0, 0), (0, -inputs.shape[1] % self._devices.replicas), (0, 0))
        shares = [self._shares(np.pad(array, missing, constant_values=np.nan)) for array in (inputs, target)]
        loss: np.float32 = self._everywhere(*shares, tf.constant(count)).numpy() / count
        return loss

    def _run_everywhere(self, *batch: Any) -> tf.Tensor:
        strategy = self._devices.strategy
        return strategy.reduce("SUM", strategy.run(self._learn_here, args=batch), axis=None)

    def _shares(self, batch: Floats) -> Any:
        parts = np.split(batch, self._devices.replicas, axis=1)
        return self._devices.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    # -- epochs ------------------------------------------------------------------------------------------------

    def epoch(self, windows: Windows, batch: int, limit: int) -> float:
        """Learns from at most `limit` windows, drawn at random; the mean loss."""
        drawn = self.cutter.drawn(windows, batch, limit)
        return float(np.mean(np.concatenate([self.learn(batches) for batches in drawn])))

    def validate(self, windows: Windows, batch: int, limit: int) -> float:
        """The loss on at most `limit` evenly spread windows, the same ones every time."""
        losses: list[float] = []
        sizes: list[int] = []
        for batches in self.cutter.spread(windows, batch, limit):
            batch_losses = self._in_turn(self._judge_here, batches)
            losses.extend(batch_losses)
            sizes.extend([batches.size] * len(batch_losses))
        return float(np.average(losses, weights=sizes))


@tf.custom_gradient
def huber(target: tf.Tensor, forecast: tf.Tensor) -> Any:
    """Summed Huber loss (delta 1) of the targets that are not missing. Its gradient is the error clipped at 1; given
    explicitly, it costs one operation instead of ten."""
    error = forecast - target
    error = tf.where(tf.math.is_finite(error), error, 0.0)
    cut = tf.clip_by_value(error, -1.0, 1.0)
    return tf.reduce_sum(cut * (error - 0.5 * cut)), lambda upstream: (None, upstream * cut)


def _looped(step: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """`step` for each of K stacked sets of arguments; returns its results, [K]."""

    def run(*stacked: tf.Tensor) -> tf.Tensor:
        count = tf.shape(stacked[0])[0]

        def body(number: tf.Tensor, answers: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            return number + 1, answers.write(number, step(*(array[number] for array in stacked)))

        answers = tf.TensorArray(tf.float32, count)
        return tf.while_loop(lambda number, _: number < count, body, (0, answers), parallel_iterations=1)[1].stack()

    return run


def _pieces(batch: tf.Tensor) -> list[tf.Tensor]:
    """Splits a batch [rows, b, ...] into equal pieces of about `PIECE` windows; a batch of unknown b stays whole."""
    length = batch.shape[1]
    if length is None or length <= PIECE:
        return [batch]
    count = -(-length // PIECE)
    return [batch[:, length * piece // count : length * (piece + 1) // count] for piece in range(count)]
