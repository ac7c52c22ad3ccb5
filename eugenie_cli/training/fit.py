"""Fitting the forecaster: Adam on the Huber loss of its forecasts, early stopping on rows that come later.

Windows are cut from one long array for each batch, without copies of the data set, while the network learns from the
batch before. The array may lie on disk. A batch has its windows' first rows first, then their second ones, and so on:
that is how the recurrent layer reads them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from eugenie_cli.detection import network
from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.types.options import BURN_IN
from eugenie_cli.training import devices as devices_
from eugenie_cli.training import rate
from eugenie_cli.training.checkpoint import Checkpoint, State
from eugenie_cli.training.devices import Devices

# Gradients are cut at this norm: one odd window must not throw the weights away.
CLIP_NORM = 1.0
# Epochs without a better validation loss before the fit stops.
PATIENCE = 4
# Windows per epoch, drawn anew each time. Overlapping windows say the same again, so more only takes longer.
EPOCH_WINDOWS = 3072
# Windows that one thread works on at once: the pieces of a batch run beside one another. Their number depends on the
# batch alone, so that the sums, and with them the weights, are the same on any number of cores.
PIECE = 32
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
    search: rate.Search | None = None
    """How the learning rate was found; None where it was given."""


@tf.custom_gradient
def huber(target: tf.Tensor, forecast: tf.Tensor) -> Any:
    """Summed Huber loss (delta 1) of the targets that are there. Its gradient is the error, cut at 1: said here, it
    costs one operation instead of ten."""
    error = forecast - target
    error = tf.where(tf.math.is_finite(error), error, 0.0)
    cut = tf.clip_by_value(error, -1.0, 1.0)
    return tf.reduce_sum(cut * (error - 0.5 * cut)), lambda upstream: (None, upstream * cut)


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
        devices: Devices | None = None,
    ) -> None:
        self._window = window
        self._horizons = tuple(horizons)
        self._random = np.random.default_rng(seed)
        self._devices = devices or devices_.present()
        with self._devices.strategy.scope():
            self.model = network.build(sensors, len(self._horizons), units, seed=seed, **self._devices.layers)
            self.optimizer = keras.optimizers.Adam(learning_rate, clipnorm=CLIP_NORM)
            self.optimizer.build(self.model.trainable_variables)
        self._learn = tf.function(self._learn_everywhere, autograph=False)
        self._judge = tf.function(self._judge_eagerly, autograph=False)

    # -- where the fit stands ----------------------------------------------------------------------------------

    def state(self) -> State:
        """All that decides how the fit goes on: weights, the optimiser's moments, generators of random numbers."""
        arrays = {f"variable.{number}": np.array(value) for number, value in enumerate(self._variables())}
        return State(arrays, {"random": self._random.bit_generator.state})

    def restore(self, state: State) -> None:
        """The fit as it stood when `state` was taken."""
        for number, variable in enumerate(self._variables()):
            variable.assign(state.arrays[f"variable.{number}"])
        self._random.bit_generator.state = state.meta["random"]

    def _variables(self) -> list[Any]:
        return [*self.model.trainable_variables, *self.model.non_trainable_variables, *self.optimizer.variables]

    # -- steps -------------------------------------------------------------------------------------------------

    def _loss(self, inputs: tf.Tensor, target: tf.Tensor, training: bool) -> tf.Tensor:
        """Summed over the targets."""
        forecast = self.model(inputs, training=training)
        wanted = tf.stack([target[h + BURN_IN : h + self._window] for h in self._horizons], axis=2)
        return huber(wanted, forecast[BURN_IN:])

    def _count(self, target: Floats) -> np.float32:
        """How many targets are there; at least 1."""
        there = np.isfinite(target).sum(axis=(1, 2))
        return np.float32(max(1, sum(there[h + BURN_IN : h + self._window].sum() for h in self._horizons)))

    def _learn_everywhere(self, inputs: Any, target: Any, count: tf.Tensor) -> tf.Tensor:
        """One step on every replica's share of a batch; the mean loss."""
        losses = self._devices.strategy.run(self._learn_here, args=(inputs, target, count))
        return self._devices.strategy.reduce("SUM", losses, axis=None) / count

    def _learn_here(self, inputs: tf.Tensor, target: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        variables = self.model.trainable_variables
        losses, gradients = [], []
        for rows, wanted in zip(_pieces(inputs), _pieces(target), strict=True):
            with tf.GradientTape() as tape:
                loss = self._loss(rows, wanted, training=True)
            losses.append(loss)
            gradients.append(tape.gradient(loss, variables))
        summed = [tf.add_n(parts) / count for parts in zip(*gradients, strict=True)]
        if self._devices.replicas > 1:
            summed = tf.distribute.get_replica_context().all_reduce("SUM", summed)
        self.optimizer.apply_gradients(zip(summed, variables, strict=True))
        return tf.add_n(losses)

    def _judge_eagerly(self, inputs: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        losses = [self._loss(*part, training=False) for part in zip(_pieces(inputs), _pieces(target), strict=True)]
        return tf.add_n(losses)

    def learn(self, inputs: Floats, target: Floats) -> tf.Tensor:
        """One step on a batch: encoded rows float32 [M, b, 2S], targets float32 [M + longest horizon, b, S], NaN
        where there is none; the mean loss."""
        replicas = self._devices.replicas
        count = tf.constant(self._count(target))
        if replicas == 1:
            return self._learn(tf.constant(inputs), tf.constant(target), count)
        missing = -inputs.shape[1] % replicas  # replicas take equal shares: windows without a target teach nothing
        inputs = np.pad(inputs, ((0, 0), (0, missing), (0, 0)))
        target = np.pad(target, ((0, 0), (0, missing), (0, 0)), constant_values=np.nan)
        return self._learn(self._shares(inputs), self._shares(target), count)

    def _shares(self, batch: Floats) -> Any:
        parts = np.split(batch, self._devices.replicas, axis=1)
        return self._devices.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    # -- batches -----------------------------------------------------------------------------------------------

    def _cut(self, windows: Windows, starts: Ints) -> tuple[Floats, Floats]:
        """Inputs float32 [M, b, S] and targets float32 [M + longest horizon, b, S] of a batch; the targets are
        NaN outside the part that counts."""
        index = starts + np.arange(self._window + max(self._horizons))[:, None]
        rows = windows.rows[index]
        inputs = rows[: self._window].copy()
        rows[windows.part[index] != windows.counts] = np.nan
        return inputs, rows

    def _hide(self, inputs: Floats) -> Floats:
        """`inputs` with values missing at random."""
        length, count, sensors = inputs.shape
        hidden: Bools = np.less(self._random.random(inputs.shape, dtype=np.float32), HIDDEN_VALUES)
        whole = np.flatnonzero(self._random.random(count) < HIDDEN_SENSOR_WINDOWS)
        since = self._random.integers(0, length, whole.size)
        sensor = self._random.integers(0, sensors, whole.size)
        hidden[:, whole, sensor] |= np.arange(length)[:, None] >= since
        inputs[hidden] = np.nan
        return inputs

    def _batches(self, windows: Windows, starts: Ints, batch: int, hide: bool) -> Iterator[tuple[Floats, Floats]]:
        """Encoded inputs and targets; the next batch is cut while the caller works on this one."""

        def cut(first: int) -> tuple[Floats, Floats]:
            inputs, target = self._cut(windows, starts[first : first + batch])
            return network.encode(self._hide(inputs) if hide else inputs), target

        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(cut, 0)
            for first in range(batch, len(starts) + batch, batch):
                ready = coming.result()
                if first < len(starts):
                    coming = ahead.submit(cut, first)
                yield ready

    def draw(self, windows: Windows, batch: int, limit: int) -> Iterator[tuple[Floats, Floats]]:
        """What `learn` takes, of at most `limit` windows, drawn anew."""
        count = len(windows.starts)
        drawn = self._random.choice(count, min(limit, count), replace=False)
        return self._batches(windows, windows.starts[drawn], batch, hide=True)

    def epoch(self, windows: Windows, batch: int, limit: int) -> float:
        """Learns from at most `limit` windows, drawn anew; the mean loss."""
        batches = self.draw(windows, batch, limit)
        return float(np.mean([float(self.learn(inputs, target)) for inputs, target in batches]))

    def validate(self, windows: Windows, batch: int, limit: int) -> float:
        """The loss on at most `limit` windows, evenly spread: the same ones every time."""
        starts = windows.starts[:: max(1, len(windows.starts) // limit)]
        losses, counts = [], []
        for inputs, target in self._batches(windows, starts, batch, hide=False):
            losses.append(float(self._judge(tf.constant(inputs), tf.constant(target))) / self._count(target))
            counts.append(inputs.shape[1])
        return float(np.average(losses, weights=counts))


def _pieces(batch: tf.Tensor) -> list[tf.Tensor]:
    """A batch [rows, b, ...] of known b in equal pieces of about `PIECE` windows, one of unknown b as it is."""
    length = batch.shape[1]
    if length is None or length <= PIECE:
        return [batch]
    count = -(-length // PIECE)
    return [batch[:, length * piece // count : length * (piece + 1) // count] for piece in range(count)]


def fit(
    train: Windows,
    validation: Windows,
    *,
    window: int,
    horizons: Sequence[int],
    units: int,
    epochs: int,
    batch: int,
    learning_rate: float | Literal["auto"],
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_search: Callable[[rate.Search], None] | None = None,
    checkpoint: Checkpoint | None = None,
    devices: Devices | None = None,
    initial: Mapping[str, Floats] | None = None,
) -> Fit:
    """Fits the forecaster of one class. The weights of the epoch with the lowest validation loss are kept.

    The same data and seed give the same weights on the same machine, also when the fit was killed in between and goes
    on from its `checkpoint`. `on_epoch` is told of epochs before that, too. `initial`: weights to begin with
    (`network.WEIGHTS`); by default random ones. `learning_rate` auto: it is searched for first, once, and the fit is
    the same as with that number; `on_search` is told.
    """
    fitter = Fitter(
        train.rows.shape[1],
        window=window,
        horizons=horizons,
        units=units,
        learning_rate=rate.LEAST if learning_rate == "auto" else learning_rate,
        seed=seed,
        devices=devices,
    )
    if initial is not None:
        fitter.model.set_weights([initial[name] for name in network.WEIGHTS])
    tell = on_epoch or (lambda _epoch: None)
    done: list[Epoch] = []
    best, kept = 0, network.weights_of(fitter.model)
    search: rate.Search | None = None

    def save() -> None:
        if checkpoint is None:
            return
        now = fitter.state()
        arrays = {**now.arrays, **{f"kept.{name}": value for name, value in kept.items()}}
        noted = {"epochs": [asdict(epoch) for epoch in done], "best": best, "search": search and asdict(search)}
        checkpoint.save(State(arrays, {**now.meta, **noted}))

    state = checkpoint.load() if checkpoint is not None else None
    if state is not None:
        fitter.restore(state)
        done = [Epoch(**epoch) for epoch in state.meta["epochs"]]
        best, kept = state.meta["best"], {name: state.arrays[f"kept.{name}"] for name in network.WEIGHTS}
        search = rate.Search(**state.meta["search"]) if state.meta["search"] else None
    elif learning_rate == "auto":
        search = rate.find(fitter, train, batch, EPOCH_WINDOWS)
        save()
    if search is not None and on_search is not None:
        on_search(search)
    for epoch in done:
        tell(epoch)
    while len(done) < epochs and len(done) - 1 - best < PATIENCE:
        started = time.perf_counter()
        loss = fitter.epoch(train, batch, EPOCH_WINDOWS)
        judged = fitter.validate(validation, batch, EPOCH_WINDOWS // 4)
        done.append(Epoch(len(done), loss, judged, time.perf_counter() - started))
        if judged <= done[best].validation:
            best, kept = len(done) - 1, network.weights_of(fitter.model)
        save()
        tell(done[-1])
    windows = len(done) * min(EPOCH_WINDOWS, len(train.starts))
    return Fit(kept, tuple(done), best, windows, sum(epoch.seconds for epoch in done), search)
